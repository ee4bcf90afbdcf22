"""Programs compiled to Python: what callers may rely on besides equal decisions (tests/properties sees to those)."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import pytest

from evaluators.decision import Decision, Firing
from evaluators.interpreter import Interpreter
from evaluators.python import PythonEvaluator, evaluator
from evaluators.python.runtime import NOTHING, decision, firing, keep, merged, name_firings
from evaluators.snapshot import Snapshot
from evaluators.sorted_rows import rows_of, sorted_by
from policy_dsl.nodes import (
    All,
    Arithmetic,
    Compare,
    Constant,
    Expression,
    FactRead,
    IsTrue,
    OutputRead,
    Previous,
    Row,
    RowRead,
)
from policy_dsl.operators import Comparator, Operator
from policy_dsl.program import Direction, Effect, How, Output, Permit, Program, Rule, Scope, Tighten
from policy_dsl.types import FLAG, MONEY, RATIO, ItemSet, Levels

ONE = 10**9
MODES = Levels("mode", ("SAFE", "CAUTIOUS", "NORMAL"))
MODE = Output("t.mode", "t", None, MODES, 2, Direction.DOWN)
CAP = Output("t.cap", "t", None, RATIO, ONE, Direction.DOWN, 0, ONE)
ROW_CAP = replace(CAP, id="t.row_cap", entity="position")
EACH = Scope("position", "each")
DRAWDOWN = FactRead("account", "drawdown", RATIO)
STOP = IsTrue(FactRead("operator", "stop_requested", FLAG))
LEVERAGE = RowRead(Row("position", "each"), "leverage", RATIO)


def above(value: Expression, limit: int) -> Expression:
    return Compare(Comparator.GREATER, value, Constant(limit, RATIO))


def to(output: Output, value: Expression | int) -> Tighten:
    expression = Constant(value, output.type) if isinstance(value, int) else value
    return Tighten(output.id, How.TO, expression)


def rule(name: str, guard: Expression, *effects: Effect, scope: Scope | None = None, observing: bool = False) -> Rule:
    return Rule(f"t.{name}", "t", scope, guard, effects, (), observing)


def program(outputs: tuple[Output, ...], *rules: Rule) -> Program:
    return Program("test", (), outputs, tuple(sorted(rules, key=lambda r: r.id)))


def fund(**facts: int | bool | None) -> Snapshot:
    named = {"drawdown": "account.drawdown", "stop": "operator.stop_requested"}
    return Snapshot("main", 1, {named[name]: value for name, value in facts.items()})


def agree(made: Program, *snapshots: Snapshot) -> list[Decision]:
    """The decisions, checked against the reference, each of them twice."""
    ours, reference = PythonEvaluator(made), Interpreter(made)
    expected = [reference.decide(snapshot) for snapshot in snapshots]
    assert [ours.decide(snapshot) for snapshot in snapshots] == expected
    assert [ours.decide(snapshot) for snapshot in reversed(snapshots)] == expected[::-1]
    return expected


def positions(**leverage: int | None) -> Snapshot:
    """Positions by key, each with its leverage."""
    return Snapshot("main", 1, {}, {"position": {key: {"leverage": value} for key, value in leverage.items()}})


TWO = program((MODE, CAP), rule("a", above(DRAWDOWN, 5), to(MODE, 0)), rule("b", STOP, to(MODE, 1), to(CAP, 7)))
BY_ROW = program((ROW_CAP,), rule("a", above(LEVERAGE, 5), to(ROW_CAP, 3), scope=EACH))


# --- decisions -------------------------------------------------------------------------------------------------------


def test_a_decision_is_an_ordinary_one() -> None:
    made = PythonEvaluator(TWO).decide(fund(drawdown=6, stop=None))
    assert made == Decision(
        "main", 1, {"t.mode": 0, "t.cap": 7}, (Firing("t.a", "", True), Firing("t.b", "", False)), {}, ()
    )
    assert type(made) is Decision
    assert [type(found) for found in made.firings] == [Firing, Firing]
    assert hash(made.firings[0]) == hash(Firing("t.a", "", True))


def test_a_decision_cannot_be_changed() -> None:
    made = PythonEvaluator(TWO).decide(fund(drawdown=6, stop=False))
    with pytest.raises(FrozenInstanceError):
        made.ts = 2  # type: ignore[misc]  # because that is what must fail
    with pytest.raises(FrozenInstanceError):
        made.firings[0].key = "p1"  # type: ignore[misc]  # because that is what must fail
    with pytest.raises(TypeError, match="does not support item assignment"):
        made.outputs["t.mode"] = 2  # type: ignore[index]  # because that is what must fail


def test_decisions_made_by_hand_and_in_a_hurry_have_the_same_fields() -> None:
    quick = decision("main", 1, {"a": 1}, (firing("r", "k", True),), {"a": 0}, (firing("o", "", False),))
    slow = Decision("main", 1, {"a": 1}, (Firing("r", "k", True),), {"a": 0}, (Firing("o", "", False),))
    assert quick == slow
    assert repr(quick) == repr(slow)
    assert [getattr(quick, field.name) for field in fields(Decision)] == [
        getattr(slow, field.name) for field in fields(Decision)
    ]


def test_rows_of_one_decision_are_not_those_of_another() -> None:
    ours = PythonEvaluator(BY_ROW)
    snapshot = Snapshot("main", 1, {}, {"position": {"p1": {"leverage": 9}}})
    first = ours.decide(snapshot)
    assert isinstance(first.outputs, dict)
    first.outputs["t.row_cap"]["p1"] = 8
    assert ours.decide(snapshot).outputs == {"t.row_cap": {"p1": 3}}
    assert ours.decide(Snapshot("main", 2, {}, {"position": {}})).outputs == {"t.row_cap": {}}


def test_facts_that_are_left_out_are_missing() -> None:
    first, second, third = agree(TWO, fund(), fund(drawdown=None, stop=None), fund(drawdown=0))
    assert first.outputs == second.outputs == {"t.mode": 0, "t.cap": 7}
    assert third.firings == (Firing("t.b", "", False),)


def test_firings_come_by_rule_then_by_row() -> None:
    made = program(
        (ROW_CAP, MODE),
        rule("b", above(LEVERAGE, 1), to(ROW_CAP, 1), scope=EACH),
        rule("a", above(LEVERAGE, 2), to(ROW_CAP, 1), scope=EACH),
        rule("ab", above(DRAWDOWN, 1), to(MODE, 0)),
    )
    rows = {"position": {"p2": {"leverage": 3}, "p10": {"leverage": 3}, "p1": {"leverage": 2}}}
    (decided,) = agree(made, Snapshot("main", 1, {"account.drawdown": 2}, rows))
    assert [(f.rule, f.key) for f in decided.firings] == [
        ("t.a", "p10"),
        ("t.a", "p2"),
        ("t.ab", ""),
        ("t.b", "p1"),
        ("t.b", "p10"),
        ("t.b", "p2"),
    ]


def test_a_missing_collection_is_one_row_of_which_nothing_is_known() -> None:
    made = program((MODE, ROW_CAP), rule("a", above(LEVERAGE, 5), to(MODE, 0), to(ROW_CAP, 1), scope=EACH))
    missing, empty, unsaid = agree(
        made,
        Snapshot("main", 1, {}, {"position": None}),
        Snapshot("main", 2, {}, {"position": {}}),
        Snapshot("main", 3, {}),
    )
    assert missing.outputs == unsaid.outputs == {"t.mode": 0, "t.row_cap": {}}
    assert missing.firings == unsaid.firings == (Firing("t.a", "", False),)
    assert empty.outputs == {"t.mode": 2, "t.row_cap": {}}


def test_outputs_that_no_rule_reaches_hold_their_start() -> None:
    actions = Output("t.actions", "t", "model", ItemSet("t.actions", ("RETRAIN",)), None, None)
    wide = replace(ROW_CAP, id="t.wide", entity="symbol", starts=2 * ONE)
    (decided,) = agree(
        program((actions, wide, MODE), rule("a", STOP, to(MODE, 0))),
        Snapshot("main", 1, {}, {"model": {"m2": {}, "m1": {}}, "symbol": {"BTCUSDT": {}}}),
    )
    assert decided.outputs == {"t.actions": {"m1": (), "m2": ()}, "t.wide": {"BTCUSDT": ONE}, "t.mode": 0}
    assert str(decided.outputs["t.actions"]) == "{'m1': (), 'm2': ()}"


# --- what is computed anew -------------------------------------------------------------------------------------------


def test_values_that_no_mask_tells_are_computed_anew() -> None:
    made = program((CAP, MODE), rule("a", STOP, to(CAP, DRAWDOWN)), rule("b", above(DRAWDOWN, 50), to(MODE, 0)))
    states = [fund(drawdown=d, stop=True) for d in (1, 2, 3, 2 * ONE)] + [fund(drawdown=None, stop=True)]
    decided = agree(made, *states)
    assert [d.outputs["t.cap"] for d in decided] == [1, 2, 3, ONE, 0]
    assert [d.firings[0].definite for d in decided] == [True, True, True, True, False]


def test_an_output_compared_with_a_fact_is_known_before_it() -> None:
    breached = Compare(Comparator.GREATER, DRAWDOWN, OutputRead("t.cap", None, RATIO))
    made = program((CAP, MODE), rule("a", STOP, to(CAP, 10)), rule("b", breached, to(MODE, 0)))
    decided = agree(made, fund(drawdown=11, stop=True), fund(drawdown=11, stop=False), fund(drawdown=9, stop=True))
    assert [d.outputs["t.mode"] for d in decided] == [0, 2, 2]


def test_rows_are_visited_as_often_as_outputs_follow_from_one_another() -> None:
    """Rows, the fund, the same rows, the fund, and the rows once more."""
    caps = [replace(CAP, id=f"t.{n}", entity="position" if n in {"b", "d"} else None) for n in "abcde"]
    a, b, c, d, e = caps

    def read(output: Output) -> Expression:
        row = Row("position", "each") if output.entity else None
        return OutputRead(output.id, row, RATIO)

    def breached(output: Output) -> Expression:
        return All((above(LEVERAGE, 5), Compare(Comparator.AT_MOST, read(output), LEVERAGE)))

    made = program(
        (a, b, c, d, e),
        rule("1", above(LEVERAGE, 5), to(a, LEVERAGE), scope=EACH),
        rule("2", breached(a), to(b, 9), scope=EACH),
        rule("3", breached(b), to(c, read(b)), scope=EACH),
        rule("4", breached(c), to(d, read(c)), scope=EACH),
        rule("5", breached(d), to(e, read(d)), scope=EACH),
    )
    decided = agree(made, *(positions(p1=v, p2=w) for v, w in ((6, 7), (9, 12), (None, 3), (1, 2))), positions())
    assert decided[1].outputs == {"t.a": 9, "t.b": {"p1": 9, "p2": 9}, "t.c": 9, "t.d": {"p1": 9, "p2": 9}, "t.e": 9}


# --- observing, refusals ---------------------------------------------------------------------------------------------


def test_observing_rules_change_what_would_be() -> None:
    made = program((MODE, CAP), rule("a", STOP, to(CAP, 7)), rule("b", STOP, to(MODE, 0), observing=True))
    on, off = agree(made, fund(stop=True), fund(stop=False))
    assert (on.outputs, on.would_be, on.observed) == (
        {"t.mode": 2, "t.cap": 7},
        {"t.mode": 0},
        (Firing("t.b", "", True),),
    )
    assert (off.would_be, off.observed) == ({}, ())
    assert "'t.b'" in PythonEvaluator(made).source


def test_a_snapshot_alone_is_the_first_of_its_book() -> None:
    evaluator = PythonEvaluator(program((MODE,), rule("a", above(Previous(DRAWDOWN, RATIO), 5), to(MODE, 0))))
    alone = evaluator.decide(fund(drawdown=1))
    assert alone.firings == (Firing("t.a", "", definite=False),)
    assert evaluator.decide(fund(drawdown=1)) == alone, "one decision leaves nothing to the next"


def test_a_followed_book_decides_in_the_light_of_what_came_before() -> None:
    following = PythonEvaluator(
        program((MODE,), rule("a", above(Previous(DRAWDOWN, RATIO), 5), to(MODE, 0)))
    ).following()
    found = [following.decide(replace(fund(drawdown=d), ts=t)) for t, d in enumerate((9, 1, 1))]
    assert [d.firings for d in found] == [(Firing("t.a", "", definite=False),), (Firing("t.a", "", definite=True),), ()]


def test_outputs_out_of_order_are_refused() -> None:
    first = Compare(Comparator.LESS, OutputRead("t.cap", None, RATIO), DRAWDOWN)
    made = program(
        (MODE, CAP), rule("a", first, to(MODE, DRAWDOWN)), rule("b", above(DRAWDOWN, 1), to(CAP, _read_mode()))
    )
    with pytest.raises(ValueError, match="not in an order"):
        PythonEvaluator(made)


def _read_mode() -> Expression:
    return Arithmetic(Operator.ADD, OutputRead("t.mode", None, RATIO), DRAWDOWN, RATIO)


# --- memory ----------------------------------------------------------------------------------------------------------


def test_a_full_memo_starts_again() -> None:
    memo: dict[object, str] = {}
    for key in range(5):
        assert keep(2, memo, key, f"r{key}") == f"r{key}"
    assert memo == {4: "r4"}


def test_what_is_forgotten_is_settled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluator, "SMALLEST_MEMO", 1)
    monkeypatch.setattr(evaluator, "LARGEST_MEMO", 1)
    states = [fund(drawdown=d, stop=s) for d in (0, 6, None) for s in (True, False, None)]
    assert len({repr(d.outputs) for d in agree(TWO, *states)}) > 2
    assert len(PythonEvaluator(TWO).enforced.judge.__globals__["FUND"]) == 0


def test_a_row_forgets_the_names_of_rows_long_gone() -> None:
    record: tuple[tuple[()], list[tuple[int, str, bool]], dict[str | None, list[tuple[int, Firing]]]]
    record = ((), [(0, "t.a", True)], {})
    for number in range(1_000):
        assert name_firings(record, f"r{number}") == [(0, Firing("t.a", f"r{number}", True))]
    assert len(record[2]) <= 256
    assert name_firings(record, None) == [(0, Firing("t.a", "", True))]


def test_firings_of_one_rule_stay_in_the_order_of_rows() -> None:
    rows = [(2, firing("c", "x", True)), (0, firing("a", "x", True)), (2, firing("c", "y", True))]
    assert [(f.rule, f.key) for f in merged([(1, firing("b", "", True))], rows)] == [
        ("a", "x"),
        ("b", ""),
        ("c", "x"),
        ("c", "y"),
    ]
    assert NOTHING == {}


# --- effects on the fund from rows -----------------------------------------------------------------------------------


def test_a_permit_of_rows_grants_the_least_of_each_argument() -> None:
    actions = Output("t.actions", "t", None, ItemSet("t.actions", ("ADD",)), None, None)
    made = program(
        (actions,),
        rule("a", above(LEVERAGE, 5), Permit(actions.id, "ADD", (LEVERAGE, Constant(4, RATIO))), scope=EACH),
        rule("b", STOP, Permit(actions.id, "ADD", (DRAWDOWN, Constant(3, RATIO)))),
    )
    rows = positions(p1=9, p2=7, p3=None).rows
    facts: dict[str, int | bool | None] = {"operator.stop_requested": True, "account.drawdown": 8}
    decided = agree(
        made,
        Snapshot("main", 1, facts, rows),
        Snapshot("main", 2, {**facts, "account.drawdown": None}, rows),
        Snapshot("main", 3, {}, {"position": None}),
    )
    assert [d.outputs["t.actions"] for d in decided] == [(("ADD", (7, 3)),), (("ADD", (7, 4)),), ()]


def test_one_shift_and_one_factor_come_of_many_rows() -> None:
    equity = Output("t.size", "t", None, MONEY, 1_000, Direction.DOWN, 0, 1_000)
    made = program(
        (equity,),
        rule("a", above(LEVERAGE, 5), Tighten(equity.id, How.BY, LEVERAGE), scope=EACH),
        rule("b", above(LEVERAGE, 8), Tighten(equity.id, How.SCALE, Constant(ONE // 2, RATIO)), scope=EACH),
    )
    decided = agree(made, positions(p1=6, p2=8), positions(p1=6, p2=9), positions(p1=1), positions(p1=None))
    assert [d.outputs["t.size"] for d in decided] == [992, 496, 1_000, 0]


def test_rows_are_found_by_a_field_and_those_that_lack_it_belong_to_every_value() -> None:
    rows: dict[str, dict[str, str | None]] = {
        "a": {"symbol": "BTCUSDT"},
        "b": {"symbol": None},
        "c": {"symbol": "ETHUSDT"},
        "d": {},
    }
    found = sorted_by(rows, "symbol")
    assert set(rows_of(rows, found, "BTCUSDT")) == {"a", "b", "d"}
    assert set(rows_of(rows, found, "XRPUSDT")) == {"b", "d"}
    assert rows_of(rows, found, None) == rows
    assert rows_of(None, sorted_by(None, "symbol"), "BTCUSDT") == {}


def test_a_program_is_compiled_once_for_as_long_as_it_is_in_use() -> None:
    one, other = PythonEvaluator(TWO), PythonEvaluator(TWO, max_gap=1)
    assert one.enforced is other.enforced
    assert PythonEvaluator(replace(TWO)).enforced is not one.enforced
