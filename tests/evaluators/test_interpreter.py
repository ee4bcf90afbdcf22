"""The reference interpreter, where hand-made programs say more than rule text: the rest is in tests/conformance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluators.decision import Decision, Firing
from evaluators.expressions import evaluate
from evaluators.interpreter import Interpreter
from evaluators.scene import BoundRow
from evaluators.snapshot import Snapshot
from policy_dsl.nodes import (
    TRUE,
    Absolute,
    Aggregate,
    All,
    AnyOf,
    Compare,
    Constant,
    Expression,
    FactRead,
    IsTrue,
    Known,
    Negate,
    Not,
    OutputRead,
    Row,
    RowKey,
    RowRead,
)
from policy_dsl.operators import Comparator, Fold
from policy_dsl.program import Direction, Effect, Forbid, How, Output, Permit, Program, Rule, Scope, Tighten
from policy_dsl.quantities import INT64_MAX, INT64_MIN
from policy_dsl.types import COUNT, FLAG, RATIO, TEXT, TRUTH, ItemSet, Reference, Value

ONE = 10**9
STOP = IsTrue(FactRead("operator", "stop_requested", FLAG))
DRAWDOWN = FactRead("account", "drawdown", RATIO)
CAP = Output("t.cap", "t", None, RATIO, ONE, Direction.DOWN, 0, ONE)
ROW_CAP = replace(CAP, id="t.row_cap", entity="position")
ACTIONS = Output("t.actions", "t", None, ItemSet("t.actions", ("HOLD", "ADD")), None, None)
EACH = Scope("position", "each")
SYMBOL = Reference("symbol")


def ratio(value: int) -> Constant:
    return Constant(value, RATIO)


def rule(name: str, guard: Expression, *effects: Effect, scope: Scope | None = None, observing: bool = False) -> Rule:
    return Rule(f"t.{name}", "t", scope, guard, effects, (), observing)


def decide(outputs: tuple[Output, ...], rules: tuple[Rule, ...], snapshot: Snapshot) -> Decision:
    return Interpreter(Program("h", (), outputs, rules)).decide(snapshot)


def state(stop: bool | None = None, **rows: dict[str, dict[str, Value | None]] | None) -> Snapshot:
    return Snapshot("main", 1000, {"operator.stop_requested": stop, "account.drawdown": ONE // 10}, rows)


# --- values ----------------------------------------------------------------------------------------------------------


def value(node: Expression, snapshot: Snapshot | None = None, **bindings: BoundRow) -> Value | None:
    return evaluate(node, snapshot or state(), bindings, {})


def test_a_bound_row_is_read_and_stands_for_its_key() -> None:
    row = BoundRow("position", "p1", {"symbol": "BTCUSDT"})
    assert value(RowRead(Row("position", "each"), "symbol", SYMBOL), each=row) == "BTCUSDT"
    assert value(RowRead(Row("position", "each"), "notional", RATIO), each=row) is None
    assert value(RowKey("each", Reference("position")), each=row) == "p1"


def test_of_the_stand_in_for_a_missing_collection_nothing_is_known() -> None:
    row = BoundRow("position", None, {})
    assert value(RowKey("each", Reference("position")), each=row) is None
    assert value(RowRead(Row("position", "each"), "symbol", SYMBOL), each=row) is None
    read = OutputRead("t.row_cap", Row("position", "each"), RATIO)
    assert evaluate(read, state(), {"each": row}, {"t.row_cap": {"p1": ONE}}) is None


@pytest.mark.parametrize(
    ("key", "rows", "expected"),
    [
        ("BTCUSDT", {"BTCUSDT": {"sector": "L1"}}, "L1"),
        ("BTCUSDT", {"BTCUSDT": {}}, None),
        ("XRPUSDT", {"BTCUSDT": {"sector": "L1"}}, None),
        ("BTCUSDT", {}, None),
        ("BTCUSDT", None, None),
    ],
)
def test_a_row_is_found_by_its_key(
    key: str, rows: dict[str, dict[str, Value | None]] | None, expected: str | None
) -> None:
    read = RowRead(Row("symbol", key=Constant(key, TEXT)), "sector", TEXT)
    assert value(read, state(symbol=rows)) == expected


def test_a_chain_of_references_breaks_at_the_first_unknown() -> None:
    reference = RowRead(Row("position", key=Constant("p1", TEXT)), "symbol", SYMBOL)
    sector = RowRead(Row("symbol", key=reference), "sector", TEXT)
    symbols: dict[str, dict[str, Value | None]] = {"BTCUSDT": {"sector": "L1"}}
    assert value(sector, state(position={"p1": {"symbol": "BTCUSDT"}}, symbol=symbols)) == "L1"
    assert value(sector, state(position={"p1": {"symbol": None}}, symbol=symbols)) is None
    assert value(sector, state(position={}, symbol=symbols)) is None


@pytest.mark.parametrize("node", [Negate, Absolute])
def test_the_lowest_int64_has_no_opposite(node: type[Negate | Absolute]) -> None:
    assert value(node(ratio(INT64_MIN), RATIO)) is None
    assert value(node(ratio(-INT64_MAX), RATIO)) == INT64_MAX


def test_an_unknown_variable_is_a_fault_of_the_checker() -> None:
    with pytest.raises(KeyError):
        value(RowKey("nobody", SYMBOL))


LONG = IsTrue(RowRead(Row("position", "q"), "long", FLAG))
BIG = IsTrue(RowRead(Row("position", "q"), "big", FLAG))


@pytest.mark.parametrize("long", [True, False, None])
@pytest.mark.parametrize("big", [True, False, None])
def test_any_and_all_join_what_picks_and_what_is_claimed(long: bool | None, big: bool | None) -> None:
    snapshot = state(position={"p1": {"long": long, "big": big}})
    read = {"q": BoundRow("position", "p1", {"long": long, "big": big})}
    some = Aggregate(Fold.ANY, "position", "q", LONG, BIG, TRUTH)
    every = Aggregate(Fold.ALL, "position", "q", LONG, BIG, TRUTH)
    assert value(some, snapshot) is evaluate(All((LONG, BIG)), snapshot, read, {})
    assert value(every, snapshot) is evaluate(AnyOf((Not(LONG), BIG)), snapshot, read, {})


def test_a_variable_of_an_aggregate_hides_the_outer_row_of_that_name() -> None:
    outer = BoundRow("position", "p9", {"long": False})
    some = Aggregate(Fold.ANY, "position", "q", None, LONG, TRUTH)
    assert value(some, state(position={"p1": {"long": True}}), q=outer) is True
    assert value(some, state(position={"p1": {"long": False}}), q=outer._replace(fields={"long": True})) is False


def test_a_known_condition_is_asked_of_its_truth() -> None:
    assert value(Known(STOP), state(True)) is True
    assert value(Known(STOP), state(None)) is False
    assert value(Known(STOP, negated=True), state(None)) is True


# --- outputs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "end"), [(Direction.DOWN, INT64_MIN), (Direction.UP, INT64_MAX)])
def test_where_a_range_is_open_int64_ends_it(direction: Direction, end: int) -> None:
    output = Output("t.open", "t", None, RATIO, 0, direction)
    huge = Tighten("t.open", How.BY, ratio(INT64_MAX))
    unknown = Tighten("t.open", How.TO, FactRead("account", "equity", RATIO))
    assert decide((output,), (rule("r", TRUE, huge, huge),), state()).outputs == {"t.open": end}
    assert decide((output,), (rule("r", TRUE, unknown),), state()).outputs == {"t.open": end}


def test_factors_apply_in_the_order_of_rule_ids_however_rules_are_listed() -> None:
    # 7 quanta halved are 4 (3.5), 70% of that 3 (2.8); the other way round they would be 5 (4.9) and 2 (2.5).
    output = replace(CAP, starts=7, high=7)
    half, most = (Tighten("t.cap", How.SCALE, ratio(f)) for f in (ONE // 2, ONE // 10 * 7))
    rules = (rule("a", TRUE, half), rule("b", TRUE, most))
    assert decide((output,), rules, state()).outputs == {"t.cap": 3}
    assert decide((output,), rules[::-1], state()).outputs == {"t.cap": 3}


def test_a_filter_narrows_an_effect_to_rows_that_may_match() -> None:
    open_ = IsTrue(RowRead(Row("position", "position"), "open", FLAG))
    halve = Tighten("t.row_cap", How.TO, ratio(ONE // 2), where=open_)
    snapshot = state(True, position={"a": {"open": True}, "b": {"open": False}, "c": {}})
    decision = decide((ROW_CAP,), (rule("r", STOP, halve),), snapshot)
    assert decision.outputs == {"t.row_cap": {"a": ONE // 2, "b": ONE, "c": ONE // 2}}
    assert decision.firings == (Firing("t.r", "", True),)


def test_a_filtered_permit_needs_certainty_of_the_filter() -> None:
    rows = replace(ACTIONS, entity="position")
    open_ = IsTrue(RowRead(Row("position", "position"), "open", FLAG))
    snapshot = state(True, position={"a": {"open": True}, "b": {"open": False}, "c": {}})
    decision = decide((rows,), (rule("r", STOP, Permit("t.actions", "HOLD", (), open_)),), snapshot)
    assert decision.outputs == {"t.actions": {"a": (("HOLD", ()),), "b": (), "c": ()}}


def test_a_filtered_forbid_acts_on_doubt() -> None:
    rows = replace(ACTIONS, entity="position")
    open_ = IsTrue(RowRead(Row("position", "position"), "open", FLAG))
    snapshot = state(True, position={"a": {"open": True}, "b": {"open": False}, "c": {}})
    rules = (rule("p", TRUE, Permit("t.actions", "HOLD")), rule("q", STOP, Forbid("t.actions", "HOLD", open_)))
    outputs = decide((rows,), rules, snapshot).outputs
    assert outputs == {"t.actions": {"a": (), "b": (("HOLD", ()),), "c": ()}}


def test_a_mixed_rule_fires_on_doubt_and_grants_on_certainty() -> None:
    both = rule("r", STOP, Permit("t.actions", "ADD", (DRAWDOWN,)), Tighten("t.cap", How.TO, ratio(5)))
    sure, doubt = (decide((CAP, ACTIONS), (both,), state(stop)) for stop in (True, None))
    assert sure.outputs == {"t.cap": 5, "t.actions": (("ADD", (ONE // 10,)),)}
    assert doubt.outputs == {"t.cap": 5, "t.actions": ()}
    assert (sure.firings, doubt.firings) == ((Firing("t.r", "", True),), (Firing("t.r", "", False),))


def test_a_rule_that_only_permits_fires_if_one_of_its_grants_stands() -> None:
    unknown = FactRead("account", "equity", RATIO)
    one = rule("one", TRUE, Permit("t.actions", "HOLD"), Permit("t.actions", "ADD", (unknown,)))
    none = rule("none", TRUE, Permit("t.actions", "ADD", (unknown,)))
    decision = decide((ACTIONS,), (none, one), state())
    assert decision.outputs == {"t.actions": (("HOLD", ()),)}
    assert decision.firings == (Firing("t.one", "", False),)


def test_a_missing_collection_is_judged_once_and_reaches_fund_wide_outputs() -> None:
    bound = rule("r", TRUE, Tighten("t.cap", How.TO, ratio(5)), Tighten("t.row_cap", How.TO, ratio(7)), scope=EACH)
    decision = decide((CAP, ROW_CAP), (bound,), state(position=None))
    assert decision.outputs == {"t.cap": 5, "t.row_cap": {}}
    assert decision.firings == (Firing("t.r", "", False),), "nobody knows whether there is a row"


def test_a_missing_collection_permits_nothing_though_the_guard_is_true() -> None:
    granting = rule("r", TRUE, Permit("t.actions", "HOLD"), scope=EACH)
    mixed = rule("s", TRUE, Permit("t.actions", "HOLD"), Tighten("t.cap", How.TO, ratio(5)), scope=EACH)
    decision = decide((CAP, ACTIONS), (granting, mixed), state(position=None))
    assert decision.outputs == {"t.cap": 5, "t.actions": ()}
    assert decision.firings == (Firing("t.s", "", False),)


def test_an_effect_reads_outputs_that_a_sibling_effect_sets() -> None:
    cut = rule(
        "r", STOP, Tighten("t.cap", How.TO, ratio(5)), Tighten("t.row_cap", How.TO, OutputRead("t.cap", None, RATIO))
    )
    decision = decide((CAP, ROW_CAP), (cut,), state(True, position={"p1": {}}))
    assert decision.outputs == {"t.cap": 5, "t.row_cap": {"p1": 5}}


def test_observed_firings_come_from_the_whole_program() -> None:
    tight = Compare(Comparator.LESS, OutputRead("t.cap", None, RATIO), ratio(ONE))
    rules = (
        rule("binding", tight, Tighten("t.row_cap", How.TO, ratio(1))),
        rule("first", STOP, Tighten("t.cap", How.TO, ratio(5)), observing=True),
        rule("second", tight, Tighten("t.row_cap", How.TO, ratio(3)), observing=True),
    )
    decision = decide((CAP, ROW_CAP), rules, state(True, position={"p1": {}, "p2": {}}))
    assert decision.outputs == {"t.cap": ONE, "t.row_cap": {"p1": ONE, "p2": ONE}}
    assert decision.would_be == {"t.cap": 5, "t.row_cap": {"p1": 1, "p2": 1}}
    assert decision.firings == ()
    assert decision.observed == (Firing("t.first", "", True), Firing("t.second", "", True))


def test_a_decision_names_its_snapshot() -> None:
    decision = decide((CAP,), (), state())
    assert (decision.book, decision.ts, decision.would_be, decision.observed) == ("main", 1000, {}, ())


def test_counts_without_a_filter_count_every_row() -> None:
    count = Aggregate(Fold.COUNT, "request", "q", None, None, COUNT)
    assert value(count, state(request={"r1": {}, "r2": {}})) == 2
    assert value(count, state()) == 0
    assert value(replace(count, entity="position"), state()) is None
