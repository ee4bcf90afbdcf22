"""A file of JSON lines in which a line that was written is there after a crash.

A line counts as written once `append` has returned: it is then on the disk. A last line that is torn was never
acknowledged, and is cut off at the next opening; a torn line elsewhere is damage, and refused.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import Any

from modules.disk import Disk


class JournalError(Exception):
    """The file is damaged, belongs to something else, or is open in another process."""


class JournalInUseError(JournalError):
    """The file is open in another process."""


class Journal:
    """The records of `path` in the order of their writing; one process at a time has it open."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self.path = path
        self._disk = disk or Disk()
        is_new = not path.exists()
        # Without a buffer: what a full disk refused must not be written later, behind the back of who was told so.
        self._file = _held(path, path)
        if is_new:
            self._disk.sync(path.parent)  # a new file is found after a crash only once its folder is on the disk too
        try:
            self.records: tuple[dict[str, Any], ...] = self._read()
        except JournalError:
            self._file.close()
            raise

    def replay(self, take: Callable[[Mapping[str, Any]], object]) -> None:
        """Hands every record to `take`, oldest first.

        Raises JournalError, and has let go of the file, where `take` can make nothing of one.
        """
        for number, record in enumerate(self.records, start=1):
            try:
                take(record)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                self.close()
                why = f"line {number} of `{self.path}` is none that belongs there: {error!r}"
                raise JournalError(why) from error

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes one record, and returns when it is on the disk. Raises OSError where it is not: then it is nowhere."""
        line = _line(record)
        end = self._file.seek(0, os.SEEK_END)
        try:
            self._write(line)
        except OSError:
            self._file.truncate(end)
            raise

    def rewrite(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Puts these records in the place of all that are there; after a crash it is these or those.

        Raises OSError where the disk refuses it: then whatever the file holds is whole, and is added to.
        """
        draft = self.path.with_name(f".{self.path.name}.new")
        self._disk.write(draft, b"".join(_line(record) for record in records))
        file = _held(draft, self.path)
        with ExitStack() as undone:
            undone.callback(file.close)
            self._disk.rename(draft, self.path)
            undone.pop_all()
        self._file.close()
        self._file = file
        self._disk.sync(self.path.parent)
        self.records = self._read()

    def _write(self, line: bytes) -> None:
        written = self._file.write(line)
        if written != len(line):
            raise OSError(errno.ENOSPC, f"only {written} of {len(line)} bytes could be written", str(self.path))
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def _read(self) -> tuple[dict[str, Any], ...]:
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            self._file.truncate(len(whole))
            os.fsync(self._file.fileno())
        records = []
        for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise JournalError(f"line {number} of `{self.path}` is damaged") from error
            if not isinstance(record, dict):
                raise JournalError(f"line {number} of `{self.path}` is no record")
            records.append(record)
        return tuple(records)


def _line(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n").encode()


def _held(file: Path, path: Path) -> FileIO:
    """A file, open for this process alone, that is the journal of `path` or is to become it.

    Raises JournalInUseError.
    """
    opened = FileIO(file, "a+")
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        opened.close()
        raise JournalInUseError(f"`{path}` is open in another process") from error
    if not os.path.samestat(os.fstat(opened.fileno()), file.stat()):
        opened.close()  # who had it open has put another file in its place meanwhile, and goes on with that one
        raise JournalInUseError(f"`{path}` is open in another process")
    return opened


class Unkept:
    """The journal of what lives in memory alone: nothing is read from it, and nothing is kept."""

    records: tuple[dict[str, Any], ...] = ()

    def replay(self, take: Callable[[Mapping[str, Any]], object]) -> None:
        """There is nothing to hand over."""

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes nothing."""

    def rewrite(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Writes nothing."""

    def close(self) -> None:
        """There is nothing to let go of."""


def journal_at(path: Path | None) -> Journal | Unkept:
    """The journal in the file at `path`; without one, what is written is kept nowhere. Raises what `Journal` does."""
    return Unkept() if path is None else Journal(path)
