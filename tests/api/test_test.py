from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from api.case_reports import failure_text
from evaluators.testing import CaseResult, Failure, Found
from modules.facts import CATALOGUE
from policy_dsl.bundle import load_text
from tests.api.conftest import DESK, Run


@pytest.fixture
def failing(rules: Path) -> Path:
    """The desk's rules, with a test that does not hold."""
    (rules / "desk.rules").write_text(DESK.replace("is SAFE and max", "is NORMAL and max"), encoding="utf-8")
    return rules


def test_tests_that_pass(run: Run, rules: Path) -> None:
    assert run("test", rules).stdout == "2 tests in three evaluators: 2 passed, 0 failed\n"


def test_a_failure_shows_its_source_and_what_was_found(run: Run, failing: Path) -> None:
    shown = run("test", failing, code=1).stdout
    assert "FAILED desk: a deep drawdown makes the desk safe" in shown
    assert "expect risk_mode is NORMAL and max_exposure is 50%" in shown
    assert "`desk.risk_mode` is SAFE" in shown
    assert "in every evaluator" in shown
    assert shown.splitlines()[-1] == "2 tests in three evaluators: 1 passed, 1 failed"


def test_results_as_json(run: Run, failing: Path) -> None:
    found = json.loads(run("test", failing, "--json", code=1).stdout)
    assert (found["passed"], found["failed"]) == (1, 1)
    [failed] = [t for t in found["tests"] if not t["passed"]]
    assert {f["evaluator"] for f in failed["failures"]} == {"interpreter", "python", "duckdb"}
    assert failed["failures"][0]["found"]["desk.risk_mode"] == "SAFE"


def test_results_as_junit(run: Run, failing: Path, tmp_path: Path) -> None:
    run("test", failing, "--junit", "results.xml", code=1)
    suite = ET.parse(tmp_path / "results.xml").getroot()  # noqa: S314 -- the file is our own
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == [
        "a deep drawdown makes the desk safe"
    ]


OVER_TIME = """\
policy desk version 1.0.0

output mode: SAFE < NORMAL
  starts NORMAL
  relaxes after 30m

output stop for each position: TIGHT < WIDE
  starts WIDE

rule crash
  when account.drawdown > 5%
  tighten mode to SAFE
  tighten stop to TIGHT

test "the mode is held for half an hour"
  every 1m account.drawdown = 6% x5, 0%
  given position["p1"].notional = 5 USD
  at 20m  expect mode is SAFE
  at 34m  expect mode is SAFE and stop["p1"] is WIDE
  at 90m  expect mode is SAFE

test "beside a table"
  at 5m
  | account.drawdown | mode   |
  | 0%               | NORMAL |
  | 6%               | SAFE   |
  at 10m  expect mode is NORMAL
  at 15m  expect mode is SAFE

test "without time"
  given account.drawdown = 6%
  expect mode is NORMAL
"""


@pytest.fixture
def over_time(rules: Path) -> Path:
    """Rules that keep what was, with tests that do not hold."""
    (rules / "desk.rules").write_text(OVER_TIME, encoding="utf-8")
    return rules


def test_a_failure_of_a_timeline_says_when_it_was_and_since_when(run: Run, over_time: Path) -> None:
    shown = run("test", over_time, "-k", "half an hour", code=1).stdout
    assert """\
FAILED desk: the mode is held for half an hour
this does not hold at 34m, in every evaluator:
  rules/desk.rules:19:18
19 |   at 34m  expect mode is SAFE and stop["p1"] is WIDE
   |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  `desk.mode` is NORMAL since 34m, and was SAFE before
  `desk.stop["p1"]` is WIDE since 5m, and was TIGHT before
this does not hold at 90m, in every evaluator:
  rules/desk.rules:20:18
20 |   at 90m  expect mode is SAFE
   |                  ^^^^^^^^^^^^
  `desk.mode` is NORMAL since 34m, and was SAFE before

1 test in three evaluators: 0 passed, 1 failed
""" in shown.replace(f"{over_time.parent}/", "")


def test_a_failure_beside_a_table_says_with_which_row(run: Run, over_time: Path) -> None:
    shown = run("test", over_time, "-k", "beside", code=1).stdout
    lines = [line for line in shown.splitlines() if line.startswith(("this", "  `"))]
    assert lines == [
        "this does not hold at 15m, with row 1 of the table, in every evaluator:",
        "  `desk.mode` is NORMAL, as from the start",
        "this does not hold at 10m, with row 2 of the table, in every evaluator:",
        "  `desk.mode` is SAFE since 5m, and was NORMAL before",
    ]


def test_a_failure_of_one_moment_says_no_time(run: Run, over_time: Path) -> None:
    shown = run("test", over_time, "-k", "without", code=1).stdout
    assert "this does not hold, in every evaluator:" in shown
    assert "  `desk.mode` is SAFE\n" in shown


def test_times_in_json(run: Run, over_time: Path) -> None:
    found = json.loads(run("test", over_time, "-k", "half an hour", "--json", code=1).stdout)
    first = found["tests"][0]["failures"][0]
    assert (first["after_seconds"], first["case"]) == (2040, 0)
    assert first["found"] == {"desk.mode": "NORMAL", 'desk.stop["p1"]': "WIDE"}
    assert first["since_seconds"] == {"desk.mode": 2040, 'desk.stop["p1"]': 300}


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        (("interpreter", "python", "duckdb"), "in every evaluator"),
        (("python", "duckdb"), "in python and duckdb"),
        (("duckdb",), "in duckdb"),
    ],
)
def test_a_failure_names_the_evaluators_that_found_it(failed: tuple[str, ...], said: str) -> None:
    bundle = load_text({"desk.rules": OVER_TIME}, CATALOGUE)
    case = bundle.cases[0]
    found = (Found("desk.mode", "SAFE", 0),)
    failures = tuple(Failure(name, 0, 0, case.span, found) for name in failed)
    shown = failure_text(CaseResult(case, ("interpreter", "python", "duckdb"), failures), bundle)
    assert shown.splitlines()[1] == f"this does not hold at 0m, {said}:"
    assert shown.count("this does not hold") == 1


def test_one_test_by_name(run: Run, rules: Path) -> None:
    assert run("test", rules, "-k", "bites").stdout.startswith("1 test in")
    assert "no test has `nothing like it`" in run("test", rules, "-k", "nothing like it", code=2).output


def test_rules_with_errors_are_refused(run: Run, rules: Path) -> None:
    (rules / "desk.rules").write_text(DESK.replace("> deep", "> 5"), encoding="utf-8")
    assert "error[RF204]" in run("test", rules, code=2).stderr


def test_results_that_cannot_be_written(run: Run, rules: Path) -> None:
    assert "cannot be written" in run("test", rules, "--junit", "no/such/place.xml", code=2).output
