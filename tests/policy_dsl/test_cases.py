"""Tests and invariants of rule files: what is given when, and what is expected then."""

from __future__ import annotations

import pytest

from policy_dsl import program as p
from policy_dsl.cases import DEFAULT_CADENCE, Assignment, Case, Invariant, Moment, Timeline
from policy_dsl.types import FLAG
from policy_dsl.writing import write_expression
from tests.policy_dsl.bundles import bundle, codes

DECLARED = """
output mode: A < B
  starts B
output size: ratio in 0% to 100%
  starts 100%
output halt: flag
  starts no
output actions for each position: set of ADD, HOLD
"""


def case(steps: str) -> Case:
    """The test made of some steps."""
    (found,) = bundle(f'{DECLARED}test "t"\n{steps}\n').cases
    return found


def given(moment: Moment) -> dict[str, object]:
    """What a moment gives, by the name of the fact."""
    out: dict[str, object] = {}
    for a in moment.given:
        key = "" if a.key is None else f'["{a.key}"]'
        out[f"{a.entity}{key}" + ("" if a.field is None else f".{a.field}")] = a.value
    return out


def expected(moment: Moment) -> list[str]:
    """What a moment expects, in words."""
    return [write_expression(e.condition) for e in moment.expected]


GIVEN = [
    ("account.drawdown = 4%", {"account.drawdown": 40_000_000}),
    ("account.drawdown = missing", {"account.drawdown": None}),
    ("account.net_exposure = -4%", {"account.net_exposure": -40_000_000}),
    ("account.losing_streak = 5", {"account.losing_streak": 5}),
    ("market.volatility = HIGH", {"market.volatility": 2}),
    ("operator.stop_requested = yes", {"operator.stop_requested": True}),
    ('operator.note = "x"', {"operator.note": "x"}),
    ("clock.now = 2026-01-01", {"clock.now": 1_767_225_600_000}),
    ('symbol["A"].trend_t = 2', {'symbol["A"].trend_t': 2 * 10**9}),
    ('position["p1"].symbol = "A"', {'position["p1"].symbol': "A"}),
    ("position = missing", {"position": None}),
    ("account.drawdown = limit", {"account.drawdown": 30_000_000}),
]


@pytest.mark.parametrize(("text", "values"), GIVEN)
def test_what_is_given(text: str, values: dict[str, object]) -> None:
    (found,) = bundle(f'{DECLARED}param limit = 3%\ntest "t"\n  given {text}\n  expect mode is B\n').cases
    ((moment,),) = found.variants
    assert given(moment) == values


def test_a_test_without_times_is_one_moment() -> None:
    made = case(
        "given account.drawdown = 4%\nexpect mode is B and not halt\ngiven market.volatility = LOW\nexpect size > 5%"
    )
    ((moment,),) = made.variants
    assert (made.timed, made.cadence, moment.at) == (False, DEFAULT_CADENCE, 0)
    assert given(moment) == {"account.drawdown": 40_000_000, "market.volatility": 0}
    assert expected(moment) == ["p.mode is B and (not p.halt)", "p.size > 5%"]


def test_a_timeline() -> None:
    made = case(
        "every 30s\nat 0m given account.drawdown = 4%\nat 5m given account.drawdown = 0%\nat 1h expect mode is B"
    )
    (moments,) = made.variants
    assert (made.timed, made.cadence) == (True, 30_000)
    assert [m.at for m in moments] == [0, 300_000, 3_600_000]
    assert [bool(m.expected) for m in moments] == [False, False, True]


def test_steps_at_one_time_belong_together() -> None:
    made = case("at 5m given account.drawdown = 4%\nat 5m expect mode is B")
    (moments,) = made.variants
    assert [m.at for m in moments if m.given or m.expected] == [300_000]


def test_a_series_gives_one_value_a_snapshot() -> None:
    made = case("series account.drawdown = 0% x2, 4%, missing x2\nexpect mode is B")
    assert made.timed
    assert made.timelines == (Timeline(Assignment("account", None, "drawdown", None), (0, 0, 40_000_000, None, None)),)


