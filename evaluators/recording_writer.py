"""Writing a recording: snapshots one by one, or whole columns at once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import numpy as np
from numpy.typing import NDArray

from evaluators.identifiers import literal
from evaluators.recording_columns import Array, insert, times_of
from evaluators.recording_publish import Publication, publish
from evaluators.recording_snapshots import insert_snapshots
from evaluators.recording_tables import KNOWN, REQUEST, tables_of
from evaluators.refusals import refusal
from evaluators.snapshot import Snapshot
from evaluators.timelines import BOOK_FORM, Order, clash, is_book, order
from policy_dsl.catalogue import Catalogue
from policy_dsl.diagnostics import did_you_mean

_BUFFER = 5_000


class RecordingWriter:
    """A recording in the making; use it in a `with` block.

    The recording appears at `path` when the block ends well; an exception, Ctrl-C or a crash leaves nothing there (and
    whatever `overwrite` would have replaced untouched). Times of one book strictly increase, over all calls. A value
    out of its declared range is recorded as missing.

    Parameters
    ----------
    path: the directory to make; refused if it exists and is not empty.
    catalogue: the facts to record: every one gets a column.
    cadence_ms: the declared distance of two snapshots, in milliseconds.
    overwrite: replace a recording that is already there.
    source: where the data is from, in a word for the reader of `recording.json`.

    Raises PolicyError (RF742-RF748).
    """

    def __init__(
        self, path: str | Path, catalogue: Catalogue, *, cadence_ms: int, overwrite: bool = False, source: str = ""
    ) -> None:
        if cadence_ms <= 0:
            raise ValueError("the cadence is a positive number of milliseconds")
        self._catalogue = catalogue
        self._cadence_ms = cadence_ms
        self._source = source
        self._publication = Publication(Path(path), overwrite=overwrite)
        self._tables = {t.name: t for t in tables_of(catalogue)}
        self._last: dict[str, int] = {}
        self._newest: dict[str, Snapshot] = {}
        self._buffer: list[Snapshot] = []
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        """Make the place to write to."""
        with ExitStack() as stack:
            self._directory = stack.enter_context(self._publication)
            self._connection = stack.enter_context(duckdb.connect())
            self._connection.execute(f"SET temp_directory = {literal(str(self._directory / '.spill'))}")
            for table in self._tables.values():
                self._connection.execute(table.create())
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish what was written, or throw it away after an exception."""
        if kind is not None:
            self._resources.__exit__(kind, error, trace)
            return
        with self._resources:
            self._flush()
            publish(
                self._connection,
                self._catalogue,
                self._directory,
                cadence_ms=self._cadence_ms,
                source=self._source,
            )

    def write(self, entity: str, book: str, columns: Mapping[str, Array]) -> None:
        """Append rows of one book, given as columns of equal length.

        `entity` is `"snapshot"` or the name of a keyed or event entity. `columns` has `ts` (ms since 1970 UTC as
        integers, or datetime64), `key` (text) for an entity, and any of the columns of the recording by name:
        quanta as integers (`quanta_of` makes them of floats), levels as names or as integer ranks, flags as booleans,
        text as `str`; a masked value or None is missing, and so is a column left out. `known.<entity>` says of
        each snapshot whether the collection is known. Times of `snapshot` strictly increase; rows of entities may come
        in any order, before or after the snapshots they belong to.

        Raises PolicyError: RF742 unknown entity or column, RF743 bad, equal or older time, RF744 bad values.
        """
        self._flush()
        self._write(entity, book, columns)

    def add(self, snapshot: Snapshot) -> None:
        """Append one snapshot; an identical repeat of the newest one of its book does nothing.

        Raises PolicyError: RF742 for facts that the catalogue lacks, RF743 for a time that is not after the newest.
        """
        _refuse_book(snapshot.book)
        if order(self._newest.get(snapshot.book), snapshot) is Order.REPEAT:
            return
        self._advance(snapshot.book, times_of([snapshot.ts]))
        self._newest[snapshot.book] = snapshot
        self._buffer.append(snapshot)
        if len(self._buffer) >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        snapshots, self._buffer = self._buffer, []
        insert_snapshots(self._connection, tuple(self._tables.values()), snapshots)

    def _write(self, entity: str, book: str, columns: Mapping[str, Array]) -> None:
        table = self._tables.get(entity)
        if table is None:
            raise refusal("RF742", f"a recording has no table `{entity}`", did_you_mean(entity, self._tables))
        _refuse_book(book)
        if "ts" not in columns:
            raise refusal("RF743", f"rows of `{entity}` need the column `ts`")
        given: dict[str, Any] = dict(columns)
        times = times_of(given.pop("ts"))
        if table.entity is None:
            self._advance(book, times)
            self._newest.pop(book, None)
            if table.column(KNOWN + REQUEST) is not None:
                given.setdefault(KNOWN + REQUEST, np.ones(len(times), dtype=np.bool_))
        if len(times):
            insert(self._connection, table, book, times, given)

    def _advance(self, book: str, times: NDArray[np.int64]) -> None:
        """Take note of new times of a book, which must be later than those before and strictly increase."""
        if not len(times):
            return
        last = self._last.get(book)
        befores = np.concatenate([times[:1] - 1 if last is None else [last], times[:-1]])
        wrong = np.flatnonzero(times <= befores)
        if len(wrong):
            at, before = int(times[wrong[0]]), int(befores[wrong[0]])
            raise refusal("RF743", clash(book, at, before), "times of one book strictly increase")
        self._last[book] = int(times[-1])


def _refuse_book(book: str) -> None:
    if not is_book(book):
        raise refusal("RF743", f"`{book}` cannot be the name of a book", BOOK_FORM)
