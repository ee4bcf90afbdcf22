"""Which process it is: its number alone would be that of another one some day."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import monotonic

import psutil  # type: ignore[import-untyped]  # because its stubs are a package of their own

PROC = Path("/proc")

STATE, STARTED = 0, 19
"""Where they stand in `/proc/PID/stat` after the name of the program."""

TO_BE_GONE = 2.0
"""Seconds that the system gets to clear away what was killed."""

ROUNDS = 5
"""How often a session is looked through: what is killed may have begun another process meanwhile."""

OVER = frozenset("ZX")
"""The states of a process that has ended, and that nobody has asked about yet."""


@cache
def here() -> str:
    """The start of the machine and the container that this process belongs to: what runs there ends with it."""
    boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{(PROC / 'self/ns/pid').stat().st_ino}"


@dataclass(frozen=True, slots=True)
class Identity:
    """The process `pid` that began at `start` (clock ticks since the machine's) in `place`; it leads a session."""

    pid: int
    start: int
    place: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """That of the process which has the number now; None where none has, or only one that has ended."""
        try:
            text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The name of the program is in parentheses, and may hold any of them itself.
        found = text.rpartition(")")[2].split()
        return None if found[STATE] in OVER else cls(pid, int(found[STARTED]), here())

    def is_there(self) -> bool:
        """Whether it goes on."""
        return Identity.of(self.pid) == self

    def is_of_here(self) -> bool:
        """Whether it could be there: the machine and the container are still those that it ran in."""
        return self.place == here()


def end(processes: Iterable[Identity], patience: float) -> list[Identity]:
    """End them with all that is left of their sessions, those killed that take longer than `patience` seconds.

    Those that are still there are told: they are another user's, or wait for a disk that does not answer.
    """
    found = [one for one in processes if one.is_of_here()]
    asked = [handle for one in found if (handle := _asked_to_end(one)) is not None]
    try:
        _await(asked, monotonic() + patience)
        for one in found:
            _kill_session(one)
        _await(asked, monotonic() + TO_BE_GONE)
    finally:
        for handle in asked:
            os.close(handle)
    return [one for one in found if one.is_there()]


def _asked_to_end(one: Identity) -> int | None:
    """A handle on the process, which was told to end; None where there is none."""
    try:
        handle = os.pidfd_open(one.pid)
    except ProcessLookupError:
        return None
    # A handle stays with its process: what is looked at only now cannot be exchanged for another one any more.
    if not one.is_there():
        os.close(handle)
        return None
    with suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(handle, signal.SIGTERM)
    return handle


def _await(handles: Iterable[int], until: float) -> None:
    left = set(handles)
    waiting = select.poll()
    for handle in left:
        waiting.register(handle, select.POLLIN)
    while left and (rest := until - monotonic()) > 0:
        for handle, _ in waiting.poll(rest * 1000):
            waiting.unregister(handle)
            left.discard(handle)


def _kill_session(one: Identity) -> None:
    """Kill the process, and whatever it has begun in its session."""
    now = Identity.of(one.pid)
    if now is not None and now != one:
        return  # the number is another's by now, and so no session goes by it any more
    for _ in range(ROUNDS):
        members = [pid for pid in psutil.pids() if _is_in(pid, one.pid)]
        for pid in members:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not members:
            return


def _is_in(pid: int, session: int) -> bool:
    """Whether the process goes on, and is in the session."""
    try:
        return os.getsid(pid) == session and Identity.of(pid) is not None
    except (ProcessLookupError, PermissionError):
        return False
