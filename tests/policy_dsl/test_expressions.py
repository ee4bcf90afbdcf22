"""What expressions are typed into: names found, units checked, levels read in the light of the other side."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_dsl import nodes
from policy_dsl.formatter_expressions import quoted
from policy_dsl.operators import Comparator, Operator, WindowFold
from policy_dsl.types import COUNT, DURATION, FLAG, MONEY, NUMBER, RATE, RATIO, TEXT, TIME, TRUTH, Reference, Type
from policy_dsl.walking import walk
from policy_dsl.writing import write_expression
from tests.catalogue_for_tests import SIDE, TIER, VOLATILITY
from tests.policy_dsl.bundles import codes, guard, program
from tests.policy_dsl.syntax_trees import SEEN

DRAWDOWN = nodes.FactRead("account", "drawdown", RATIO)
EQUITY = nodes.FactRead("account", "equity", MONEY)
LEVEL = nodes.FactRead("market", "volatility", VOLATILITY)
STOP = nodes.FactRead("operator", "stop_requested", FLAG)
NOTE = nodes.FactRead("operator", "note", TEXT)
FIVE_PERCENT = nodes.Constant(50_000_000, RATIO)
MULTIPLY, DIVIDE, ADD = Operator.MULTIPLY, Operator.DIVIDE, Operator.ADD


def bare(node: nodes.Expression) -> nodes.Expression:
    """A comparison or membership without its span."""
    return replace(node, span=None) if isinstance(node, nodes.Compare | nodes.OneOf) else node


def compared(condition: str) -> nodes.Compare:
    """The typed comparison that a condition is."""
    node = guard(condition)
    assert isinstance(node, nodes.Compare)
    return node


LEVELS_AND_WORDS = [
    ("market.volatility is HIGH", nodes.Compare(Comparator.EQUAL, LEVEL, nodes.Constant(2, VOLATILITY))),
    ("HIGH is not market.volatility", nodes.Compare(Comparator.DIFFERENT, nodes.Constant(2, VOLATILITY), LEVEL)),
    ("market.volatility >= NORMAL", nodes.Compare(Comparator.AT_LEAST, LEVEL, nodes.Constant(1, VOLATILITY))),
    ("market.volatility in {EXTREME, HIGH, HIGH}", nodes.OneOf(LEVEL, (2, 3))),
    ("market.volatility not in {LOW}", nodes.OneOf(LEVEL, (0,), negated=True)),
    ("operator.stop_requested", nodes.IsTrue(STOP)),
    ("operator.stop_requested is yes", nodes.Compare(Comparator.EQUAL, STOP, nodes.Constant(True, FLAG))),
    ('operator.note is "x"', nodes.Compare(Comparator.EQUAL, NOTE, nodes.Constant("x", TEXT))),
    ('operator.note in {"b", "a"}', nodes.OneOf(NOTE, ("a", "b"))),
    ("account.drawdown > 5%", nodes.Compare(Comparator.GREATER, DRAWDOWN, FIVE_PERCENT)),
    ("account.drawdown in {5%, -5%}", nodes.OneOf(DRAWDOWN, (-50_000_000, 50_000_000))),
    ("account.drawdown is unknown", nodes.Known(DRAWDOWN, negated=True)),
    ("not operator.stop_requested", nodes.Not(nodes.IsTrue(STOP))),
    ("operator.stop_requested throughout 5m", nodes.Throughout(nodes.IsTrue(STOP), 300_000)),
    ("operator.stop_requested within 1h", nodes.Within(nodes.IsTrue(STOP), 3_600_000)),
    ("previous(operator.stop_requested)", nodes.IsTrue(nodes.Previous(STOP, FLAG))),
    ("previous(not operator.stop_requested)", nodes.Previous(nodes.Not(nodes.IsTrue(STOP)), TRUTH)),
    ("previous(market.volatility) in {HIGH}", nodes.OneOf(nodes.Previous(LEVEL, VOLATILITY), (2,))),
    (
        "previous(market.volatility) < HIGH",
        nodes.Compare(Comparator.LESS, nodes.Previous(LEVEL, VOLATILITY), nodes.Constant(2, VOLATILITY)),
    ),
    (
        'previous(operator.note) is "x"',
        nodes.Compare(Comparator.EQUAL, nodes.Previous(NOTE, TEXT), nodes.Constant("x", TEXT)),
    ),
]


@pytest.mark.parametrize(("condition", "typed"), LEVELS_AND_WORDS, ids=[c for c, _ in LEVELS_AND_WORDS])
def test_conditions(condition: str, typed: nodes.Expression) -> None:
    assert bare(guard(condition)) == typed


# A value, its type, and the factor that its quanta are multiplied and divided by.
ARITHMETIC: list[tuple[str, Type, tuple[int, int] | None]] = [
    ("account.drawdown + 5%", RATIO, (1, 1)),
    ("account.equity - 5_000 USD", MONEY, (1, 1)),
    ("40% of account.equity", MONEY, (1, 10**9)),
    ("account.equity * 2", MONEY, (1, 1)),
    ("account.equity / account.equity", RATIO, (10**9, 1)),
    ("account.losing_streak / 1h", RATE, (86_400_000_000_000, 1)),
    ("system.errors_per_minute * 1h", NUMBER, (1, 86_400)),
    ("clock.now - 2026-01-01", DURATION, (1, 1)),
    ("clock.now + 5m", TIME, (1, 1)),
    ("5m + clock.now", TIME, (1, 1)),
    ("account.losing_streak + 2", COUNT, (1, 1)),
    ("-account.drawdown", RATIO, None),
    ("abs(account.net_exposure)", RATIO, None),
    ("min(account.drawdown, 5%, account.net_exposure)", RATIO, None),
    ("max(0, account.losing_streak)", COUNT, None),
    ("previous(account.equity)", MONEY, None),
    ("highest(account.equity over 24h)", MONEY, None),
    ("change(account.equity over 24h)", MONEY, None),
    ("count(position)", COUNT, None),
    ("sum(position.notional)", MONEY, None),
    ("average(trade.r_multiple over 1h) * account.equity", MONEY, (1, 10**9)),
    ("latest(trade.closed_at over 1h)", TIME, None),
]


@pytest.mark.parametrize(("value", "kind", "factor"), ARITHMETIC, ids=[v for v, _, _ in ARITHMETIC])
def test_values_have_units(value: str, kind: Type, factor: tuple[int, int] | None) -> None:
    node = guard(f"{value} is known")
    assert isinstance(node, nodes.Known)
    assert node.operand.type == kind
    if factor is not None:
        assert isinstance(node.operand, nodes.Arithmetic)
        assert (node.operand.scale_up, node.operand.scale_down) == factor


def test_the_change_of_a_time_is_a_duration() -> None:
    node = guard("change(clock.now over 1h) > 5m")
    assert isinstance(node, nodes.Compare)
    assert node.left == nodes.Window(WindowFold.CHANGE, nodes.FactRead("clock", "now", TIME), 3_600_000, DURATION)


BARE_NUMBERS = [
    ("account.losing_streak > 5", nodes.Constant(5, COUNT)),
    ('symbol["A"].trend_t > 2', nodes.Constant(2 * 10**9, NUMBER)),
    ('symbol["A"].trend_t > 2.5', nodes.Constant(2_500_000_000, NUMBER)),
    ('2 < symbol["A"].trend_t', nodes.Constant(2 * 10**9, NUMBER)),
    ('symbol["A"].trend_t + 1 > -2', nodes.Constant(-2 * 10**9, NUMBER)),
]


@pytest.mark.parametrize(("condition", "literal"), BARE_NUMBERS)
def test_a_bare_number_is_what_the_other_side_is(condition: str, literal: nodes.Constant) -> None:
    node = compared(condition)
    assert literal in {node.left, node.right}


def test_a_whole_number_beside_a_number_is_one() -> None:
    node = compared('1 + symbol["A"].trend_t > 2')
    assert isinstance(node.left, nodes.Arithmetic)
    assert node.left.left == nodes.Constant(10**9, NUMBER)


# --- names -----------------------------------------------------------------------------------------------------------

DECLARED = """
param limit = 5%
output mode: A < B
  starts B
