from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

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


def test_one_test_by_name(run: Run, rules: Path) -> None:
    assert run("test", rules, "-k", "bites").stdout.startswith("1 test in")
    assert "no test has `nothing like it`" in run("test", rules, "-k", "nothing like it", code=2).output


def test_rules_with_errors_are_refused(run: Run, rules: Path) -> None:
    (rules / "desk.rules").write_text(DESK.replace("> deep", "> 5"), encoding="utf-8")
    assert "error[RF204]" in run("test", rules, code=2).stderr


def test_results_that_cannot_be_written(run: Run, rules: Path) -> None:
    assert "cannot be written" in run("test", rules, "--junit", "no/such/place.xml", code=2).output
