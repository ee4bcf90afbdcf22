"""Snapshots to columns, and rows of tables back to snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from evaluators.recording_columns import insert, times_of
from evaluators.recording_tables import KNOWN, SNAPSHOT, Table
from evaluators.refusals import refusal
from evaluators.snapshot import Fields, Snapshot
from policy_dsl.catalogue import Rows
from policy_dsl.diagnostics import did_you_mean

Columns = dict[str, list[Any]]


def insert_snapshots(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], snapshots: Sequence[Snapshot]
) -> None:
    """Append snapshots of any books to the tables.

    Raises PolicyError: RF742 for facts that the tables do not have, RF743 and RF744 for times and values that they
    cannot hold.
    """
    by_name = {t.name: t for t in tables}
    for book in dict.fromkeys(s.book for s in snapshots):
        found = columns_of([s for s in snapshots if s.book == book], tables)
        for name, columns in found.items():
            times = times_of(columns.pop("ts"))
            if len(times):
                insert(connection, by_name[name], book, times, columns)


def columns_of(snapshots: Sequence[Snapshot], tables: Sequence[Table]) -> dict[str, Columns]:
    """The rows of several snapshots as columns, by table, each with its `ts`; levels stay ranks.

    Raises PolicyError (RF742) for a fact, row or event that the tables do not have.
    """
    out: dict[str, Columns] = {}
    for table in tables:
        if table.entity is None:
            out[SNAPSHOT] = _snapshot_columns(snapshots, table)
            continue
        rows = [(s.ts, key, fields) for s in snapshots for key, fields in _rows_of(s, table)]
        _refuse_unknown({name for _, _, fields in rows for name in fields}, table)
        columns: Columns = {"ts": [ts for ts, _, _ in rows], "key": [key for _, key, _ in rows]}
        for column in table.columns:
            columns[column.name] = [fields.get(column.name) for _, _, fields in rows]
        out[table.name] = columns
    _refuse_unknown_entities(snapshots, tables)
    return out


def _snapshot_columns(snapshots: Sequence[Snapshot], table: Table) -> Columns:
    _refuse_unknown({path for s in snapshots for path in s.facts}, table)
    columns: Columns = {"ts": [s.ts for s in snapshots]}
    for column in table.columns:
        if column.fact is not None:
            columns[column.name] = [s.facts.get(column.name) for s in snapshots]
        else:
            entity = column.name.removeprefix(KNOWN)
            columns[column.name] = [s.collection(entity) is not None for s in snapshots]
    return columns


def _rows_of(snapshot: Snapshot, table: Table) -> list[tuple[str, Fields]]:
    if table.entity is not None and table.entity.rows is Rows.EVENT:
        return [(event_key(i), fields) for i, fields in enumerate(snapshot.events.get(table.name, ()))]
    return list((snapshot.rows.get(table.name) or {}).items())


def event_key(place: int) -> str:
    """The key of an event from its place in the snapshot's list: text that sorts like the number."""
    return f"{place:08d}"


def _refuse_unknown(names: set[str], table: Table) -> None:
    strange = sorted(names - {c.name for c in table.columns if c.fact is not None})
    if strange:
        path = strange[0] if table.entity is None else f"{table.name}.{strange[0]}"
        help = did_you_mean(strange[0], [c.name for c in table.columns])
        raise refusal("RF742", f"the catalogue has no fact `{path}`", help)


def _refuse_unknown_entities(snapshots: Sequence[Snapshot], tables: Sequence[Table]) -> None:
    for kinds, named in (
        (Rows.KEYED, {name for s in snapshots for name in s.rows}),
        (Rows.EVENT, {name for s in snapshots for name in s.events}),
    ):
        known = {t.name for t in tables if t.entity is not None and t.entity.rows is kinds}
        strange = sorted(named - known)
        if strange:
            raise refusal("RF742", f"the catalogue has no entity `{strange[0]}`", did_you_mean(strange[0], known))
