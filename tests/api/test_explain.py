from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.conftest import Run

pytestmark = pytest.mark.usefixtures("rules")


def test_a_rule(run: Run) -> None:
    shown = run("explain", "desk.crash").stdout
    assert "rule desk.crash, rules/desk.rules:14" in shown
    assert "when account.drawdown > deep" in shown
    assert "runs: enforced" in shown
    assert "  desk.halt\n  desk.less\n" in shown
    assert "desk: a deep drawdown makes the desk safe" in shown


def test_a_rule_as_json(run: Run) -> None:
    found = json.loads(run("explain", "tired", "--json").stdout)
    assert (found["id"], found["kind"], found["runs"]) == ("desk.tired", "rule", ["observing: it binds nothing"])
    assert found["reads"] == ["account.losing_streak"]


def test_an_output(run: Run) -> None:
    shown = run("explain", "risk_mode").stdout
    assert "output risk_mode: SAFE < CAUTIOUS < NORMAL\n  starts NORMAL\n  tightens down" in shown
    assert "starts: NORMAL" in shown
    assert "acted on by:\n  desk.crash\n  desk.rough\n  desk.tired" in shown


def test_a_param(run: Run) -> None:
    shown = run("explain", "deep").stdout
    assert "value: 5%" in shown
    assert "may be: 1% to 10%" in shown
    assert "used by: desk.crash" in shown


def test_a_fact(run: Run) -> None:
    shown = run("explain", "account.drawdown").stdout
    assert "fact account.drawdown" in shown
    assert "range: at least 0%" in shown
    assert "read by: desk.crash" in shown
    assert "range: 0% to 100%" in run("explain", "system.error_rate").stdout


def test_a_code(run: Run) -> None:
    shown = run("explain", "rf204").stdout
    assert shown.startswith("# RF204: ")
    assert "## Example" in shown
    found = json.loads(run("explain", "RF204", "--json").stdout)
    assert (found["code"], found["page"].rstrip()) == ("RF204", shown.rstrip())
    assert found["title"] == shown.splitlines()[0].removeprefix("# RF204: ")


def test_a_code_that_there_is_not(run: Run) -> None:
    assert "there is no page on `RF999`" in run("explain", "RF999", code=2).output


def test_an_id_that_there_is_not(run: Run) -> None:
    assert "did you mean `desk.crash`?" in run("explain", "desk.crach", code=2).output


def test_a_name_that_could_be_two(run: Run) -> None:
    assert "could be" in run("explain", "volatility", code=2).output


def test_one_thing_at_a_time(run: Run, state: Path) -> None:
    assert "name one thing to explain" in run("explain", code=2).output
    assert "name one thing to explain" in run("explain", "desk.crash", "--state", state, code=2).output


def test_a_state(run: Run, state: Path) -> None:
    shown = run("explain", "--state", state).stdout
    assert "desk.crash: drawdown 6.1% is over 5%" in shown
    assert "account.drawdown > desk.deep: true (6.1% against 5%, 1.1% apart)" in shown
    assert "desk.risk_mode would be NORMAL with account.drawdown from 6.1% to 5%" in shown
    assert 'verdict["r1"] would be ALLOW with' in shown


def test_a_state_as_json(run: Run, state: Path) -> None:
    found = json.loads(run("explain", "--state", state, "--output", "risk_mode", "--json").stdout)
    [reason] = found["reasons"]
    assert reason["saw"] == {"account.drawdown": "6.1%"}
    assert reason["comparisons"][0]["apart"] == "1.1%"
    assert found["otherwise"] == [
        {
            "output": "desk.risk_mode",
            "entity": None,
            "moves": ["account.drawdown from 6.1% to 5%"],
            "from": "SAFE",
            "to": "NORMAL",
        }
    ]


def test_a_state_that_is_not_there(run: Run) -> None:
    assert "error[RF701]" in run("explain", "--state", "nowhere.json", code=2).stderr
