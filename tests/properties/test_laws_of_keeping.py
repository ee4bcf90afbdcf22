"""What it means that an output relaxes or latches, and that a bound is held: stated once more, on decisions alone.

Each law decides the same timelines with a program that keeps nothing of the kind, and works out from those decisions
what the one that does must decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from evaluators.decision import Decision, Firing
from evaluators.exact import clamp, limits
from evaluators.snapshot import Snapshot
from policy_dsl.nodes import Arithmetic, Compare, Constant, FactRead
from policy_dsl.operators import Comparator, Operator
from policy_dsl.program import Effect, Output, Program, Rule, Tighten
from policy_dsl.types import COUNT, DURATION, TIME, Quantity, Value
from tests.properties.strictness import loosened
from tests.properties.test_laws import with_rule
from tests.properties.test_laws_of_time import decide
from tests.strategies.bounds import (
    bound_of,
    bounds_on,
    figure_of,
    kept_outputs,
    read_by,
    with_output,
    without_effects_on,
)
from tests.strategies.programs import programs
from tests.strategies.timelines import Timeline, timelines
from tests.strategies.vocabulary import DURATIONS

Story = list[tuple[Snapshot, Decision, Decision]]
"""The snapshots of one book, oldest first: each as the plain program decides it, and as the one that keeps."""

LENGTHS = st.sampled_from(DURATIONS)
STREAK = FactRead("account", "losing_streak", COUNT)
RELEASED = 3
"""The streak that releases a latch."""
CLOCK = FactRead("clock", "now", TIME)


def drawn(data: st.DataObject) -> tuple[Program, Output]:
    """A program, and an output of it that may keep something, and keeps nothing yet."""
    # A filter draws again by itself; of what a test gives up there may not be much.
    program = data.draw(programs(observing=False, temporal=True).filter(kept_outputs))
    output = data.draw(st.sampled_from(kept_outputs(program)))
    plain = replace(output, relaxes_after=None, latches_until=None)
    return with_output(program, plain), plain


def stories(line: Timeline, plain: Program, keeping: Program) -> Iterator[Story]:
    together = list(zip(line.snapshots, decide(plain, line), decide(keeping, line), strict=True))
    for book in dict.fromkeys(snapshot.book for snapshot in line.snapshots):
        yield [(snapshot, p, k) for snapshot, p, k in together if snapshot.book == book]


def values(decision: Decision, output: Output) -> dict[str, Value]:
    """The values of an output by the key of the row; by "" where it is the fund's."""
    found = decision.outputs[output.id]
    return cast("dict[str, Value]", found if output.entity is not None else {"": found})


def strictest(output: Output, value: Value, others: Iterable[Value]) -> Value:
    for other in others:
        value = output.stricter(value, other)
    return value


def figure(rule: Rule, output: Output) -> Value:
    """What the bound of a rule asks for, inside the range of the output."""
    value = figure_of(rule).value
    return clamp(int(value), *limits(output)) if isinstance(output.type, Quantity) else value


def reaches(rule: Rule, firing: Firing, output: Output, key: str) -> bool:
    """Whether a firing is one of the rule, on the output (of that row)."""
    everywhere = output.entity is None or rule.scope is None
    return firing.rule == rule.id and (everywhere or firing.key == key)


@given(st.data())
def test_what_relaxes_is_the_strictest_of_the_trailing_while(data: st.DataObject) -> None:
    program, output = drawn(data)
    rule = data.draw(bounds_on(program, output, "alpha.bound"))
    others = data.draw(st.sampled_from([without_effects_on(program, output.id), program]))
    program = with_rule(others, rule)
    length = data.draw(LENGTHS)
    relaxing = with_output(program, replace(output, relaxes_after=length))
    line = data.draw(timelines(relaxing, about=read_by(rule)))
    for story in stories(line, program, relaxing):
        for place, (now, plain, kept) in enumerate(story):
            window = [values(p, output) for then, p, _ in story[: place + 1] if then.ts > now.ts - length]
            expected = {
                key: strictest(output, value, (v[key] for v in window if key in v))
                for key, value in values(plain, output).items()
            }
            assert values(kept, output) == expected


