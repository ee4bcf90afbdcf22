"""Tests and invariants of rule files: what is given when, and what is expected then."""

from __future__ import annotations

import pytest

from policy_dsl import nodes
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
    ('position["p1"] = missing', {'position["p1"]': None}),
    ('trade["t1"].r_multiple = -1R', {'trade["t1"].r_multiple': -(10**9)}),
    ('trade["t1"].closed_at = missing', {'trade["t1"].closed_at': None}),
    ('trade["t1"].closed_at = 2026-01-01', {'trade["t1"].closed_at': 1_767_225_600_000}),
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


DRAWDOWN = Assignment("account", None, "drawdown", None)


@pytest.mark.parametrize(
    "series",
    [
        "series account.drawdown = 0% x2, 4%, missing x2",
        "every 30s account.drawdown = 0% x2, 4%, missing x2",
        "series account.drawdown = 0% x2, 4%, missing x2 every 30s",
    ],
)
def test_a_series_gives_one_value_a_snapshot(series: str) -> None:
    made = case(f"{series}\nexpect mode is B")
    assert made.timed
    assert made.cadence == (30_000 if "every" in series else DEFAULT_CADENCE)
    (found,) = made.timelines
    assert found == Timeline(DRAWDOWN, (0, 40_000_000, None), (2, 3, 5))
    assert [found.value(number) for number in range(7)] == [0, 0, 40_000_000, None, None, None, None]


def test_several_series_have_one_cadence() -> None:
    made = case(
        'every 5m account.drawdown = 0%\nevery 300s position["p1"].r_multiple = 1R\nseries market.volatility = LOW\n'
        "expect halt"
    )
    assert made.cadence == 300_000
    assert [(t.target.entity, t.target.key) for t in made.timelines] == [
        ("account", None),
        ("position", "p1"),
        ("market", None),
    ]


def test_where_no_step_says_when_what_is_expected_is_so_at_the_end_of_the_longest_series() -> None:
    made = case(
        "given market.volatility = LOW\nevery 30s account.drawdown = 0% x5, 4%\nseries account.net_exposure = 0%\n"
        "expect mode is B"
    )
    ((first, last),) = made.variants
    assert (first.at, given(first), expected(first)) == (0, {"market.volatility": 0}, [])
    assert (last.at, given(last), expected(last)) == (150_000, {}, ["p.mode is B"])


def test_a_series_of_one_value_is_one_snapshot() -> None:
    ((moment,),) = case("series account.drawdown = 4%\nexpect mode is B").variants
    assert (moment.at, expected(moment)) == (0, ["p.mode is B"])


def test_a_table_beside_a_series_is_meant_at_its_end() -> None:
    made = case("every 1m account.drawdown = 0% x3\n| market.volatility | mode |\n| LOW | B |\n| HIGH | A |")
    assert [[m.at for m in moments] for moments in made.variants] == [[0, 120_000]] * 2
    assert [given(moments[-1]) for moments in made.variants] == [{"market.volatility": 0}, {"market.volatility": 2}]


def test_steps_beside_a_series_that_say_when_are_meant_then() -> None:
    made = case("every 1m account.drawdown = 0% x3\nat 0m expect mode is B\nat 2m expect halt")
    assert [[(m.at, expected(m)) for m in moments] for moments in made.variants] == [
        [(0, ["p.mode is B"]), (120_000, ["p.halt"])]
    ]


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


def test_a_row_of_a_table_is_given_at_the_time_of_its_table() -> None:
    made = case("at 5m\n| account.drawdown | mode |\n| 0% | B |\n| 1% | B |\nat 10m expect halt")
    assert [[(m.at, expected(m)) for m in v] for v in made.variants] == [
        [(300_000, ["p.mode is B"]), (600_000, ["p.halt"])]
    ] * 2
    assert [given(v[0]) for v in made.variants] == [{"account.drawdown": 0}, {"account.drawdown": 10_000_000}]
    assert [given(v[1]) for v in made.variants] == [{}, {}]


def test_a_column_may_be_of_an_event_or_of_a_row() -> None:
    made = case(
        """given trade["t1"].symbol = "A"
  | trade["t1"].r_multiple | position["p1"] | halt |
  | -1R                    | missing        | no   |"""
    )
    ((moment,),) = made.variants
    assert given(moment) == {'trade["t1"].symbol': "A", 'trade["t1"].r_multiple': -(10**9), 'position["p1"]': None}


