"""The few things that are done to a disk, so that a crash at any moment leaves what was there or what was meant."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class Disk:
    """Writes whole files and exchanges one for another; each step is on the disk when it returns."""

    def create(self, path: Path, content: bytes) -> None:
        """Write a new file under a name of its own, and give it its name only when it is whole.

        A file of that name is left as it is: what was written once is never written over.
        """
        draft = path.with_name(f".{path.name}.new")
        self.write(draft, content)
        with suppress(FileExistsError):  # The name holds the hash of the content: it is the same file.
            self.link(draft, path)
        self.remove(draft)
        self.sync(path.parent)

    def replace(self, path: Path, content: bytes) -> None:
        """Write a file in the place of another: whoever looks sees the old one or the new one."""
        draft = path.with_name(f".{path.name}.new")
        self.write(draft, content)
        self.rename(draft, path)
        self.sync(path.parent)

    def write(self, path: Path, content: bytes) -> None:
        """Write the file, whatever was there, to the disk."""
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def link(self, old: Path, new: Path) -> None:
        """Give a file a second name. Raises FileExistsError where the name is taken."""
        os.link(old, new)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file the name of another, which is gone then: one step, or none."""
        old.replace(new)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def folder(self, path: Path) -> None:
        """Make a folder, if it is not there."""
        if not path.is_dir():
            path.mkdir()
            self.sync(path.parent)

    def sync(self, folder: Path) -> None:
        """Put a folder's names on the disk."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def which_file(path: Path) -> tuple[int, int] | None:
    """Which file has that name now: one that was taken away or replaced is another one. None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