output stop for each position: A < B
  starts B
"""
SYMBOL = Reference("symbol")


def test_a_param_is_a_constant_that_knows_its_name() -> None:
    node = guard("account.drawdown > limit", declared=DECLARED)
    assert bare(node) == nodes.Compare(Comparator.GREATER, DRAWDOWN, nodes.Constant(50_000_000, RATIO, "p.limit"))
    assert guard("account.drawdown > p.limit", declared=DECLARED) == replace_span(node, "account.drawdown > p.limit")


def replace_span(node: nodes.Expression, condition: str) -> nodes.Expression:
    """The comparison with the span that it has where `condition` is written."""
    assert isinstance(node, nodes.Compare)
    assert node.span is not None
    return replace(node, span=node.span._replace(end=node.span.start + len(condition)))


PATHS = [
    ("position.symbol", nodes.RowRead(nodes.Row("position", "position"), "symbol", SYMBOL)),
    (
        "position.symbol.tier",
        nodes.RowRead(
            nodes.Row("symbol", key=nodes.RowRead(nodes.Row("position", "position"), "symbol", SYMBOL)), "tier", TIER
        ),
    ),
    ("mode", nodes.OutputRead("p.mode", None, program(DECLARED).output("p.mode").type)),
    ("stop", nodes.OutputRead("p.stop", nodes.Row("position", "position"), program(DECLARED).output("p.stop").type)),
    (
        'p.stop["p1"]',
        nodes.OutputRead(
            "p.stop", nodes.Row("position", key=nodes.Constant("p1", TEXT)), program(DECLARED).output("p.stop").type
        ),
    ),
    (
        "stop[position]",
        nodes.OutputRead("p.stop", nodes.Row("position", "position"), program(DECLARED).output("p.stop").type),
    ),
]


@pytest.mark.parametrize(("path", "read"), PATHS, ids=[path for path, _ in PATHS])
def test_paths(path: str, read: nodes.Expression) -> None:
    node = guard(f"{path} is known", scope="for each position", declared=DECLARED)
    assert isinstance(node, nodes.Known)
    assert node.operand == read


def test_a_row_found_by_its_key() -> None:
    node = guard('position["p1"].side is known')
    assert node == nodes.Known(nodes.RowRead(nodes.Row("position", key=nodes.Constant("p1", TEXT)), "side", SIDE))
    another = guard('position["p1"].side is x.side', scope="for each position as x")
    assert isinstance(another, nodes.Compare)
    assert another.left == nodes.RowRead(nodes.Row("position", key=nodes.Constant("p1", TEXT)), "side", SIDE)


@given(st.text(SEEN))
def test_a_key_is_any_text_that_a_reader_sees(key: str) -> None:
    node = guard(f"position[{quoted(key)}].side is known")
    assert node == nodes.Known(nodes.RowRead(nodes.Row("position", key=nodes.Constant(key, TEXT)), "side", SIDE))


def test_a_row_alone_is_its_key() -> None:
    node = guard('p is "p1"', scope="for each position as p")
    assert isinstance(node, nodes.Compare)
    assert node.left == nodes.RowKey("position", Reference("position"))


def test_a_reference_compares_with_text_and_with_itself() -> None:
    assert codes('rule r for each position\n  when position.symbol is "BTCUSDT"\n  alert INFO\n') == []
    assert codes("rule r for each position\n  when position.symbol is position.symbol\n  alert INFO\n") == []
    assert codes("rule r for each position as x\n  when x.symbol is x\n  alert INFO\n") == ["RF206"]


# --- folds -----------------------------------------------------------------------------------------------------------

FOLDS = [
    "count(position)",
    "count(position where position.notional > 5 USD)",
    "sum(position.notional where position.notional > 5 USD)",
    "highest(position.r_multiple)",
    "average(abs(position.notional))",
    "count(trade over 1h)",
    "sum(trade.r_multiple where trade.r_multiple < 0R over 1h)",
]


@pytest.mark.parametrize("fold", FOLDS)
def test_folds_are_written_as_they_were_read(fold: str) -> None:
    node = guard(f"{fold} is known")
    assert write_expression(node) == f"{fold} is known"


def test_any_and_all_judge_their_condition() -> None:
    node = guard("any(position where position.notional > 5 USD)")
    assert isinstance(node, nodes.Aggregate)
    assert node.where is None
    assert isinstance(node.value, nodes.Compare)
    everything = guard("any(position)")
    assert isinstance(everything, nodes.Aggregate)
    assert everything.value == nodes.TRUE


def test_a_row_of_its_own_name_beside_the_row_of_the_rule() -> None:
    node = guard("count(position as q where q.symbol is position.symbol) > 1", scope="for each position")
    assert isinstance(node, nodes.Compare)
    fold = node.left
    assert isinstance(fold, nodes.Aggregate)
    assert fold.variable == "position_2"
    assert isinstance(fold.where, nodes.Compare)
    assert fold.where.left == nodes.RowRead(nodes.Row("position", "position_2"), "symbol", SYMBOL)
    assert fold.where.right == nodes.RowRead(nodes.Row("position", "position"), "symbol", SYMBOL)


def test_a_fold_without_a_name_hides_the_row_of_the_rule() -> None:
    node = guard("count(position where position.notional > 5 USD) > 1", scope="for each position")
    assert isinstance(node, nodes.Compare)
    assert isinstance(node.left, nodes.Aggregate)
    assert isinstance(node.left.where, nodes.Compare)
    assert node.left.where.left == nodes.RowRead(nodes.Row("position", node.left.variable), "notional", MONEY)


def test_a_window_over_the_row_of_the_rule_is_no_fold_of_rows() -> None:
    node = guard("highest(position.notional over 1h) > 5 USD", scope="for each position")
    assert isinstance(node, nodes.Compare)
    assert node.left == nodes.Window(
        WindowFold.HIGHEST, nodes.RowRead(nodes.Row("position", "position"), "notional", MONEY), 3_600_000, MONEY
    )


def test_a_name_of_its_own_makes_it_a_fold_of_events_inside_another() -> None:
    node = guard("highest(trade.r_multiple + lowest(trade.r_multiple as q over 1h) over 2h) > 5R")
    assert isinstance(node, nodes.Compare)
    outer = node.left
    assert isinstance(outer, nodes.EventFold)
    assert isinstance(outer.value, nodes.Arithmetic)
    inner = outer.value.right
    assert isinstance(inner, nodes.EventFold)
    assert (inner.duration, inner.variable) == (3_600_000, "trade_2")
    assert outer.value.left == nodes.RowRead(nodes.Row("trade", outer.variable), "r_multiple", inner.type)


def test_folds_nest() -> None:
    node = guard("any(position as a where count(position as b where b.symbol is a.symbol) > 1)")
    assert isinstance(node, nodes.Aggregate)
    inner = [n for n in walk(node) if isinstance(n, nodes.Aggregate) and n is not node]
    assert [n.variable for n in inner] == ["position_2"]
