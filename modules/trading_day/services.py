"""The processes beside the fund, in simulated time: they are killed, and come up again some seconds after a restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from modules.supervision import BackendError, Watch
from modules.trading_day.mishaps import SERVICES, Kill

START_SECONDS = 4.0
"""Median time that a service takes to start; made up, log-normal."""

START_SPREAD = 0.5
"""Standard deviation of its log."""

NEEDED = frozenset(SERVICES[1:])


@dataclass(frozen=True, slots=True)
class Recovery:
    """A service that was killed at `at`, and did its work again at `back` (ms); None: not before the day was over."""

    service: str
    at: int
    back: int | None


@dataclass(slots=True)
class SimulatedServices:
    """Services as they are at the time of `clock` (ms); `seed` says how long each start takes."""

    clock: Callable[[], int]
    seed: int
    _ready: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(SERVICES, 0))
    _killed: list[Kill] = field(default_factory=list)
    _back: dict[Kill, int] = field(default_factory=dict)
    _starts: int = 0

    def names(self) -> Sequence[str]:
        """The services, sorted."""
        return sorted(self._ready)

    def is_alive(self, name: str) -> bool:
        """Whether its process is there."""
        return self._found(name) is not None

    def works(self, name: str) -> bool:
        """Whether it has started and answers."""
        ready = self._found(name)
        return ready is not None and self.clock() >= ready

    def restart(self, name: str) -> None:
        """Start it again."""
        self._found(name)
        self._starts += 1
        rng = np.random.default_rng([self.seed, 4, self._starts])
        ready = self.clock() + round(1000 * START_SECONDS * float(np.exp(START_SPREAD * rng.standard_normal())))
        self._ready[name] = ready
        for kill in self._killed:
            if kill.service == name and self._back.get(kill, kill.at) <= self.clock():
                self._back.setdefault(kill, ready)

    def kill(self, kill: Kill) -> None:
        """End a service."""
        self._ready[kill.service] = None
        self._killed.append(kill)

    def recoveries(self) -> tuple[Recovery, ...]:
        """What became of each service that was killed."""
        return tuple(Recovery(kill.service, kill.at, self._back.get(kill)) for kill in self._killed)

    def _found(self, name: str) -> int | None:
        if name not in self._ready:
            raise BackendError(f"no service is called `{name}`")
        return self._ready[name]


def watched(services: SimulatedServices) -> Watch:
    """A watch over the services, as over real ones."""

    def check(name: str) -> Callable[[], bool]:
        return lambda: services.works(name)

    return Watch(services, {name: check(name) for name in SERVICES}, affects_trading=lambda name: name in NEEDED)
