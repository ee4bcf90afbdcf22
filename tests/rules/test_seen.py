"""What the tests in the rule files see: every rule in every condition, every level and every item, in any order."""

from __future__ import annotations

from dataclasses import replace

from evaluators.binding import bindings_of
from evaluators.expressions import truth_at
from evaluators.interpreter import Interpreter
from evaluators.scene import Scene
from evaluators.snapshot import Snapshot
from evaluators.testing import promoted, states
from modules.facts import CATALOGUE
from policy_dsl.program import Alert, Direction, Expression, FactRead, Permit, RowRead, children, items_of
from policy_dsl.types import Levels
from tests.rules.decisions import decide, default_bundle, shown


def _tested_states() -> list[Snapshot]:
    return [snapshot for case in default_bundle().cases for snapshot in states(case, CATALOGUE)]


def test_tests_see_each_rule_fire_rest_and_lack_its_facts() -> None:
    program = promoted(default_bundle().written)
    seen: dict[str, set[bool | None]] = {rule.id: set() for rule in program.rules}
    for snapshot in _tested_states():
        found = decide(snapshot, program).outputs
        for rule in program.rules:
            rows = {} if rule.scope is None else snapshot.collection(rule.scope.entity)
            for key in [""] if rule.scope is None or rows is None else sorted(rows):
                bindings = bindings_of(rule, key, snapshot)
                seen[rule.id].add(truth_at(rule.guard, Scene(snapshot, bindings, found)))
    lacking = {rule.id: {True, False, None} - seen[rule.id] for rule in program.rules}
    directives = {r.id for r in program.rules if not _reads_facts(r.guard)}
    assert {r: kinds for r, kinds in lacking.items() if kinds - ({None} if r in directives else set())} == {}


def _reads_facts(node: Expression) -> bool:
    return isinstance(node, FactRead | RowRead) or any(_reads_facts(c) for c in children(node))


def test_tests_reach_every_level_and_grant_every_item() -> None:
    program = default_bundle().program
    reached: dict[str, set[str]] = {o.id: set() for o in program.outputs}
    for snapshot in _tested_states():
        for name, value in shown(decide(snapshot), program).items():
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
        "orchestrator.min_confidence",
        "universe.min_tier",
    }


def test_the_order_of_files_changes_nothing() -> None:
    program = default_bundle().program
    backwards = Interpreter(replace(program, rules=tuple(reversed(program.rules))))
    for snapshot in _tested_states()[::20]:
        assert backwards.decide(snapshot) == decide(snapshot)
