"""`eval` and `explain --state` go by the switches of the environment, as a fund that runs does, and say so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.conftest import Run

WISH = {
    "book": "main",
    "ts": "2025-10-10T21:00:00Z",
    "symbol": {"BTCUSDT": {}},
    "request": {"r1": {"symbol": "BTCUSDT", "side": "LONG", "effect": "OPEN", "notional": 1000}},
}
"""A request in ordinary times, which the rules that come with ringfence allow."""

ASK = ("--state", "wish.json", "--calm", "--output", "verdict")


@pytest.fixture(autouse=True)
def _wish(tmp_path: Path) -> None:
    (tmp_path / "wish.json").write_text(json.dumps(WISH), encoding="utf-8")


def test_without_switches_nothing_is_said_of_them(run: Run) -> None:
    assert "switched" not in run("eval", *ASK).stdout
    found = json.loads(run("eval", *ASK, "--json").stdout)
    assert (found["outputs"]["verdict"], found["switched"]) == ({"r1": "ALLOW"}, [])
    assert json.loads(run("explain", *ASK, "--json").stdout)["switched"] == []


def test_facts_of_a_module_that_is_off_are_missing_by_its_flag(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENABLE_PBA", "false")
    shown = run("explain", *ASK).stdout
    assert shown.startswith("switched: pba is off (ENABLE_PBA)\n")
    reason = shown.partition("pba.free_margin[r1]")[2].partition("\n\n")[0]
    assert "(because something is missing)" in reason
    assert " is missing: pba is switched off by ENABLE_PBA" in reason
    found = json.loads(run("explain", *ASK, "--json").stdout)
    assert found["switched"] == [{"by": "ENABLE_PBA", "module": "pba", "on": False}]
    margin = next(r for r in found["reasons"] if r["rule"] == "pba.free_margin")
    assert set(margin["missing"].values()) == {"pba is switched off by ENABLE_PBA"}
    assert margin["definite"] is False
    assert json.loads(run("eval", *ASK, "--json").stdout)["outputs"]["verdict"] == {"r1": "DENY"}
    assert run("eval", *ASK).stdout.startswith("switched: pba is off (ENABLE_PBA)\n")


def test_only_facts_that_a_rule_reads_are_told_with_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENABLE_PBA", "no")
    monkeypatch.setenv("ENABLE_UNIVERSE_OS", "0")
    missing = {r["rule"]: r["missing"] for r in json.loads(run("explain", *ASK, "--json").stdout)["reasons"]}
    assert set(missing["pba.free_margin"].values()) == {"pba is switched off by ENABLE_PBA"}
    assert "universe_os is switched off by ENABLE_UNIVERSE_OS" in set(
        missing[next(rule for rule in missing if rule.startswith("universe."))].values()
    )


def test_modes_of_the_environment_count(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENABLE_PBA", "false")
    monkeypatch.setenv("PBA_MODE", "OBSERVE")
    found = json.loads(run("eval", *ASK, "--json").stdout)
    assert {"by": "PBA_MODE", "module": "pba", "mode": "observe"} in found["switched"]
    assert not any(reason["rule"].startswith("pba.") for reason in found["reasons"])
    assert run("eval", *ASK).stdout.splitlines()[0] == (
        "switched: pba is off (ENABLE_PBA), the policy of pba is in mode observe (PBA_MODE)"
    )


def test_flags_of_the_rules_own_file_count_unless_the_environment_says_otherwise(
    run: Run, rules: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rules / "ringfence.toml").write_text("[flags]\nmsc_ai = false\n", encoding="utf-8")
    document = json.loads(state.read_text(encoding="utf-8"))
    document["account"]["drawdown"] = 0.0
    state.write_text(json.dumps(document), encoding="utf-8")
    asked = ("explain", "--state", state, "--json")
    (rough,) = (r for r in json.loads(run(*asked).stdout)["reasons"] if r["rule"] == "desk.rough")
    assert rough["missing"] == {"market.volatility": "msc_ai is switched off by rules/ringfence.toml"}
    monkeypatch.setenv("ENABLE_MSC_AI", "true")
    found = json.loads(run(*asked).stdout)
    assert found["switched"] == [{"by": "ENABLE_MSC_AI", "module": "msc_ai", "on": True}]
    assert "desk.rough" not in {r["rule"] for r in found["reasons"]}


@pytest.mark.parametrize("command", ["eval", "explain"])
@pytest.mark.parametrize(("name", "word"), [("ENABLE_PBA", "flase"), ("PBA_MODE", "loud")])
def test_a_word_that_nobody_knows_is_refused_as_by_serve(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, name: str, word: str
) -> None:
    monkeypatch.setenv(name, word)
    refused = run(command, *ASK, code=2)
    assert f"error[RF850]: `{name}`" in refused.stderr
    assert refused.stdout == ""


def test_what_a_rule_is_by_itself_is_told_whatever_the_environment_says(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PBA_MODE", "off")
    assert "runs: enforced" in run("explain", "pba.free_margin").stdout
