"""Rows of tables back to snapshots, streamed: one cursor a table, merged by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from evaluators.identifiers import literal, quote
from evaluators.recording_tables import KNOWN, Column, Table
from evaluators.snapshot import Fields, Snapshot
from policy_dsl.catalogue import Rows

Relations = Mapping[str, str | None]
"""By table, the SQL to select its columns from, all values in range; None if it has no rows."""

_AT_ONCE = 5_000


def read_snapshots(
    connection: duckdb.DuckDBPyConnection,
    tables: Sequence[Table],
    relations: Relations,
    book: str,
    since: int | None = None,
    until: int | None = None,
) -> Iterator[Snapshot]:
    """The snapshots of `book` with `since <= ts < until` (ms), oldest first; memory does not grow with their number."""
    first, *others = tables
    streams = {t.name: _Rows(_stream(connection, t, relations[t.name], book, since, until), t) for t in others}
    keyed = [t.name for t in others if t.entity is not None and t.entity.rows is Rows.KEYED]
    events = [t.name for t in others if t.entity is not None and t.entity.rows is Rows.EVENT]
    paths = [c.name for c in first.columns if c.fact is not None]
    may_be_unknown = {t.name for t in others if t.may_be_unknown}
    collections = [c.name.removeprefix(KNOWN) for c in first.columns if c.fact is None]
    for ts, *values in _stream(connection, first, relations[first.name], book, since, until):
        known = dict(zip(collections, values[len(paths) :], strict=True))
        found = {name: streams[name].at(ts) for name in keyed}
        rows = {name: (found[name] if known[name] or name not in may_be_unknown else None) for name in keyed}
        happened = {name: tuple(e.values()) for name in events if (e := streams[name].at(ts))}
        yield Snapshot(book, ts, dict(zip(paths, values, strict=False)), rows, happened)


def _stream(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    relation: str | None,
    book: str,
    since: int | None,
    until: int | None,
) -> Iterator[tuple[Any, ...]]:
    """The rows of one table in order: time in ms, key, values (levels as ranks)."""
    if relation is None:
        return
    columns = ["epoch_ms(ts)", *(quote(name) for name, _ in table.leading[2:]), *map(_value, table.columns)]
    conditions = [f"book = {literal(book)}", *between(since, until)]
    cursor = connection.cursor()
    try:
        cursor.execute(
            f"SELECT {', '.join(columns)} FROM {relation} WHERE {' AND '.join(conditions)} ORDER BY {table.order}"
        )
        while rows := cursor.fetchmany(_AT_ONCE):
            yield from rows
    finally:
        cursor.close()


def between(since: int | None, until: int | None) -> list[str]:
    """SQL conditions for `since <= ts < until`, in ms; None leaves an end open."""
    out = [] if since is None else [f"ts >= make_timestamp_ms({since})"]
    return out if until is None else [*out, f"ts < make_timestamp_ms({until})"]


def _value(column: Column) -> str:
    name = quote(column.name)
    if not column.levels:
        return name
    ranks = " ".join(f"WHEN {literal(level)} THEN {rank}" for rank, level in enumerate(column.levels))
    return f"CASE {name} {ranks} END"


class _Rows:
    """The rows of one table, handed out time by time; times asked for increase."""

    def __init__(self, rows: Iterator[tuple[Any, ...]], table: Table) -> None:
        self._rows = rows
        self._names = [c.name for c in table.columns]
        self._next = next(rows, None)

    def at(self, ts: int) -> dict[str, Fields]:
        """The rows at `ts` by key; rows of times that were passed over are dropped."""
        found: dict[str, Fields] = {}
        row, names, rows = self._next, self._names, self._rows
        while row is not None and row[0] <= ts:
            if row[0] == ts:
                found[row[1]] = dict(zip(names, row[2:], strict=True))
            row = next(rows, None)
        self._next = row
        return found
