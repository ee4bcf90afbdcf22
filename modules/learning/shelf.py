"""The versions of each model on disk: which is live, which would replace it, and which were live before.

A version is one file, named after the hash of what it holds, that is written once and never again. Which versions count
is one small file for each model, the pointer, and whatever is decided of a model is one exchange of that file: at every
moment, and after a crash at any moment, the model is as it was before or as it is meant to be.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modules.disk import Disk
from modules.learning.model import Trained
from modules.venues.journal import JournalError

POINTER, VERSIONS, LOCK = "pointer.json", "versions", "lock"

KEPT = 5
"""Versions that were live before and can be gone back to."""

_FILE = re.compile(r"(\d{4,})-([0-9a-f]{64})\.json")


class ShelfError(JournalError):
    """A file of the shelf is damaged, gone, or in use; the message names it and what to do."""


class Version(BaseModel):
    """Which version: its number among those of its model, and the hash (SHA-256) of its file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")

    def __str__(self) -> str:
        return f"{self.number:04d}-{self.digest[:12]}"

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.number:04d}-{self.digest}.json"


class Pointer(BaseModel):
    """Which versions of a model count. `earlier` were live before, the newest last.

    `deployed` is when the live one became it, `canary_since` when the challenger began to run as a canary (None: it
    does not), `changed` the newest change, all in ms since 1970 UTC; `because` says why it was made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    live: Version | None = None
    challenger: Version | None = None
    earlier: tuple[Version, ...] = ()
    deployed: int | None = None
    canary_since: int | None = None
    changed: int | None = None
    because: str = ""

    @property
    def before(self) -> Version | None:
        """The version that was live before."""
        return self.earlier[-1] if self.earlier else None

    @property
    def named(self) -> Iterator[Version]:
        """Every version that counts."""
        yield from (v for v in (self.live, self.challenger, *self.earlier) if v is not None)

    def challenged(self, version: Version, at: int, because: str) -> Pointer:
        """With another challenger, which is no canary yet."""
        found = {"challenger": version, "canary_since": None}
        return self.model_copy(update=found | {"changed": at, "because": because})

    def tried(self, at: int, because: str) -> Pointer:
        """With its challenger as a canary."""
        return self.model_copy(update={"canary_since": at, "changed": at, "because": because})

    def left_alone(self, at: int, because: str) -> Pointer:
        """With its challenger, but no longer as a canary."""
        return self.model_copy(update={"canary_since": None, "changed": at, "because": because})

    def withdrawn(self, at: int, because: str) -> Pointer:
        """Without a challenger."""
        found = {"challenger": None, "canary_since": None}
        return self.model_copy(update=found | {"changed": at, "because": because})

    def deployed_challenger(self, at: int, because: str) -> Pointer:
        """With its challenger live, and the one that was live as the newest of the earlier ones.

        Raises ShelfError where there is no challenger.
        """
        if self.challenger is None:
            raise ShelfError("there is no challenger that could go live")
        earlier = (*self.earlier, *(() if self.live is None else (self.live,)))[-KEPT:]
        return Pointer(live=self.challenger, earlier=earlier, deployed=at, changed=at, because=because)

    def rolled_back(self, at: int, because: str) -> Pointer:
        """With the version live that was so before; neither the one that was live nor a challenger counts any more.

        Raises ShelfError where there is no earlier one.
        """
        if self.before is None:
            raise ShelfError("there is no earlier version to go back to")
        return Pointer(live=self.before, earlier=self.earlier[:-1], deployed=at, changed=at, because=because)


@dataclass(slots=True)
class Shelf:
    """The versions in `folder`; one process at a time has it open. `disk` does what is done to the disk."""

    folder: Path
    disk: Disk
    _lock: IO[bytes]

    @classmethod
    def opened(cls, folder: Path, disk: Disk | None = None) -> Self:
        """The shelf in this folder, which is made if need be. Raises ShelfError where another process has it open."""
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise ShelfError(f"`{folder}` is open in another process: stop that one first") from error
        return cls(folder, disk or Disk(), lock)

    def close(self) -> None:
        """Let another process have it."""
        self._lock.close()

    def pointer(self, model: str) -> Pointer:
        """Which versions of `model` count; none of a model that has no pointer yet.

        Raises ShelfError for a pointer that is damaged.
        """
        path = self._of(model) / POINTER
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return Pointer()
        try:
            told = json.loads(content)
            body = json.dumps(told["pointer"], sort_keys=True)
            if told["sha256"] != hashlib.sha256(body.encode()).hexdigest():
                raise ShelfError(_damaged(path, "its hash is another one"))
            return Pointer.model_validate_json(body)
        except (ValueError, TypeError, KeyError) as error:
            raise ShelfError(_damaged(path, "it is no pointer")) from error

    def point(self, model: str, pointer: Pointer) -> None:
        """Exchange the pointer of `model`; then let go of versions that count no more."""
        body = pointer.model_dump(mode="json")
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        content = json.dumps({"pointer": body, "sha256": digest}, indent=1).encode()
        self.disk.folder(self._of(model))
        self.disk.replace(self._of(model) / POINTER, content)
        self._sweep(model, pointer)

    def add(self, trained: Trained) -> Version:
        """Write a version, which counts for nothing yet; its number is one more than any that its model has had."""
        folder = self._of(trained.model) / VERSIONS
        self.disk.folder(folder.parent)
        self.disk.folder(folder)
        content = trained.model_dump_json().encode()
        numbers = [int(match[1]) for path in folder.iterdir() if (match := _FILE.fullmatch(path.name))]
        numbers += [version.number for version in self.pointer(trained.model).named]
        version = Version(number=max(numbers, default=0) + 1, digest=hashlib.sha256(content).hexdigest())
        self.disk.create(folder / version.file, content)
        return version

    def load(self, model: str, version: Version) -> Trained:
        """What a version has learnt. Raises ShelfError where its file is gone, or is not what was written."""
        path = self._file(model, version)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ShelfError(
                f"version {version} of `{model}` cannot be read from `{path}`: {error.strerror}"
            ) from error
        if hashlib.sha256(content).hexdigest() != version.digest:
            raise ShelfError(_damaged(path, "its hash is another one"))
        try:
            trained = Trained.model_validate_json(content)
        except ValidationError as error:
            raise ShelfError(_damaged(path, "another release of ringfence has written it")) from error
        if trained.model != model:
            raise ShelfError(_damaged(path, f"it is a version of `{trained.model}`"))
        return trained

    def are_apart(self, model: str, one: Version, other: Version) -> bool:
        """Whether two versions have files of their own, each as it was written. Raises ShelfError where one is not."""
        for version in (one, other):
            self.load(model, version)
        return one.number != other.number and not self._file(model, one).samefile(self._file(model, other))

    def models(self) -> tuple[str, ...]:
        """The models that there are files of, by name."""
        return tuple(sorted(path.name for path in self.folder.iterdir() if path.is_dir()))

    def _sweep(self, model: str, pointer: Pointer) -> None:
        """Remove the files of versions that the pointer does not name: never the live one, nor one to go back to."""
        folder = self._of(model) / VERSIONS
        kept = {version.file for version in pointer.named}
        for path in sorted(folder.iterdir()) if folder.exists() else ():
            if path.name not in kept:
                self.disk.remove(path)

    def _of(self, model: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", model):
            raise ShelfError(f"a model is not called {model!r}: letters, digits, - and _ make a name")
        return self.folder / model

    def _file(self, model: str, version: Version) -> Path:
        return self._of(model) / VERSIONS / version.file


def _damaged(path: Path, how: str) -> str:
    return f"`{path}` is damaged, {how}: restore it from a backup, or go back to another version"
