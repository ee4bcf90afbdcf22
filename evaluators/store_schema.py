"""The tables of the store: numbered migrations for its own, and columns that follow the fact catalogue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import duckdb

from evaluators.identifiers import quote
from evaluators.queries import first_row
from evaluators.recording_tables import Table
from evaluators.refusals import refusal

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_ANOTHER = "name another file; a store is a file that ringfence made"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: from version `number - 1` to `number`."""

    number: int
    sql: str


def migrations() -> tuple[Migration, ...]:
    """The steps that come with this version, from 1 on without a gap."""
    found = []
    for file in files("evaluators.migrations").iterdir():
        match = _NAME.fullmatch(file.name)
        if match is not None:
            found.append(Migration(int(match[1]), file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda m: m.number))


def migrate(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], path: str, steps: Sequence[Migration]
) -> None:
    """Bring the store up to date, in one transaction: its own tables, then those of the catalogue.

    A fact that is new gets a column, which is missing in all older snapshots; a fact that is gone keeps its column.

    Raises PolicyError, having changed nothing: RF774 the store is newer than this version, RF775 the file holds
    something else, RF776 a fact changed its unit or type.
    """
    connection.begin()
    try:
        for step in steps[_version(connection, path, len(steps)) :]:
            connection.execute(step.sql)
            connection.execute("INSERT INTO log.schema_version VALUES (?)", [step.number])
        for table in tables:
            _follow(connection, table, path)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _version(connection: duckdb.DuckDBPyConnection, path: str, known: int) -> int:
    """The version of the schema; 0 after making the table that holds it, in an empty file."""
    found = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_catalog()"
    ).fetchall()
    if not found:
        connection.execute("CREATE SCHEMA IF NOT EXISTS log")
        connection.execute("CREATE TABLE log.schema_version (version INTEGER NOT NULL)")
        return 0
    if ("log", "schema_version") not in found:
        raise refusal("RF775", f"`{path}` is a DuckDB database, but not a store", _ANOTHER)
    row = first_row(connection, "SELECT max(version) FROM log.schema_version")
    version = 0 if row is None or row[0] is None else int(row[0])
    if version > known:
        message = f"`{path}` has schema version {version}, this version of ringfence knows up to {known}"
        raise refusal("RF774", message, "open it with the version of ringfence that wrote it, or a newer one")
    return version


def _follow(connection: duckdb.DuckDBPyConnection, table: Table, path: str) -> None:
    """Make the table of an entity, or give it the columns it lacks."""
    recorded: dict[str, str] = dict(
        connection.execute(
            "SELECT column_name, meaning FROM log.fact_column WHERE table_name = ?", [table.name]
        ).fetchall()
    )
    for column in table.columns:
        meaning = recorded.get(column.name, column.meaning)
        if meaning != column.meaning:
            message = f"`{table.name}.{column.name}` is stored as {meaning} in `{path}`, and is {column.meaning} now"
            raise refusal("RF776", message, "give the fact a new name, or start a new store")
    exists = first_row(
        connection,
        "SELECT 1 FROM information_schema.tables "
        "WHERE table_catalog = current_catalog() AND table_schema = 'main' AND table_name = ?",
        [table.name],
    )
    if exists is None:
        connection.execute(table.create())
    lacking = [c for c in table.columns if c.name not in recorded]
    for column in lacking:
        if exists is not None:
            connection.execute(f"ALTER TABLE {quote(table.name)} ADD COLUMN {quote(column.name)} {column.sql_type}")
        connection.execute("INSERT INTO log.fact_column VALUES (?, ?, ?)", [table.name, column.name, column.meaning])