def test_a_table_makes_variants() -> None:
    made = case(
        """given market.volatility = LOW
  | account.drawdown | mode | halt | mode is B | size / 2 | actions["p1"] includes ADD |
  | 3%               | B    | no   | yes       | 50%      | no                         |
  | missing          | A    | yes  | no        | 0%       | yes                        |"""
    )
    (first,), (second,) = made.variants
    assert given(first) == {"market.volatility": 0, "account.drawdown": 30_000_000}
    assert expected(first) == [
        "p.mode is B",
        "not p.halt",
        "p.mode is B",
        "(p.size / 2) is 50%",
        'not p.actions["p1"] includes ADD',
    ]
    assert given(second) == {"market.volatility": 0, "account.drawdown": None}
    assert expected(second)[:3] == ["p.mode is A", "p.halt", "not p.mode is B"]


def test_a_row_of_a_table_is_given_at_the_end_of_a_timeline() -> None:
    made = case("at 0m given account.drawdown = 4%\nat 5m\n| account.drawdown | mode |\n| 0% | B |\n| 1% | B |")
    assert [[m.at for m in v] for v in made.variants] == [[0, 300_000]] * 2
    assert [given(v[-1]) for v in made.variants] == [{"account.drawdown": 0}, {"account.drawdown": 10_000_000}]
    assert [given(v[0]) for v in made.variants] == [{"account.drawdown": 40_000_000}] * 2


def test_an_expectation_knows_its_place() -> None:
    found = bundle(f'{DECLARED}test "t"\n  expect mode is B\n')
    ((moment,),) = found.cases[0].variants
    (expectation,) = moment.expected
    text = found.sources["p.rules"].text
    assert text[expectation.span.start : expectation.span.end] == "mode is B"


REFUSED = [
    ("given account = missing\nexpect halt", ["RF202"]),
    ("series position = missing\nexpect halt", ["RF202"]),
    ("given position.notional = 5 USD\nexpect halt", ["RF209"]),
    ('given position["p1"].symbol.tier = CORE\nexpect halt', ["RF202"]),
    ("given account.drawdown = 101%\nexpect halt", ["RF313"]),
    ("given account.drawdown = account.net_exposure\nexpect halt", ["RF206"]),
    ("given trade.r_multiple = 2R\nexpect halt", ["RF201"]),
    ("given mode = A\nexpect halt", ["RF201"]),
    ("expect account.drawdown", ["RF205"]),
    ("expect mode", ["RF205"]),
    ("given account.drawdown = 5%", ["RF310"]),
    ("every 0m\nexpect halt", ["RF303"]),
    ("every 5\nexpect halt", ["RF206"]),
    ("at 5\nexpect halt", ["RF206"]),
    ("at 5m\nexpect halt\nat 1m\nexpect halt", ["RF311"]),
    ("| mode | actions |\n| A | yes |", ["RF209"]),
    ('| mode | actions["p1"] |\n| A | yes |', ["RF206"]),
    ("| mode |\n| missing |", ["RF206"]),
    ("| mode |\n| A | B |", ["RF312"]),
    ("| mode |", ["RF312"]),
    ("| account.drawdown |\n| 5% |", ["RF310"]),
]


@pytest.mark.parametrize(("steps", "said"), REFUSED)
def test_what_no_test_says(steps: str, said: list[str]) -> None:
    assert codes(f'{DECLARED}test "t"\n{steps}\n') == said


# --- invariants ------------------------------------------------------------------------------------------------------


def invariant(text: str) -> Invariant:
    """The invariant in a text."""
    (found,) = bundle(f"{DECLARED}{text}\n").invariants
    return found


def test_an_invariant_for_the_fund() -> None:
    made = invariant('always "n"\n  then mode is A or mode is B')
    assert (made.policy, made.name, made.scope, made.when) == ("p", "n", None, p.TRUE)
    assert write_expression(made.then) == "p.mode is A or p.mode is B"


def test_an_invariant_for_each_row() -> None:
    made = invariant(
        'always "n" for each position as x\n  when x.notional > 5 USD and halt\n  then actions excludes ADD'
    )
    assert made.scope == p.Scope("position", "position")
    assert write_expression(made.when) == "position.notional > 5 USD and p.halt"
    assert isinstance(made.then, p.Includes)
    assert made.then.operand.row == p.Row("position", "position")


def test_an_invariant_reads_outputs_either_way() -> None:
    assert codes(DECLARED + 'always "n"\n  when mode is B\n  then size > 5% and halt is no\n') == []


def test_a_flag_alone_is_what_an_invariant_may_claim() -> None:
    made = invariant('always "n"\n  then halt')
    assert made.then == p.IsTrue(p.OutputRead("p.halt", None, FLAG))
