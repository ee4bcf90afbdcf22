"""Services of several back ends side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modules.supervision.backend import Backend, BackendError


@dataclass(frozen=True, slots=True)
class Mixed:
    """The back end of each service, by its name."""

    of: Mapping[str, Backend]

    def names(self) -> Sequence[str]:
        """The services, sorted."""
        return sorted(self.of)

    def is_alive(self, name: str) -> bool:
        """What its own back end says."""
        return self._own(name).is_alive(name)

    def restart(self, name: str) -> None:
        """Let its own back end do it."""
        self._own(name).restart(name)

    def _own(self, name: str) -> Backend:
        found = self.of.get(name)
        if found is None:
            raise BackendError(f"no service is called `{name}`")
        return found
