"""Recordings: snapshots on disk as Parquet, partitioned by book and day.

A recording is a directory with `recording.json` (the manifest) and a file
`<table>/book=<book>/day=<YYYY-MM-DD>/part-0.parquet` a table, book and day; `recording_tables` says which tables and
columns there are. `RecordingWriter` makes one, `Recording` reads one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Final

import duckdb

from evaluators.identifiers import quote
from evaluators.recording_checks import Part, check_columns, check_part, expression, files, parts_of
from evaluators.recording_columns import quanta_of
from evaluators.recording_manifest import FILE_NAME, Manifest, read_manifest
from evaluators.recording_reader import between, read_snapshots
from evaluators.recording_tables import Table, tables_of
from evaluators.recording_writer import RecordingWriter
from evaluators.refusals import refusal
from evaluators.snapshot import Snapshot
from policy_dsl.catalogue import Catalogue
from policy_dsl.diagnostics import Diagnostic, Findings, PolicyError, did_you_mean
from policy_dsl.quantities import MS_PER_DAY

__all__ = ["Recording", "RecordingWriter", "quanta_of"]

_ROWS_AT_ONCE: Final = 100_000
_EPOCH: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that has been checked: it is whole, and holds every fact of the catalogue. Make it with `open`.

    `notes` are findings that do not hinder reading.
    """

    path: Path
    catalogue: Catalogue
    manifest: Manifest
    parts: tuple[Part, ...]
    notes: tuple[Diagnostic, ...]

    @classmethod
    def open(
        cls, path: str | Path, catalogue: Catalogue, *, fill_missing: bool = False, verify: bool = True
    ) -> Recording:
        """The recording at `path`.

        With `fill_missing`, facts that were not recorded are read as missing. With `verify`, every file is compared
        with the digest taken when it was written.

        Raises PolicyError with every finding: RF740, RF741, RF746 (no recording, a newer format, damage), RF749,
        RF750 (a fact that was not recorded, or with another meaning).
        """
        directory = Path(path)
        manifest = read_manifest(directory)
        findings = Findings()
        parts = parts_of(directory, manifest, findings)
        for part in parts if verify else ():
            check_part(part, manifest, directory, findings)
        recorded = {p.table: p.path for p in reversed(parts)}
        for table in tables_of(catalogue):
            place = recorded.get(table.name, directory / FILE_NAME)
            check_columns(table, manifest.tables.get(table.name, {}), place, fill_missing, findings)
        if any(d.is_error for d in findings.items):
            raise PolicyError(findings.sorted())
        return cls(directory, catalogue, manifest, tuple(parts), findings.sorted())

    @property
    def books(self) -> tuple[str, ...]:
        """The books that it holds, by name."""
        return tuple(sorted(self.manifest.books))

    @property
    def cadence_ms(self) -> int:
        """The declared distance of two snapshots, in milliseconds."""
        return self.manifest.cadence_ms

    @property
    def span(self) -> tuple[int, int]:
        """Time of the first and of the last snapshot of all books, ms since 1970 UTC."""
        spans = self.manifest.books.values()
        return min(b.first for b in spans), max(b.last for b in spans)

    @property
    def count(self) -> int:
        """How many snapshots it holds, all books together."""
        return sum(b.count for b in self.manifest.books.values())

    def attach(
        self, connection: duckdb.DuckDBPyConnection, *, since: int | None = None, until: int | None = None
    ) -> None:
        """Make a view per table in `connection`: `snapshot`, and one of each keyed or event entity's name.

        Columns: `book`, `ts` (TIMESTAMP, UTC), `key` (not in `snapshot`), then the facts as `recording_tables` says, in
        range or NULL. Views of the same names are replaced. `since <= ts < until` (ms) narrows them.

        Raises PolicyError (RF754) where a view cannot be made, because a table has its name for instance.
        """
        for table in tables_of(self.catalogue):
            where = " AND ".join(between(since, until)) or "true"
            rows = self._relation(table, self._within(since, until)) or f"({_nothing(table)})"
            try:
                connection.execute(f"CREATE OR REPLACE VIEW {quote(table.name)} AS SELECT * FROM {rows} WHERE {where}")
            except duckdb.Error as error:
                raise refusal(
                    "RF754", f"`{table.name}` of `{self.path}` cannot be attached: {_first_line(error)}"
                ) from error

    def snapshots(self, book: str, since: int | None = None, until: int | None = None) -> Iterator[Snapshot]:
        """The snapshots of `book` with `since <= ts < until` (ms), oldest first; memory stays bounded.

        Raises PolicyError: RF752 if there is no such book, RF746 if a file turns out damaged.
        """
        if book not in self.manifest.books:
            help = did_you_mean(book, self.books) or f"it has {', '.join(self.books)}"
            raise refusal("RF752", f"`{self.path}` has no book `{book}`", help)
        return self._snapshots(book, since, until)

    def _snapshots(self, book: str, since: int | None, until: int | None) -> Iterator[Snapshot]:
        tables = tables_of(self.catalogue)
        parts = [p for p in self._within(since, until) if p.book == book]
        try:
            with duckdb.connect() as connection:
                for chunk in _chunks(parts):
                    relations = {t.name: self._relation(t, chunk) for t in tables}
                    yield from read_snapshots(connection, tables, relations, book, since, until)
        except (duckdb.Error, UnicodeDecodeError) as error:  # what is damaged may show up in DuckDB's own message
            message = f"`{self.path}` cannot be read: {_first_line(error)}"
            raise refusal("RF746", message, "restore the file from a copy, or record again") from error

    def _within(self, since: int | None, until: int | None) -> list[Part]:
        """The files that may hold snapshots of that time."""
        starts = [((date.fromisoformat(p.day).toordinal() - _EPOCH) * MS_PER_DAY, p) for p in self.parts]
        return [
            part
            for start, part in starts
            if (since is None or start + MS_PER_DAY > since) and (until is None or start < until)
        ]

    def _relation(self, table: Table, parts: Sequence[Part]) -> str | None:
        """A sub-query over the files of one table; None if there are none."""
        own = [p for p in parts if p.table == table.name]
        if not own:
            return None
        recorded = self.manifest.tables.get(table.name, {})
        columns = [quote(name) for name, _ in table.leading]
        for column in table.columns:
            name = quote(column.name)
            columns.append(f"{expression(column, recorded.get(column.name), name)} AS {name}")
        hive = "hive_partitioning = true, hive_types = {'book': VARCHAR, 'day': DATE}"
        return f"(SELECT {', '.join(columns)} FROM read_parquet({files(own)}, {hive}))"


def _chunks(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """The files of one book in runs of days that can be sorted at once."""
    chunk: list[Part] = []
    for _, day in groupby(sorted(parts, key=lambda p: p.day), key=lambda p: p.day):
        more = list(day)
        if chunk and sum(p.rows for p in chunk + more) > _ROWS_AT_ONCE:
            yield chunk
            chunk = []
        chunk += more
    if chunk:
        yield chunk


def _nothing(table: Table) -> str:
    columns = [f"NULL::{kind} AS {quote(name)}" for name, kind in table.leading]
    columns += [f"NULL::{c.sql_type} AS {quote(c.name)}" for c in table.columns]
    return f"SELECT {', '.join(columns)} WHERE false"


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
