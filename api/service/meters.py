"""What Prometheus reads of a fund: its snapshots, rules, verdicts and modules."""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modules.runtime.fund import Fund, Step
from policy_dsl.bundle import Bundle
from policy_dsl.configuration import Mode

STOP = "ess.state"


@dataclass(slots=True)
class Meters:
    """The meters of one fund, in a registry of their own. Times are seconds since 1970 UTC, as Prometheus has them."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    snapshots: Counter = field(init=False)
    newest: Gauge = field(init=False)
    seconds: Histogram = field(init=False)
    firings: Counter = field(init=False)
    verdicts: Counter = field(init=False)
    missing: Gauge = field(init=False)
    halted: Gauge = field(init=False)
    policy_mode: Gauge = field(init=False)
    module_seconds: Gauge = field(init=False)
    module_ran: Gauge = field(init=False)
    module_up: Gauge = field(init=False)
    module_on: Gauge = field(init=False)

    def __post_init__(self) -> None:
        registry = self.registry
        self.snapshots = Counter("ringfence_snapshots", "Snapshots decided.", registry=registry)
        self.newest = Gauge("ringfence_snapshot_time", "Time of the newest snapshot.", registry=registry)
        self.seconds = Histogram("ringfence_snapshot_seconds", "Time from state to stored decision.", registry=registry)
        self.firings = Counter("ringfence_firings", "Firings of rules.", ["rule", "definite"], registry=registry)
        self.verdicts = Counter("ringfence_verdicts", "Requests by verdict.", ["verdict"], registry=registry)
        self.missing = Gauge(
            "ringfence_missing_facts", "Facts that the newest snapshot gives a reason to miss.", registry=registry
        )
        self.halted = Gauge("ringfence_halted", "1 while the emergency stop halts the fund.", registry=registry)
        self.policy_mode = Gauge(
            "ringfence_policy_mode",
            "1 for the mode in which the policy runs: only `enforce` binds.",
            ["policy", "mode"],
            registry=registry,
        )
        self.module_seconds = Gauge(
            "ringfence_module_seconds", "Duration of the last run.", ["module"], registry=registry
        )
        self.module_ran = Gauge("ringfence_module_time", "Time of the last run.", ["module"], registry=registry)
        self.module_up = Gauge(
            "ringfence_module_up", "1 if the last run supplied facts.", ["module"], registry=registry
        )
        self.module_on = Gauge(
            "ringfence_module_on", "1 unless the module is switched off.", ["module"], registry=registry
        )

    def note(self, step: Step, seconds: float, fund: Fund) -> None:
        """Count a step."""
        self.snapshots.inc()
        self.newest.set(step.ts / 1000)
        self.seconds.observe(seconds)
        for firing in step.told.decision.firings:
            self.firings.labels(firing.rule, str(firing.definite).lower()).inc()
        for verdict in step.answer.outputs.get("verdict", {}).values():
            self.verdicts.labels(verdict).inc()
        self.missing.set(len(step.assembled.reasons))
        # Rules without a stop halt nothing.
        self.halted.set(step.answer.outputs.get(STOP) == "HALTED")
        self._policies(step.bundle)
        self._modules(fund)

    def _policies(self, bundle: Bundle) -> None:
        for policy in bundle.policies:
            runs = bundle.configuration.mode(policy.name)
            for mode in Mode:
                self.policy_mode.labels(policy.name, mode.value).set(mode is runs)

    def _modules(self, fund: Fund) -> None:
        for module in fund.runner.modules:
            name, run = module.name, fund.runner.runs.get(module.name)
            self.module_on.labels(name).set(fund.runner.is_on(name))
            self.module_up.labels(name).set(run is not None and run.fault is None)
            if run is not None:
                self.module_seconds.labels(name).set(run.seconds)
                self.module_ran.labels(name).set(run.at / 1000)
