"""What an expression can see: a snapshot, the rows bound in it, the outputs computed so far, and what was before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, NamedTuple, TypeVar, overload

from evaluators.decision import OutputValue, PerRow
from evaluators.snapshot import Fields, Snapshot
from evaluators.timelines import DEFAULT_MAX_GAP


class BoundRow(NamedTuple):
    """The row a variable stands for; the key is None for the stand-in of a missing collection, all unknown."""

    entity: str
    key: str | None
    fields: Fields


Bindings = Mapping[str, BoundRow]
"""The row at hand for each variable of an enclosing rule or aggregate."""

Outputs = Mapping[str, OutputValue | PerRow]
"""The final values of the outputs computed so far, by id."""


_T = TypeVar("_T")


class Earlier(Sequence[_T], Generic[_T]):
    """What came before, oldest first. Each history is the one before it and one more, and all share one list."""

    __slots__ = ("_count", "_items")

    def __init__(self, items: Sequence[_T] = ()) -> None:
        self._items, self._count = list(items), len(items)

    def then(self, item: _T) -> Earlier[_T]:
        """This history and `item` after it."""
        longer: Earlier[_T] = Earlier()
        # A history that has been continued already is continued another way on a list of its own.
        longer._items = self._items if len(self._items) == self._count else self._items[: self._count]
        longer._items.append(item)
        longer._count = self._count + 1
        return longer

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[_T]:
        return islice(self._items, self._count)

    @overload
    def __getitem__(self, place: int) -> _T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[_T]: ...
    def __getitem__(self, place: int | slice) -> _T | Sequence[_T]:
        if isinstance(place, slice):
            start, stop, step = place.indices(self._count)
            return self._items[start:stop:step]
        return self._items[range(self._count)[place]]


@dataclass(frozen=True, slots=True)
class Moment:
    """An earlier snapshot of the book, the final values of all outputs then, and the moments before it."""

    snapshot: Snapshot
    outputs: Outputs
    earlier: Sequence[Moment]


@dataclass(frozen=True, slots=True)
class Scene:
    """All that an expression can see. `earlier` are the snapshots before, oldest first."""

    snapshot: Snapshot
    bindings: Bindings
    outputs: Outputs
    earlier: Sequence[Moment] = ()
    max_gap: int = DEFAULT_MAX_GAP
