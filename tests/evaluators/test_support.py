"""What a program asks of an evaluator: all its expressions, and whether any of them looks back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluators.support import expressions_of, looks_back
from policy_dsl.nodes import (
    TRUE,
    All,
    EventFold,
    Expression,
    FactRead,
    IsTrue,
    Known,
    Not,
    Previous,
    Throughout,
    Window,
    Within,
)
from policy_dsl.operators import Fold, WindowFold
from policy_dsl.program import Alert, AlertLevel, Direction, Forbid, Hole, How, Output, Permit, Program, Rule, Tighten
from policy_dsl.types import COUNT, FLAG, RATIO, TIME

STOP = FactRead("operator", "stop_requested", FLAG)
DRAWDOWN = FactRead("account", "drawdown", RATIO)
NOW = FactRead("clock", "now", TIME)
HALT = Output("t.halt", "t", None, FLAG, False, Direction.UP)
ASKED = Tighten("t.halt", How.TO, STOP)


def rule(guard: Expression, **changes: object) -> Rule:
    plain = Rule("t.r", "t", None, guard, (ASKED,), ("because ",))
    return replace(plain, **changes)  # type: ignore[arg-type]  # because the tests name fields of a rule


def program(*rules: Rule, output: Output = HALT) -> Program:
    return Program("h", (), (output,), rules)


@pytest.mark.parametrize(
    "node",
    [
        Throughout(IsTrue(STOP), 60_000),
        Within(IsTrue(STOP), 60_000),
        Known(Window(WindowFold.CHANGE, DRAWDOWN, 60_000, RATIO)),
        Known(Previous(DRAWDOWN, RATIO)),
        Known(EventFold(Fold.COUNT, "trade", "trade", None, None, 60_000, COUNT)),
    ],
)
def test_a_form_that_looks_back_is_found_wherever_it_stands(node: Expression) -> None:
    deep = Not(All((IsTrue(STOP), node)))
    assert looks_back(program(rule(deep)))
    assert looks_back(program(rule(TRUE, excuse=deep)))
    assert looks_back(program(rule(TRUE, effects=(replace(ASKED, where=deep),))))
    assert looks_back(program(rule(TRUE, because=(Hole(node, "x"),))))


def test_what_keeps_a_value_looks_back() -> None:
    assert looks_back(program(rule(TRUE, effects=(replace(ASKED, hold=1000),))))
    assert looks_back(program(rule(TRUE, effects=(replace(ASKED, until=NOW),))))
    assert looks_back(program(output=replace(HALT, relaxes_after=60_000)))
    assert looks_back(program(output=replace(HALT, latches_until=IsTrue(STOP))))


def test_a_program_of_the_moment_does_not_look_back() -> None:
    assert not looks_back(program(rule(IsTrue(STOP), because=(Hole(DRAWDOWN, "account.drawdown"),))))


def test_expressions_of_a_rule_are_all_there() -> None:
    effects = (
        Tighten("t.halt", How.TO, STOP, where=Known(STOP), until=NOW),
        Forbid("t.set", "A", Not(IsTrue(STOP))),
        Permit("t.set", "A", (DRAWDOWN,), Known(DRAWDOWN)),
        Alert(AlertLevel.INFO),
    )
    whole = rule(TRUE, effects=effects, excuse=IsTrue(STOP), because=("x", Hole(DRAWDOWN, "account.drawdown")))
    expected = [TRUE, IsTrue(STOP), STOP, Known(STOP), NOW, Not(IsTrue(STOP)), DRAWDOWN, Known(DRAWDOWN), DRAWDOWN]
    assert list(expressions_of(whole)) == expected