@given(st.data())
def test_what_latches_is_the_strictest_that_fired_definitely_since_the_release(data: st.DataObject) -> None:
    program, output = drawn(data)
    rules = [data.draw(bounds_on(program, output, f"alpha.bound{i}")) for i in range(2)]
    plain = without_effects_on(program, output.id)
    for rule in rules:
        plain = with_rule(plain, rule)
    latching = with_output(
        plain, replace(output, latches_until=Compare(Comparator.EQUAL, STREAK, Constant(RELEASED, COUNT)))
    )
    for story in stories(data.draw(timelines(latching, about=read_by(*rules))), plain, latching):
        for place, (_, decision, kept) in enumerate(story):
            for key, value in values(decision, output).items():
                since = from_release([(s, p) for s, p, _ in story[: place + 1] if key in values(p, output)])
                fired = [(rule, f) for _, p in since for f in p.firings if f.definite for rule in rules]
                held = (figure(rule, output) for rule, f in fired if reaches(rule, f, output, key))
                assert values(kept, output)[key] == strictest(output, value, held)


def from_release(past: list[tuple[Snapshot, Decision]]) -> list[tuple[Snapshot, Decision]]:
    """The snapshots from the last one on at which the latch was released for certain; all, if there is none."""
    released = [place for place, (then, _) in enumerate(past) if then.facts.get("account.losing_streak") == RELEASED]
    return past[released[-1] :] if released else past


@given(st.data())
def test_a_bound_for_a_while_is_in_force_until_it_is_over(data: st.DataObject) -> None:
    program, output = drawn(data)
    rule = data.draw(bounds_on(program, output, "alpha.bound"))
    length = data.draw(LENGTHS)
    holding = with_rule(program, replace(rule, effects=(replace(bound_of(rule), hold=length),)))
    for story in stories(data.draw(timelines(holding, about=read_by(rule))), program, holding):
        for place, (now, plain, kept) in enumerate(story):
            for key, value in values(plain, output).items():
                fired = [then for then, _, k in story[: place + 1] for f in k.firings if reaches(rule, f, output, key)]
                held = (figure(rule, output) for then in fired if then.ts + length > now.ts)
                assert values(kept, output)[key] == strictest(output, value, held)


@given(st.data())
def test_a_bound_until_a_time_is_in_force_while_that_lies_ahead(data: st.DataObject) -> None:
    program, output = drawn(data)
    rule = data.draw(bounds_on(program, output, "alpha.bound"))
    length = data.draw(LENGTHS)
    until = Arithmetic(Operator.ADD, CLOCK, Constant(length, DURATION), TIME)
    holding = with_rule(program, replace(rule, effects=(replace(bound_of(rule), until=until),)))
    for story in stories(data.draw(timelines(holding, about=read_by(rule))), program, holding):
        for place, (now, plain, kept) in enumerate(story):
            for key, value in values(plain, output).items():
                fired = [then for then, _, k in story[: place + 1] for f in k.firings if reaches(rule, f, output, key)]
                held = (figure(rule, output) for then in fired if lies_ahead(then, length, now))
                assert values(kept, output)[key] == strictest(output, value, held)


def lies_ahead(then: Snapshot, length: int, now: Snapshot) -> bool:
    """Whether the end of a bound of then lies ahead of now; one that nobody knows is over at once."""
    clock = then.facts.get("clock.now")
    return then is now if clock is None else int(clock) + length > now.ts


@given(st.data())
def test_what_keeps_is_never_looser_than_what_does_not(data: st.DataObject) -> None:
    program = data.draw(programs(observing=False, temporal=True))
    bounds = [data.draw(bounds_on(program, o, f"alpha.on_{o.id[6:]}")) for o in kept_outputs(program)]
    for rule in bounds:
        held = replace(bound_of(rule), hold=data.draw(st.none() | LENGTHS))
        program = with_rule(program, replace(rule, effects=(held,)))

    def forgets(effect: Effect) -> Effect:
        return replace(effect, hold=None) if isinstance(effect, Tighten) else effect

    outputs = tuple(replace(o, relaxes_after=None, latches_until=None) for o in program.outputs)
    rules = tuple(replace(rule, effects=tuple(map(forgets, rule.effects))) for rule in program.rules)
    forgetful = replace(program, outputs=outputs, rules=rules)
    for story in stories(data.draw(timelines(program, about=read_by(*bounds))), forgetful, program):
        for _, plain, kept in story:
            assert loosened(program, plain, kept) == []
