"""The guarantees of section 1 of the language, for random programs and states."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, note
from hypothesis import strategies as st

from evaluators.decision import Decision
from evaluators.interpreter import Interpreter
from evaluators.snapshot import Fields, Snapshot
from evaluators.support import expressions_of
from policy_dsl.nodes import TRUE, Constant, OutputRead
from policy_dsl.program import Effect, Forbid, How, Output, Program, Rule, Tighten, items_of
from policy_dsl.types import ItemSet
from policy_dsl.walking import walk
from tests.properties.strictness import loosened
from tests.strategies.programs import programs, tightening_rules
from tests.strategies.snapshots import snapshots, with_an_exit
from tests.strategies.vocabulary import EXITS


def decide(program: Program, snapshot: Snapshot) -> Decision:
    return Interpreter(program).decide(snapshot)


def with_rule(program: Program, rule: Rule) -> Program:
    return replace(program, rules=tuple(sorted((*program.rules, rule), key=lambda r: r.id)))


@given(st.data())
def test_order_of_rules_rows_and_facts_changes_nothing(data: st.DataObject) -> None:
    program = data.draw(programs())
    snapshot = data.draw(snapshots(program))
    shuffled = replace(program, rules=tuple(data.draw(st.permutations(program.rules))))
    facts = dict(data.draw(st.permutations(list(snapshot.facts.items()))))
    rows = {
        entity: None
        if found is None
        else {key: dict(reversed(list(found[key].items()))) for key in reversed(list(found))}
        for entity, found in reversed(list(snapshot.rows.items()))
    }
    assert decide(shuffled, replace(snapshot, facts=facts, rows=rows)) == decide(program, snapshot)


@given(st.data())
def test_a_fact_taken_away_loosens_nothing(data: st.DataObject) -> None:
    program = data.draw(programs(asks_known=False))
    snapshot = data.draw(snapshots(program))
    poorer = snapshot
    for _ in range(data.draw(st.integers(1, 3))):
        poorer = data.draw(st.sampled_from([poorer, *without_one(poorer)]))
    note(f"poorer: {poorer}")
    assert loosened(program, decide(program, snapshot), decide(program, poorer)) == []


def without_one(snapshot: Snapshot) -> list[Snapshot]:
    """The snapshot without one of its facts, or without a whole collection (requests are the question itself)."""
    out = [
        replace(snapshot, facts={**snapshot.facts, path: None}) for path, v in snapshot.facts.items() if v is not None
    ]
    for entity, found in snapshot.rows.items():
        if found is None:
            continue
        if entity != "request":
            out.append(replace(snapshot, rows={**snapshot.rows, entity: None}))
        poorer = [_without_field(found, key, name) for key, fields in found.items() for name in fields]
        out += [replace(snapshot, rows={**snapshot.rows, entity: rows}) for rows in poorer]
    return out


def _without_field(rows: dict[str, Fields] | object, key: str, name: str) -> dict[str, Fields]:
    assert isinstance(rows, dict)
    return {**rows, key: {n: v for n, v in rows[key].items() if n != name}}


@given(st.data())
def test_a_rule_that_permits_nothing_loosens_nothing(data: st.DataObject) -> None:
    program = data.draw(programs())
    snapshot = data.draw(snapshots(program))
    more = with_rule(program, data.draw(tightening_rules(program)))
    assert loosened(program, decide(program, snapshot), decide(more, snapshot)) == []


@given(st.data())
def test_an_output_that_tightens_loosens_no_other(data: st.DataObject) -> None:
    program = data.draw(programs())
    snapshot = data.draw(snapshots(program))
    output = data.draw(st.sampled_from(program.outputs))
    tighter = with_rule(program, Rule("alpha.tightest", "alpha", None, TRUE, tightest(output), ()))
    assert loosened(program, decide(program, snapshot), decide(tighter, snapshot)) == []


def tightest(output: Output) -> tuple[Effect, ...]:
    """Effects that hold an output to its strictest value; to its start where its range is open there."""
    if isinstance(output.type, ItemSet):
        return tuple(Forbid(output.id, item) for item in items_of(output))
    strictest = output.strictest if output.strictest is not None else output.starts
    assert strictest is not None
    return (Tighten(output.id, How.TO, Constant(strictest, output.type)),)


@given(st.data())
def test_only_a_rule_that_says_so_reaches_an_exit(data: st.DataObject) -> None:
    """Every output of a request that reduces or closes risk stays where it starts, the verdict among them."""
    program = data.draw(programs())
    snapshot = data.draw(snapshots(program).flatmap(with_an_exit))
    requests = snapshot.collection("request") or {}
    exits = [key for key, fields in requests.items() if fields.get("effect") in EXITS]
    decision = decide(program, snapshot)
    says_so = {rule.id for rule in program.rules if rule.scope is not None and rule.scope.including_exits}
    reached = {firing.key for firing in decision.firings if firing.rule in says_so}
    for output in program.outputs:
        untouched = () if isinstance(output.type, ItemSet) else output.starts
        if output.entity == "request":
            values = decision.outputs[output.id]
            assert isinstance(values, dict)
            assert {key: values[key] for key in exits if key not in reached} == dict.fromkeys(
                set(exits) - reached, untouched
            )


@given(st.data())
def test_an_observing_rule_binds_nothing_and_shows_what_it_would_do(data: st.DataObject) -> None:
    program = data.draw(programs(observing=False))
    snapshot = data.draw(snapshots(program))
    rule = data.draw(tightening_rules(program))
    alone = decide(program, snapshot)
    observed = decide(with_rule(program, replace(rule, observing=True)), snapshot)
    promoted = decide(with_rule(program, rule), snapshot)
    assert (observed.outputs, observed.firings) == (alone.outputs, alone.firings)
    assert {**observed.outputs, **observed.would_be} == promoted.outputs
    assert observed.would_be.keys() == {o for o, v in promoted.outputs.items() if v != alone.outputs[o]}
    assert observed.observed == tuple(f for f in promoted.firings if f.rule == rule.id)


@given(st.data())
def test_a_definite_firing_outlives_whatever_is_learnt(data: st.DataObject) -> None:
    """What fires definitely rests on nothing unknown, so that a latch may trust it."""
    program = data.draw(programs(asks_known=False, observing=False))
    plain = replace(program, rules=tuple(r for r in program.rules if r.excuse is None and reads_no_output(r)))
    snapshot = data.draw(snapshots(plain))
    poorer = data.draw(st.sampled_from([snapshot, *without_one(snapshot)]))
    # With its collection missing a rule is judged on a stand-in, and what is learnt is that there are other rows.
    stand_ins = {rule.id for rule in plain.rules if rule.scope is not None}
    certain = {f for f in decide(plain, poorer).firings if f.definite and (f.key or f.rule not in stand_ins)}
    assert certain <= set(decide(plain, snapshot).firings)


def reads_no_output(rule: Rule) -> bool:
    return not any(isinstance(node, OutputRead) for e in expressions_of(rule) for node in walk(e))
