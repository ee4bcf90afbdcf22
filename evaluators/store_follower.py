"""Decides the next snapshots of books that a store keeps, wherever it was left: after a restart, a crash, new rules.

What earlier snapshots leave is worked out from the stored snapshots of a book, all of them, when the book is met first.
So nothing depends on when a program was loaded or for how long it ran. Now and then what they left is stored as a
bookmark, from which the same bundle's next replay begins: it saves time and decides nothing, for it holds what the
replay that it saves would give, and counts only for the very code, catalogue and gap that made it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evaluators.bookmarks import Bookmark, bookmark, maker_of
from evaluators.decision import Decision
from evaluators.python import PythonEvaluator
from evaluators.python.evaluator import PythonBook
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.telling import Told, tell
from evaluators.timelines import DEFAULT_MAX_GAP, Order, order
from policy_dsl.program import Program

OnReplay = Callable[[str, int], None]
"""Told the book and how many of its stored snapshots have been replayed so far."""

Decide = Callable[[PythonBook, Snapshot], Decision]
"""Decides the next snapshot of a book."""

_TOLD_EVERY = 1_000

BOOKMARKED_EVERY = 1_000
"""Snapshots from one bookmark of a book to the next: what a restart replays at most."""

_LETTERS_A_SNAPSHOT = 500
"""A bookmark as long as so many letters takes about as long to write as one snapshot takes to replay."""


@dataclass(slots=True)
class _Followed:
    """A book as it is followed: its last decision, how many snapshots ago the bookmark is, and how long that was."""

    book: PythonBook
    last: Decision | None = None
    since: int = 0
    letters: int = 0

    @property
    def is_due(self) -> bool:
        """Whether the next bookmark saves more than it costs."""
        return self.since >= max(BOOKMARKED_EVERY, self.letters // _LETTERS_A_SNAPSHOT)


class StoreFollower:
    """Decides snapshots as they come and stores both; what `decide` has returned survives `kill -9`.

    The bundle of the program must be stored. One follower writes a store; `max_gap` is the longest distance (ms) of two
    snapshots that is no gap.
    """

    def __init__(
        self,
        store: Store,
        program: Program,
        *,
        max_gap: int = DEFAULT_MAX_GAP,
        on_replay: OnReplay = lambda _book, _count: None,
    ) -> None:
        self.store, self.program = store, program
        self.evaluator = PythonEvaluator(program, max_gap=max_gap)
        self._on_replay = on_replay
        self._maker = maker_of(store.catalogue_hash, max_gap)
        self._books: dict[str, _Followed] = {}

    def decide(self, snapshot: Snapshot) -> Decision:
        """The decision on the next snapshot of its book, stored with it; a repeat of the newest has the same decision.

        Raises PolicyError, having stored nothing: RF777 a time that is not after the newest of the book, and whatever
        else `Store.write` raises.
        """
        return self._next(snapshot, PythonBook.decide)

    def tell(self, snapshot: Snapshot) -> Told:
        """The same, and why. Raises what `decide` does."""
        told: list[Told] = []

        def telling(book: PythonBook, next_one: Snapshot) -> Decision:
            told.append(tell(book, next_one))
            return told[-1].decision

        self._next(snapshot, telling)
        if not told:
            # It is the newest one once more: told again, in the light of those before it.
            self._books[snapshot.book] = self._replayed(snapshot.book, telling)
        return told[-1]

    def resume(self, name: str) -> Decision | None:
        """Replay a book, from its bookmark or its first stored snapshot on; the last decision, if there is one."""
        self._books[name] = self._replayed(name, PythonBook.decide)
        return self._books[name].last

    def catch_up(self, name: str) -> None:
        """Replay what others have stored of a book since it was met here; all of it where it was not."""
        if name not in self._books:
            self.resume(name)
        followed = self._books[name]
        since = None if followed.last is None else followed.last.ts + 1
        for snapshot in self.store.snapshots(name, since=since):
            followed.last, followed.since = followed.book.decide(snapshot), followed.since + 1

    def _next(self, snapshot: Snapshot, decide: Decide) -> Decision:
        if snapshot.book not in self._books:
            self.resume(snapshot.book)
        followed = self._books[snapshot.book]
        newest = self.store.latest(snapshot.book)
        if followed.last is not None and order(newest, snapshot) is Order.REPEAT:
            return followed.last
        self._refuse_clash(newest, snapshot)
        # What cannot be stored must leave no trace: the book is then met anew.
        self._books.pop(snapshot.book, None)
        bookmarks = self._bookmarks(followed)
        decision = decide(followed.book, snapshot)
        self.store.write([snapshot], [(self.program.hash, decision)], bookmarks)
        followed.last, followed.since = decision, followed.since + 1
        self._books[snapshot.book] = followed
        return decision

    def _bookmarks(self, followed: _Followed) -> list[Bookmark]:
        """The bookmark before the next snapshot, where it is time for one.

        It is stored with that snapshot, so that there always is one to decide after a bookmark.
        """
        last = followed.last
        if last is None or not followed.is_due:
            return []
        made = bookmark(last.book, self.program.hash, last.ts, self._maker, followed.book.left())
        followed.since, followed.letters = 0, len(made.leaves)
        return [made]

    def _begun(self, name: str) -> tuple[_Followed, int | None]:
        """The book where its replay begins, and the time (ms) of the last snapshot before that."""
        found, newest = self.store.bookmark(name, self.program.hash), self.store.latest(name)
        if found is None or found.maker != self._maker or newest is None or found.ts >= newest.ts:
            return _Followed(PythonBook(self.evaluator)), None
        return _Followed(PythonBook(self.evaluator, found.left), letters=len(found.leaves)), found.ts

    def _replayed(self, name: str, decide_last: Decide) -> _Followed:
        followed, begun = self._begun(name)
        stored = self.store.snapshots(name, since=None if begun is None else begun + 1)
        count, snapshot = 0, next(stored, None)
        while snapshot is not None:
            following = next(stored, None)
            bookmarks = self._bookmarks(followed)
            if bookmarks:
                self.store.write(bookmarks=bookmarks)
            decide = decide_last if following is None else PythonBook.decide
            followed.last, followed.since = decide(followed.book, snapshot), followed.since + 1
            count, snapshot = count + 1, following
            if count % _TOLD_EVERY == 0:
                self._on_replay(name, count)
        self._on_replay(name, count)
        return followed

    def _refuse_clash(self, newest: Snapshot | None, snapshot: Snapshot) -> None:
        """Let the store refuse, in its own words, what cannot come next."""
        if order(newest, snapshot) is Order.CLASH:
            self.store.append(snapshot)
