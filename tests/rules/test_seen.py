"""What the tests in the rule files see: every rule in every condition, every level and every item, in any order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from evaluators.binding import bindings_of
from evaluators.decision import Decision
from evaluators.expressions import truth_at
from evaluators.interpreter import Interpreter
from evaluators.python import PythonEvaluator
from evaluators.scene import Earlier, Moment, Scene
from evaluators.staging import Staged, staged
from evaluators.testing import promoted
from evaluators.timelines import longest_gap
from modules.facts import CATALOGUE
from policy_dsl.nodes import TRUE, AnyOf, Compare, Expression, FactRead, Includes, IsTrue, Known, OneOf, RowRead
from policy_dsl.program import Alert, Direction, Permit, Rule, items_of
from policy_dsl.types import Levels
from policy_dsl.walking import children, walk
from tests.rules.decisions import default_bundle, shown

Judged = tuple[Staged, Decision, Scene]
"""A snapshot of a test, what is decided of it after those before it, and what expressions see there."""


@cache
def _timelines() -> tuple[tuple[int, tuple[Staged, ...]], ...]:
    """The snapshots of every variant of every test, each with the longest distance that is no gap."""
    return tuple(
        (longest_gap(None, case.cadence), tuple(staged(case, variant, f"{number}-{variant}", CATALOGUE)))
        for number, case in enumerate(default_bundle().cases)
        for variant in range(len(case.variants))
    )


@cache
def _judged() -> tuple[Judged, ...]:
    """Every snapshot of which a test expects something."""
    return tuple(judged for max_gap, scenes in _timelines() for judged in _followed(scenes, max_gap))


@cache
def _every_rule(max_gap: int) -> PythonEvaluator:
    return PythonEvaluator(promoted(default_bundle().written), max_gap=max_gap)


def _followed(scenes: tuple[Staged, ...], max_gap: int) -> Iterator[Judged]:
    book = _every_rule(max_gap).following()
    earlier: Earlier[Moment] = Earlier()
    for scene in scenes:
        decision = book.decide(scene.snapshot)
        if scene.expected:
            yield scene, decision, Scene(scene.snapshot, {}, decision.outputs, earlier, max_gap)
        earlier = earlier.then(Moment(scene.snapshot, decision.outputs, earlier))


def test_tests_see_each_rule_fire_rest_and_lack_its_facts() -> None:
    program = promoted(default_bundle().written)
    seen: dict[str, set[bool | None]] = {rule.id: set() for rule in program.rules}
    for at, _, scene in _judged():
        snapshot = at.snapshot
        for rule in (r for r in program.rules if len(seen[r.id]) < 3):
            rows = {} if rule.scope is None else snapshot.collection(rule.scope.entity)
            for key in [""] if rule.scope is None or rows is None else sorted(rows):
                bindings = bindings_of(rule, key, snapshot)
                seen[rule.id].add(truth_at(rule.guard, replace(scene, bindings=bindings)))
    lacking = {rule.id: {True, False, None} - seen[rule.id] for rule in program.rules}
    directives = {r.id for r in program.rules if not _reads_facts(r.guard)}
    assert {r: kinds for r, kinds in lacking.items() if kinds - ({None} if r in directives else set())} == {}


def _reads_facts(node: Expression) -> bool:
    """Whether missing facts can make it unknown: not where it asks if one is known."""
    if isinstance(node, Known):
        return False
    return isinstance(node, FactRead | RowRead) or any(_reads_facts(c) for c in children(node))


COMPARISONS = (Compare, OneOf, Includes, IsTrue, Known)


def test_each_comparison_of_a_rule_decides_it_in_some_test() -> None:
    """One that the others imply could be left out: it looks like a limit and is none.

    So there is a test in which the rule would have fired had the comparison held, and one in which it would not have
    fired had it not.
    """
    rules = promoted(default_bundle().written).rules
    assert {rule.id: idle for rule in rules if (idle := _idle(rule))} == {}


def _idle(rule: Rule) -> list[tuple[int, bool]]:
    """The comparisons that decide nothing where they hold, or where they do not, by their place in the guard."""
    left = {
        (place, was): (node, _put(rule.guard, place, AnyOf(()) if was else TRUE))
        for place, node in enumerate(walk(rule.guard))
        if isinstance(node, COMPARISONS) and not _leaves_exits_alone(node)
        for was in (True, False)
    }
    for at, scene in _seen_by(rule.policy):
        for key in _keys(rule, at) if left else ():
            here = replace(scene, bindings=bindings_of(rule, key, at.snapshot))
            found = truth_at(rule.guard, here)
            if found is not None:
                left = {k: (node, g) for k, (node, g) in left.items() if not _differs(found, truth_at(g, here), node)}
    return sorted(left)


def _differs(found: bool, other: bool | None, node: Expression) -> bool:
    """Whether a rule fires or rests by a comparison; what asks if a fact is known may keep it from being unknown."""
    return other is (not found) or (other is None and isinstance(node, Known))


@cache
def _seen_by(policy: str) -> list[tuple[Staged, Scene]]:
    """Every snapshot of which a test expects something, those of the policy's own tests first."""
    cases = default_bundle().cases
    seen = [(at, scene) for at, _, scene in _judged()]
    return sorted(seen, key=lambda s: cases[int(s[0].snapshot.book.split("-")[0])].policy != policy)


