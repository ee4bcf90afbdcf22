"""Is a recording whole, and does it hold what the catalogue asks for? Every finding, before anything is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evaluators.identifiers import literal
from evaluators.recording_manifest import FILE_NAME, ColumnOnDisk, Manifest
from evaluators.recording_tables import Column, Table
from policy_dsl.diagnostics import Findings, Span
from policy_dsl.files import words_of

_PART = re.compile(r"([^/]+)/book=([A-Za-z0-9_][A-Za-z0-9_.-]*)/day=(\d{4}-\d\d-\d\d)/part-\d+\.parquet")
_GLOB = re.compile(r"[*?[]")
_RESTORE = "restore the file from a copy, or record again"
_ALIKE = ("text", "reference")


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a recording: its table, book and day (`2025-10-10`), its path and number of rows."""

    table: str
    book: str
    day: str
    path: Path
    rows: int


def parts_of(directory: Path, manifest: Manifest, findings: Findings) -> list[Part]:
    """The files that the manifest lists, in its order; a path that is not one of a recording is a finding (RF746)."""
    out = []
    for name, file in manifest.files.items():
        match = _PART.fullmatch(name)
        if match is None:
            message = f"`{directory / FILE_NAME}` lists `{name}`, which is not a file of a recording"
            findings.error("RF746", message, _at(directory / FILE_NAME), _RESTORE)
        else:
            out.append(Part(match[1], match[2], match[3], directory / name, file.rows))
    return out


def check_part(part: Part, manifest: Manifest, directory: Path, findings: Findings) -> None:
    """Report a file that is gone or damaged (RF746), lacks a column it should have (RF749), or was changed (RF746)."""
    try:
        with part.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = words_of(error)
        findings.error("RF746", f"`{part.path}` cannot be read: {reason}", _at(part.path), _RESTORE)
        return
    if digest == manifest.files[part.path.relative_to(directory).as_posix()].sha256:
        return
    names = _columns_in(part.path)
    lacking = sorted(manifest.tables.get(part.table, {}).keys() - names) if names is not None else []
    for name in lacking:
        message = f"`{part.path}` has no column `{name}`, though {FILE_NAME} says so"
        findings.error("RF749", message, _at(part.path), _RESTORE)
    if not lacking:
        how = "is damaged: it is not a whole Parquet file" if names is None else "has changed since it was recorded"
        findings.error("RF746", f"`{part.path}` {how}", _at(part.path), _RESTORE)


def check_columns(
    table: Table, on_disk: dict[str, ColumnOnDisk], place: Path, fill_missing: bool, findings: Findings
) -> None:
    """Compare what a table should hold with what was recorded.

    RF749 a missing column (a note where it is to be filled), RF750 one that means something else, RF751 (note) one
    that the catalogue does not have.
    """
    lacking = [c for c in table.columns if c.name not in on_disk]
    for column in lacking:
        _report_missing(_named(table, column.name), place, fill_missing, findings)
    for column in table.columns:
        found = on_disk.get(column.name)
        if found is not None and not _alike(found.meaning, column.meaning):
            name = _named(table, column.name)
            message = f"`{name}` was recorded as {found.meaning} in `{place}`, and is {column.meaning} now"
            findings.error("RF750", message, _at(place), "record again with this version")
    for name in sorted(on_disk.keys() - {c.name for c in table.columns}):
        message = f"`{place}` has a column `{_named(table, name)}` that the catalogue does not know"
        findings.note("RF751", message, _at(place), "it is ignored")


def _report_missing(name: str, place: Path, fill_missing: bool, findings: Findings) -> None:
    if fill_missing:
        findings.note("RF749", f"`{place}` has no column `{name}`", _at(place), "it is read as missing")
    else:
        help = "import or simulate it again with this version"
        findings.error("RF749", f"`{place}` has no column `{name}`", _at(place), help)


def expression(column: Column, on_disk: ColumnOnDisk | None, name: str) -> str:
    """SQL for the values of a column as the catalogue sees them: what is out of range, or absent, is NULL.

    The comparison is left out where the recorded range lies within the declared one.
    """
    if on_disk is None:
        return f"NULL::{column.sql_type}"
    if column.levels:
        return name if set(on_disk.levels) <= set(column.levels) else column.in_range(name)
    low = column.low is None or (on_disk.low is not None and on_disk.low >= column.low)
    high = column.high is None or (on_disk.high is not None and on_disk.high <= column.high)
    return name if low and high else column.in_range(name)


def files(parts: Sequence[Part]) -> str:
    """The paths of several files as an SQL list; characters that mean something in a glob stand for themselves."""
    paths = [_GLOB.sub(r"[\g<0>]", str(p.path.absolute())) for p in parts]
    return f"[{', '.join(map(literal, paths))}]"


def _columns_in(path: Path) -> set[str] | None:
    """The columns of a Parquet file; None if it is none."""
    part = Part("", "", "", path, 0)
    try:
        with duckdb.connect() as connection:
            rows = connection.execute(f"SELECT name FROM parquet_schema({files([part])})").fetchall()
    except duckdb.Error:
        return None
    return {row[0] for row in rows}


def _alike(recorded: str, now: str) -> bool:
    return recorded == now or (recorded.endswith(_ALIKE) and now.endswith(_ALIKE))


def _named(table: Table, column: str) -> str:
    return column if table.entity is None else f"{table.name}.{column}"


def _at(path: Path) -> Span:
    return Span(str(path), 0, 0)
