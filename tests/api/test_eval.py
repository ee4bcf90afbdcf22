from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.engines import Engine
from tests.api.conftest import Run


@pytest.mark.parametrize("engine", list(Engine))
def test_a_state_as_json(run: Run, rules: Path, state: Path, engine: Engine) -> None:
    found = json.loads(run("eval", "--rules", rules, "--state", state, "--json", "--engine", engine).stdout)
    assert (found["ts"], found["book"]) == ("2025-10-10T21:00:00Z", "main")
    assert found["outputs"] == {"desk.risk_mode": "SAFE", "desk.max_exposure": 0.5, "verdict": {"r1": "DENY"}}
    crash = next(r for r in found["reasons"] if r["rule"] == "desk.crash")
    assert crash == {
        "rule": "desk.crash",
        "entity": None,
        "because": "drawdown 6.1% is over 5%",
        "definite": True,
        "binds": ["desk.risk_mode"],
        "at": f"{rules}/desk.rules:14",
    }
    assert found["alerts"] == [
        {"level": "CRITICAL", "rule": "desk.crash", "entity": None, "because": "drawdown 6.1% is over 5%"}
    ]
    assert found["would_be"] == {}


def test_a_state_for_people(run: Run, rules: Path, state: Path) -> None:
    shown = run("eval", "--rules", rules, "--state", state).stdout
    assert "desk.crash: drawdown 6.1% is over 5%" in shown
    assert 'verdict["r1"]' in shown
    assert "CRITICAL desk.crash" in shown


def test_what_observing_rules_would_do(run: Run, rules: Path, state: Path) -> None:
    calm = json.loads(state.read_text(encoding="utf-8"))
    calm["account"] = {"drawdown": 0, "losing_streak": 3}
    state.write_text(json.dumps(calm), encoding="utf-8")
    found = json.loads(run("eval", "--rules", rules, "--state", state, "--json").stdout)
    assert found["outputs"]["desk.risk_mode"] == "NORMAL"
    assert found["would_be"] == {"desk.risk_mode": "CAUTIOUS"}
    shown = run("eval", "--rules", rules, "--state", state).stdout
    assert "observing rules would have it: desk.risk_mode = CAUTIOUS" in shown


def test_one_output(run: Run, rules: Path, state: Path) -> None:
    found = json.loads(run("eval", "--state", state, "--output", "risk_mode", "--json").stdout)
    assert found["outputs"] == {"desk.risk_mode": "SAFE"}
    assert [r["rule"] for r in found["reasons"]] == ["desk.crash"]
    assert "did you mean `desk.risk_mode`?" in run("eval", "--state", state, "--output", "risk_mood", code=2).output
    assert rules.exists()


@pytest.mark.usefixtures("rules")
def test_a_timeline_gives_a_line_each(run: Run, tmp_path: Path) -> None:
    lines = [{"book": "main", "ts": f"2025-10-10T21:0{m}:00Z", "account": {"drawdown": m / 20}} for m in range(3)]
    (tmp_path / "day.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    found = [json.loads(line) for line in run("eval", "--state", "day.jsonl", "--calm", "--json").stdout.splitlines()]
    assert [f["outputs"]["desk.risk_mode"] for f in found] == ["NORMAL", "NORMAL", "SAFE"]


@pytest.mark.usefixtures("rules")
def test_what_is_left_out_is_missing_unless_calm(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"book": "main", "ts": "2025-10-10T21:00:00Z"}', encoding="utf-8")
    missing = json.loads(run("eval", "--state", "s.json", "--json").stdout)
    assert (missing["outputs"]["desk.risk_mode"], missing["reasons"][0]["definite"]) == ("SAFE", False)
    assert "because something is missing" in run("eval", "--state", "s.json").stdout
    calm = json.loads(run("eval", "--state", "s.json", "--calm", "--json").stdout)
    assert calm["outputs"]["desk.risk_mode"] == "NORMAL"


@pytest.mark.usefixtures("rules")
def test_what_is_taken_as_missing_is_noted(run: Run, tmp_path: Path) -> None:
    document = '{"book": "main", "ts": "2025-10-10T21:00:00Z", "account": {"drawdown": -7}}'
    (tmp_path / "s.json").write_text(document, encoding="utf-8")
    result = run("eval", "--state", "s.json", "--json")
    assert "note[RF721]" in result.stderr
    assert json.loads(result.stdout)["outputs"]["desk.risk_mode"] == "SAFE"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('{"book": "main", ', "RF702"),
        ("[1, 2]", "RF704"),
        ('{"book": "main", "ts": "2025-10-10T21:00:00Z", "acount": {}}', "RF705"),
        ('{"book": "main", "ts": "2025-10-10T21:00:00Z", "market": {"volatility": "WILD"}}', "RF707"),
    ],
)
@pytest.mark.usefixtures("rules")
def test_a_bad_state_is_refused(run: Run, tmp_path: Path, content: str, code: str) -> None:
    (tmp_path / "s.json").write_text(content, encoding="utf-8")
    result = run("eval", "--state", "s.json", code=2)
    assert f"error[{code}]" in result.stderr
    assert result.stdout == ""


@pytest.mark.usefixtures("rules")
def test_a_state_that_is_not_there(run: Run) -> None:
    assert "`nowhere.json` cannot be read" in run("eval", "--state", "nowhere.json", code=2).stderr
    assert "Missing option '--state'" in run("eval", code=2).output


def test_an_engine_that_there_is_not(run: Run, state: Path) -> None:
    assert "'spark'" in run("eval", "--state", state, "--engine", "spark", code=2).output
