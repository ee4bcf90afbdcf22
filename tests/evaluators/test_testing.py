"""The runner of tests in rule files."""

from __future__ import annotations

import pytest

from evaluators.testing import START, judges, run_cases, states
from modules.facts import default_catalogue
from policy_dsl.bundle import load_text

CATALOGUE = default_catalogue()

HEAD = """
policy a version 1.0.0
param limit = 3% in 1% to 10%
output mode: LOW < HIGH starts HIGH
output acts for each position: set of ADD
rule deep when account.drawdown > limit tighten mode to LOW
rule add for each position when position.symbol.tier is CORE permit ADD(25%)
rule deny_young for each request when request.confidence < 50% deny
rule crowd when count(position) >= 2 tighten mode to LOW
"""

ONE = judges(("interpreter",))


def outcome(tests: str, configuration: str = "") -> dict[str, bool]:
    files = {"a.rules": HEAD + tests}
    if configuration:
        files["ringfence.toml"] = configuration
    return {r.case.name: r.passed for r in run_cases(load_text(files, CATALOGUE), CATALOGUE, ONE)}


def test_given_facts_lie_on_calm_ones() -> None:
    assert outcome('test "deep" given account.drawdown = 4% expect mode is LOW test "calm" expect mode is HIGH') == {
        "deep": True,
        "calm": True,
    }


def test_a_failure_shows_what_was_found_in_which_evaluator() -> None:
    bundle = load_text({"a.rules": HEAD + 'test "wrong" expect mode is LOW'}, CATALOGUE)
    (result,) = run_cases(bundle, CATALOGUE, ONE)
    (failure,) = result.failures
    assert failure.evaluator == "interpreter"
    assert failure.found == (("a.mode", "HIGH"),)
    assert bundle.sources["a.rules"].text[failure.span.start : failure.span.end] == "mode is LOW"


def test_a_table_makes_a_case_of_every_row() -> None:
    table = """
test "where it bites"
  | account.drawdown | mode |
  | 3%               | HIGH |
  | 3.01%            | LOW  |
  | missing          | LOW  |
"""
    assert outcome(table) == {"where it bites": True}
    assert outcome(table.replace("HIGH |", "LOW  |")) == {"where it bites": False}


def test_facts_are_carried_forward_in_time() -> None:
    timeline = """
test "timeline"
  at 0m given account.drawdown = 4%
  at 5m given market.volatility = HIGH
  at 9m expect mode is LOW
  at 10m given account.drawdown = 0% expect mode is HIGH
"""
    assert outcome(timeline) == {"timeline": True}
    bundle = load_text({"a.rules": HEAD + timeline}, CATALOGUE)
    assert [s.ts - START for s in states(bundle.cases[0], CATALOGUE)] == [540_000, 600_000]


def test_a_row_that_is_only_referred_to_is_calm() -> None:
    text = """
test "core is added" given position["p1"].symbol = "BTCUSDT", symbol["BTCUSDT"].tier = CORE
  expect acts["p1"] includes ADD
test "a position that nobody gives"  given position["p1"].symbol = missing expect acts["p1"] excludes ADD
"""
    assert outcome(text) == {"core is added": True, "a position that nobody gives": True}


def test_a_missing_collection_is_not_an_empty_one() -> None:
    text = 'test "gone" given position = missing expect mode is LOW test "none" expect mode is HIGH'
    assert outcome(text) == {"gone": True, "none": True}


def test_tests_judge_what_is_written_not_what_is_configured() -> None:
    text = 'test "bites" given account.drawdown = 4% expect mode is LOW'
    assert outcome(text, '[modes]\na = "observe"\n[params]\n"a.limit" = "9%"\n') == {"bites": True}
    assert outcome(text, '[modes]\na = "off"\n') == {"bites": True}


def test_the_clock_of_a_test_can_be_set() -> None:
    text = """
rule once except until 2026-06-01 when account.drawdown < 1% because "OPS-1" tighten mode to LOW
test "before" expect mode is HIGH
test "after" given clock.now = 2026-06-02 expect mode is LOW
"""
    assert outcome(text) == {"before": True, "after": True}


def test_a_match_picks_tests_by_policy_and_name() -> None:
    bundle = load_text({"a.rules": HEAD + 'test "x" expect mode is HIGH test "y" expect mode is HIGH'}, CATALOGUE)
    assert [r.case.name for r in run_cases(bundle, CATALOGUE, ONE, match="a: y")] == ["y"]


def test_an_unknown_evaluator_is_refused() -> None:
    with pytest.raises(KeyError):
        judges(("abacus",))
