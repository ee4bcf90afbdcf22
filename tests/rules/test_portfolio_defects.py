"""Defects of the predecessor's portfolio modules that must not come back, each as a test of the default policies."""

from __future__ import annotations

import math
from typing import Any

import pytest

from evaluators.interpreter import Interpreter
from modules.facts import CATALOGUE
from modules.judge import RULES
from modules.runtime.switches import switches_of
from policy_dsl.bundle import check_files
from policy_dsl.diagnostics import PolicyError
from policy_dsl.files import CONFIGURATION_FILE, read_files
from tests.rules.decisions import (
    ASKING,
    WINNER,
    Document,
    asking,
    decide,
    default_bundle,
    outputs,
    shown,
    state,
)

# --- portfolio balance ------------------------------------------------------------------------------------------------


def test_pba1_safe_restricts_requests() -> None:
    crash = {"market": {"turbulence": 0.995, "breadth": 0.05}}
    request = asking(exposure_after=0.6)
    assert outputs(request)["verdict"] == {"r1": "ALLOW"}
    assert outputs(request | crash)["verdict"] == {"r1": "DENY"}


def test_pba2_a_batch_is_judged_together() -> None:
    nine: Document = {f"r{i}": {"confidence": 0.9 - i / 100} for i in range(9)}
    found = outputs({**ASKING, "request": nine})["verdict"]
    assert [key for key, verdict in found.items() if verdict == "DENY"] == ["r8"]


def test_pba3_one_symbol_is_not_opened_twice_beyond_its_limit() -> None:
    both: Document = {"r1": {"symbol_share_after": 0.2}, "r2": {"symbol_share_after": 0.31}}
    assert outputs({**ASKING, "request": both})["verdict"] == {"r1": "ALLOW", "r2": "DENY"}
    again = asking(repeats_last_minute=3)
    assert outputs(again)["verdict"] == {"r1": "DENY"}


@pytest.mark.parametrize("cause", [{"account": {"daily_loss": 0.04}}, {"service": {"feed": {"status": "DOWN"}}}])
def test_pba7_no_new_trades_means_none_for_every_request(cause: Document) -> None:
    found = outputs(asking(confidence=1) | cause)
    assert (found["orchestrator.risk_profile"], found["verdict"]) == ("NO_NEW_TRADES", {"r1": "DENY"})


def test_pba8_a_profit_is_not_read_as_a_drawdown_nor_another_name_as_none() -> None:
    with pytest.raises(PolicyError, match="daily_drawdown_pct"):
        state({"account": {"daily_drawdown_pct": 4}})
    assert outputs({"account": {"drawdown": 0}})["hfos.risk_mode"] == "NORMAL"


@pytest.mark.parametrize("side", ["long", "BUY", "Long"])
def test_pba12_a_side_in_other_words_is_refused_and_not_taken_for_a_short(side: str) -> None:
    with pytest.raises(PolicyError):
        state(asking(side=side))


@pytest.mark.parametrize("fact", ["exposure_after", "sector_share_after", "symbol_share_after", "correlated_after"])
def test_pba4_a_request_is_judged_by_the_book_that_it_would_leave(fact: str) -> None:
    assert outputs(asking(**{fact: 9.0}))["verdict"] == {"r1": "DENY"}


def test_pba5_what_one_trade_risks_is_limited() -> None:
    assert outputs(asking(risk=2_000))["verdict"] == {"r1": "DENY"}


