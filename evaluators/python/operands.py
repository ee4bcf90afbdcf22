"""Operands: what stands for a value in generated code, and how far the value can reach."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.python.literals import literal
from policy_dsl.quantities import INT64_MAX, INT64_MIN
from policy_dsl.types import Value


@dataclass(frozen=True, slots=True)
class Operand:
    """A local name or a literal.

    `nullable`: it may be None (unknown). `depth` is the frame in which the name is set (see `Scribe`). A number lies in
    `[low, high]` (inclusive quanta) where it is known; every fact is an int64.
    """

    text: str
    nullable: bool = False
    depth: int = 0
    low: int = INT64_MIN
    high: int = INT64_MAX

    @property
    def is_constant(self) -> bool:
        """Whether it can only be one number, flag or level."""
        return self.low == self.high and not self.nullable


def constant(value: Value | None) -> Operand:
    """The operand of a value known now; None is the one that is unknown now."""
    if isinstance(value, str) or value is None:
        return Operand(literal(value), nullable=value is None)
    return Operand(literal(value), low=int(value), high=int(value))


UNKNOWN = constant(None)
