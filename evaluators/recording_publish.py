"""Tables to a directory of Parquet files, partitioned by book and day, that appears whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import duckdb

from evaluators.identifiers import literal, quote
from evaluators.queries import first_row
from evaluators.recording_manifest import FILE_NAME, BookOnDisk, FileOnDisk, Manifest, columns_on_disk
from evaluators.recording_tables import KNOWN, SNAPSHOT, Table, tables_of
from evaluators.refusals import refusal
from policy_dsl.catalogue import Catalogue
from policy_dsl.quantities import MS_PER_DAY

ROW_GROUP = 24_576
"""Rows of a row group: about 25,000, a multiple of DuckDB's vectors of 2,048 rows."""


class Publication:
    """A directory next to `target` that takes its place when the block ends well, and vanishes when it does not.

    Raises PolicyError: RF747 if the target exists and is not empty, unless `overwrite` is set and it is a recording;
    RF748 if the directory cannot be made or moved.
    """

    def __init__(self, target: Path, *, overwrite: bool = False) -> None:
        self.target = target
        self._overwrite = overwrite

    def __enter__(self) -> Path:
        """The directory to fill."""
        _refuse_occupied(self.target, self._overwrite)
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._partial = Path(tempfile.mkdtemp(prefix=f".{self.target.name}.partial-", dir=self.target.parent))
            self._partial.chmod(0o755)
        except OSError as error:
            raise refusal("RF748", f"`{self.target}` cannot be written: {error.strerror or error}") from error
        return self._partial

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._replace()
        except OSError as failure:
            raise refusal("RF748", f"`{self.target}` cannot be written: {failure.strerror or failure}") from failure
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)

    def _replace(self) -> None:
        _refuse_occupied(self.target, self._overwrite)
        if not self.target.exists():
            self._partial.rename(self.target)
            return
        old = Path(tempfile.mkdtemp(prefix=f".{self.target.name}.old-", dir=self.target.parent))
        self.target.rename(old)
        try:
            self._partial.rename(self.target)
        except BaseException:
            old.rename(self.target)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _refuse_occupied(target: Path, overwrite: bool) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not overwrite:
        raise refusal("RF747", f"`{target}` exists already", "name another place, or ask to overwrite it")
    if not (target / FILE_NAME).is_file():
        raise refusal("RF747", f"`{target}` is not a recording, so it is not overwritten", "name another place")


def publish(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, directory: Path, *, cadence_ms: int, source: str
) -> None:
    """Write the tables of `connection` (named and shaped as `tables_of` says) into `directory` as a recording.

    Raises PolicyError (RF745) if there is no snapshot, or a row is doubled, belongs to no snapshot, or belongs to a
    collection that its snapshot calls unknown.
    """
    tables = tables_of(catalogue)
    for table in tables:
        if table.entity is not None:
            _refuse_stray_rows(connection, table)
    books = _books(connection)
    if not books:
        raise refusal("RF745", "nothing was recorded", "a recording holds at least one snapshot")
    files: dict[str, FileOnDisk] = {}
    for table in tables:
        for book, day in _partitions(connection, table):
            path = f"{table.name}/book={book}/day={day}/part-0.parquet"
            files[path] = _copy(connection, table, book, day, directory / path)
    manifest = Manifest(
        cadence_ms=cadence_ms,
        catalogue=catalogue.hash,
        source=source,
        books=books,
        tables=columns_on_disk(tables),
        files=files,
    )
    (directory / FILE_NAME).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _books(connection: duckdb.DuckDBPyConnection) -> dict[str, BookOnDisk]:
    rows = connection.execute(
        f"SELECT book, epoch_ms(min(ts)), epoch_ms(max(ts)), count(*) FROM {quote(SNAPSHOT)} GROUP BY ALL ORDER BY book"
    ).fetchall()
    return {book: BookOnDisk(first=first, last=last, count=count) for book, first, last, count in rows}


def _partitions(connection: duckdb.DuckDBPyConnection, table: Table) -> list[tuple[str, str]]:
    return connection.execute(
        f"SELECT DISTINCT book, strftime(ts, '%Y-%m-%d') AS day FROM {quote(table.name)} ORDER BY book, day"
    ).fetchall()


def _copy(connection: duckdb.DuckDBPyConnection, table: Table, book: str, day: str, file: Path) -> FileOnDisk:
    file.parent.mkdir(parents=True, exist_ok=True)
    first = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000
    names = [
        "ts::TIMESTAMP_MS AS ts",
        *(name for name, _ in table.leading[2:]),
        *(f"{c.in_range(quote(c.name))} AS {quote(c.name)}" for c in table.columns),
    ]
    rows = (
        f"SELECT {', '.join(names)} FROM {quote(table.name)} WHERE book = {literal(book)} "
        f"AND ts >= make_timestamp_ms({first}) AND ts < make_timestamp_ms({first + MS_PER_DAY}) ORDER BY {table.order}"
    )
    made = first_row(
        connection,
        f"COPY ({rows}) TO {literal(str(file))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})",
    )
    with file.open("rb") as written:
        return FileOnDisk(rows=made[0] if made else 0, sha256=hashlib.file_digest(written, "sha256").hexdigest())


def _refuse_stray_rows(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    name = quote(table.name)
    twice = first_row(
        connection,
        f"SELECT book, epoch_ms(ts), key FROM {name} GROUP BY book, ts, key HAVING count(*) > 1 LIMIT 1",
    )
    if twice is not None:
        raise refusal("RF745", f"`{table.name}` has two rows `{twice[2]}` at {twice[1]} ms in book `{twice[0]}`")
    known = quote(KNOWN + table.name)
    unless = f"WHERE {known}" if table.may_be_unknown else ""
    stray = first_row(
        connection,
        f"SELECT book, epoch_ms(ts), key FROM {name} ANTI JOIN (SELECT book, ts FROM {quote(SNAPSHOT)} {unless}) "
        "USING (book, ts) LIMIT 1",
    )
    if stray is not None:
        message = f"`{table.name}` has a row `{stray[2]}` at {stray[1]} ms in book `{stray[0]}`, "
        message += "where there is no snapshot" + (f", or one whose `known.{table.name}` is not true" if unless else "")
        raise refusal("RF745", message, "every row belongs to a snapshot of the same book and time")
