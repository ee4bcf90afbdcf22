"""What random programs and timelines are made of, and what is seen of them: no law over time holds for want of cases.

The examples counted here are always the same ones, from the strategies that the laws draw from.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from evaluators.decision import Decision
from evaluators.snapshot import Snapshot
from policy_dsl.nodes import Compare, EventFold, Expression, Known, Window
from policy_dsl.program import Alert, AlertLevel, Program, Rule, Tighten
from policy_dsl.recall import variables_read
from policy_dsl.types import TRUTH
from policy_dsl.walking import walk
from tests.conformance.forms import FORMS, OVER_TIME, form
from tests.properties.test_laws import with_rule
from tests.properties.test_laws_of_time import decide, exits_of, with_less
from tests.properties.traits import PROGRAMS, TIMELINES, of_program, of_timeline
from tests.strategies.programs import programs, tightening_rules
from tests.strategies.timelines import Timeline, timelines

EXAMPLES = 25
"""As many as a quick run has; there are several such runs, for the examples of one resemble each other."""

ONE_IN = 200
"""What fewer examples have is as good as not tried."""

SHOWN = frozenset(
    {
        "relaxing",
        "latching",
        "a bound for a while",
        "a bound until a time",
        "an excuse",
        "a fact taken away",
        "a rule added",
        "an exit where a bound is held on requests",
    }
)
"""What may make a difference to the decisions on a timeline."""


@dataclass(frozen=True)
class Census:
    """How many of the examples have each trait, and how often each form was seen true, false and unknown."""

    examples: int
    programs: Counter[str] = field(default_factory=Counter)
    timelines: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    truths: dict[str, Counter[bool | None]] = field(default_factory=lambda: defaultdict(Counter))


@pytest.fixture(scope="module", params=[8, pytest.param(16, marks=pytest.mark.slow)], ids="{} runs".format)
def census(request: pytest.FixtureRequest) -> Census:
    """The count of a fixed set of examples."""
    runs: int = request.param
    found = Census(runs * EXAMPLES)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def count(data: st.DataObject) -> None:
        program = data.draw(programs(temporal=True))
        line = data.draw(timelines(program))
        # First, for an example that is given up while it is drawn does not count.
        differences = set(shown(data, program, line))
        found.shown.update(differences)
        found.programs.update(set(of_program(program)))
        found.timelines.update(of_timeline(program, line))
        for name, truth in verdicts(program, line):
            found.truths[name][truth] += 1

    for number in range(runs):
        seed(number)(count)()
    return found


def rare(census: Census, counted: Counter[str], wanted: frozenset[str]) -> dict[str, int]:
    return {trait: counted[trait] for trait in wanted if counted[trait] * ONE_IN < census.examples}


def test_programs_have_every_form_over_time_and_every_way_of_keeping_a_value(census: Census) -> None:
    assert rare(census, census.programs, FORMS | PROGRAMS) == {}


def test_timelines_have_gaps_and_whatever_may_be_missing_come_and_go(census: Census) -> None:
    assert rare(census, census.timelines, TIMELINES) == {}


def test_every_form_over_time_is_seen_true_false_and_unknown(census: Census) -> None:
    numbers = {name for name in FORMS if name.endswith(("window", "events"))} - {"any of events"}
    truths = (FORMS - numbers) | {"a window, compared", "events, compared"}
    assert {name: seen for name in truths if (seen := census.truths[name].keys()) != {True, False, None}} == {}
    assert {name: seen for name in numbers if not (seen := census.truths[name].keys()) >= {True, False}} == {}


def test_what_programs_keep_and_what_laws_change_makes_a_difference(census: Census) -> None:
    assert rare(census, census.shown, SHOWN) == {}


# --- what a form was seen to be -------------------------------------------------------------------------------------


def verdicts(program: Program, line: Timeline) -> Iterator[tuple[str, bool | None]]:
    """Each form of a guard and what it was at a snapshot: a truth, or for a number, whether it was known."""
    probes = list(probes_of(program))
    watching = replace(program, rules=(*program.rules, *(rule for _, rule in probes)))
    for snapshot, decision in zip(line.snapshots, decide(watching, line), strict=True):
        fired = {(f.rule, f.key): f.definite or None for f in decision.firings}
        for name, rule in probes:
            for key in keys_of(rule, snapshot):
                yield name, fired.get((rule.id, key), False)


def probes_of(program: Program) -> Iterator[tuple[str, Rule]]:
    """For each form of a guard a rule that fires where it is not false, and what the form is called."""
    number = 0
    for rule in program.rules:
        bound = set() if rule.scope is None else {rule.scope.variable}
        for node in walk(rule.guard):
            if variables_read(node).keys() <= bound and (name := name_of(node)):
                guard = node if node.type == TRUTH else Known(node)
                yield name, Rule(f"probe.{number}", "probe", rule.scope, guard, (Alert(AlertLevel.INFO),), ())
                number += 1


def name_of(node: Expression) -> str:
    if isinstance(node, Compare) and isinstance(node.left, Window | EventFold):
        return "a window, compared" if isinstance(node.left, Window) else "events, compared"
    return form(node) if type(node) in OVER_TIME else ""


def keys_of(rule: Rule, snapshot: Snapshot) -> list[str]:
    """The rows on which a rule is judged."""
    return [""] if rule.scope is None else list(snapshot.collection(rule.scope.entity) or {"": {}})


# --- what makes a difference ----------------------------------------------------------------------------------------


def shown(data: st.DataObject, program: Program, line: Timeline) -> Iterator[str]:
    """What makes a difference to the decisions on a timeline."""
    decisions = decide(program, line)
    for trait, other in without(program).items():
        if other != program and decide(other, line) != decisions:
            yield trait
    if decide(program, with_less(data, line, len(line.snapshots) - 1))[-1] != decisions[-1]:
        yield "a fact taken away"
    if changed(decisions, decide(with_rule(program, data.draw(tightening_rules(program, temporal=True))), line)):
        yield "a rule added"
    on_requests = {
        rule.id
        for rule in program.rules
        for effect in rule.effects
        if isinstance(effect, Tighten) and program.output(effect.output).entity == "request" and is_held(effect)
    }
    exits = [bool(exits_of(snapshot)) for snapshot in line.snapshots]
    fired = [any(f.rule in on_requests for f in decision.firings) for decision in decisions]
    if any(f for f in fired) and any(exits):
        yield "an exit where a bound is held on requests"


def changed(before: list[Decision], after: list[Decision]) -> bool:
    return [decision.outputs for decision in before] != [decision.outputs for decision in after]


def is_held(effect: Tighten) -> bool:
    return effect.hold is not None or effect.until is not None


def without(program: Program) -> dict[str, Program]:
    """The program without each thing that may make a difference."""
    return {
        "relaxing": replace(program, outputs=tuple(replace(o, relaxes_after=None) for o in program.outputs)),
        "latching": replace(program, outputs=tuple(replace(o, latches_until=None) for o in program.outputs)),
        "a bound for a while": with_bounds(program, lambda bound: replace(bound, hold=None)),
        "a bound until a time": with_bounds(program, lambda bound: replace(bound, until=None)),
        "an excuse": replace(program, rules=tuple(replace(r, excuse=None, excuse_until=None) for r in program.rules)),
    }


def with_bounds(program: Program, plain: Callable[[Tighten], Tighten]) -> Program:
    def changed_rule(rule: Rule) -> Rule:
        return replace(rule, effects=tuple(plain(e) if isinstance(e, Tighten) else e for e in rule.effects))

    return replace(program, rules=tuple(map(changed_rule, program.rules)))
