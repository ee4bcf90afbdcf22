"""Snapshots held in memory, as the tables that a compiled program reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from evaluators.duckdb.needs import KNOWN, REQUEST, SNAPSHOT, needs_of
from evaluators.identifiers import quote
from evaluators.recording_snapshots import event_key
from evaluators.snapshot import Fields, Snapshot
from policy_dsl.program import Program
from policy_dsl.types import Flag, Levels, Quantity, Type, Value

Columns = dict[str, tuple[str, list[Any]]]
"""Values by column, with the column's SQL type."""


def load_snapshots(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    snapshots: Sequence[Snapshot],
    books: Sequence[str] | None = None,
) -> None:
    """Make the tables that `program` reads, holding `snapshots`: temporary ones, which replace others of the name.

    Only what the program reads is loaded. `books` are names to store instead of the snapshots' own, one each; no two
    snapshots of one book may have the same time.
    """
    needs = needs_of(program)
    named = [s.book for s in snapshots] if books is None else list(books)
    columns = _leading(named, [s.ts for s in snapshots])
    for path, kind in needs.facts.items():
        columns[path] = _column(kind, (s.facts.get(path) for s in snapshots))
    for entity in needs.entities:
        if entity != REQUEST:
            columns[KNOWN + entity] = ("BOOLEAN", [s.collection(entity) is not None for s in snapshots])
    _create(connection, SNAPSHOT, columns)
    for entity, kinds in {**needs.entities, **needs.events}.items():
        found = _events if entity in needs.events else _rows
        rows = [(b, s.ts, k, f) for b, s in zip(named, snapshots, strict=True) for k, f in found(s, entity)]
        columns = _leading([row[0] for row in rows], [row[1] for row in rows])
        columns["key"] = ("VARCHAR", [row[2] for row in rows])
        for name, kind in kinds.items():
            columns[name] = _column(kind, (row[3].get(name) for row in rows))
        _create(connection, entity, columns)


def _rows(snapshot: Snapshot, entity: str) -> Iterable[tuple[str, Fields]]:
    return (snapshot.collection(entity) or {}).items()


def _events(snapshot: Snapshot, event: str) -> Iterable[tuple[str, Fields]]:
    return ((event_key(place), fields) for place, fields in enumerate(snapshot.events.get(event, ())))


def _leading(books: list[str], times: list[int]) -> Columns:
    return {"book": ("VARCHAR", books), "ts": ("TIMESTAMP", times)}


def _column(kind: Type, values: Iterable[Value | None]) -> tuple[str, list[Any]]:
    if isinstance(kind, Levels):
        return "VARCHAR", [None if v is None else kind.members[int(v)] for v in values]
    if isinstance(kind, Quantity):
        return "BIGINT", list(values)
    return ("BOOLEAN" if isinstance(kind, Flag) else "VARCHAR"), list(values)


def _create(connection: duckdb.DuckDBPyConnection, name: str, columns: Columns) -> None:
    selected = []
    for column, (kind, _) in columns.items():
        if kind == "TIMESTAMP":
            selected.append(f"make_timestamp_ms(unnest(?::BIGINT[])) AS {quote(column)}")
        else:
            selected.append(f"unnest(?::{kind}[]) AS {quote(column)}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {quote(name)} AS SELECT {', '.join(selected)}",
        [values for _, values in columns.values()],
    )