def test_pba6_a_blacklisted_symbol_is_denied_and_not_merely_unpopular() -> None:
    assert outputs({**asking(confidence=1), "symbol": {"BTCUSDT": {"tier": "BLACKLIST"}}})["verdict"] == {"r1": "DENY"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
@pytest.mark.parametrize(
    "fact",
    ["exposure_after", "sector_share_after", "risk_after", "free_margin_after", "leverage_after", "risk", "confidence"],
)
def test_pba9_what_is_no_number_denies(fact: str, value: float | None) -> None:
    assert outputs(asking(**{fact: value}))["verdict"] == {"r1": "DENY"}


@pytest.mark.parametrize("equity", [0, -10_000])
def test_pba9_without_equity_nothing_is_approved(equity: float) -> None:
    found = outputs(asking(risk=0, free_margin_after=0) | {"account": {"equity": equity}})
    assert found["verdict"] == {"r1": "DENY"}


@pytest.mark.parametrize("effect", ["REDUCE", "CLOSE"])
def test_pba10_a_breach_can_be_cured(effect: str) -> None:
    worst = {
        "account": {"drawdown": 0.5, "gross_exposure": 3, "open_positions": 90, "equity": -1},
        "market": {"volatility": "EXTREME", "data_age": 9_999},
        "operator": {"stop_requested": True},
        "service": {"execution": {"status": "DOWN"}},
    }
    assert outputs(asking(effect=effect, exposure_after=3, confidence=0) | worst)["verdict"] == {"r1": "ALLOW"}
    unknown = {"request": {"r1": {"effect": effect}}}
    assert outputs(unknown, calm=False)["verdict"] == {"r1": "ALLOW"}


def test_pba11_what_belongs_to_no_known_sector_is_denied() -> None:
    unsorted = {**asking(sector_share_after=None), "symbol": {"BTCUSDT": {"sector": None}}}
    assert outputs(unsorted)["verdict"] == {"r1": "DENY"}


def test_pba14_a_sector_that_is_too_large_is_named_and_has_a_remedy() -> None:
    heavy = {"sector": {"L1": {"exposure_share": 0.45}}, "position": {"p1": {}}, "symbol": {"BTCUSDT": {}}}
    assert outputs(heavy)["pba.actions"] == {"p1": {"REDUCE": [0.25]}}
    fired = [(f.rule, f.key) for f in decide(state(heavy)).firings]
    assert ("pba.heavy_sector", "L1") in fired


def test_pba16_exactly_the_limit_is_within_it() -> None:
    assert outputs(asking(exposure_after=(1 + 7_999) / 10_000))["verdict"] == {"r1": "ALLOW"}
    limit = {"account": {"equity": 56_000}}
    assert outputs(asking(risk=560, notional=11_200) | limit)["verdict"] == {"r1": "ALLOW"}
    assert outputs(asking(risk=560.01, notional=11_200) | limit)["verdict"] == {"r1": "DENY"}


# --- profit amplification ---------------------------------------------------------------------------------------------


def winner(**position: Any) -> Document:
    return {**WINNER, "position": {"p1": WINNER["position"]["p1"] | position}}


def adds(document: Document) -> bool:
    return "ADD_SIZE" in outputs(document)["pal.actions"]["p1"]


@pytest.mark.parametrize("category", ["LOSER", "STRUGGLING", "BREAKEVEN", "POTENTIAL_WINNER", None])
def test_pal1_only_a_winner_is_added_to(category: str | None) -> None:
    assert adds(winner())
    assert not adds(winner(category=category))


def test_pal2_every_action_can_be_granted() -> None:
    granted: set[str] = set()
    for document in (winner(), winner(peak_r=4.0, drawdown_from_peak=0.375)):
        granted |= set(outputs(document)["pal.actions"]["p1"])
    assert granted == {"ADD_SIZE", "TIGHTEN_STOP", "EXTEND_HOLD", "TAKE_PARTIAL", "TREND_EXIT"}


def test_pal3_taking_profit_outlives_what_forbids_adding() -> None:
    far = winner(peak_r=3.5, notional=5_000, original_notional=5_000)
    assert "TAKE_PARTIAL" in outputs(far | {"operator": {"risk_mode": "SAFE"}})["pal.actions"]["p1"]
    assert not adds(far)


def test_pal4_no_limit_knows_a_sum_of_money() -> None:
    money = [p.id for p in default_bundle().program.params if str(p.type) == "money"]
    assert money == []


def test_pal5_adds_do_not_compound() -> None:
    original, held, added = 1_000.0, 1_000.0, []
    while adds(winner(original_notional=original, notional=held, scaled=(held - original) / original)):
        held += 0.25 * original
        added.append(held)
    assert added == [1_250, 1_500]


@pytest.mark.parametrize(
    "facts",
    [
        {"account": {"daily_loss": 0.04}},
        {"market": {"volatility": "HIGH"}},
        {"market": {"volatility": None}},
        {"account": {"drawdown": 0.04}},
        {"symbol": {"BTCUSDT": {"trend_t": 3, "volatility": "EXTREME"}}},
        {"symbol": {"BTCUSDT": {"trend_t": 3, "volatility": None}}},
    ],
    ids=["no new trades", "volatile", "unknown volatility", "defensive", "turmoil", "unknown turmoil"],
)
def test_pal6_a_veto_holds_when_it_is_unknown_too(facts: Document) -> None:
    assert not adds(winner() | facts)


@pytest.mark.parametrize("field", ["category", "r_multiple", "scaled", "drawdown_from_peak", "side", "symbol"])
def test_pal9_one_row_that_cannot_be_judged_spoils_no_other(field: str) -> None:
    document = winner()
    document["position"] = {**document["position"], "p2": {field: None}}
    assert adds(document)
    assert "ADD_SIZE" not in outputs(document)["pal.actions"]["p2"]


def test_pal10_bolder_times_add_no_more_than_ordinary_ones() -> None:
    quiet_trend = {"market": {"regime": "TRENDING", "volatility": "LOW"}}
    assert outputs(winner() | quiet_trend)["pal.actions"] == outputs(winner())["pal.actions"]


def test_pal10_leverage_has_a_ceiling_for_adds_too() -> None:
    growing = winner() | {"request": {"r1": {"effect": "INCREASE", "leverage": 21}}}
    assert outputs(growing)["verdict"] == {"r1": "DENY"}


@pytest.mark.parametrize(("side", "t"), [("LONG", 3), ("SHORT", -3)])
def test_long_and_short_are_mirror_images(side: str, t: float) -> None:
    with_it, against = (
        {"symbol": {"BTCUSDT": {"trend_t": value, "trend_t_short": value, "variance_ratio": 1.2}}} for value in (t, -t)
    )
    assert adds(winner(side=side) | with_it)
    assert not adds(winner(side=side) | against)


# --- positions --------------------------------------------------------------------------------------------------------

FAR = winner(peak_r=3.5, notional=5_000, original_notional=5_000)
LOST = winner(category="LOSER", r_multiple=-0.9, peak_r=0)
AT_THE_EDGE = winner(liquidation_distance=0.01)


@pytest.mark.parametrize("document", [winner(), FAR, LOST, AT_THE_EDGE], ids=["winner", "far", "loser", "edge"])
def test_neither_profit_nor_loss_waits_for_a_position_to_be_old_enough(document: Document) -> None:
    """A profit is taken at 29 minutes as at 30, a loss is one from the first minute on, and a day is no fault."""
    found = []
    for age in (0, 14 * 60, 29 * 60, 30 * 60, 25 * 3600, None):
        position = document["position"]["p1"] | {"age": age}
        found.append(outputs(document | {"position": {"p1": position}}))
    assert all(each == found[0] for each in found)
    assert found[0]["pal.actions"]["p1"] or found[0]["pba.actions"]["p1"] or document is LOST


def test_turmoil_takes_something_away_and_an_unknown_one_no_less() -> None:
    symbol = WINNER["symbol"]["BTCUSDT"]
    low, normal, high, extreme, unknown = (
        set(outputs(winner() | {"symbol": {"BTCUSDT": symbol | {"volatility": word}}})["pal.actions"]["p1"])
        for word in ("LOW", "NORMAL", "HIGH", "EXTREME", None)
    )
    assert low == normal == {"ADD_SIZE", "EXTEND_HOLD", "TREND_EXIT"}
    assert normal > high >= extreme >= unknown


# --- the universe and the ranker --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "verdict"), [("ENFORCE", "DENY"), ("OBSERVE", "ALLOW"), ("OFF", "ALLOW")])
def test_the_mode_of_the_universe_says_whether_it_binds(word: str, verdict: str) -> None:
    alone = {"universe.rules": read_files(RULES)["universe.rules"], CONFIGURATION_FILE: b""}
    bundle = check_files(switches_of({"UNIVERSE_OS_MODE": word}).configured(alone), CATALOGUE).bundle
    assert bundle is not None
    low = {**ASKING, "symbol": {"BTCUSDT": {"tier": "BLACKLIST"}}}
    decision = Interpreter(bundle.program).decide(state(low))
    assert shown(decision, bundle.program)["verdict"] == {"r1": verdict}
    observed = {f.rule for f in decision.observed}
    assert ("universe.blacklisted" in observed) == (word == "OBSERVE")
    assert ("verdict" in decision.would_be) == (word == "OBSERVE")


@pytest.mark.parametrize(("limit", "codes"), [("2%", []), ("2", ["RF204"]), ("2 USD", ["RF204"])])
def test_a_share_is_not_compared_with_a_figure_of_another_unit(limit: str, codes: list[str]) -> None:
    text = (
        f'policy own version 1.0.0\n  "Ranges."\n\nrule r for each symbol\n  when symbol.atr > {limit}\n  alert INFO\n'
    )
    report = check_files({"own.rules": text.encode(), CONFIGURATION_FILE: b""}, CATALOGUE)
    assert [d.code for d in report.diagnostics if d.is_error] == codes
