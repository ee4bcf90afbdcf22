"""Looks at services, and repairs them, on threads of its own: whoever asks how they do never waits for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic

import structlog

from modules.supervision.backend import RESTART, Backend, BackendError
from modules.supervision.heartbeats import Heartbeat

log = structlog.get_logger()

EVERY = 1.0
"""Seconds between two looks at a service."""

BETWEEN_LOOKS = 0.05
"""Seconds."""

FRESH = 10.0
"""Seconds: an older look says nothing of now."""

PARTING = 8.0
"""Seconds that a repair at work gets to end with the fund: longer than a process gets to end by itself."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How a service was at `at` (monotonic seconds). `alive` is None where it could not be asked for, and `why`."""

    at: float
    alive: bool | None
    works: bool
    why: str = ""


@dataclass(slots=True)
class Patrol:
    """A back end that answers at once: from the newest look at a service, and with a repair that is only begun.

    `heartbeats` show which services do their work, `gone_after` after how long a silence (seconds) one counts as not
    there. `failed` is told of a repair that failed: service, item. `faults` says what was wrong with the last repair of
    a service; `ending` is set once the fund ends.
    """

    backend: Backend
    heartbeats: Mapping[str, Heartbeat] = field(default_factory=dict)
    gone_after: Mapping[str, float] = field(default_factory=dict)
    failed: Callable[[str, str], None] = lambda *_: None
    every: float = EVERY
    ending: Event = field(default_factory=Event)
    faults: dict[str, str] = field(default_factory=dict)
    _sights: dict[str, Sight] = field(default_factory=dict)
    _beats: dict[str, float] = field(default_factory=dict)
    _counted_from: dict[str, float] = field(default_factory=dict)
    _repairs: dict[str, tuple[str, Thread]] = field(default_factory=dict)
    _told: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    _wake: dict[str, Event] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def start(self) -> None:
        """Begin to look; returns at once."""
        for name in self.backend.names():
            self._counted_from[name], self._wake[name] = monotonic(), Event()
            Thread(target=self._go_round, args=[name], name=f"watch {name}", daemon=True).start()

    def rest(self) -> None:
        """Look no more, and begin nothing; returns at once."""
        self.ending.set()
        for wake in self._wake.values():
            wake.set()

    def close(self) -> None:
        """Look no more, and let repairs end that are at work."""
        self.rest()
        until = monotonic() + PARTING
        for _, thread in list(self._repairs.values()):
            thread.join(max(0.0, until - monotonic()))

    def settle(self, patience: float) -> None:
        """Wait until every service does its work or is found dead, `patience` seconds at most."""
        until = monotonic() + patience
        while monotonic() < until and any(self._is_coming_up(name) for name in self.backend.names()):
            self.ending.wait(BETWEEN_LOOKS)

    def _is_coming_up(self, name: str) -> bool:
        sight = self._sights.get(name)
        return sight is None or (sight.alive is True and not sight.works)

    # --- what is asked ---------------------------------------------------------------------------------------------

    def names(self) -> Sequence[str]:
        """The services, sorted."""
        return self.backend.names()

    def is_alive(self, name: str) -> bool:
        """Whether it was there at the newest look; not while it is restarted. Raises BackendError if nobody knows."""
        if self._at_work(name) == RESTART:
            return False
        sight = self._sights.get(name)
        if sight is None:
            raise BackendError("nobody has looked at it yet")
        if monotonic() - sight.at > FRESH:
            raise BackendError(f"the newest look at it was {monotonic() - sight.at:.0f} s ago: whoever looks hangs")
        if sight.alive is None:
            raise BackendError(sight.why)
        return sight.alive

    def works(self, name: str) -> bool:
        """Whether it was seen to do its work."""
        sight = self._sights.get(name)
        return sight is not None and sight.works and monotonic() - sight.at <= FRESH

    def silence(self, name: str) -> float | None:
        """Seconds since its newest beat; None where there was none."""
        beat = self._beats.get(name)
        return None if beat is None else monotonic() - beat

    def is_busy(self, name: str) -> bool:
        """Whether a repair is at work on it, or none may begin any more."""
        return self._at_work(name) is not None or self.ending.is_set()

    def was_there(self, name: str) -> bool:
        """Whether it was there when it was looked at last, however long ago."""
        sight = self._sights.get(name)
        return sight is not None and sight.alive is True

    # --- what is begun ---------------------------------------------------------------------------------------------

    def restart(self, name: str) -> None:
        """Begin to restart it."""
        self.begin(name, RESTART, lambda: self.backend.restart(name))

    def begin(self, name: str, item: str, repair: Callable[[], None]) -> None:
        """Begin a repair. Raises BackendError while another one is at work."""
        with self._lock:
            if self.is_busy(name):
                raise BackendError("another repair is at work, or the fund ends")
            thread = Thread(target=self._repaired, args=[name, item, repair], name=f"{item} {name}", daemon=True)
            self._repairs[name] = item, thread
            thread.start()

    def _at_work(self, name: str) -> str | None:
        item, thread = self._repairs.get(name, ("", None))
        return item if thread is not None and thread.is_alive() else None

    def _repaired(self, name: str, item: str, repair: Callable[[], None]) -> None:
        began = monotonic()
        try:
            repair()
        except Exception as error:  # noqa: BLE001 -- a repair that fails is one more failure of the service
            self.faults[name] = str(error)
            self.failed(name, item)
        else:
            self.faults.pop(name, None)
        finally:
            self._tell(name, item, monotonic() - began)
            if item == RESTART:
                self._counted_from[name] = monotonic()
            self._wake[name].set()

    def _tell(self, name: str, item: str, seconds: float) -> None:
        """Write down what came of a repair, unless it was the same the last time: some are done every few seconds."""
        fault = self.faults.get(name)
        came = item, fault
        if item == RESTART or self._told.get(name) != came:
            seconds = round(seconds, 3)
            if fault is None:
                log.info("repaired", service=name, repair=item, seconds=seconds)
            else:
                log.warning("a repair failed", service=name, repair=item, seconds=seconds, error=fault)
        self._told[name] = came

    # --- looking ---------------------------------------------------------------------------------------------------

    def _go_round(self, name: str) -> None:
        while not self.ending.is_set():
            # What is looked at while it is ended and started again says nothing of what comes of that.
            if self._at_work(name) != RESTART:
                self._look(name)
            self._wake[name].wait(self.every)
            self._wake[name].clear()

    def _look(self, name: str) -> None:
        try:
            self._sights[name] = self._seen(name)
        except Exception as error:  # noqa: BLE001 -- whatever a look raises, the next one comes
            log.warning("a look at a service failed", service=name, error=repr(error))
            self._sights[name] = Sight(monotonic(), None, works=False, why=repr(error))

    def _seen(self, name: str) -> Sight:
        try:
            alive = self.backend.is_alive(name)
        except BackendError as error:
            return Sight(monotonic(), None, works=False, why=str(error))
        if not alive:
            return Sight(monotonic(), alive, works=False)
        heartbeat = self.heartbeats.get(name)
        silence = 0.0 if heartbeat is None else heartbeat.silence()
        now = monotonic()
        if silence is not None:
            self._beats[name] = max(self._beats.get(name, now - silence), now - silence)
        works = silence is not None and (heartbeat is None or silence <= heartbeat.within)
        return Sight(now, works or not self._is_gone(name, now), works)

    def _is_gone(self, name: str, now: float) -> bool:
        """Whether it has been silent for so long that it counts as not there, however alive its process is."""
        longest = self.gone_after.get(name)
        newest = max(self._beats.get(name, 0.0), self._counted_from[name])
        return longest is not None and now - newest > longest
