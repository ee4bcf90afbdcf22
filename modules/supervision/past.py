"""What became of the services so far, on disk: how often they were restarted, and which processes are theirs.

It outlives the fund, so that no crash gives a service a new budget, or a second process.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any

from modules.disk import which_file
from modules.supervision.identity import Identity
from modules.venues.journal import Journal, JournalError, JournalInUseError, Unkept, journal_at

SERVICES = "services.jsonl"
"""The file in a fund's folder."""

BETWEEN_TRIES = 0.2
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Started:
    """The process of a service, and what was started (see `Command.fingerprint`)."""

    identity: Identity
    command: str


@dataclass(slots=True)
class Past:
    """What is in the journal at `path`, or in memory. `restarted` are times in ms since 1970 UTC, oldest first.

    `patience` is how long (seconds) another process may have it open yet.

    `running` holds the processes that nobody has ended in order: whether they are there is for `Identity` to say.
    """

    path: Path | None = None
    patience: float = 0.0
    restarted: dict[str, list[int]] = field(default_factory=dict)
    running: dict[str, Started] = field(default_factory=dict)
    keeper: Identity | None = None
    _journal: Journal | Unkept = field(init=False)
    _file: tuple[int, int] | None = None
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        """Read it. Raises JournalError where it is damaged, or in use."""
        self._journal = _opened(self.path, self.patience)
        self._file = None if self.path is None else which_file(self.path)
        try:
            for record in self._journal.records:
                self._apply(record)
        except (KeyError, TypeError, ValueError) as error:
            self.close()
            raise JournalError(f"`{self.path}` holds a record that tells of no service: {error!r}") from error

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()

    def restart(self, name: str, ts: int) -> None:
        """A restart that counts from now on. Raises OSError where it could not be kept: then it does not."""
        self._add({"did": "restart", "service": name, "at": ts})

    def start(self, name: str, identity: Identity, command: str) -> None:
        """A process is that of a service. Raises OSError where it could not be kept."""
        self._add({"did": "start", "service": name, "command": command, **_document(identity)})

    def end(self, names: Iterable[str]) -> None:
        """Their processes were there, and were ended in order. Raises OSError where it could not be kept."""
        for name in names:
            self._add({"did": "end", "service": name})

    def keep(self, identity: Identity) -> None:
        """The process that ends the services if the fund does not come back. Raises OSError if it is not kept."""
        self._add({"did": "keeper", **_document(identity)})

    def _add(self, record: Mapping[str, Any]) -> None:
        with self._lock:
            if self.path is not None and which_file(self.path) != self._file:
                raise OSError(errno.ESTALE, "it was taken away or replaced", str(self.path))
            self._journal.append(record)
            self._apply(record)

    def _apply(self, record: Mapping[str, Any]) -> None:
        match record["did"]:
            case "restart":
                self.restarted.setdefault(str(record["service"]), []).append(int(record["at"]))
            case "start":
                self.running[str(record["service"])] = Started(_identity(record), str(record["command"]))
            case "end":
                self.running.pop(str(record["service"]), None)
            case "keeper":
                self.keeper = _identity(record)
            case other:
                raise ValueError(other)


def _opened(path: Path | None, patience: float) -> Journal | Unkept:
    until = monotonic() + patience
    while True:
        try:
            return journal_at(path)
        except JournalInUseError:
            if monotonic() >= until:
                raise
        sleep(BETWEEN_TRIES)


def _document(identity: Identity) -> dict[str, Any]:
    return {"pid": identity.pid, "start": identity.start, "place": identity.place}


def _identity(record: Mapping[str, Any]) -> Identity:
    return Identity(int(record["pid"]), int(record["start"]), str(record["place"]))
