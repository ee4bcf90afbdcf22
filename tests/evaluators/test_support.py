"""Programs that need history are refused before any snapshot is judged, every form of them at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluators.interpreter import Interpreter, evaluate
from evaluators.snapshot import Snapshot
from evaluators.support import expressions_of, require_stateless
from policy_dsl.diagnostics import PolicyError, Span
from policy_dsl.program import (
    TRUE,
    Aggregate,
    Alert,
    AlertLevel,
    All,
    Direction,
    EventFold,
    Expression,
    FactRead,
    Fold,
    Forbid,
    Hole,
    How,
    IsTrue,
    Known,
    Not,
    Output,
    Permit,
    Previous,
    Program,
    Rule,
    Throughout,
    Tighten,
    Window,
    WindowFold,
    Within,
)
from policy_dsl.types import COUNT, FLAG, RATIO

STOP = FactRead("operator", "stop_requested", FLAG)
DRAWDOWN = FactRead("account", "drawdown", RATIO)
HALT = Output("t.halt", "t", None, FLAG, False, Direction.UP)


def rule(guard: Expression, **changes: object) -> Rule:
    plain = Rule("t.r", "t", None, guard, (Tighten("t.halt", How.TO, STOP),), ("because ",), span=Span("t.rules", 3, 9))
    return replace(plain, **changes)  # type: ignore[arg-type]  # because the tests name fields of a rule


def refused(*rules: Rule, output: Output = HALT) -> list[str]:
    with pytest.raises(PolicyError) as error:
        require_stateless(Program("h", (), (output,), rules))
    assert {d.code for d in error.value.diagnostics} == {"RF505"}
    return [d.message for d in error.value.diagnostics]


@pytest.mark.parametrize(
    ("node", "form"),
    [
        (Throughout(IsTrue(STOP), 60_000), "throughout"),
        (Within(IsTrue(STOP), 60_000), "within"),
        (Known(Window(WindowFold.CHANGE, DRAWDOWN, 60_000, RATIO)), "change over"),
        (Known(Previous(DRAWDOWN, RATIO)), "previous"),
        (Known(EventFold(Fold.COUNT, "trade", "trade", None, None, 60_000, COUNT)), "count over"),
        (Known(Aggregate(Fold.LATEST, "position", "position", None, DRAWDOWN, RATIO)), "latest"),
    ],
)
def test_each_form_is_named_with_its_rule(node: Expression, form: str) -> None:
    message = f"`{form}` in `t.r` needs history, and a single snapshot has none"
    assert refused(rule(Not(All((IsTrue(STOP), node))))) == [message]
    with pytest.raises(PolicyError, match="RF505"):
        evaluate(node, Snapshot("main", 0, {}), {}, {})


@pytest.mark.parametrize("field", ["hold", "until"])
def test_bounds_that_are_kept_are_refused(field: str) -> None:
    kept = Tighten(
        "t.halt", How.TO, STOP, hold=1000 if field == "hold" else None, until=STOP if field == "until" else None
    )
    word = {"hold": "for", "until": "until"}[field]
    assert refused(rule(TRUE, effects=(kept,))) == [
        f"`tighten {word}` in `t.r` needs history, and a single snapshot has none"
    ]


def test_outputs_that_remember_are_refused() -> None:
    output = replace(HALT, relaxes_after=60_000, latches_until=IsTrue(STOP))
    assert [m.split(" in ")[0] for m in refused(output=output)] == ["`relaxes after`", "`latches until`"]


def test_every_form_is_reported_once_with_its_place() -> None:
    within = Within(IsTrue(STOP), 60_000)
    twice = rule(All((within, within)), excuse=Throughout(IsTrue(STOP), 1), because=(Hole(Previous(STOP, FLAG), "x"),))
    with pytest.raises(PolicyError) as error:
        Interpreter(Program("h", (), (HALT,), (twice,)))
    found = error.value.diagnostics
    assert [d.message.split("`")[1] for d in found] == ["within", "throughout", "previous"]
    assert {d.span for d in found} == {Span("t.rules", 3, 9)}


def test_expressions_of_a_rule_are_all_there() -> None:
    effects = (
        Tighten("t.halt", How.TO, STOP, where=Known(STOP)),
        Forbid("t.set", "A", Not(IsTrue(STOP))),
        Permit("t.set", "A", (DRAWDOWN,), Known(DRAWDOWN)),
        Alert(AlertLevel.INFO),
    )
    whole = rule(TRUE, effects=effects, excuse=IsTrue(STOP), because=("x", Hole(DRAWDOWN, "account.drawdown")))
    expected = [TRUE, IsTrue(STOP), STOP, Known(STOP), Not(IsTrue(STOP)), DRAWDOWN, Known(DRAWDOWN), DRAWDOWN]
    assert list(expressions_of(whole)) == expected


def test_a_program_of_the_moment_passes() -> None:
    require_stateless(Program("h", (), (HALT,), (rule(IsTrue(STOP)),)))
    decision = Interpreter(Program("h", (), (HALT,), (rule(IsTrue(STOP)),))).decide(Snapshot("main", 0, {}))
    assert decision.outputs == {"t.halt": True}
