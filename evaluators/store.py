"""The state store: snapshots, decisions and bundles in one DuckDB file that one process owns.

What a call has acknowledged by returning survives `kill -9`: it is in a committed transaction. Calls of several threads
that come at the same time share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

import duckdb

from evaluators.bookmarks import Bookmark
from evaluators.decision import Decision
from evaluators.recording_publish import Publication, publish
from evaluators.recording_reader import between, read_snapshots
from evaluators.recording_snapshots import insert_snapshots
from evaluators.recording_tables import SNAPSHOT, tables_of
from evaluators.snapshot import Snapshot
from evaluators.store_bookmarks import read_bookmark, save_bookmarks
from evaluators.store_bundles import (
    Activation,
    StoredBundle,
    activate,
    read_activations,
    read_bundle,
    read_bundles,
    save_bundle,
)
from evaluators.store_commits import GroupCommit
from evaluators.store_decisions import StoredDecision, insert_decisions, read_decisions
from evaluators.store_file import close_file, is_given_up, open_file, reported
from evaluators.store_plan import Plan, Work, Written, relation, remembered
from evaluators.store_schema import migrate, migrations
from policy_dsl.catalogue import Catalogue
from policy_dsl.quantities import MS_PER_DAY

__all__ = ["Activation", "Store", "StoredBundle", "StoredDecision", "Written"]

_SNAPSHOTS_AT_ONCE = 5_000


class Store:
    """The store in the file at `path`, made if there is none; close it, or use it in a `with` block.

    Facts that are new in `catalogue` get a column. Any number of threads may use one store.

    Raises PolicyError: RF771-RF776 where the file cannot be opened or brought up to date.
    """

    def __init__(self, path: str | Path, catalogue: Catalogue) -> None:
        self.path = str(path)
        self._catalogue = catalogue
        self._tables = tables_of(catalogue)
        self._connection = open_file(self.path)
        self._writing = Lock()
        self._is_given_up = False
        self._commits = GroupCommit[Work, Written](self._commit)
        try:
            with reported(self.path):
                migrate(self._connection, self._tables, self.path, migrations())
                self._remembered = remembered(self._connection, self._tables)
        except BaseException:
            close_file(self._connection)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up the file; what was acknowledged is in it."""
        self._is_given_up = False  # whoever asks a store that is closed does not open it anew
        close_file(self._connection)

    # --- snapshots ---------------------------------------------------------------------------------------------------

    def append(self, snapshot: Snapshot) -> bool:
        """Store a snapshot; False if it repeats the newest one of its book, which does nothing.

        Raises PolicyError: RF777 a time that is not after the newest, RF742-RF744 facts that do not fit the catalogue.
        """
        return self.write([snapshot]).snapshots == 1

    def append_many(self, snapshots: Iterable[Snapshot]) -> int:
        """Store several snapshots, all or none; how many were news. Raises as `append` does."""
        return self.write(snapshots).snapshots

    def write(
        self,
        snapshots: Iterable[Snapshot] = (),
        decisions: Iterable[tuple[str, Decision]] = (),
        bookmarks: Iterable[Bookmark] = (),
    ) -> Written:
        """Store snapshots, and decisions on them (each with the hash of its bundle), all or none, in one transaction.

        A bookmark takes the place of the one before, of its book and bundle.

        Raises PolicyError: what `append` and `save_decision` raise.
        """
        return self._commits.run(Work(tuple(snapshots), tuple(decisions), tuple(bookmarks)))

    def snapshots(self, book: str, since: int | None = None, until: int | None = None) -> Iterator[Snapshot]:
        """The snapshots of `book` with `since <= ts < until` (ms), oldest first, up to the newest one now.

        Facts of the catalogue are as it sees them now: what was not known then, or is out of range now, is missing.
        """
        newest = self._remembered.newest.get(book)
        if newest is None:
            return iter(())
        # Nothing up to the newest one changes any more, so the cursors of several tables see the same snapshots.
        end = newest.ts + 1 if until is None else min(until, newest.ts + 1)
        return self._snapshots(book, since, end)

    def snapshot(self, book: str, ts: int) -> Snapshot | None:
        """The snapshot of `book` at `ts` (ms), if there is one."""
        return next(self.snapshots(book, ts, ts + 1), None)

    def latest(self, book: str) -> Snapshot | None:
        """The newest snapshot of `book`, if there is one."""
        return self._remembered.newest.get(book)

    @property
    def books(self) -> tuple[str, ...]:
        """The books that have snapshots, by name."""
        return tuple(sorted(self._remembered.newest))

    def export_recording(
        self, path: str | Path, *, cadence_ms: int, overwrite: bool = False, source: str = "store"
    ) -> None:
        """Write every snapshot as a recording, which appears at `path` whole or not at all.

        Raises PolicyError: RF745 if there is no snapshot, RF747 and RF748 if the place is taken or cannot be written.
        """
        with Publication(Path(path), overwrite=overwrite) as directory, self._reading() as cursor:
            cursor.begin()
            publish(cursor, self._catalogue, directory, cadence_ms=cadence_ms, source=source)
            cursor.rollback()

    # --- decisions ---------------------------------------------------------------------------------------------------

    def save_decision(self, decision: Decision, bundle: str) -> int:
        """Store what the bundle of that hash decided on a snapshot that is stored; the number of the decision.

        The same decision again does nothing and has the same number.

        Raises PolicyError: RF778 another decision of that bundle on that snapshot is stored, which means that a replay
        would differ; RF779 the bundle or the snapshot is not stored, so it could not be replayed.
        """
        return self.write((), [(bundle, decision)]).decisions[0]

    def decisions(
        self,
        book: str | None = None,
        since: int | None = None,
        until: int | None = None,
        bundle: str | None = None,
    ) -> Iterator[StoredDecision]:
        """The decisions with `since <= ts < until` (ms) of a book or bundle, or of all, as they were saved."""
        with self._reading() as cursor:
            yield from read_decisions(cursor, book=book, since=since, until=until, bundle=bundle)

    def decision(self, id: int) -> StoredDecision | None:
        """The decision of that number, if there is one."""
        with self._reading() as cursor:
            return next(read_decisions(cursor, id=id), None)

    def bookmark(self, book: str, bundle: str) -> Bookmark | None:
        """Where a replay of a book by the bundle of that hash may begin; None if nobody knows, or it is damaged."""
        with self._reading() as cursor:
            return read_bookmark(cursor, book, bundle)

    @property
    def catalogue_hash(self) -> str:
        """The hash of the catalogue by which snapshots are read."""
        return self._catalogue.hash

    # --- bundles -----------------------------------------------------------------------------------------------------

    def save_bundle(self, bundle: str, files: Mapping[str, str]) -> None:
        """Keep the files of the bundle with that hash, by name; the same again does nothing.

        Raises PolicyError (RF780) where other files are kept under that hash.
        """
        with self._transaction():
            save_bundle(self._connection, bundle, files)

    def activate_bundle(
        self, bundle: str, *, at: int, person: str = "", reason: str = "", expected: str | None = None
    ) -> None:
        """Put a stored bundle in force at `at` (ms), if `expected` is in force now ("": none is; None: whichever is).

        Raises PolicyError: RF781 another bundle is in force, RF782 the bundle is not stored.
        """
        with self._transaction():
            activate(self._connection, Activation(bundle, at, person, reason), expected)

    def bundle(self, bundle: str) -> StoredBundle | None:
        """The bundle of that hash, if it is stored."""
        with self._reading() as cursor:
            return read_bundle(cursor, bundle)

    def bundles(self) -> tuple[StoredBundle, ...]:
        """Every bundle, in the order in which they were saved."""
        with self._reading() as cursor:
            return read_bundles(cursor)

    def activations(self) -> tuple[Activation, ...]:
        """Every change of the bundle in force, oldest first; the last one is in force."""
        with self._reading() as cursor:
            return read_activations(cursor)

    # --- within ------------------------------------------------------------------------------------------------------

    def _commit(self, works: Sequence[Work]) -> list[Written]:
        """Store everything in one transaction; what is remembered changes only when it has been committed."""
        with self._transaction():
            plan = Plan(self._remembered, self._connection)
            written = [plan.take(work) for work in works]
            insert_snapshots(self._connection, self._tables, plan.snapshots)
            insert_decisions(self._connection, plan.decisions)
            save_bookmarks(self._connection, plan.bookmarks)
        self._remembered = plan.after
        return written

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._writing, self._reported():
            self._open_anew()
            self._connection.begin()
            try:
                yield
                self._connection.commit()
            except BaseException:
                with suppress(duckdb.Error):  # the transaction may be over, or the file gone; the first error tells
                    self._connection.rollback()
                raise

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if self._is_given_up:
            with self._writing, self._reported():
                self._open_anew()
        with self._reported(), closing(self._connection.cursor()) as cursor:
            yield cursor

    @contextmanager
    def _reported(self) -> Iterator[None]:
        with reported(self.path):
            try:
                yield
            except duckdb.Error as error:
                self._is_given_up = self._is_given_up or is_given_up(error)
                raise

    def _open_anew(self) -> None:
        """Where DuckDB has given the file up: let go of it, open it, and see what is in it."""
        if self._is_given_up:
            close_file(self._connection)
            self._connection = open_file(self.path)
            self._remembered = remembered(self._connection, self._tables)
            self._is_given_up = False

    def _snapshots(self, book: str, since: int | None, until: int) -> Iterator[Snapshot]:
        relations = {t.name: relation(t) for t in self._tables}
        with self._reading() as cursor:
            for first, last in _days(cursor, book, since, until):
                yield from read_snapshots(cursor, self._tables, relations, book, first, last)


def _days(cursor: duckdb.DuckDBPyConnection, book: str, since: int | None, until: int) -> list[tuple[int, int]]:
    """The time from `since` to `until` in runs of whole days, each of which can be sorted at once."""
    conditions = ["book = ?", *between(since, until)]
    days = cursor.execute(
        f"SELECT epoch_ms(date_trunc('day', ts)::TIMESTAMP) AS day, count(*) FROM {SNAPSHOT} "
        f"WHERE {' AND '.join(conditions)} GROUP BY day ORDER BY day",
        [book],
    ).fetchall()
    runs: list[tuple[int, int]] = []
    waiting = _SNAPSHOTS_AT_ONCE
    for day, count in days:
        if waiting + count > _SNAPSHOTS_AT_ONCE:
            runs.append((day, day))
            waiting = 0
        waiting += count
        runs[-1] = (runs[-1][0], day + MS_PER_DAY)
    return [(first if since is None else max(first, since), min(last, until)) for first, last in runs]
