"""Services as child processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modules.supervision.backend import BackendError

PATIENCE = 5.0
"""Seconds that a process gets to end by itself before it is killed."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a service is started. What it prints goes to `log`, or nowhere."""

    argv: tuple[str, ...]
    log: Path | None = None
    environment: Mapping[str, str] | None = None


@dataclass(slots=True)
class Processes:
    """Child processes by name of service, each in a session of its own, so that its own children end with it."""

    commands: Mapping[str, Command]
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def names(self) -> Sequence[str]:
        """The services that it runs, sorted."""
        return sorted(self.commands)

    def is_alive(self, name: str) -> bool:
        """Whether its process is there."""
        child = self._children.get(name)
        return child is not None and child.poll() is None

    def pid(self, name: str) -> int | None:
        """The number of its process, None if there is none."""
        return self._children[name].pid if self.is_alive(name) else None

    def restart(self, name: str) -> None:
        """End it if it is there, and start it again."""
        command = self.commands.get(name)
        if command is None:
            raise BackendError(f"no service is called `{name}`")
        self._end(name)
        try:
            self._children[name] = self._start(command)
        except OSError as error:
            raise BackendError(f"`{name}` does not start: {error}") from error

    def close(self) -> None:
        """End all of them."""
        for name in list(self._children):
            self._end(name)

    def _start(self, command: Command) -> subprocess.Popen[bytes]:
        output = (
            subprocess.DEVNULL if command.log is None else os.open(command.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        )
        try:
            return subprocess.Popen(  # noqa: S603 -- the commands are the operator's own configuration
                command.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if command.environment is None else dict(command.environment),
                start_new_session=True,
            )
        finally:
            if command.log is not None:
                os.close(output)

    def _end(self, name: str) -> None:
        child = self._children.pop(name, None)
        if child is None:
            return
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