def test_a_time_without_a_step_is_a_moment_too() -> None:
    made = case("at 90s\nat 5m expect halt")
    assert [m.at for m in made.variants[0]] == [90_000, 300_000]


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
    ("given trade.r_multiple = 2R\nexpect halt", ["RF209"]),
    ("given trade = missing\nexpect halt", ["RF206"]),
    ('given trade["t1"] = missing\nexpect halt', ["RF206"]),
    ('given trade["t1"] = 5\nexpect halt', ["RF202"]),
    ('given trade["t1"].size = 5\nexpect halt', ["RF202"]),
    ('given trade["t1"].r_multiple = 5 USD\nexpect halt', ["RF204"]),
    ('given trade["t1"].symbol.tier = CORE\nexpect halt', ["RF202"]),
    ('series trade["t1"].r_multiple = 5R\nexpect halt', ["RF209"]),
    ('series trade["t1"] = missing\nexpect halt', ["RF206"]),
    ('series position["p1"] = missing\nexpect halt', ["RF202"]),
    ("series account.drawdown = 5% x0\nexpect halt", ["RF303"]),
    ("series account.drawdown = 101%\nexpect halt", ["RF313"]),
    ("series clock.now = 2026-06-01\nexpect halt", ["RF311"]),
    ("every 0m account.drawdown = 5%\nexpect halt", ["RF303"]),
    ("every 5m account.drawdown = 5%\nevery 1m\nexpect halt", ["RF316"]),
    ("every 5m\nevery 1m\nexpect halt", ["RF316"]),
    ("series account.drawdown = 5%\nseries account.drawdown = 5%\nexpect halt", ["RF315"]),
    ("given account.drawdown = 5%\nseries account.drawdown = 5%\nexpect halt", ["RF315"]),
    ("series account.drawdown = 5%\n| account.drawdown | halt |\n| 5% | no |\n| 6% | no |", ["RF315"]),
    ("expect (halt) throughout 5m", ["RF317"]),
    ("expect previous(halt)", ["RF317"]),
    ("expect change(size over 1h) < 0%", ["RF317"]),
    ("| account.drawdown | (halt) within 5m |\n| 5% | no |", ["RF317"]),
    ("given clock.now = 2026-06-01\nat 5m given clock.now = 2026-05-01 expect halt", ["RF311"]),
    ("at 5m given clock.now = 2026-01-01T00:04Z expect halt", ["RF311"]),
    ("every 2m at 5m given clock.now = 2026-01-01T00:04Z expect halt", ["RF311"]),
    ("given clock.now = 9999-12-31\nat 1d expect halt", ["RF314"]),
    ("at 50_000m\n| account.drawdown | halt |\n| 5% | no |\n| 6% | no |", ["RF314"]),
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


ACCEPTED = [
    'given position["p1"].r_multiple = 1R series position["p1"].notional = 5 USD expect halt',
    'series position["p1"].notional = 5 USD x10 at 5m given position["p1"] = missing at 9m expect halt',
    "given clock.now = missing at 5m given clock.now = 2026-06-01 expect halt",
    "at 5m given clock.now = 2026-01-01T00:04:30Z expect halt",
    "every 2m at 5m given clock.now = 2026-01-01T00:04:30Z expect halt",
    "given clock.now = 2020-01-01 at 5m given clock.now = 2026-01-01 expect halt",
    "at 99_999m expect halt",
    "expect count(position where position.r_multiple > 0R) is 0",
]


@pytest.mark.parametrize("steps", ACCEPTED)
def test_what_tests_may_say(steps: str) -> None:
    assert codes(f'{DECLARED}test "t"\n{steps}\n') == []


def test_a_series_that_goes_on_after_the_test_is_told_of() -> None:
    text = 'test "t"\n  series account.drawdown = 0% x{n}\n  at 90s  expect halt\n'
    assert codes(DECLARED + text.format(n=2)) == []
    assert codes(DECLARED + text.format(n=3)) == ["RF504"]


def test_two_tests_of_a_policy_have_two_names() -> None:
    text = 'test "t"\n  expect halt\n'
    assert codes(DECLARED + text + text) == ["RF301"]
    other = {
        "q.rules": f"policy q version 1.0.0\n{DECLARED}{text}",
        "p.rules": f"policy p version 1.0.0\n{DECLARED}{text}",
    }
    assert codes(other) == []


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
    assert (made.policy, made.name, made.scope, made.when) == ("p", "n", None, nodes.TRUE)
    assert write_expression(made.then) == "p.mode is A or p.mode is B"


def test_an_invariant_for_each_row() -> None:
    made = invariant(
        'always "n" for each position as x\n  when x.notional > 5 USD and halt\n  then actions excludes ADD'
    )
    assert made.scope == p.Scope("position", "position")
    assert write_expression(made.when) == "position.notional > 5 USD and p.halt"
    assert isinstance(made.then, nodes.Includes)
    assert made.then.operand.row == nodes.Row("position", "position")


def test_an_invariant_reads_outputs_either_way() -> None:
    assert codes(DECLARED + 'always "n"\n  when mode is B\n  then size > 5% and halt is no\n') == []


def test_a_flag_alone_is_what_an_invariant_may_claim() -> None:
    made = invariant('always "n"\n  then halt')
    assert made.then == nodes.IsTrue(nodes.OutputRead("p.halt", None, FLAG))
