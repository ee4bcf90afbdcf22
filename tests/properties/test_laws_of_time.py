"""The guarantees of section 1 of the language, for random programs that look back and random timelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from hypothesis import given, note
from hypothesis import strategies as st

from evaluators.decision import Decision
from evaluators.snapshot import Fields, Snapshot
from policy_dsl.nodes import TRUE, OutputRead
from policy_dsl.program import Effect, Program, Rule, Tighten
from policy_dsl.types import ItemSet
from tests.conformance.evaluators import REFERENCE
from tests.properties.strictness import loosened
from tests.properties.test_laws import tightest, with_rule, without_one
from tests.strategies.programs import nodes_of, programs, tightening_rules
from tests.strategies.snapshots import with_an_exit
from tests.strategies.timelines import Timeline, timelines
from tests.strategies.vocabulary import EXITS


def decide(program: Program, line: Timeline) -> list[Decision]:
    return REFERENCE(program, max_gap=line.max_gap)(line.snapshots)


def loosened_anywhere(program: Program, before: Sequence[Decision], after: Sequence[Decision]) -> list[str]:
    pairs = zip(before, after, strict=True)
    return [f"{place} at {a.ts}" for a, b in pairs for place in loosened(program, a, b)]


@given(st.data())
def test_order_of_rules_rows_facts_and_events_changes_nothing(data: st.DataObject) -> None:
    program = data.draw(programs(temporal=True))
    line = data.draw(timelines(program))
    shuffled = replace(program, rules=tuple(data.draw(st.permutations(program.rules))))
    turned = replace(line, snapshots=[turned_around(s) for s in line.snapshots])
    assert decide(shuffled, turned) == decide(program, line)


def turned_around(snapshot: Snapshot) -> Snapshot:
    """The same snapshot, everything in it told in the opposite order."""

    def turned(fields: Fields) -> Fields:
        return dict(reversed(list(fields.items())))

    rows = {e: None if r is None else {k: turned(r[k]) for k in reversed(list(r))} for e, r in snapshot.rows.items()}
    events = {name: tuple(turned(fields) for fields in reversed(found)) for name, found in snapshot.events.items()}
    return replace(snapshot, facts=turned(snapshot.facts), rows=dict(reversed(list(rows.items()))), events=events)


@given(st.data())
def test_a_fact_taken_away_now_loosens_nothing_now(data: st.DataObject) -> None:
    program = data.draw(programs(asks_known=False, temporal=True))
    line = data.draw(timelines(program, books=1))
    poorer = with_less(data, line, len(line.snapshots) - 1)
    assert loosened(program, decide(program, line)[-1], decide(program, poorer)[-1]) == []


@given(st.data())
def test_a_fact_taken_away_at_any_time_loosens_nothing_but_latches_and_times(data: st.DataObject) -> None:
    """A latch that is not set for certain is not set, and a bound until a time that nobody knows is not held.

    Nor do rows that nobody knew keep anything for the time when they are known again.
    """
    program = without_latches_and_times(data.draw(programs(asks_known=False, temporal=True)))
    line = data.draw(timelines(program))
    poorer = with_less(data, line, data.draw(st.integers(0, len(line.snapshots) - 1)))
    if collections_missing(poorer) > collections_missing(line):
        program = without_what_rows_keep(program)
    assert loosened_anywhere(program, decide(program, line), decide(program, poorer)) == []


def without_latches_and_times(program: Program) -> Program:
    """The program in which outputs do not latch and bounds are not held until a time."""

    def plain(effect: Effect) -> Effect:
        return replace(effect, until=None) if isinstance(effect, Tighten) else effect

    outputs = tuple(replace(o, latches_until=None) for o in program.outputs)
    rules = tuple(replace(r, effects=tuple(map(plain, r.effects))) for r in program.rules)
    return replace(program, outputs=outputs, rules=rules)


def collections_missing(line: Timeline) -> int:
    return sum(rows is None for snapshot in line.snapshots for rows in snapshot.rows.values())


def without_what_rows_keep(program: Program) -> Program:
    """The program in which outputs for each row neither relax nor are held."""
    of_rows = {o.id for o in program.outputs if o.entity is not None}

    def plain(effect: Effect) -> Effect:
        return replace(effect, hold=None) if isinstance(effect, Tighten) and effect.output in of_rows else effect

    outputs = tuple(replace(o, relaxes_after=None) if o.id in of_rows else o for o in program.outputs)
    rules = tuple(replace(r, effects=tuple(map(plain, r.effects))) for r in program.rules)
    return replace(program, outputs=outputs, rules=rules)


def with_less(data: st.DataObject, line: Timeline, place: int) -> Timeline:
    """The timeline with facts taken away from one snapshot: up to three, or a whole collection."""
    poorer = line.snapshots[place]
    for _ in range(data.draw(st.integers(1, 3))):
        poorer = data.draw(st.sampled_from([poorer, *without_one(poorer), *without_one_of_an_event(poorer)]))
    note(f"poorer: {poorer}")
    return replace(line, snapshots=[*line.snapshots[:place], poorer, *line.snapshots[place + 1 :]])


def without_one_of_an_event(snapshot: Snapshot) -> list[Snapshot]:
    """The snapshot without a fact of an event, the time of its happening among them."""
    out = []
    for name, found in snapshot.events.items():
        for place, fields in enumerate(found):
            for gone in fields:
                poorer = {n: v for n, v in fields.items() if n != gone}
                events = {**snapshot.events, name: (*found[:place], poorer, *found[place + 1 :])}
                out.append(replace(snapshot, events=events))
    return out


@given(st.data())
def test_a_rule_that_permits_nothing_loosens_nothing_at_any_time(data: st.DataObject) -> None:
    program = data.draw(programs(temporal=True))
    more = with_rule(program, data.draw(tightening_rules(program, temporal=True)))
    line = data.draw(timelines(more))
    assert loosened_anywhere(program, decide(program, line), decide(more, line)) == []


@given(st.data())
def test_an_output_that_tightens_loosens_no_other_at_any_time(data: st.DataObject) -> None:
    program = data.draw(programs(temporal=True))
    line = data.draw(timelines(program))
    output = data.draw(st.sampled_from(program.outputs))
    tighter = with_rule(program, Rule("alpha.tightest", "alpha", None, TRUE, tightest(output), ()))
    assert loosened_anywhere(program, decide(program, line), decide(tighter, line)) == []


@given(st.data())
def test_nothing_that_is_held_reaches_an_exit_but_by_a_rule_that_says_so(data: st.DataObject) -> None:
    program = data.draw(programs(temporal=True))
    line = data.draw(timelines(program))
    some = data.draw(st.integers(0, len(line.snapshots) - 1))
    exiting = [data.draw(with_an_exit(s)) if i >= some else s for i, s in enumerate(line.snapshots)]
    decisions = decide(program, replace(line, snapshots=exiting))
    exits = [exits_of(snapshot) for snapshot in exiting]
    says_so = {rule.id for rule in program.rules if rule.scope is not None and rule.scope.including_exits}
    for decision, keys in zip(decisions, exits, strict=True):
        reached = {firing.key for firing in decision.firings if firing.rule in says_so}
        for output in program.outputs:
            if output.entity == "request":
                untouched = () if isinstance(output.type, ItemSet) else output.starts
                values = cast("dict[str, object]", decision.outputs[output.id])
                assert {values[key] for key in keys - reached} <= {untouched}


def exits_of(snapshot: Snapshot) -> set[str]:
    """The requests that reduce or close risk."""
    return {key for key, fields in (snapshot.collection("request") or {}).items() if fields.get("effect") in EXITS}


@given(st.data())
def test_what_comes_later_changes_no_decision(data: st.DataObject) -> None:
    program = data.draw(programs(temporal=True))
    line = data.draw(timelines(program))
    cut = data.draw(st.integers(0, len(line.snapshots)))
    assert decide(program, replace(line, snapshots=line.snapshots[:cut])) == decide(program, line)[:cut]


@given(st.data())
def test_a_book_is_decided_as_if_it_were_the_only_one(data: st.DataObject) -> None:
    program = data.draw(programs(temporal=True))
    line = data.draw(timelines(program))
    together = decide(program, line)
    for book in dict.fromkeys(snapshot.book for snapshot in line.snapshots):
        alone = replace(line, snapshots=[s for s in line.snapshots if s.book == book])
        assert decide(program, alone) == [decision for decision in together if decision.book == book]


@given(st.data())
def test_an_observing_rule_binds_nothing_and_keeps_what_it_would_keep(data: st.DataObject) -> None:
    program = data.draw(programs(observing=False, temporal=True))
    rule = data.draw(tightening_rules(program, temporal=True))
    line = data.draw(timelines(with_rule(program, rule)))
    alone = decide(program, line)
    observed = decide(with_rule(program, replace(rule, observing=True)), line)
    promoted = decide(with_rule(program, rule), line)
    for a, o, b in zip(alone, observed, promoted, strict=True):
        assert (o.outputs, o.firings) == (a.outputs, a.firings)
        assert {**o.outputs, **o.would_be} == b.outputs
        assert o.observed == tuple(f for f in b.firings if f.rule == rule.id)


def unexcused(program: Program) -> Program:
    return replace(program, rules=tuple(r for r in program.rules if r.excuse is None))


def reads_no_output(program: Program) -> bool:
    return not any(isinstance(node, OutputRead) for node in nodes_of(program))


@given(st.data())
def test_a_definite_firing_outlives_whatever_is_learnt_of_any_time(data: st.DataObject) -> None:
    """What fires definitely rests on nothing unknown, so that a latch may trust it."""
    plain = data.draw(programs(asks_known=False, observing=False, temporal=True).map(unexcused).filter(reads_no_output))
    line = data.draw(timelines(plain, books=1))
    poorer = with_less(data, line, data.draw(st.integers(0, len(line.snapshots) - 1)))
    for more, less in zip(decide(plain, line), decide(plain, poorer), strict=True):
        assert {firing for firing in less.firings if firing.definite} <= set(more.firings)
