"""Watches services, and repairs them as far as the rules permit: how often and how soon again is theirs to say."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from modules.inputs import Failure, Service
from modules.supervision.backend import Backend, BackendError

log = structlog.get_logger()

COUNTED_MS = 5 * 60_000
"""How long checks are counted."""

RESTARTS_MS = 3_600_000
"""How long restarts are counted."""

Check = Callable[[], bool]
"""Asks a service whether it does its work; whatever it raises is an answer: no."""


@dataclass(slots=True)
class _Seen:
    """What is known of one service; times in ms since 1970 UTC."""

    checks: deque[tuple[int, bool]] = field(default_factory=deque)
    restarted: deque[int] = field(default_factory=deque)
    seen: int | None = None
    began: int | None = None
    answers: bool | None = None
    works: bool = True


@dataclass(slots=True)
class Watch:
    """The services of a back end. `checks` ask those that can be asked; `repairs` do what is no restart, by item.

    `affects_trading` names the services that orders or prices depend on; by default all of them.
    """

    backend: Backend
    checks: Mapping[str, Check] = field(default_factory=dict)
    repairs: Mapping[str, Callable[[str], None]] = field(default_factory=dict)
    affects_trading: Callable[[str], bool] = lambda _: True
    failures: deque[Failure] = field(default_factory=deque)
    _services: dict[str, _Seen] = field(default_factory=dict)

    def look(self, ts: int) -> Mapping[str, Service]:
        """Ask every service how it does at `ts`."""
        while self.failures and ts - self.failures[0].at > COUNTED_MS:
            self.failures.popleft()
        return {name: self._looked(name, ts) for name in self.backend.names()}

    def repair(self, actions: Mapping[str, Iterable[str]], ts: int) -> list[tuple[str, str]]:
        """Do what the rules permit, by service; what was done."""
        permitted = [(n, i) for n in sorted(set(actions) & set(self.backend.names())) for i in sorted(actions[n])]
        return [(name, item) for name, item in permitted if self._done(name, item, ts)]

    def _done(self, name: str, item: str, ts: int) -> bool:
        if item == "RESTART":
            return self._restarted(name, ts)
        return item in self.repairs and self._tried(name, item, ts)

    def _looked(self, name: str, ts: int) -> Service:
        known = self._services.setdefault(name, _Seen())
        known.began = ts if known.began is None else known.began
        alive, kind = self._is_alive(name)
        known.works = alive and self._works(name)
        known.answers = alive
        known.checks.append((ts, known.works))
        while ts - known.checks[0][0] > COUNTED_MS:
            known.checks.popleft()
        while known.restarted and ts - known.restarted[0] > RESTARTS_MS:
            known.restarted.popleft()
        if known.works:
            known.seen = ts
        else:
            self.failures.append(Failure(ts, name, kind if not alive else "unhealthy"))
        return Service(
            affects_trading=self.affects_trading(name),
            seen=known.seen,
            answers=known.answers,
            requests=len(known.checks),
            failures=sum(not works for _, works in known.checks),
            is_degraded=alive and not known.works,
            restarted=tuple(known.restarted),
            began=known.began,
        )

    def _is_alive(self, name: str) -> tuple[bool, str]:
        try:
            return self.backend.is_alive(name), "down"
        except BackendError as error:
            log.warning("a service cannot be asked for", service=name, error=str(error))
            return False, "unknown"

    def _works(self, name: str) -> bool:
        check = self.checks.get(name)
        try:
            return check is None or check()
        except Exception as error:  # noqa: BLE001 -- whatever a check raises is an answer: no
            log.info("a service does not answer", service=name, error=repr(error))
            return False

    def _restarted(self, name: str, ts: int) -> bool:
        known = self._services.setdefault(name, _Seen())
        # It counts against the budget whether or not it helps.
        known.restarted.append(ts)
        try:
            self.backend.restart(name)
        except BackendError as error:
            self.failures.append(Failure(ts, name, "restart"))
            log.warning("a restart failed", service=name, error=str(error))
            return False
        log.info("restarted", service=name, restarts=len(known.restarted))
        return True

    def _tried(self, name: str, item: str, ts: int) -> bool:
        try:
            self.repairs[item](name)
        except Exception as error:  # noqa: BLE001 -- a repair that fails is one more failure of the service
            self.failures.append(Failure(ts, name, item.lower()))
            log.warning("a repair failed", service=name, repair=item, error=repr(error))
            return False
        return True
