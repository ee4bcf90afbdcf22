"""Defects of the predecessor's control modules that must not come back, each as a test of the default policies.

Those of wiring and durability (a crashed cycle, an unbuilt stop, a latch lost in a restart) belong to the modules and
the service; units, signs and misspelt names are refused by the checker, and its tests show that.
"""

from __future__ import annotations

import math

import pytest

from evaluators.decision import Decision
from evaluators.python import PythonEvaluator
from evaluators.python.evaluator import PythonBook
from modules.judge import RULES
from modules.runtime.switches import switches_of
from policy_dsl.diagnostics import PolicyError
from policy_dsl.files import read_files
from tests.rules.decisions import (
    ASKING,
    Document,
    asking,
    configured,
    decide,
    default_bundle,
    outputs,
    shown,
    state,
)

# --- control modules: fail-open and latch -----------------------------------------------------------------------------


def test_w1_entering_the_strictest_mode_decides_and_does_not_crash() -> None:
    assert outputs(asking())["hfos.risk_mode"] == "NORMAL"
    found = outputs(asking() | {"account": {"drawdown": 0.2}})
    assert (found["hfos.risk_mode"], found["verdict"]) == ("SAFE", {"r1": "DENY"})


@pytest.mark.parametrize("drawdown", [0.3, -0.3, 30, math.nan, math.inf, None])
def test_w2_a_drawdown_halts_whatever_its_sign_or_unit(drawdown: float | None) -> None:
    assert outputs({"account": {"drawdown": drawdown}})["ess.state"] == "HALTED"


@pytest.mark.parametrize(
    "cause",
    [
        {"operator": {"stop_requested": True}},
        {"account": {"drawdown": 0.06}},
        {"account": {"losing_streak": 6}},
        {"market": {"data_age": 900}},
    ],
    ids=["person", "drawdown", "streak", "feed"],
)
def test_w3_nothing_is_released_while_its_cause_stands(cause: Document) -> None:
    asked = cause.get("operator", {}) | {"reset_requested": True}
    assert outputs(cause | {"operator": asked})["ess.state"] == "HALTED"


def test_w4_what_cannot_be_checked_is_not_traded() -> None:
    assert outputs({"request": {"r1": {}}}, calm=False)["verdict"] == {"r1": "DENY"}


def test_w8_no_throttle_delays_what_tightens() -> None:
    calm = asking() | {"ts": "2026-01-07T12:00:00Z"}
    wild = asking() | {"ts": "2026-01-07T12:00:01Z", "market": {"volatility": "EXTREME"}, "account": {"drawdown": 0.4}}
    assert [outputs(d)["orchestrator.allow_trades"] for d in (calm, wild, calm)] == [True, False, True]


@pytest.mark.parametrize(
    ("facts", "mode"),
    [
        ({"account": {"drawdown": 0.5}}, "SAFE"),
        ({"account": {"losing_streak": 20}, "market": {"volatility": "EXTREME"}}, "SAFE"),
        ({"market": {"volatility": None}}, "CAUTIOUS"),
    ],
    ids=["half of the fund is gone", "twenty losses in a row", "nobody knows the volatility"],
)
def test_w12_one_alarm_is_enough_whatever_else_is_fine(facts: Document, mode: str) -> None:
    best = {"market": {"regime": "TRENDING", "volatility": "LOW"} | facts.get("market", {})}
    assert outputs(facts | best)["hfos.risk_mode"] == mode


@pytest.mark.parametrize("regime", ["RANGING", None])
def test_w14_an_unknown_regime_is_no_better_than_the_worst(regime: str | None) -> None:
    found = outputs({"market": {"regime": regime}})
    assert (found["orchestrator.min_confidence"], found["orchestrator.max_risk"]) == (0.55, 0.007)


