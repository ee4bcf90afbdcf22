"""What a recording says without any rules: its times, single facts over time, and how often facts are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from evaluators.duckdb import unknown_rates
from evaluators.duckdb.coverage import Missing
from evaluators.identifiers import literal, quote
from evaluators.recording import Recording
from evaluators.recording_tables import SNAPSHOT, tables_of
from policy_dsl.program import Program
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
        """A connection whose tables are those of the recording, narrowed to the book and the time."""
        with duckdb.connect() as connection:
            self.recording.attach(connection, since=self.since, until=self.until)
            for table in tables_of(self.recording.catalogue):
                # A temporary view stands before the one of its name that has every book.
                name, book = quote(table.name), literal(self.book)
                rows = f"SELECT * FROM memory.main.{name} WHERE book = {book}"  # noqa: S608 -- names and literals are quoted
                connection.execute(f"CREATE TEMP VIEW {name} AS {rows}")
            yield connection

    def between(self, since: int, until: int) -> Extract:
        """The same book, from `since` to before `until` (ms)."""
        return Extract(self.recording, self.book, since, until)

    def times(self) -> list[int]:
        """The times of the snapshots (ms), oldest first."""
        with self.tables() as connection:
            found = connection.execute(f"SELECT epoch_ms(ts) FROM {SNAPSHOT} ORDER BY ts").fetchall()  # noqa: S608 -- a name of ours
        return [ts for (ts,) in found]

    def series(self, path: str) -> list[float | None]:
        """The values of a fact with one row a snapshot, in document units, in the order of `times`; None: missing.

        A fact that the catalogue does not have, or that is not a number, gives an empty list.
        """
        fact = self.recording.catalogue.fact(path)
        if fact is None or not isinstance(fact.type, Quantity):
            return []
        scale = QUANTA_PER_ONE[fact.type.unit]
        sql = f"SELECT {quote(path)} FROM {SNAPSHOT} ORDER BY ts"  # noqa: S608 -- names are quoted
        with self.tables() as connection:
            found = connection.execute(sql).fetchall()
        return [None if value is None else value / scale for (value,) in found]

    def unknowns(self, program: Program) -> tuple[Missing, ...]:
        """How often each fact and collection that the rules read is missing, most often first."""
        with self.tables() as connection:
            return tuple(sorted(unknown_rates(connection, program), key=lambda m: (-m.rate, m.fact)))
