"""What a recording says without any rules: its times, single facts over time, and how often facts are missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from api.dry_runs.result import UnknownRate
from evaluators.identifiers import literal, quote
from evaluators.queries import first_row
from evaluators.recording import Recording
from evaluators.recording_tables import SNAPSHOT
from evaluators.support import expressions_of
from policy_dsl.catalogue import Rows
from policy_dsl.program import FactRead, Program, RowRead, walk
from policy_dsl.quantities import QUANTA_PER_ONE
from policy_dsl.types import Quantity


@dataclass(frozen=True, slots=True)
class Extract:
    """One book of a recording, from `since` to before `until` (ms; None: to its end)."""

    recording: Recording
    book: str
    since: int | None = None
    until: int | None = None

    @contextmanager
    def tables(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with the recording's views, narrowed to the time (not to the book)."""
        with duckdb.connect() as connection:
            self.recording.attach(connection, since=self.since, until=self.until)
            yield connection

    def times(self) -> list[int]:
        """The times of the snapshots (ms), oldest first."""
        sql = f"SELECT epoch_ms(ts) FROM {SNAPSHOT} WHERE book = {literal(self.book)} ORDER BY ts"  # noqa: S608 -- names and literals are quoted
        with self.tables() as connection:
            return [ts for (ts,) in connection.execute(sql).fetchall()]

    def series(self, path: str) -> list[float | None]:
        """The values of a fact with one row a snapshot, in document units, in the order of `times`; None: missing.

        A fact that the catalogue does not have, or that is not a number, gives an empty list.
        """
        fact = self.recording.catalogue.fact(path)
        if fact is None or not isinstance(fact.type, Quantity):
            return []
        sql = f"SELECT {quote(path)} FROM {SNAPSHOT} WHERE book = {literal(self.book)} ORDER BY ts"  # noqa: S608 -- names and literals are quoted
        scale = QUANTA_PER_ONE[fact.type.unit]
        with self.tables() as connection:
            return [None if v is None else v / scale for (v,) in connection.execute(sql).fetchall()]

    def unknowns(self, program: Program) -> tuple[UnknownRate, ...]:
        """How often each fact that the rules read is missing, most often first."""
        by_table: dict[str, list[str]] = {}
        for entity, field in sorted(facts_read(program)):
            one = self.recording.catalogue.entities[entity].rows is Rows.ONE
            by_table.setdefault(SNAPSHOT if one else entity, []).append(f"{entity}.{field}" if one else field)
        with self.tables() as connection:
            found = [r for table, names in by_table.items() for r in self._rates(connection, table, names)]
        return tuple(sorted(found, key=lambda r: (-r.rate, r.fact)))

    def _rates(self, connection: duckdb.DuckDBPyConnection, table: str, names: Sequence[str]) -> Iterator[UnknownRate]:
        counts = ", ".join(f"count({quote(name)})" for name in names)
        sql = f"SELECT count(*), {counts} FROM {quote(table)} WHERE book = {literal(self.book)}"  # noqa: S608 -- names and literals are quoted
        rows, *known = first_row(connection, sql) or (0, *(0 for _ in names))
        for name, count in zip(names, known, strict=True):
            yield UnknownRate(name if table == SNAPSHOT else f"{table}.{name}", rows - count, rows)


def facts_read(program: Program) -> set[tuple[str, str]]:
    """Entity and field of every fact that the rules read, in conditions, figures or reasons."""
    found: set[tuple[str, str]] = set()
    for node in (n for rule in program.rules for e in expressions_of(rule) for n in walk(e)):
        if isinstance(node, FactRead):
            found.add((node.entity, node.field))
        elif isinstance(node, RowRead):
            found.add((node.row.entity, node.field))
    return found
