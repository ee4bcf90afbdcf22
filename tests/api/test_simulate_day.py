"""`simulate --day`: what days say, for a person and for a program, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.days import report
from api.days.texts import estimate_text, figure_text, sample_text
from modules.trading_day.arms import Arm
from modules.trading_day.days import QUICK, Wanted
from modules.trading_day.kpis import kpis
from modules.trading_day.limits import Looks
from modules.trading_day.lived import Asked, Days, Replayed
from modules.trading_day.measures import over_days, rate
from modules.trading_day.verdicts import Unit
from tests.api.conftest import Run
from tests.modules.trading_day.made_days import MINUTES, at, day, moment, run, trade


def lived(days: int) -> Days:
    """Days in which a stop comes with the crash, and a fund without policies loses a tenth."""
    made = []
    for number in range(days):
        seen = [
            moment(m, mode="SAFE" if 31 <= m < 50 else "NORMAL", halted=31 <= m < 50, bound=("ess.halted",) * (m > 30))
            for m in range(MINUTES)
        ]
        asked = [Asked("s1", at(2), "BTCUSDT", "ALLOW", filled=1.0, slippage=0.0001 * (number + 1))]
        asked += [Asked("s2", at(33), "BTCUSDT", "DENY", ("ess.halted", "pba.correlation"))]
        curve = (*(100.0,) * (MINUTES - 1), 99.0 - 0.1 * number)
        made.append(
            day(
                run(moments=seen, asked=asked, curve=curve, trades=[trade("s1", 0.5 + number)]),
                run(Arm.NONE, curve=(*(100.0,) * (MINUTES - 1), 90.0), asked=asked),
                replayed=[Replayed("s1", "ALLOW", False), Replayed("s2", "DENY", False)],
            )
        )
    return tuple(replace(told, limits={"pba.correlation": Looks.BALANCE}) for told in made)


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """What was asked for; made days are what is lived."""
    asked: list[Wanted] = []

    def living(asked_for: Wanted, _: Any) -> Days:
        asked.append(asked_for)
        return lived(asked_for.days)

    monkeypatch.setattr(report, "lived_days", living)
    return asked


def test_a_person_reads_what_is_shown_and_what_is_not(wanted: list[Wanted], capsys: pytest.CaptureFixture[str]) -> None:
    report.simulate_days(Wanted(4, seed=3), as_json=False)
    said = capsys.readouterr().out
    assert "4 simulated days, seeds 3 to 6, each lived 4 times over" in said
    summary = " ".join(said[: said.index("2026-01-07")].split())
    missed, _, rest = summary.partition("not shown ")
    not_shown, _, rest = rest.partition("not enough data ")
    _, _, shown = rest.partition("shown or held ")
    assert "false positives" not in missed
    assert "slippage of an entry" in not_shown
    assert "largest drawdown of a day" in shown
    assert "no performance degradation" in shown.partition("not measured ")[2]
    assert "9 min" in said
    assert "ess.halted" in said
    assert "signals killed, back after 6.0 s" in said
    assert "Phase 1: observation" in said
    assert "What the balancer denied" in said
    assert "pba.correlation" in said.partition("What the balancer denied")[2]
    assert len(wanted) == 1


def test_every_figure_comes_with_its_interval_or_with_why_there_is_none(
    wanted: list[Wanted], capsys: pytest.CaptureFixture[str]
) -> None:
    report.simulate_days(Wanted(2), as_json=False)
    few = capsys.readouterr().out
    assert "not enough data for an interval" in few
    assert "not enough data   " in few
    for kpi in kpis(lived(2)):
        for label, found in kpi.estimates:
            text = estimate_text(label, found, kpi.unit)
            assert text.endswith((")", "no data"))
    assert wanted[0].days == 2


def test_a_program_gets_the_same_in_full(wanted: list[Wanted], capsys: pytest.CaptureFixture[str]) -> None:
    report.simulate_days(Wanted(3), as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["days"], said["seed"]) == (3, 0)
    by_name = {(k["phase"], k["name"]): k for k in said["kpis"]}
    fell = by_name[0, "largest drawdown of a day"]
    assert fell["verdict"] == "shown"
    (less,) = (e for e in fell["estimates"] if e["label"] == "smaller by")
    assert less["n"] == 3
    assert less["low"] < less["value"] < less["high"]
    first = said["lived"][0]
    assert first["day"] == "2026-01-07T00:00:00Z"
    assert [s["what"] for s in first["timeline"]][1] == "outage"
    assert first["repairs"] == [{"at": "2026-01-07T00:05:00Z", "service": "signals", "seconds": 6.0}]
    assert set(first["runs"]) == {str(arm) for arm in Arm}
    assert first["runs"]["all policies"]["positions_that_were"] == {}
    assert said["pba_denials"] == [
        {
            "rule": "pba.correlation",
            "looks_at": "balance",
            "denied": 3,
            "alone": 0,
            "only": 0,
            "harmless": 0,
            "known": 0,
        }
    ]
    assert wanted


@given(st.floats(-2, 2))
def test_a_share_is_never_rounded_to_all_or_nothing(value: float) -> None:
    text = figure_text(value, Unit.SHARE)
    assert (text == "0%") == (value == 0)
    assert (text == "100%") == (value == 1)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.9997, Unit.SHARE, "99.97%"),
        (0.25, Unit.SHARE, "25.0%"),
        (-0.5, Unit.R, "-0.50 R"),
        (7.08, Unit.SECONDS, "7.1 s"),
        (0.4, Unit.BPS, "0.4 bps"),
    ],
)
def test_figures_have_their_units(value: float, unit: Unit, text: str) -> None:
    assert figure_text(value, unit) == text


def test_one_of_anything_is_singular() -> None:
    kpi = next(iter(kpis(lived(1))))
    assert sample_text(replace(kpi, estimates=(("", over_days([1.0])),))) == "1 day"
    assert sample_text(replace(kpi, estimates=(("", rate(1, 1, "snapshots in SAFE")),))) == "1 snapshot in SAFE"
    assert not math.isnan(over_days([1.0]).value or math.nan)


def test_the_command_lives_days(run: Run, wanted: list[Wanted]) -> None:
    said = json.loads(run("simulate", "--day", "--days", "3", "--seed", "5", "--json").stdout)
    assert said["days"] == 3
    run("simulate", "--day", "--quick", "--every", "1m")
    assert [(w.days, w.seed, w.minutes, w.every) for w in wanted] == [(3, 5, 1440, 2), (4, 7, QUICK, 1)]


def test_what_is_refused(run: Run) -> None:
    assert "say one of" in run("simulate", "--day", "--live", code=2).output
    assert "say one of" in run("simulate", "--day", "--to", "day", code=2).output
    assert "Invalid value for '--days'" in run("simulate", "--day", "--days", "0", code=2).output
    for every in ("4m", "30s", "90s"):
        assert "1m, 2m or 3m" in run("simulate", "--day", "--every", every, code=2).output
    assert "write a duration" in run("simulate", "--day", "--every", "soon", code=2).output


def test_rules_that_cannot_tell_a_day_are_refused(run: Run, rules: Path) -> None:
    said = run("simulate", "--day", "--rules", rules, code=2).output
    assert "--rules" in said
    assert "`ess.state`" in said
    assert "RF110" in run("simulate", "--day", "--rules", "nowhere", code=2).output
