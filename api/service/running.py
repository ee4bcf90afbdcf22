"""A fund that the service keeps running: its snapshots, what its rules did of late, and its switches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modules.inputs import Request
from modules.runtime.controls import Controls
from modules.runtime.fund import Fund, Step
from modules.runtime.switches import Switches


@dataclass(frozen=True, slots=True)
class Fired:
    """When a rule fired last (ms), and since when it has done so for want of a fact (None: it does not)."""

    at: int
    because: str
    unknown_since: int | None


@dataclass(slots=True)
class Meters:
    """What Prometheus reads."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    snapshots: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    firings: Counter = field(init=False)
    verdicts: Counter = field(init=False)
    missing: Gauge = field(init=False)
    module_seconds: Gauge = field(init=False)
    module_up: Gauge = field(init=False)

    def __post_init__(self) -> None:
        registry = self.registry
        self.snapshots = Counter("ringfence_snapshots", "Snapshots decided.", registry=registry)
        self.seconds = Histogram("ringfence_snapshot_seconds", "Time from state to stored decision.", registry=registry)
        self.firings = Counter("ringfence_firings", "Firings of rules.", ["rule", "definite"], registry=registry)
        self.verdicts = Counter("ringfence_verdicts", "Requests by verdict.", ["verdict"], registry=registry)
        self.missing = Gauge(
            "ringfence_missing_facts", "Facts that the newest snapshot gives a reason to miss.", registry=registry
        )
        self.module_seconds = Gauge(
            "ringfence_module_seconds", "Duration of the last run.", ["module"], registry=registry
        )
        self.module_up = Gauge(
            "ringfence_module_up", "1 if the last run supplied facts.", ["module"], registry=registry
        )

    def note(self, step: Step, seconds: float, fund: Fund) -> None:
        """Count a step."""
        self.snapshots.inc()
        self.seconds.observe(seconds)
        for firing in step.told.decision.firings:
            self.firings.labels(firing.rule, str(firing.definite).lower()).inc()
        for verdict in step.answer.outputs.get("verdict", {}).values():
            self.verdicts.labels(verdict).inc()
        self.missing.set(len(step.assembled.reasons))
        for name, run in fund.runner.runs.items():
            self.module_seconds.labels(name).set(run.seconds)
            self.module_up.labels(name).set(run.fault is None)


@dataclass(slots=True)
class Running:
    """A fund with its clock, `now` in ms since 1970 UTC. `switches` hold what was switched by calls."""

    fund: Fund
    controls: Controls
    now: Callable[[], int]
    switches: Switches = field(default_factory=Switches)
    fired: dict[str, Fired] = field(default_factory=dict)
    meters: Meters = field(default_factory=Meters)
    _switching: Lock = field(default_factory=Lock)
    _clock: Lock = field(default_factory=Lock)

    def step(self, requests: Mapping[str, Request] | None = None) -> Step:
        """One more snapshot, now: later than the one before it by a millisecond at least."""
        with self._clock:
            last = self.fund.last
            ts = self.now() if last is None else max(self.now(), last.ts + 1)
            started = perf_counter()
            step = self.fund.step(ts, requests)
            self.meters.note(step, perf_counter() - started, self.fund)
            self._remember(step)
            return step

    def switch(self, module: str, *, on: bool) -> None:
        """Switch a module from the next snapshot on."""
        with self._switching:
            self.switches = Switches({**self.switches.flags, module: on}, self.switches.modes)

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
