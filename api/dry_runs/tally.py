"""Counts decisions as they stream by: rules and their episodes, values of outputs over time, verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from api.dry_runs.binding import Binding, Outputs
from api.dry_runs.result import Course, Episode, RuleCount, Verdicts
from api.dry_runs.spans import Runs
from evaluators.decision import Decision, Firing, OutputValue, PerRow
from policy_dsl.nodes import Constant
from policy_dsl.program import Program, Rule, Tighten
from policy_dsl.types import ItemSet

VERDICT = "verdict"


@dataclass(slots=True)
class _RuleTally:
    """The running count of one rule; `runs` holds its episodes so far, each with its definite snapshots."""

    firings: int = 0
    definite: int = 0
    snapshots: int = 0
    bound: int = 0
    time: int = 0
    runs: list[list[int]] = field(default_factory=list)

    def see(self, firings: list[Firing], bound: bool, since: int, until: int) -> None:
        certain = sum(f.definite for f in firings)
        self.firings += len(firings)
        self.definite += certain
        self.snapshots += 1
        if not bound:
            return
        self.bound += 1
        self.time += until - since
        if not self.runs or self.runs[-1][1] != since:
            self.runs.append([since, until, 0, 0])
        run = self.runs[-1]
        run[1] = until
        run[2] += 1
        run[3] += certain > 0

    def result(self, rule: Rule) -> RuleCount:
        return RuleCount(
            rule=rule.id,
            observing=rule.observing,
            snapshots=self.snapshots,
            firings=self.firings,
            definite=self.definite,
            because_missing=self.firings - self.definite,
            bound=self.bound,
            time=self.time,
            episodes=tuple(Episode(rule.id, *run) for run in self.runs),
        )


class Tally:
    """Counts the decisions of one program; see each once, in order of time."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._binding = Binding(program)
        self._rules = {rule.id: _RuleTally() for rule in program.rules}
        self._outputs = [o for o in program.outputs if o.entity is None and not isinstance(o.type, ItemSet)]
        self._runs: dict[str, Runs[OutputValue]] = {o.id: Runs() for o in self._outputs}
        self._transitions: dict[str, Counter[tuple[OutputValue, OutputValue]]] = {
            o.id: Counter() for o in self._outputs
        }
        holding = {e.output for r in program.rules for e in r.effects if isinstance(e, Tighten) and (e.hold or e.until)}
        self._keeping = [
            o for o in self._outputs if o.relaxes_after is not None or o.latches_until is not None or o.id in holding
        ]
        self._kept: dict[str, Counter[OutputValue]] = {o.id: Counter() for o in self._keeping}
        self._verdicts: Counter[str] = Counter()
        self._denied_by: Counter[str] = Counter()
        self._denying = {r.id: r.scope is not None for r in program.rules if _denies(r)}

    def see(self, decision: Decision, until: int) -> None:
        """Count one decision, which stands until `until` (ms)."""
        self._see_rules(decision, until)
        for output in self._outputs:
            value = cast(OutputValue, decision.outputs[output.id])
            before = self._runs[output.id].see(value, decision.ts, until)
            if before is not None:
                self._transitions[output.id][before, value] += 1
        self._see_kept(decision, until)
        self._see_verdicts(decision)

    def _see_rules(self, decision: Decision, until: int) -> None:
        self._count(decision.firings, decision.firings, decision.outputs, decision.ts, until)
        if decision.observed:
            every = (*decision.firings, *decision.observed)
            would_be = {**decision.outputs, **decision.would_be}
            self._count(decision.observed, every, would_be, decision.ts, until)

    def _count(
        self, counted: Iterable[Firing], every: Iterable[Firing], outputs: Outputs, since: int, until: int
    ) -> None:
        bound = {f.rule for f in self._binding.binding(every, outputs)}
        by_rule: dict[str, list[Firing]] = {}
        for firing in counted:
            by_rule.setdefault(firing.rule, []).append(firing)
        for rule, firings in by_rule.items():
            self._rules[rule].see(firings, rule in bound, since, until)

    def _see_kept(self, decision: Decision, until: int) -> None:
        if not self._keeping:
            return
        asked = self._binding.asked(decision.firings, decision.outputs)
        for output in self._keeping:
            value = cast(OutputValue, decision.outputs[output.id])
            if value != output.starts and output.id not in asked:
                self._kept[output.id][value] += until - decision.ts

    def _see_verdicts(self, decision: Decision) -> None:
        verdicts = cast("PerRow", decision.outputs.get(VERDICT, {}))
        if not verdicts:
            return
        denied = {key for key, value in verdicts.items() if value == 0}
        self._verdicts["DENY"] += len(denied)
        self._verdicts["ALLOW"] += len(verdicts) - len(denied)
        for firing in decision.firings:
            scoped = self._denying.get(firing.rule)
            if scoped is not None:
                self._denied_by[firing.rule] += int(firing.key in denied) if scoped else len(denied)

    def rules(self) -> tuple[RuleCount, ...]:
        """What each rule did, by id."""
        return tuple(self._rules[rule.id].result(rule) for rule in self._program.rules)

    def courses(self) -> Mapping[str, Course]:
        """The values over time of each fund-wide output, in the program's order."""
        return {
            o.id: Course(o.id, self._runs[o.id].all(), dict(self._transitions[o.id]), dict(self._kept.get(o.id, {})))
            for o in self._outputs
        }

    def verdicts(self) -> Verdicts:
        """What became of the requests."""
        denied = {rule: count for rule, count in self._denied_by.most_common() if count}
        return Verdicts(dict(self._verdicts), denied)


def _denies(rule: Rule) -> bool:
    return any(
        isinstance(e, Tighten) and e.output == VERDICT and isinstance(e.value, Constant) and e.value.value == 0
        for e in rule.effects
    )
