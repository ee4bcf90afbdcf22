"""Services as processes of the fund's own, which outlive it and are found again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from json import dumps
from pathlib import Path
from threading import Lock

from modules.supervision.backend import BackendError
from modules.supervision.identity import Identity, end
from policy_dsl.files import words_of

PATIENCE = 5.0
"""Seconds that a process gets to end by itself before it is killed."""

AFTER_A_WORD = ("/bin/sh", "-c", 'read -r _ && exec "$@" </dev/null', "sh")
"""Becomes the command once it is told to, and ends where nobody is left to tell it."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a service is started, in the folder `cwd`. What it prints goes to `log`, or nowhere.

    `environment` is all that it is told (None: what the fund itself was told). It may hold keys: it is never printed.
    """

    argv: tuple[str, ...]
    log: Path | None = None
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    cwd: Path | None = None

    def fingerprint(self, *kept_back: str) -> str:
        """Tells two commands apart; the values of the variables `kept_back` do not count, and are not in it."""
        told = {k: "" if k in kept_back else v for k, v in sorted((self.environment or {}).items())}
        return sha256(dumps([self.argv, str(self.log), told, str(self.cwd)]).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Running:
    """A process that was started, or found again (then without a `child`)."""

    identity: Identity
    child: subprocess.Popen[bytes] | None = None


def unrecorded(name: str, identity: Identity) -> None:
    """Keeps nothing."""
    del name, identity


@dataclass(slots=True)
class Processes:
    """Processes by name of service, each in a session of its own, so that its own children end with it.

    `record` is told of a process before that does anything; where it raises OSError, nothing was started.
    """

    commands: Mapping[str, Command]
    record: Callable[[str, Identity], None] = unrecorded
    _running: dict[str, _Running] = field(default_factory=dict)
    _is_closed: bool = False
    _lock: Lock = field(default_factory=Lock)

    def names(self) -> Sequence[str]:
        """The services that it runs, sorted."""
        return sorted(self.commands)

    def is_alive(self, name: str) -> bool:
        """Whether its process is there."""
        return self.pid(name) is not None

    def pid(self, name: str) -> int | None:
        """The number of its process, None if there is none."""
        found = self._running.get(name)
        if found is None:
            return None
        if found.child is not None:
            found.child.poll()  # it stays in the list of processes until somebody has asked
        return found.identity.pid if found.identity.is_there() else None

    def adopt(self, name: str, identity: Identity) -> None:
        """Take a process for that of a service, whether or not it is there: what is left of it ends at a restart."""
        self._running[name] = _Running(identity)

    def restart(self, name: str) -> None:
        """End it if it is there, and start it again."""
        command = self.commands.get(name)
        if command is None:
            raise BackendError(f"no service is called `{name}`")
        found = self._running.get(name)
        if found is not None and _end([found]):
            raise BackendError(f"`{name}` does not end, and there are not to be two: process {found.identity.pid}")
        try:
            with self._lock:
                if self._is_closed:
                    raise BackendError(f"`{name}` does not start: the fund ends")
                self._running[name] = self._started(name, command)
        except OSError as error:
            raise BackendError(f"`{name}` does not start: {error}") from error

    def close(self) -> list[str]:
        """End all of them, and start no more; those that were there and are not any more."""
        with self._lock:
            self._is_closed = True
            there = sorted(name for name in self._running if self.is_alive(name))
            left = _end(list(self._running.values()))
            return [name for name in there if self._running[name].identity not in left]

    def _started(self, name: str, command: Command) -> _Running:
        child = begun(command, (*AFTER_A_WORD, *command.argv), subprocess.PIPE)
        try:
            identity = _identified(name, child)
            self.record(name, identity)
            _tell(child)
        except BaseException:
            child.kill()
            child.wait()
            raise
        finally:
            if child.stdin is not None:
                child.stdin.close()
        return _Running(identity, child)


def _check_program(command: Command) -> None:
    """Raise FileNotFoundError where there is no such program: the shell would only print that."""
    program, there = command.argv[0], os.environ if command.environment is None else command.environment
    if os.sep in program:
        program = str((command.cwd or Path()) / program)
    if shutil.which(program, path=there.get("PATH", os.defpath)) is None:
        raise FileNotFoundError(f"there is no program `{command.argv[0]}`")


def begun(command: Command, argv: Sequence[str], stdin: int) -> subprocess.Popen[bytes]:
    """A process of `argv` in a session of its own, with all else as the command has it. Raises OSError."""
    _check_program(command)
    if command.cwd is not None and not command.cwd.is_dir():
        raise FileNotFoundError(f"there is no folder `{command.cwd}` to start it in")
    output = subprocess.DEVNULL if command.log is None else _opened(command.log)
    try:
        return subprocess.Popen(  # noqa: S603 -- the commands are the operator's own configuration
            argv,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if command.environment is None else dict(command.environment),
            cwd=command.cwd,
            start_new_session=True,
            bufsize=0,
        )
    finally:
        if command.log is not None:
            os.close(output)


def _opened(log: Path) -> int:
    try:
        return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise OSError(f"its log `{log}` cannot be written: {words_of(error)}") from error


def _identified(name: str, child: subprocess.Popen[bytes]) -> Identity:
    found = Identity.of(child.pid)
    if found is None:
        raise BackendError(f"`{name}` does not start: it ended at once")
    return found


def _tell(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    child.stdin.write(b"\n")


def _end(found: Sequence[_Running]) -> list[Identity]:
    """End them; those that do not."""
    left = end((one.identity for one in found), PATIENCE)
    for one in found:
        if one.child is not None and one.identity not in left:
            one.child.wait()
    return left