@pytest.mark.parametrize("word", ["extreme", "CRAZY", ""])
def test_w14_an_unknown_word_is_refused_and_not_taken_for_fine(word: str) -> None:
    with pytest.raises(PolicyError):
        state({"market": {"volatility": word}})


def test_w15_an_empty_list_is_not_everything() -> None:
    unlisted = {**ASKING, "symbol": {}}
    assert outputs(unlisted)["verdict"] == {"r1": "DENY"}
    assert outputs({**ASKING, "symbol": {"ETHUSDT": {}}})["verdict"] == {"r1": "DENY"}


HALTED_BY_HAND: Document = {"operator": {"stop_requested": True}}


def followed(*documents: Document) -> list[Decision]:
    """What is decided of a book, a snapshot a minute."""
    book = PythonBook(PythonEvaluator(default_bundle().program))
    times = (f"2026-01-07T12:{minute:02}:00Z" for minute in range(len(documents)))
    return [book.decide(state(document | {"ts": ts})) for document, ts in zip(documents, times, strict=True)]


def test_w13_good_news_from_elsewhere_releases_no_stop() -> None:
    fine: Document = {"service": {"execution": {"status": "UP"}, "feed": {"status": "UP"}}}
    _, later, reset = followed(HALTED_BY_HAND, fine, {"operator": {"reset_requested": True}})
    program = default_bundle().program
    assert shown(later, program)["ess.state"] == "HALTED"
    assert shown(reset, program)["ess.state"] == "ARMED"


def test_w18_a_second_fall_is_acted_upon_as_the_first_was() -> None:
    fine: Document = {"account": {"drawdown": 0}, "operator": {"flatten_on_stop": True, "reset_requested": False}}
    asked: Document = {"account": {"drawdown": 0}, "operator": {"flatten_on_stop": True, "reset_requested": True}}
    fallen, deeper = (fine | {"account": {"drawdown": drawdown}} for drawdown in (0.06, 0.3))
    documents = (fallen, asked, fine, deeper)
    found = [shown(d, default_bundle().program)["ess.actions"] for d in followed(*documents)]
    both = ["CANCEL_ORDERS", "FLATTEN"]
    assert [sorted(actions) for actions in found] == [both, [], [], both]


@pytest.mark.parametrize("word", ["critical", "Down", "DOWN "])
def test_w24_a_word_in_other_letters_is_refused_and_not_taken_for_healthy(word: str) -> None:
    with pytest.raises(PolicyError):
        state({"service": {"execution": {"status": word}}})


def test_w25_a_fact_by_another_name_is_refused_and_not_read_as_nothing() -> None:
    with pytest.raises(PolicyError, match="position_count"):
        state({"account": {"position_count": 9}})


def test_w39_without_the_module_of_the_stop_its_rules_halt_all_the_same() -> None:
    off = switches_of({"ENABLE_ESS": "false"})
    assert off.configured(read_files(RULES)) == read_files(RULES)
    assert outputs({"account": {"drawdown": 0.06}})["ess.state"] == "HALTED"


# --- control modules: contradictions ----------------------------------------------------------------------------------


def test_w22_paused_and_bold_at_once_is_impossible() -> None:
    best = {"market": {"regime": "TRENDING", "volatility": "LOW"}}
    found = outputs(asking(confidence=1) | best | {"service": {"execution": {"status": "DOWN"}}})
    assert found["hfos.risk_mode"] == "AGGRESSIVE"
    assert found["orchestrator.allow_trades"] is False
    assert (found["orchestrator.max_risk"], found["orchestrator.entry_mode"]) == (0, "DEFENSIVE")
    assert found["verdict"] == {"r1": "DENY"}


def test_w23_one_dead_service_is_not_averaged_away() -> None:
    services: Document = {f"s{i}": {} for i in range(20)} | {"feed": {"status": "DOWN"}}
    assert outputs({"service": services})["orchestrator.allow_trades"] is False


