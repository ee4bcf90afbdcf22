"""`recording.json`: what a recording holds, so that a reader can tell a whole one from a broken or foreign one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evaluators.recording_tables import Table
from evaluators.refusals import refusal
from policy_dsl.diagnostics import Diagnostic, PolicyError, Span

FORMAT: Final = 1
FILE_NAME: Final = "recording.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ColumnOnDisk(_Part):
    """What a column holds: its meaning (`ratio`, `flag`, `levels side`), its levels, its range in quanta."""

    meaning: str
    levels: list[str] = Field(default_factory=list)
    low: int | None = None
    high: int | None = None


class BookOnDisk(_Part):
    """The snapshots of one book: first and last time (ms since 1970 UTC), and how many."""

    first: int
    last: int
    count: int = Field(gt=0)


class FileOnDisk(_Part):
    """A Parquet file: its number of rows, and the SHA-256 of its content in hexadecimal."""

    rows: int = Field(gt=0)
    sha256: str


class Manifest(_Part):
    """The content of `recording.json`.

    `cadence_ms` is the declared distance of snapshots, `files` maps each Parquet file (path below the recording, with
    forward slashes) to what is in it, `tables` each table to its columns, `source` says where the data is from.
    """

    format: int = FORMAT
    cadence_ms: int = Field(gt=0)
    catalogue: str
    source: str = ""
    books: dict[str, BookOnDisk] = Field(min_length=1)
    tables: dict[str, dict[str, ColumnOnDisk]]
    files: dict[str, FileOnDisk]


class _Format(BaseModel):
    format: int


def columns_on_disk(tables: Iterable[Table]) -> dict[str, dict[str, ColumnOnDisk]]:
    """What the tables of a catalogue look like in a manifest."""
    return {
        t.name: {
            c.name: ColumnOnDisk(meaning=c.meaning, levels=list(c.levels), low=c.low, high=c.high) for c in t.columns
        }
        for t in tables
    }


def read_manifest(directory: Path) -> Manifest:
    """The manifest of the recording in `directory`.

    Raises PolicyError: RF740 if there is no recording, RF741 if its format is newer, RF746 if the file is damaged.
    """
    path = directory / FILE_NAME
    if not directory.is_dir():
        raise refusal(
            "RF740",
            f"there is no recording at `{directory}`",
            "a recording is a directory that `import` or `simulate` made",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise refusal("RF740", f"`{directory}` is not a recording: it has no {FILE_NAME}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise refusal("RF746", f"`{path}` cannot be read: {_reason(error)}", "record again") from error
    try:
        number = _Format.model_validate_json(text).format
        if number > FORMAT:
            message = f"`{directory}` has format {number}, this version reads up to {FORMAT}"
            raise refusal("RF741", message, "read it with the version of ringfence that recorded it, or a newer one")
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise PolicyError(_damage(path, error)) from error


def _damage(path: Path, error: ValidationError) -> list[Diagnostic]:
    out = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem["loc"])
        message = f"`{path}` is damaged at `${place}`: {problem['msg'][:1].lower()}{problem['msg'][1:].rstrip('.')}"
        out.append(Diagnostic("RF746", message, Span(str(path), 0, 0), "record again, or restore the file"))
    return out


def _reason(error: Exception) -> str:
    return (error.strerror or type(error).__name__).lower() if isinstance(error, OSError) else "it is not UTF-8"
