"""Real processes, watched and repaired as far as the rules permit."""

from __future__ import annotations

from modules.supervision.backend import Backend, BackendError
from modules.supervision.docker import Docker
from modules.supervision.processes import Command, Processes
from modules.supervision.systemd import Systemd
from modules.supervision.watch import Watch

__all__ = ["Backend", "BackendError", "Command", "Docker", "Processes", "Systemd", "Watch"]
