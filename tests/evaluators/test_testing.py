"""The runner of tests in rule files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from evaluators import testing
from evaluators.back_ends import BACK_ENDS, BackEnd, Decide
from evaluators.decision import Decision
from evaluators.snapshot import Snapshot
from evaluators.testing import START, CaseResult, Found, judges, run_cases, states
from modules.facts import default_catalogue
from policy_dsl.bundle import load_text
from policy_dsl.program import Program

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
    assert failure.found == (Found("a.mode", "HIGH", since=0),)
    assert (result.passed, result.evaluators) == (False, ("interpreter",))
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


# --- time ------------------------------------------------------------------------------------------------------------

LASTING = """
policy a version 1.0.0
output mode: LOW < MIDDLE < HIGH
  starts HIGH
  relaxes after 5m
output stop for each position: TIGHT < WIDE
  starts WIDE
output held: LOW < HIGH
  starts HIGH
  latches until operator.reset_requested
rule deep when account.drawdown > 3% tighten mode to MIDDLE
rule crash when account.drawdown > 10% throughout 3m tighten mode to LOW
rule stops when count(trade where trade.exit is STOP_LOSS over 10m) >= 2 tighten held to LOW
rule back for each position when lowest(position.r_multiple over 3m) < 0R tighten stop to TIGHT
"""

TIMELINES = {
    "it relaxes": """
      at 0m  given account.drawdown = 4%
      at 1m  given account.drawdown = 0% expect mode is MIDDLE
      at 4m  expect mode is MIDDLE
      at 5m  expect mode is HIGH""",
    "a series": """
      every 1m account.drawdown = 0% x2, 11% x4, 0%
      at 1m  expect mode is HIGH
      at 4m  expect mode is MIDDLE
      at 5m  expect mode is LOW""",
    "a gap": """
      every 1m account.drawdown = 11% x10
      at 3m  given clock.now = 2026-01-01T00:20Z
             expect mode is LOW
      at 9m  expect mode is LOW""",
    "events": """
      at 1m   given trade["t1"].exit = STOP_LOSS
              expect held is HIGH
      at 12m  given trade["t2"].exit = STOP_LOSS
              expect held is HIGH
      at 13m  given trade["t3"].exit = STOP_LOSS
              expect held is LOW
      at 40m  expect held is LOW
      at 41m  given operator.reset_requested = yes
              expect held is HIGH""",
    "an event that is told of late": """
      at 20m  given trade["t1"].exit = STOP_LOSS, trade["t1"].closed_at = 2026-01-01,
                    trade["t2"].exit = STOP_LOSS
              expect held is HIGH""",
    "rows": """
      given position["p1"].r_multiple = -1R, position["p2"].r_multiple = 1R
      expect stop["p1"] is TIGHT and stop["p2"] is WIDE
      at 1m  given position["p1"].r_multiple = 1R
      at 2m  expect stop["p1"] is TIGHT
      at 3m  expect stop["p1"] is WIDE""",
    "a table": """
      every 1m account.drawdown = 4%, 0% x9
      at 3m
      | market.volatility | mode   |
      | LOW               | MIDDLE |
      | HIGH              | MIDDLE |
      at 9m  expect mode is HIGH""",
    "another cadence": """
      every 10m account.drawdown = 4%, 0%
      at 10m  expect mode is HIGH""",
}


def lasting(steps: str, evaluators: dict[str, BackEnd] | None = None, name: str = "t") -> CaseResult:
    bundle = load_text({"a.rules": f'{LASTING}test "{name}"\n{steps}\n'}, CATALOGUE)
    (result,) = run_cases(bundle, CATALOGUE, evaluators)
    return result


@pytest.mark.parametrize("steps", TIMELINES.values(), ids=TIMELINES.keys())
def test_a_timeline_is_judged_in_every_evaluator(steps: str) -> None:
    result = lasting(steps)
    assert result.evaluators == ("interpreter", "python", "duckdb")
    assert result.failures == ()


@pytest.mark.parametrize("steps", TIMELINES.values(), ids=TIMELINES.keys())
def test_timelines_stand_side_by_side_as_alone(steps: str) -> None:
    tests = "".join(f'test "{name}"\n{text}\n' for name, text in TIMELINES.items())
    bundle = load_text({"a.rules": LASTING + tests}, CATALOGUE)
    (name,) = [name for name, text in TIMELINES.items() if text == steps]
    alone = [r for r in run_cases(bundle, CATALOGUE, ONE) if r.case.name == name]
    assert [r.passed for r in alone] == [True]


def test_a_failure_says_when_and_since_when() -> None:
    steps = """
      every 1m account.drawdown = 0% x2, 4% x3, 0% x10
      given position["p1"].r_multiple = 1R
      at 3m   expect mode is HIGH
      at 8m   expect mode is HIGH and stop["p1"] is TIGHT
      at 14m  expect mode is LOW or account.drawdown > 2%"""
    failures = lasting(steps, ONE).failures
    assert [(f.at, f.found) for f in failures] == [
        (180_000, (Found("a.mode", "MIDDLE", 120_000, "HIGH"),)),
        (480_000, (Found("a.mode", "MIDDLE", 120_000, "HIGH"), Found('a.stop["p1"]', "WIDE", 0))),
        (840_000, (Found("a.mode", "HIGH", 540_000, "MIDDLE"), Found("account.drawdown", "0%"))),
    ]


def test_a_value_is_followed_back_across_failures_and_not_across_tests() -> None:
    steps = "every 1m account.drawdown = 4% x10\n" + "\n".join(
        f"at {n}m expect mode is HIGH expect mode is LOW" for n in range(10)
    )
    failures = lasting(steps, ONE).failures
    assert len(failures) == 20
    assert {f.found for f in failures} == {(Found("a.mode", "MIDDLE", 0),)}
    table = "at 1m\n| account.drawdown | mode |\n| 4% | LOW |\n| 0% | LOW |\n| 0% | LOW |"
    assert [f.found for f in lasting(table, ONE).failures] == [
        (Found("a.mode", "MIDDLE", 60_000, "HIGH"),),
        (Found("a.mode", "HIGH", 0),),
        (Found("a.mode", "HIGH", 0),),
    ]


def test_what_a_fold_in_an_expectation_comes_to_is_shown() -> None:
    steps = 'given position["p1"].r_multiple = 2R expect count(position where position.r_multiple > 1R) is 2'
    (failure,) = lasting(steps, ONE).failures
    assert failure.found == (Found("count(position where position.r_multiple > 1R)", "1"),)


@dataclass
class Calls:
    """An evaluator that notes what it is asked, and loosens nothing unless it is told to."""

    asked: list[tuple[int, list[Snapshot]]] = field(default_factory=list)
    wrong: str | None = None

    def __call__(self, program: Program, *, max_gap: int = 0) -> Decide:
        decide = BACK_ENDS["interpreter"](program, max_gap=max_gap)

        def noted(snapshots: list[Snapshot]) -> list[Decision]:
            self.asked.append((max_gap, snapshots))
            return [
                d if self.wrong is None else replace(d, outputs={**d.outputs, self.wrong: 0}) for d in decide(snapshots)
            ]

        return noted


def test_tests_of_one_cadence_are_decided_in_one_call_each_a_book_of_its_own() -> None:
    tests = """
    test "now" expect mode is HIGH
    test "a minute" at 2m expect mode is HIGH
    test "half a minute" every 30s at 1m expect mode is HIGH
    test "a table" at 1m
      | account.drawdown | mode |
      | 0%               | HIGH |
      | 1%               | HIGH |
    """
    calls = Calls()
    bundle = load_text({"a.rules": LASTING + tests}, CATALOGUE)
    results = list(run_cases(bundle, CATALOGUE, {"noting": calls}))
    assert [r.case.name for r in results] == ["now", "a minute", "half a minute", "a table"]
    assert [(gap, [s.book for s in snapshots]) for gap, snapshots in calls.asked] == [
        (180_000, ["test-0", *["test-1"] * 3, *["test-3"] * 2, *["test-4"] * 2]),
        (90_000, ["test-2"] * 3),
    ]


def test_no_call_takes_more_snapshots_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    tests = "".join(f'test "{n}" at {n}m expect mode is LOW\n' for n in range(6))
    bundle = load_text({"a.rules": LASTING + tests}, CATALOGUE)
    monkeypatch.setattr(testing, "MOST_SNAPSHOTS", 7)
    calls = Calls()
    results = list(run_cases(bundle, CATALOGUE, {"noting": calls}))
    assert [len(snapshots) for _, snapshots in calls.asked] == [6, 4, 5, 6]
    assert [[f.at for f in r.failures] for r in results] == [[n * 60_000] for n in range(6)]


def test_failures_stand_in_order_of_row_time_expectation_and_evaluator() -> None:
    steps = """
      at 1m
      | account.drawdown | mode | held |
      | 0%               | LOW  | LOW  |
      | 4%               | LOW  | HIGH |
      at 2m  expect mode is HIGH"""
    result = lasting(steps, {"one": Calls(), "two": Calls(wrong="a.mode")})
    assert [(f.variant, f.at, f.evaluator) for f in result.failures] == [
        (0, 60_000, "one"),
        (0, 60_000, "one"),
        (0, 60_000, "two"),
        (0, 120_000, "two"),
        (1, 60_000, "one"),
        (1, 120_000, "one"),
        (1, 120_000, "two"),
    ]


def test_a_long_test_is_run_to_its_end() -> None:
    result = lasting("every 1h account.drawdown = 4%, 0% at 500h expect mode is HIGH", ONE)
    assert result.passed
