"""What one transaction of the store will write: which snapshots and decisions are news, and which are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from evaluators.bookmarks import Bookmark
from evaluators.decision import Decision
from evaluators.identifiers import quote
from evaluators.queries import first_row
from evaluators.recording_reader import read_snapshots
from evaluators.recording_tables import SNAPSHOT, Table
from evaluators.refusals import refusal
from evaluators.snapshot import Snapshot
from evaluators.store_decisions import StoredDecision, read_decisions
from evaluators.timelines import BOOK_FORM, Order, clash, is_book, order
from evaluators.timestamps import format_time


@dataclass(frozen=True, slots=True)
class Work:
    """What one caller hands in: snapshots, decisions with the hash of their bundle, and bookmarks."""

    snapshots: tuple[Snapshot, ...]
    decisions: tuple[tuple[str, Decision], ...]
    bookmarks: tuple[Bookmark, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What one call stored: how many snapshots were news, and the number of each decision."""

    snapshots: int
    decisions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the owner knows of the file without asking.

    `newest` is the newest snapshot of each book, `decided` the time (ms) of the newest decision by bundle and book,
    `last_id` the number of the last decision.
    """

    newest: dict[str, Snapshot]
    decided: dict[tuple[str, str], int]
    last_id: int


class Plan:
    """The content of one transaction, built up from what several callers hand in.

    `after` is what will be remembered once it is committed. Reads through `connection`, which is in the transaction.
    """

    def __init__(self, before: Remembered, connection: duckdb.DuckDBPyConnection) -> None:
        self.after = Remembered(dict(before.newest), dict(before.decided), before.last_id)
        self.snapshots: list[Snapshot] = []
        self.decisions: list[StoredDecision] = []
        self.bookmarks: list[Bookmark] = []
        self._connection = connection

    def take(self, work: Work) -> Written:
        """Add the work of one caller; raises PolicyError (RF777-RF779) where it cannot be stored."""
        news = sum(self._take_snapshot(s) for s in work.snapshots)
        self.bookmarks += work.bookmarks
        return Written(news, tuple(self._take_decision(bundle, d) for bundle, d in work.decisions))

    def _take_snapshot(self, snapshot: Snapshot) -> bool:
        if not is_book(snapshot.book):
            raise refusal("RF777", f"`{snapshot.book}` cannot be the name of a book", BOOK_FORM)
        newest = self.after.newest.get(snapshot.book)
        standing = order(newest, snapshot)
        if newest is not None and standing is Order.CLASH:
            message = clash(snapshot.book, snapshot.ts, newest.ts)
            raise refusal("RF777", message, "times of one book strictly increase")
        if standing is Order.LATER:
            self.after.newest[snapshot.book] = snapshot
            self.snapshots.append(snapshot)
        return standing is Order.LATER

    def _take_decision(self, bundle: str, decision: Decision) -> int:
        found = self._stored(bundle, decision)
        if found is not None and found.decision == decision:
            return found.id
        at = f"book `{decision.book}` at {format_time(decision.ts)}"
        if found is not None:
            message = f"bundle `{bundle}` decided otherwise on {at} before"
            raise refusal("RF778", message, "a replay must give the same decision: the bundle or the snapshot differs")
        self._require_replayable(bundle, decision, at)
        stored = StoredDecision(self.after.last_id + 1, bundle, decision)
        self.after = replace(self.after, last_id=stored.id)
        self.after.decided[bundle, decision.book] = max(decision.ts, self._decided(bundle, decision))
        self.decisions.append(stored)
        return stored.id

    def _decided(self, bundle: str, decision: Decision) -> int:
        return self.after.decided.get((bundle, decision.book), decision.ts - 1)

    def _stored(self, bundle: str, decision: Decision) -> StoredDecision | None:
        """The decision of that bundle on that snapshot, if there is one; asked only where there can be one."""
        if decision.ts > self._decided(bundle, decision):
            return None
        for other in self.decisions:
            if (other.bundle, other.decision.book, other.decision.ts) == (bundle, decision.book, decision.ts):
                return other
        ts = decision.ts
        return next(read_decisions(self._connection, book=decision.book, bundle=bundle, since=ts, until=ts + 1), None)

    def _require_replayable(self, bundle: str, decision: Decision, at: str) -> None:
        if first_row(self._connection, "SELECT 1 FROM log.bundle WHERE hash = ?", [bundle]) is None:
            raise refusal("RF779", f"bundle `{bundle}` is not stored, so what it decided could not be replayed", _FIRST)
        newest = self.after.newest.get(decision.book)
        if newest is not None and newest.ts == decision.ts:
            return
        sql = f"SELECT 1 FROM {SNAPSHOT} WHERE book = ? AND ts = make_timestamp_ms(?)"
        pending = any((s.book, s.ts) == (decision.book, decision.ts) for s in self.snapshots)
        if not pending and first_row(self._connection, sql, [decision.book, decision.ts]) is None:
            raise refusal("RF779", f"no snapshot of {at} is stored, so the decision could not be replayed", _FIRST)


_FIRST = "store it first, or in the same call"


def relation(table: Table) -> str:
    """A sub-query over a table of the store: every value as the catalogue sees it, out of range is NULL."""
    columns = [quote(name) for name, _ in table.leading]
    columns += [f"{c.in_range(quote(c.name))} AS {quote(c.name)}" for c in table.columns]
    return f"(SELECT {', '.join(columns)} FROM {quote(table.name)})"


def remembered(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> Remembered:
    """What the file holds, as the owner remembers it."""
    relations = {t.name: relation(t) for t in tables}
    last = connection.execute(f"SELECT book, epoch_ms(max(ts)) FROM {SNAPSHOT} GROUP BY book").fetchall()
    newest = {
        book: snapshot
        for book, ts in last
        for snapshot in read_snapshots(connection, tables, relations, book, ts, ts + 1)
    }
    decided = connection.execute("SELECT bundle, book, epoch_ms(max(ts)) FROM log.decision GROUP BY ALL").fetchall()
    last_id = first_row(connection, "SELECT coalesce(max(id), 0) FROM log.decision")
    return Remembered(newest, {(b, k): ts for b, k, ts in decided}, last_id[0] if last_id is not None else 0)
