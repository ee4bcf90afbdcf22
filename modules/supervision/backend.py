"""What runs the services of a fund: child processes, systemd, or whatever else can start one again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

RESTART = "RESTART"
"""What `healing.actions` calls a restart."""


class BackendError(Exception):
    """A service could not be started, stopped or asked for; the message says why."""


class Backend(Protocol):
    """Runs services by name. Every call may raise BackendError."""

    def names(self) -> Sequence[str]:
        """The services that it runs, sorted."""
        ...

    def is_alive(self, name: str) -> bool:
        """Whether its process is there, whatever it does."""
        ...

    def restart(self, name: str) -> None:
        """End it if it is there, and start it again."""
        ...
