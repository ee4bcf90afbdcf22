"""Commands that repair a service: run to their end, and no longer than they may."""

from __future__ import annotations

import subprocess
from threading import Event
from time import monotonic

from modules.supervision.backend import BackendError
from modules.supervision.identity import Identity, end
from modules.supervision.processes import Command, begun

LIMIT = 20.0
"""Seconds."""

BETWEEN_LOOKS = 0.1


def run(command: Command, ending: Event, limit: float = LIMIT) -> None:
    """Run it until it ends, or the fund does. Nothing of it is left then.

    Raises BackendError where it does not end well within `limit` seconds.
    """
    try:
        child = begun(command, command.argv, subprocess.DEVNULL)
    except OSError as error:
        raise BackendError(f"`{command.argv[0]}` does not start: {error}") from error
    identity, until = Identity.of(child.pid), monotonic() + limit
    while child.poll() is None and monotonic() < until and not ending.is_set():
        ending.wait(BETWEEN_LOOKS)
    found = child.poll()
    if identity is not None:
        end([identity], 0.0)
    child.wait()
    if found is None:
        raise BackendError(f"`{command.argv[0]}` was ended: it took over {limit:g} s, or the fund ended")
    if found != 0:
        raise BackendError(f"`{command.argv[0]}` ended with {found}")
