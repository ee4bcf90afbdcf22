"""Decides the next snapshots of books that a store keeps, wherever it was left: after a restart, a crash, new rules.

What earlier snapshots leave is worked out from the stored snapshots of a book, all of them, when the book is met first.
So nothing depends on when a program was loaded or for how long it ran, and there is no second record to disagree with.
"""

from __future__ import annotations

from collections.abc import Callable

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
        self._books: dict[str, tuple[PythonBook, Decision | None]] = {}

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

    def resume(self, name: str) -> tuple[PythonBook, Decision | None]:
        """Replay a book from its first stored snapshot on; what it leaves, and the last decision, if there is one."""
        self._books[name] = self._replayed(name, PythonBook.decide)
        return self._books[name]

    def catch_up(self, name: str) -> None:
        """Replay what others have stored of a book since it was met here; all of it where it was not."""
        book, last = self._books.get(name) or self.resume(name)
        for snapshot in self.store.snapshots(name, since=None if last is None else last.ts + 1):
            last = book.decide(snapshot)
        self._books[name] = book, last

    def _next(self, snapshot: Snapshot, decide: Decide) -> Decision:
        book, last = self._books.get(snapshot.book) or self.resume(snapshot.book)
        newest = self.store.latest(snapshot.book)
        if last is not None and order(newest, snapshot) is Order.REPEAT:
            return last
        self._refuse_clash(newest, snapshot)
        # What cannot be stored must leave no trace: the book is then met anew.
        self._books.pop(snapshot.book, None)
        decision = decide(book, snapshot)
        self.store.write([snapshot], [(self.program.hash, decision)])
        self._books[snapshot.book] = book, decision
        return decision

    def _replayed(self, name: str, decide_last: Decide) -> tuple[PythonBook, Decision | None]:
        book, decision = PythonBook(self.evaluator), None
        stored = self.store.snapshots(name)
        count, snapshot = 0, next(stored, None)
        while snapshot is not None:
            following = next(stored, None)
            decision = decide_last(book, snapshot) if following is None else book.decide(snapshot)
            count, snapshot = count + 1, following
            if count % _TOLD_EVERY == 0:
                self._on_replay(name, count)
        self._on_replay(name, count)
        return book, decision

    def _refuse_clash(self, newest: Snapshot | None, snapshot: Snapshot) -> None:
        """Let the store refuse, in its own words, what cannot come next."""
        if order(newest, snapshot) is Order.CLASH:
            self.store.append(snapshot)
