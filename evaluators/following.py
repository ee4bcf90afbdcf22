"""Follows books: snapshot by snapshot, each decided in the light of those of its book before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from evaluators.decision import Decision
from evaluators.refusals import refusal
from evaluators.snapshot import Snapshot
from evaluators.timelines import Order, clash, order


class Book(Protocol):
    """What somebody keeps of one book."""

    def decide(self, snapshot: Snapshot) -> Decision:
        """The decision on the next snapshot of the book."""


@dataclass(slots=True)
class _Followed:
    book: Book
    newest: Snapshot | None = None
    decision: Decision | None = None


class Following:
    """Decides the snapshots of any number of books, in the order in which they come.

    `start` begins a book of that name. `ordered`: the times of a book must increase, since its decisions look back;
    else every snapshot stands for itself.
    """

    def __init__(self, start: Callable[[str], Book], *, ordered: bool) -> None:
        self._start, self._ordered = start, ordered
        self._books: dict[str, _Followed] = {}

    def decide(self, snapshot: Snapshot) -> Decision:
        """The decision on the next snapshot of its book; an identical repeat of the newest has the same decision.

        Raises PolicyError (RF777) for an older time than the newest of the book, or the same with other content.
        """
        followed = self._books.get(snapshot.book)
        if followed is None:
            followed = self._books[snapshot.book] = _Followed(self._start(snapshot.book))
        if not self._ordered:
            return followed.book.decide(snapshot)
        newest = followed.newest
        if newest is not None and snapshot.ts <= newest.ts:
            if followed.decision is None or order(newest, snapshot) is Order.CLASH:
                message = clash(snapshot.book, snapshot.ts, newest.ts)
                raise refusal("RF777", message, "times of one book strictly increase")
            return followed.decision
        followed.decision = followed.book.decide(snapshot)
        followed.newest = snapshot
        return followed.decision
