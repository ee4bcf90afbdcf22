"""The file of the store: opened by one owner, and its faults told to people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from evaluators.refusals import refusal
from policy_dsl.diagnostics import PolicyError

_RESTORE = "restore it from a copy, or move it away to start with an empty store"
_LOCK = "Could not set lock"
_OWNER = "ringfence_owner"
_GIVEN_UP = ("Failed to create checkpoint", "has been invalidated")
_CORRUPT = ("orrupt", "checksum")


def open_file(path: str) -> duckdb.DuckDBPyConnection:
    """A connection to the DuckDB file at `path`, which is made if there is none (`:memory:`: nothing is kept).

    Raises PolicyError: RF771 another process, or this one, has it open; RF772 it is damaged or no DuckDB file; RF773 it
    cannot be opened or made.
    """
    file = Path(path)
    if path != ":memory:" and (file.is_dir() or not file.parent.is_dir()):
        raise refusal("RF773", f"`{path}` cannot be opened: it is a directory, or its directory does not exist")
    try:
        connection = duckdb.connect(path)
    except duckdb.Error as error:
        raise _refusal_of(path, error) from error
    try:
        connection.execute("SET enable_progress_bar = false")  # it would be drawn over what a command says
        # Attached databases belong to the open file, not to the connection: a second owner in this process meets this.
        connection.execute(f"ATTACH ':memory:' AS {_OWNER}")
    except duckdb.Error as error:
        connection.close()
        raise refusal("RF771", f"`{path}` is open already, in this process", "use the store that is open") from error
    return connection


def close_file(connection: duckdb.DuckDBPyConnection) -> None:
    """Give up the file, even where a reader that was not read to its end still holds on to it."""
    with suppress(duckdb.Error):  # a file that has failed cannot be asked any more, and is given up all the same
        connection.execute(f"DETACH {_OWNER}")
    connection.close()


def is_given_up(error: duckdb.Error) -> bool:
    """Whether DuckDB will do nothing more with the file before it is opened anew.

    So it does where a full disk lets it write no checkpoint; what was acknowledged is in the file all the same.
    """
    return isinstance(error, duckdb.FatalException) or any(word in str(error) for word in _GIVEN_UP)


@contextmanager
def reported(path: str) -> Iterator[None]:
    """Turn what DuckDB raises in the block into a PolicyError that names the file (RF771-RF774, RF783)."""
    try:
        yield
    except (duckdb.Error, UnicodeDecodeError) as error:  # what is damaged may show up in DuckDB's own message
        raise _refusal_of(path, error) from error


def _refusal_of(path: str, error: Exception) -> PolicyError:
    first = str(error).split("\n", 1)[0]
    if _LOCK in first:
        help = "stop that process: one process owns the file"
        return refusal("RF771", f"`{path}` is in use by another process", help)
    if "version number" in first:
        help = "open it with the version of ringfence that wrote it, or a newer one"
        return refusal("RF774", f"`{path}` was written by another version of DuckDB: {first}", help)
    if any(word in first for word in _GIVEN_UP) and not any(word in first for word in _CORRUPT):
        help = "make room on the disk: the file is then opened anew, and what was acknowledged is in it and its `.wal`"
        return refusal("RF783", f"`{path}` failed: {first}", help)
    damaged = (
        "codec can't decode",
        "orrupt",
        "not a valid DuckDB",
        "read enough bytes",
        "serializ",
        "WAL",
        "checksum",
        "INTERNAL",
        "FATAL",
    )
    if any(word in first for word in damaged):
        return refusal("RF772", f"`{path}` is damaged, or is not a DuckDB file: {first}", _RESTORE)
    if isinstance(error, duckdb.PermissionException) or "Permission denied" in first or "Cannot open file" in first:
        return refusal("RF773", f"`{path}` cannot be opened: {first}", "check who may read and write it")
    return refusal("RF783", f"`{path}` failed: {first}", "check the disk, then try again")