def test_w26_a_defensive_word_is_not_overwritten_by_a_fine_trend() -> None:
    found = outputs({"account": {"drawdown": 0.04}, "market": {"regime": "TRENDING", "volatility": "NORMAL"}})
    assert found["orchestrator.entry_mode"] == "DEFENSIVE"


def test_w26_no_positions_means_none_and_not_any_number() -> None:
    program = configured('[params]\n"hfos.crash_positions" = "0"').program
    crash = {"market": {"turbulence": 0.995, "breadth": 0.05}}
    assert outputs(asking() | crash)["verdict"] == {"r1": "ALLOW"}
    assert outputs(asking() | crash, program=program)["verdict"] == {"r1": "DENY"}


def test_w27_a_stricter_confidence_is_never_lowered_by_another_policy() -> None:
    program = configured('[params]\n"orchestrator.base_confidence" = "70%"').program
    crash = {"market": {"turbulence": 0.995, "breadth": 0.05, "regime": "RANGING"}}
    assert outputs(crash, program=program)["orchestrator.min_confidence"] == 0.75
    assert outputs(crash)["orchestrator.min_confidence"] == 0.7


def test_w28_a_reduction_is_applied_once_however_many_ask_for_it() -> None:
    assert outputs({"market": {"volatility": "HIGH"}})["orchestrator.max_risk"] == 0.005
    both = {"market": {"volatility": "HIGH"}, "account": {"drawdown": 0.04}}
    assert outputs(both)["orchestrator.max_risk"] == 0.005


@pytest.mark.parametrize(
    "cause",
    [
        {"market": {"volatility": "EXTREME"}},
        {"account": {"daily_loss": 0.04}},
        {"operator": {"stop_requested": True}},
        {"service": {"feed": {"status": "DOWN"}}},
        {"system": {"error_rate": 0.5, "errors_per_minute": 5}},
    ],
    ids=["volatility", "day", "person", "service", "errors"],
)
def test_w31_blocked_is_blocked_in_every_output(cause: Document) -> None:
    found = outputs(asking(risk=0) | cause)
    assert found["orchestrator.allow_trades"] is False
    assert found["orchestrator.risk_profile"] == "NO_NEW_TRADES"
    assert found["orchestrator.entry_mode"] == "DEFENSIVE"
    assert found["orchestrator.max_risk"] == 0
    assert found["verdict"] == {"r1": "DENY"}


def test_w32_a_symbol_that_turns_bad_is_denied_at_once() -> None:
    good, bad = ({**asking(), "symbol": {"BTCUSDT": {"performance": word}}} for word in ("GOOD", "BAD"))
    assert [outputs(d)["verdict"] for d in (good, bad)] == [{"r1": "ALLOW"}, {"r1": "DENY"}]


def test_w33_the_range_holds_after_all_additions() -> None:
    program = configured('[params]\n"orchestrator.base_confidence" = "70%"\n"orchestrator.ranging_confidence" = "10%"\n'
                         '"orchestrator.streak_confidence" = "10%"\n"orchestrator.volatile_confidence" = "10%"\n'
                         '"orchestrator.ensemble_confidence" = "10%"').program  # fmt: skip
    worst = {
        "market": {"regime": "RANGING", "volatility": "HIGH"},
        "account": {"losing_streak": 4},
        "model": {"m": {"win_rate": 0}},
    }
    assert outputs(worst, program=program)["orchestrator.min_confidence"] == 1


def test_w33_no_exit_mode_is_out_of_reach() -> None:
    found = [
        outputs(d)["orchestrator.exit_mode"]
        for d in ({}, {"market": {"regime": "RANGING"}}, {"account": {"drawdown": 0.04}})
    ]
    assert found == ["TREND_FOLLOW", "FAST_TP", "DEFENSIVE_TRAIL"]


def test_w37_the_same_state_decides_the_same() -> None:
    snapshot = state(asking() | {"account": {"drawdown": 0.04}})
    assert decide(snapshot) == decide(snapshot)