def _leaves_exits_alone(node: Expression) -> bool:
    """Whether no author wrote it: that exits are left alone is meant of every rule for each request."""
    return isinstance(node, OneOf) and node.negated and node.span is None


def _keys(rule: Rule, at: Staged) -> list[str]:
    """The rows of which a rule speaks at a snapshot; one without a name for a rule about the whole fund."""
    if rule.scope is None:
        return [""]
    return sorted(at.snapshot.collection(rule.scope.entity) or {})


def _put(guard: Expression, place: int, other: Expression) -> Expression:
    """The guard with another expression in place of the one that `walk` comes to as number `place`."""
    made: Expression = _with(guard, list(walk(guard))[place], other)
    return made


def _with(node: Any, old: Expression, new: Expression) -> Any:
    if node is old:
        return new
    if isinstance(node, tuple):
        return tuple(_with(part, old, new) for part in node)
    if not dataclasses.is_dataclass(node) or isinstance(node, type):
        return node
    parts = {f.name: getattr(node, f.name) for f in dataclasses.fields(node) if f.init and f.name != "type"}
    changed = {name: made for name, part in parts.items() if (made := _with(part, old, new)) is not part}
    return dataclasses.replace(node, **changed) if changed else node


def test_tests_reach_every_level_and_grant_every_item() -> None:
    program = promoted(default_bundle().written)
    reached: dict[str, set[str]] = {o.id: set() for o in program.outputs}
    for _, decision, _ in _judged():
        for name, value in shown(decision, program).items():
            for one in value.values() if program.output(name).entity else [value]:
                reached[name] |= set(one) if isinstance(one, dict) else {str(one)}
    for output in program.outputs:
        if output.id == "universe.min_tier":
            continue  # nothing asks for what lies between its start and core symbols
        wanted = set(items_of(output)) or (set(output.type.members) if isinstance(output.type, Levels) else set())
        assert wanted <= reached[output.id], output.id


def test_every_output_is_moved_by_some_rule() -> None:
    program = default_bundle().program
    moved = {e.output for r in program.rules for e in r.effects if not isinstance(e, Alert)}
    granted = {(e.output, e.item) for r in program.rules for e in r.effects if isinstance(e, Permit)}
    assert {o.id for o in program.outputs} - moved == set()
    assert {(o.id, item) for o in program.outputs for item in items_of(o)} - granted == set()
    assert {o.id for o in program.outputs if o.direction is Direction.UP} == {
        "msc.min_votes",
        "orchestrator.min_confidence",
        "retraining.priority",
        "universe.min_tier",
    }


@pytest.mark.parametrize("one_in", [60, pytest.param(20, marks=pytest.mark.slow)])
def test_the_order_of_files_changes_nothing(one_in: int) -> None:
    program = default_bundle().program
    backwards = replace(program, rules=tuple(reversed(program.rules)))
    for max_gap, scenes in _timelines()[::one_in]:
        snapshots = [scene.snapshot for scene in scenes]
        straight = PythonEvaluator(program, max_gap=max_gap).following()
        found = Interpreter(backwards, max_gap=max_gap).timeline(snapshots)
        assert found == [straight.decide(snapshot) for snapshot in snapshots]
