"""Programs of which one output is kept in a known way, so that what the law says of it can be worked out."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from hypothesis import strategies as st

from policy_dsl.nodes import Constant
from policy_dsl.program import Alert, Effect, How, Output, Program, Rule, Scope, Tighten
from policy_dsl.types import ItemSet
from tests.strategies.choices import choose
from tests.strategies.lookbacks import TimeWriter
from tests.strategies.programs import Author, paths_read
from tests.strategies.vocabulary import ENTITIES


def kept_outputs(program: Program) -> list[Output]:
    """The outputs that may keep something: a set does not, nor does one of a request, that is asked once."""
    return [o for o in program.outputs if o.entity != "request" and not isinstance(o.type, ItemSet)]


def with_output(program: Program, output: Output) -> Program:
    """The program with that output in place of the one of its name."""
    return replace(program, outputs=tuple(output if o.id == output.id else o for o in program.outputs))


def without_effects_on(program: Program, output: str) -> Program:
    """The program in which no rule acts on the output; one that is left without an effect is gone."""

    def acts(effect: Effect) -> bool:
        return not isinstance(effect, Alert) and effect.output == output

    rules = [replace(r, effects=tuple(e for e in r.effects if not acts(e))) for r in program.rules]
    return replace(program, rules=tuple(r for r in rules if r.effects))


@st.composite
def bounds_on(draw: st.DrawFn, program: Program, output: Output, id: str) -> Rule:
    """A rule whose one effect is a fixed bound on the output, wherever a rule may stand that reaches it."""
    entity = choose(draw, (None, *(ENTITIES if output.entity is None else (output.entity,))))
    scope = None if entity is None else Scope(entity, entity, including_exits=True)
    before = program.outputs[: [o.id for o in program.outputs].index(output.id)]
    variables = {} if scope is None else {scope.variable: scope.entity}
    writer = TimeWriter(draw, variables, before, program.params, asks_known=False)
    guard = writer.alarm(entity) if writer.chance(2) else writer.condition(1, choose(draw, (0, 0, 1, 2)))
    value = Author(writer, program.outputs, observing=False, permits=False).stricter_value(writer, output)
    return Rule(id, "alpha", scope, guard, (Tighten(output.id, How.TO, value),), ())


def read_by(*rules: Rule) -> frozenset[str]:
    """The facts that rules read, by path."""
    return paths_read(Program("read", (), (), rules))


def bound_of(rule: Rule) -> Tighten:
    """The one effect of such a rule."""
    return cast(Tighten, rule.effects[0])


def figure_of(rule: Rule) -> Constant:
    """The value of the bound."""
    return cast(Constant, bound_of(rule).value)
