"""Services as units of systemd."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modules.supervision.backend import BackendError

PATIENCE = 20.0
"""Seconds that systemd gets for a restart."""


@dataclass(frozen=True, slots=True)
class Systemd:
    """Units by name of service, asked through `systemctl` (`program`, for another one in its place)."""

    units: Mapping[str, str]
    program: str = "systemctl"

    def names(self) -> Sequence[str]:
        """The services that it runs, sorted."""
        return sorted(self.units)

    def is_alive(self, name: str) -> bool:
        """Whether its unit is active."""
        return self._run("is-active", name).stdout.strip() == b"active"

    def restart(self, name: str) -> None:
        """Restart its unit."""
        done = self._run("restart", name)
        if done.returncode != 0:
            raise BackendError(f"`{self.units[name]}` does not restart: {done.stderr.decode(errors='replace').strip()}")

    def _run(self, verb: str, name: str) -> subprocess.CompletedProcess[bytes]:
        unit = self.units.get(name)
        if unit is None:
            raise BackendError(f"no service is called `{name}`")
        try:
            return subprocess.run(  # noqa: S603 -- the program and the units are the operator's own configuration
                [self.program, verb, unit], capture_output=True, check=False, timeout=PATIENCE
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BackendError(f"systemd does not answer for `{unit}`: {error}") from error
