"""Keys for what is kept of programs and rules: comparing whole ones would take longer than what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class One(Generic[T]):
    """A value that is equal to itself alone."""

    value: T

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, One) and other.value is self.value
