"""A fund that the service keeps running: its snapshots, what its rules did of late, and its switches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter

import structlog

from api.service.joint import Joint
from api.service.meters import STOP, Meters
from api.service.problems import Problem
from api.service.turns import Turns
from api.values import OutputTexts
from modules.inputs import Request
from modules.learning.learning import Learning
from modules.runtime.fund import Fund, Step
from modules.runtime.switchboard import Switchboard
from modules.supervision.services import Services
from modules.venues.venue import HungUp

log = structlog.get_logger()

LOOKS_SECONDS = 0.1
"""How often it is looked at whether a step at the end of a fund still has something to wait for."""


@dataclass(frozen=True, slots=True)
class Fired:
    """When a rule fired last (ms), and since when it has done so for want of a fact (None: it does not)."""

    at: int
    because: str
    unknown_since: int | None


@dataclass(slots=True)
class Running:
    """A fund with its clock, `now` in ms since 1970 UTC, and the board on which people switch its modules.

    `check` raises what speaks against a step before it is taken. `learning` holds the fund's own models, where it has
    any, `services` those that it watches; `fault` says what was wrong with the last step, if it failed.
    """

    fund: Fund
    board: Switchboard
    now: Callable[[], int]
    learning: Learning | None = None
    services: Services | None = None
    fired: dict[str, Fired] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    check: Callable[[], None] = lambda: None
    fault: str | None = None
    _since: dict[str, tuple[str, int]] = field(default_factory=dict)
    _first: int | None = None
    _is_over: bool = False
    meters: Meters = field(default_factory=Meters)
    joint: Joint = field(init=False)
    _clock: Turns = field(default_factory=Turns)

    def __post_init__(self) -> None:
        self.joint = Joint(self.step)

    def step(self, requests: Mapping[str, Request] | None = None, *, first: bool = False) -> Step:
        """One more snapshot, now: later than the one before it by a millisecond at least. Its requests are of then.

        One that is to come `first` waits for the step that is at work, and for no other. Raises HungUp once the fund
        ends.
        """
        with self._clock.turn(first=first):
            if self._is_over:
                raise HungUp("the fund ends")
            newest = self.fund.store.latest(self.fund.book)
            ts = self.now() if newest is None else max(self.now(), newest.ts + 1)
            started = perf_counter()
            try:
                self.check()
                step = self.fund.step(ts, {key: replace(asked, at=ts) for key, asked in (requests or {}).items()})
            except BaseException as error:
                self.fault = f"{type(error).__name__}: {error}"
                if isinstance(error, Exception | KeyboardInterrupt) and not isinstance(error, StopIteration):
                    raise
                # Handed to the loop of the service, these would end it, or leave whoever waits without an answer.
                raise RuntimeError(f"a step raised {self.fault}") from error
            self.fault = None
            self.meters.note(step, perf_counter() - started, self.fund)
            self._remember(step)
            self._log_changes(step)
            return step

    def newest(self) -> Step:
        """The newest step. Raises Problem (503) before the first one."""
        if self.fund.last is None:
            raise Problem(503, "not ready", "no snapshot has been decided yet")
        return self.fund.last

    def is_halted(self) -> bool:
        """Whether the emergency stop halts the fund in the newest snapshot; before the first one it does not yet."""
        return self.fund.last is not None and self.fund.last.answer.outputs.get(STOP) == "HALTED"

    def unready(self) -> str | None:
        """Why the newest snapshot does not count for now; None while it does. Raises Problem as `newest`."""
        age = self.now() - self.newest().ts
        if abs(age) <= self.fund.max_gap:
            return None
        why = "" if self.fault is None else f", and the last one failed: {self.fault}"
        if age > 0:
            return f"the newest snapshot is {age // 1000} s old{why}"
        # Snapshots are stored in the order of their times, so that the fund's own time stands still meanwhile.
        return f"the clock was put back: the newest snapshot is {-age // 1000} s ahead of it{why}"

    def since(self, output: str, ts: int) -> tuple[int, bool]:
        """Since when (ms) an output of the whole fund has its value of `ts`, and whether it had another before that.

        This process saw no other value before it where it had not: it may have had this one for longer.
        """
        _, since = self._since.get(output, ("", ts))
        return since, since != self._first

    def leave(self, has_hung: Callable[[], bool]) -> None:
        """Begin no more steps, and let the one at work end, unless what it waits for `has_hung`.

        An order that rests is cancelled by its step, which takes the seconds that it may rest.
        """
        self._is_over = True
        self.joint.leave()
        while not self._clock.acquire(timeout=LOOKS_SECONDS):
            if has_hung():
                return
        self._clock.release()

    def close(self) -> None:
        """Let the step that is at work end, and begin none after it."""
        self._is_over = True
        self.joint.close()
        with self._clock:
            pass

    def _log_changes(self, step: Step) -> None:
        """Write down which outputs of the whole fund have changed."""
        texts = OutputTexts(step.bundle.program)
        now = {shown.output: shown.text for shown in texts.shown(step.told.decision) if shown.key is None}
        if self._first is None:
            self._first = step.ts
        for output, text in now.items():
            if self._since.get(output, ("", 0))[0] != text:
                self._since[output] = text, step.ts
        if not self.shown:
            log.info("first snapshot", ts=step.ts, outputs=now)
        for output, text in now.items():
            if output in self.shown and self.shown[output] != text:
                log.info("output", output=output, value=text, was=self.shown[output], ts=step.ts)
        self.shown = now

    def _remember(self, step: Step) -> None:
        unsure = {f.rule for f in step.told.decision.firings if not f.definite}
        for rule in sorted({f.rule for f in step.told.decision.firings}):
            before = self.fired.get(rule)
            since = None
            if rule in unsure:
                since = before.unknown_since if before is not None and before.unknown_since is not None else step.ts
            self.fired[rule] = Fired(step.ts, step.answer.because.get(rule, ""), since)
        for rule in set(self.fired) - {f.rule for f in step.told.decision.firings}:
            before = self.fired[rule]
            if before.unknown_since is not None:
                self.fired[rule] = Fired(before.at, before.because, None)
