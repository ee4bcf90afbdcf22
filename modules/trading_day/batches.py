"""A store that writes many snapshots at once: in simulated time nothing is lost between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evaluators.bookmarks import Bookmark
from evaluators.decision import Decision
from evaluators.snapshot import Snapshot
from evaluators.store import Store, Written
from modules.facts import CATALOGUE

AT_ONCE = 240
"""Snapshots that are written together."""


class BatchedStore(Store):
    """A store in memory. What has been taken is written when enough has come together, and on closing.

    A fund that trades needs each snapshot on the disk before it acts; a simulated one starts anew from its seed. What
    does not `keep` remembers the newest snapshot and no other.
    """

    def __init__(self, *, keep: bool = True) -> None:
        super().__init__(":memory:", CATALOGUE)
        self._keep = keep
        self._newest: dict[str, Snapshot] = {}
        self._stored = 0
        self._waiting: tuple[list[Snapshot], list[tuple[str, Decision]]] = ([], [])

    def write(
        self,
        snapshots: Iterable[Snapshot] = (),
        decisions: Iterable[tuple[str, Decision]] = (),
        bookmarks: Iterable[Bookmark] = (),
    ) -> Written:
        """Take snapshots and decisions; they are written later. Bookmarks are not: nobody comes back to a memory."""
        del bookmarks
        new, decided = self._waiting
        came = list(snapshots)
        new += came
        decided += decisions
        self._newest |= {snapshot.book: snapshot for snapshot in came}
        if len(new) >= AT_ONCE:
            self.flush()
        return Written(len(came), ())

    def latest(self, book: str) -> Snapshot | None:
        """The newest snapshot of `book`, written or not."""
        return self._newest.get(book)

    def snapshots(self, book: str, since: int | None = None, until: int | None = None) -> Iterator[Snapshot]:
        """The snapshots of `book`, once all have been written."""
        self.flush()
        return super().snapshots(book, since, until)

    def flush(self) -> None:
        """Write what waits."""
        new, decided = self._waiting
        self._waiting = ([], [])
        if self._keep and (new or decided):
            self._stored += super().write(new, decided).snapshots

    def stored(self) -> int:
        """How many snapshots are written, with all that waited."""
        self.flush()
        return self._stored

    def close(self) -> None:
        """Write what waits, and let go of the memory."""
        self.flush()
        super().close()
