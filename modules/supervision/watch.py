"""Watches services, and repairs them as far as the rules permit: how often and how soon again is theirs to say."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from modules.inputs import Failure, Service
from modules.supervision.backend import RESTART, Backend, BackendError

log = structlog.get_logger()

COUNTED_MS = 5 * 60_000
"""How long checks are counted."""

RESTARTS_MS = 3_600_000
"""How long restarts are counted."""

AGAIN_MS = 60_000
"""What goes on failing is one more failure after so long: it does not fail more often the more often one looks."""

Check = Callable[[], bool]
"""Asks a service whether it does its work; whatever it raises is an answer: no."""


def unrecorded(name: str, ts: int) -> None:
    """Keeps nothing."""
    del name, ts


def untold(name: str) -> float | None:
    """Tells of no beat."""
    del name
    return None


def never(name: str) -> bool:
    """Nothing is at work."""
    del name
    return False


@dataclass(slots=True)
class _Seen:
    """What is known of one service; times in ms since 1970 UTC."""

    checks: deque[tuple[int, bool]] = field(default_factory=deque)
    restarted: deque[int] = field(default_factory=deque)
    seen: int | None = None
    began: int | None = None
    kind: str | None = None
    is_new: bool = True
    failed: dict[str, int] = field(default_factory=dict)
    repaired: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Watch:
    """The services of a back end. `checks` ask those that can be asked; `repairs` hold what is done that is no restart.

    `affects_trading` names the services that orders or prices depend on; by default all of them. `silence` tells how
    long ago (seconds) a service gave a sign, where that is not the time of the look. `is_busy` tells whether a repair
    is at work, `record` keeps a restart before it is done (OSError: then it is not), `restarted` are those of before.
    """

    backend: Backend
    checks: Mapping[str, Check] = field(default_factory=dict)
    repairs: Mapping[tuple[str, str], Callable[[], None]] = field(default_factory=dict)
    affects_trading: Callable[[str], bool] = lambda _: True
    silence: Callable[[str], float | None] = untold
    is_busy: Callable[[str], bool] = never
    record: Callable[[str, int], None] = unrecorded
    restarted: Mapping[str, Iterable[int]] = field(default_factory=dict)
    failures: deque[Failure] = field(default_factory=deque)
    _services: dict[str, _Seen] = field(default_factory=dict)
    _late: deque[tuple[str, str]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        for name in self.backend.names():
            self._services[name] = _Seen(restarted=deque(self.restarted.get(name, ())))

    def failed(self, name: str, item: str) -> None:
        """A repair that was begun has failed: a failure of the next look. Any thread may tell."""
        self._late.append((name, item.lower()))

    def look(self, ts: int) -> Mapping[str, Service]:
        """Ask every service how it does at `ts`."""
        while self._late:
            self._fail(*self._late.popleft(), ts)
        while self.failures and ts - self.failures[0].at > COUNTED_MS:
            self.failures.popleft()
        return {name: self._looked(name, ts) for name in self.backend.names()}

    def repair(self, actions: Mapping[str, Iterable[str]], ts: int, known: int | None = None) -> list[tuple[str, str]]:
        """Do what the rules permit, by service; what was done.

        `known` is the time (ms) of what they went by, now where nothing is said: what they permit by a state from
        before the last repair was that repair.
        """
        at = ts if known is None else known
        due = [name for name in self.backend.names() if name in actions and self._is_due(name, at)]
        permitted = [(name, item) for name in due for item in self._in_turn(name, actions[name])]
        return [(name, item) for name, item in permitted if self._done(name, item, ts)]

    def _is_due(self, name: str, known: int) -> bool:
        repaired = self._services[name].repaired.values()
        return not repaired or known > max(repaired)

    def _in_turn(self, name: str, items: Iterable[str]) -> list[str]:
        """A restart first, which makes up for the others; of those the one that was done longest ago."""
        repaired = self._services[name].repaired
        return sorted(items, key=lambda item: (item != RESTART, repaired.get(item, 0), item))

    def _done(self, name: str, item: str, ts: int) -> bool:
        if self.is_busy(name):
            return False
        if item == RESTART:
            return self._restarted(name, ts)
        return (name, item) in self.repairs and self._tried(name, item, ts)

    def _looked(self, name: str, ts: int) -> Service:
        known = self._services[name]
        known.began = ts if known.began is None else known.began
        answers, why = self._is_alive(name)
        works = bool(answers) and self._works(name)
        known.checks.append((ts, works))
        while ts - known.checks[0][0] > COUNTED_MS:
            known.checks.popleft()
        while known.restarted and ts - known.restarted[0] > RESTARTS_MS:
            known.restarted.popleft()
        kind = None if works else "unhealthy" if answers else "unknown" if answers is None else "down"
        self._note(name, ts, kind, why)
        known.seen = self._last_seen(name, ts, works=works)
        return Service(
            affects_trading=self.affects_trading(name),
            seen=known.seen,
            answers=answers,
            requests=len(known.checks),
            failures=sum(not works for _, works in known.checks),
            is_degraded=bool(answers) and not works,
            restarted=tuple(known.restarted),
            began=known.began,
        )

    def _note(self, name: str, ts: int, kind: str | None, why: str | None) -> None:
        """How it does now: what is wrong with it, None where it does well."""
        known = self._services[name]
        if kind != known.kind:
            was = None if known.is_new else known.kind or "well"
            log.info("a service has changed", service=name, now=kind or "well", was=was, why=why)
        if kind is not None:
            self._fail(name, kind, ts)
        known.kind, known.is_new = kind, False

    def _fail(self, name: str, kind: str, ts: int) -> None:
        """One more failure, unless there was one of this kind a moment ago; each restart that fails is one."""
        failed = self._services[name].failed
        if kind == RESTART.lower() or kind not in failed or ts - failed[kind] >= AGAIN_MS:
            self.failures.append(Failure(ts, name, kind))
            failed[kind] = ts

    def _last_seen(self, name: str, ts: int, *, works: bool) -> int | None:
        before, silence = self._services[name].seen, self.silence(name)
        if silence is None:
            return ts if works else before
        beat = ts - round(silence) * 1000
        return beat if before is None else max(before, beat)

    def _is_alive(self, name: str) -> tuple[bool | None, str | None]:
        """Whether it is there; None where nobody can tell, and why."""
        try:
            return self.backend.is_alive(name), None
        except BackendError as error:
            return None, str(error)

    def _works(self, name: str) -> bool:
        check = self.checks.get(name)
        try:
            return check is None or check()
        except Exception as error:  # noqa: BLE001 -- whatever a check raises is an answer: no
            log.info("a service does not answer", service=name, error=repr(error))
            return False

    def _restarted(self, name: str, ts: int) -> bool:
        known = self._services[name]
        try:
            self.record(name, ts)
        except OSError as error:
            # A restart that nobody would remember could be done for ever.
            log.warning("a restart is not done, for it could not be kept on disk", service=name, error=str(error))
            return False
        # It counts against the budget whether or not it helps.
        known.restarted.append(ts)
        known.repaired[RESTART] = ts
        log.info("restart", service=name, restarts=len(known.restarted))
        try:
            self.backend.restart(name)
        except BackendError as error:
            self._fail(name, RESTART.lower(), ts)
            log.warning("a restart failed", service=name, error=str(error))
            return False
        return True

    def _tried(self, name: str, item: str, ts: int) -> bool:
        self._services[name].repaired[item] = ts
        try:
            self.repairs[name, item]()
        except Exception as error:  # noqa: BLE001 -- a repair that fails is one more failure of the service
            self._fail(name, item.lower(), ts)
            log.warning("a repair failed", service=name, repair=item, error=repr(error))
            return False
        return True
