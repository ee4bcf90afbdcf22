"""The trading mathematician: sizes, stops, targets and leverage that can be defended, or none."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.assembly import Supplied, assemble
from modules.estimates.liquidation import MAINTENANCE, liquidation_price
from modules.inputs import Account, Book, ClosedTrade, Inputs, Listing, MarginTier, Market, Request, Ticker
from modules.module import Module
from modules.sources import BookSource
from modules.supply import Supply, merged
from modules.trading_mathematician import TradingMathematician
from tests.rules.decisions import asking, configured, outputs

MATH = TradingMathematician()
USUAL: dict[str, Any] = {"balance": 10_000.0, "atr_pct": 0.015, "win_rate": 0.55}
NO_CAPS: dict[str, Any] = {"max_risk": math.inf, "max_notional": math.inf, "max_leverage": math.inf}


def proposed(**other: Any) -> dict[str, Any]:
    """A proposal that nothing bounds but Kelly, the stop and what is free."""
    return MATH.calculate_optimal_parameters(**(USUAL | NO_CAPS | other))


def by_the_rules(**other: Any) -> dict[str, Any]:
    return MATH.calculate_optimal_parameters(**(USUAL | other))


def test_it_is_a_module() -> None:
    assert isinstance(MATH, Module)


def test_the_call_of_the_plan() -> None:
    account_balance, symbol_atr, historical_win_rate = 10_000.0, 0.015, 0.55
    math_ai = TradingMathematician()
    params = math_ai.calculate_optimal_parameters(
        balance=account_balance, atr_pct=symbol_atr, win_rate=historical_win_rate
    )
    assert 0 < params["margin_usd"] < account_balance
    assert params["leverage"] >= 1
    assert params["tp_pct"] == pytest.approx(0.06)
    assert params["sl_pct"] == pytest.approx(0.03)


def test_a_proposal_by_hand() -> None:
    # 100 trades at 55 % and 1.5: a fraction of .14325 at the careful end, a quarter of it at a stop 3 % away.
    found = proposed(trades=100, payoff=1.5)
    assert found["kelly_fraction"] == pytest.approx(0.14325, abs=1e-5)
    assert found["notional_usd"] == pytest.approx(10_000 * 0.14325 / 4 / 0.03, rel=1e-4)
    assert found["risk_usd"] == pytest.approx(10_000 * 0.14325 / 4, rel=1e-4)
    # Liquidation 6 % away: 1 / (0.06 + 0.005 x 0.94).
    assert found["leverage"] == pytest.approx(1 / 0.0647)
    assert found["margin_usd"] == pytest.approx(found["notional_usd"] / found["leverage"])


@pytest.mark.parametrize("win_rate", [0.0, 0.2, 0.4])
def test_without_an_edge_there_is_no_trade(win_rate: float) -> None:
    found = proposed(win_rate=win_rate)
    assert [found[n] for n in ("margin_usd", "leverage", "tp_pct", "sl_pct", "notional_usd")] == [0] * 5
    assert "has no edge" in found["reason"]


def test_few_trades_say_little() -> None:
    assert proposed(trades=2)["margin_usd"] == 0
    assert 0 < proposed(trades=30)["risk_usd"] < proposed(trades=1_000)["risk_usd"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"balance": float("nan")}, "balance is nan"),
        ({"balance": None}, "balance is None"),
        ({"balance": -100.0}, "nothing of the balance"),
        ({"balance": 0.0}, "nothing of the balance"),
        ({"margin_used": 12_000.0}, "nothing of the balance"),
        ({"atr_pct": float("nan")}, "atr is nan"),
        ({"atr_pct": 0.0}, "does not move"),
        ({"atr_pct": -0.01}, "does not move"),
        ({"atr_pct": 1.5}, "liquidation is too near"),
        ({"win_rate": float("nan")}, "win_rate is nan"),
        ({"win_rate": 55.0}, "must be from 0 to 1"),
        ({"win_rate": True}, "win_rate is True"),
        ({"trades": 0}, "no trade that the win rate could rest on"),
        ({"payoff": -2.0}, "payoff is -2"),
        ({"cost": -0.01}, "must not be negative"),
        ({"max_risk": 0.0}, "the rules leave nothing"),
        ({"max_leverage": 0.5}, "the rules leave nothing"),
        ({"side": "short"}, "neither LONG nor SHORT"),
        ({"side": "SHORT", "atr_pct": 0.25}, "below nothing"),
        ({"tiers": ()}, "no margin tiers"),
    ],
)
def test_what_cannot_be_is_no_trade_and_says_why(other: dict[str, Any], why: str) -> None:
    found = proposed(**other)
    assert (found["margin_usd"], found["leverage"], found["notional_usd"]) == (0, 0, 0)
    assert why in found["reason"]


def test_margin_is_no_more_than_what_is_free() -> None:
    found = proposed(trades=10_000, margin_used=9_900.0)
    assert found["margin_usd"] == pytest.approx(100)
    assert found["notional_usd"] == pytest.approx(100 * found["leverage"])
    assert found["risk_usd"] < proposed(trades=10_000)["risk_usd"]


def test_the_caps_of_the_rules_are_kept() -> None:
    found = proposed(trades=10_000, max_risk=0.01, max_leverage=3.0)
    assert found["leverage"] == 3
    assert found["risk_usd"] == pytest.approx(100)
    assert (found["size_by"], found["leverage_by"]) == ("max_risk", "max_leverage")


def verdict_on(found: dict[str, Any], **terms: Any) -> Any:
    """What the default rules say of a proposal, in ordinary times and an empty book of 10,000."""
    stop, size, side = found["sl_pct"], found["notional_usd"], terms.get("side", "LONG")
    sign = 1 if side == "LONG" else -1
    level = liquidation_price(100, sign, found["leverage"])
    share = size / 10_000
    request = {
        "side": side, "notional": size, "leverage": found["leverage"], "risk": found["risk_usd"],
        "margin": found["margin_usd"], "reward_risk": found["tp_pct"] / stop, "stop_ranges": 2,
        "liquidation_distance": abs(100 - level) / 100, "safe_leverage": found["leverage"],
        "risk_after": found["risk_usd"] / 10_000, "leverage_after": 2,
        "free_margin_after": 10_000 - found["margin_usd"],
        **dict.fromkeys(("exposure_after", "sector_share_after", "symbol_share_after", "correlated_after"), share),
        "correlated_positions_after": 1,
    }  # fmt: skip
    account = {"equity": 10_000, "balance": 10_000, "free_margin": 10_000}
    document = asking(**request) | {"account": account}
    document["symbol"] = {"BTCUSDT": {"atr": terms["atr_pct"]}}
    return outputs(document)["verdict"]["r1"]


@pytest.mark.parametrize("side", ["LONG", "SHORT"])
@pytest.mark.parametrize("atr", [0.002, 0.01, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("rate", [0.55, 0.8])
def test_what_is_proposed_by_the_rules_is_allowed_by_them(side: str, atr: float, rate: float) -> None:
    found = by_the_rules(atr_pct=atr, win_rate=rate, side=side)
    assert found["margin_usd"] > 0
    assert verdict_on(found, side=side, atr_pct=atr) == "ALLOW"


def test_a_proposal_that_no_rule_bounds_is_denied_by_them() -> None:
    assert verdict_on(proposed(atr_pct=0.02), atr_pct=0.02) == "DENY"


def test_it_is_said_which_cap_bound() -> None:
    found = by_the_rules(atr_pct=0.02)
    assert (found["size_by"], found["leverage_by"]) == ("pretrade.max_order", "pretrade.min_liquidation_distance")
    assert found["notional_usd"] == pytest.approx(2_000, rel=1e-5)
    wide = by_the_rules(atr_pct=0.04, win_rate=0.9)
    assert (wide["size_by"], wide["leverage_by"]) == ("orchestrator.base_risk", "math.room")
    assert wide["risk_usd"] == pytest.approx(100, rel=1e-5)
    unsure = by_the_rules(win_rate=0.36, trades=1_000)
    assert unsure["size_by"] == "math.kelly_share"
    assert by_the_rules(margin_used=8_900.0)["size_by"] == "margin_used"
    assert by_the_rules(win_rate=0.1)["size_by"] == ""


def test_a_figure_of_the_rules_has_one_place() -> None:
    rules = configured(
        '[params]\n"math.kelly_share" = "5%"\n"math.min_reward" = "300%"\n"orchestrator.base_risk" = "0.2%"'
    )
    mine = TradingMathematician(rules)
    found = mine.calculate_optimal_parameters(**USUAL, payoff=1.5, trades=100, **NO_CAPS)
    assert found["risk_usd"] == pytest.approx(10_000 * 0.14325 * 0.05, rel=1e-4)
    assert found["tp_pct"] == pytest.approx(3 * found["sl_pct"])
    bounded = mine.calculate_optimal_parameters(**USUAL, trades=1_000)
    assert (bounded["size_by"], bounded["risk_usd"]) == ("orchestrator.base_risk", pytest.approx(20, rel=1e-5))


ranges = st.floats(0.001, 0.2)
rates = st.floats(0, 1)
samples = st.integers(1, 2_000)
sides = st.sampled_from(["LONG", "SHORT"])


@given(ranges, rates, samples, st.floats(0, 0.01), sides)
def test_reward_is_twice_the_risk_after_costs_and_the_stop_comes_well_before_liquidation(
    atr: float, rate: float, trades: int, cost: float, side: str
) -> None:
    found = proposed(atr_pct=atr, win_rate=rate, trades=trades, cost=cost, side=side)
    if found["margin_usd"] == 0:
        assert found["reason"]
        return
    assert found["tp_pct"] - cost == pytest.approx(2 * (found["sl_pct"] + cost))
    assert found["sl_pct"] == pytest.approx(2 * atr)
    sign = 1 if side == "LONG" else -1
    level = liquidation_price(100, sign, found["leverage"])
    assert sign * (100 - level) / 100 == pytest.approx(2 * found["sl_pct"])
    assert found["margin_usd"] <= 10_000
    assert found["risk_usd"] <= 10_000 / 4 + 1e-6


@given(ranges, rates, st.floats(0, 0.2), samples)
def test_a_better_record_never_trades_less(atr: float, rate: float, better: float, trades: int) -> None:
    worse = proposed(atr_pct=atr, win_rate=rate, trades=trades)
    found = proposed(atr_pct=atr, win_rate=min(1.0, rate + better), trades=trades)
    assert found["risk_usd"] >= worse["risk_usd"] - 1e-9


@given(ranges, st.floats(1, 2), rates)
def test_wider_ranges_never_mean_more_notional_or_leverage(atr: float, wider: float, rate: float) -> None:
    calm, wild = proposed(atr_pct=atr, win_rate=rate), proposed(atr_pct=atr * wider, win_rate=rate)
    assert wild["notional_usd"] <= calm["notional_usd"] + 1e-6
    assert wild["leverage"] <= calm["leverage"] + 1e-9


# --- facts of requests ------------------------------------------------------------------------------------------------

TIERS = (MarginTier(1e9, MAINTENANCE, 125),)
NOW = 1_000_000


def trade(r: float | None, model: str = "xgboost", closed: int = NOW) -> ClosedTrade:
    return ClosedTrade("BTCUSDT", "LONG", "OTHER", closed, None if r is None else r * 10, None, r, model)


RECORD = (*[trade(1.5)] * 55, *[trade(-1.0)] * 45)


def request(**other: Any) -> Request:
    fields: dict[str, Any] = {"notional": 1_000.0, "leverage": 5.0, "model": "xgboost", "price": 100.0}
    return Request("BTCUSDT", "LONG", NOW, **(fields | {"stop": 97.0, "target": 109.0} | other))


def computed(asked: Request, trades: tuple[ClosedTrade, ...] | None = RECORD, equity: float = 10_000.0) -> Supply:
    book = Book(Account(NOW, equity, equity, 0, equity, equity), {}, {}, trades, {"r": asked})
    market = Market(None, {"BTCUSDT": Listing("BTCUSDT", tiers=TIERS)}, {"BTCUSDT": Ticker(NOW, 100.0)})
    inputs = Inputs("main", NOW, market, book)
    symbol = Supply(rows={"symbol": {"BTCUSDT": {"atr": 0.015}}})
    return MATH.compute(replace(inputs, known=merged([BookSource().compute(inputs), symbol])))


def row(asked: Request, **other: Any) -> dict[str, Any]:
    return dict(computed(asked, **other).row("request", "r"))


def test_facts_of_a_request_by_hand() -> None:
    assert row(request()) == pytest.approx(
        {
            "kelly_notional": 10_000 * 0.143252 / 0.03,
            "kelly_trades": 100,
            "reward_risk": 3.0,
            "stop_ranges": 2.0,
            "safe_leverage": 1 / (0.06 + MAINTENANCE * 0.94),
        },
        rel=1e-5,
    )


def test_a_sale_is_the_mirror_of_a_purchase() -> None:
    sold = replace(request(stop=103.0, target=91.0), side="SHORT")
    found, mirrored = row(request()), row(sold)
    for name in ("kelly_notional", "kelly_trades", "reward_risk", "stop_ranges"):
        assert found[name] == pytest.approx(mirrored[name])


def test_the_record_is_that_of_the_proposer_up_to_now() -> None:
    others = (*RECORD, *[trade(-1.0, "lightgbm")] * 500, *[trade(-1.0, closed=NOW + 1)] * 500)
    assert row(request(), trades=others) == row(request())
    losing = row(request(model="lightgbm"), trades=others)
    assert (losing["kelly_notional"], losing["kelly_trades"]) == (0, 500)


def test_a_proposer_that_is_new_has_a_record_of_no_trades() -> None:
    found = row(request(model="nobody"))
    assert found["kelly_trades"] == 0
    assert "kelly_notional" not in found


def test_a_record_that_loses_bears_nothing() -> None:
    assert row(request(), trades=(*[trade(1.0)] * 4, *[trade(-1.0)] * 6))["kelly_notional"] == 0


def test_a_trade_without_a_result_is_no_trade_and_not_a_draw() -> None:
    assert row(request(), trades=(*RECORD, *[trade(None)] * 50)) == row(request())


@pytest.mark.parametrize(("profit", "r"), [(-5.0, -1.0), (0.0, -1.0), (5.0, 0.0)])
def test_a_trade_without_a_known_risk_counts_at_its_worst_and_is_not_left_out(profit: float, r: float) -> None:
    bare = replace(trade(None), profit=profit)
    counted, told = (row(request(), trades=(*RECORD, *[one] * 20)) for one in (bare, trade(r)))
    assert counted == told
    assert counted["kelly_trades"] == 120
    assert counted["kelly_notional"] < row(request())["kelly_notional"]


@pytest.mark.parametrize(
    ("other", "fact", "why"),
    [
        ({"stop": None}, "kelly_notional", "its stop is not known"),
        ({"stop": 103.0}, "safe_leverage", "its stop is no loss from its price"),
        ({"stop": float("nan")}, "safe_leverage", "its stop is no loss from its price"),
        ({"price": float("nan")}, "safe_leverage", "its price is not known"),
        ({"target": None}, "reward_risk", "its target is not known, or is no gain"),
        ({"target": 99.0}, "reward_risk", "its target is not known, or is no gain"),
        ({"model": "nobody"}, "kelly_notional", "its proposer has closed no trade yet"),
        ({"notional": None}, "safe_leverage", "its size is not known"),
    ],
)
def test_what_is_not_known_of_a_request_is_left_out(other: dict[str, Any], fact: str, why: str) -> None:
    supply = computed(request(**other))
    assert fact not in supply.row("request", "r")
    assert supply.reasons[f'request["r"].{fact}'] == why


def test_unknown_trades_are_not_none() -> None:
    supply = computed(request(), trades=None)
    assert supply.reasons['request["r"].kelly_notional'] == "nobody knows the closed trades"


def test_an_account_without_equity_bears_nothing() -> None:
    assert row(request(), equity=-500.0)["kelly_notional"] == 0
    assert "kelly_notional" not in row(request(), equity=float("nan"))


def test_an_exit_is_not_sized() -> None:
    supply = computed(request(reduce_only=True))
    assert supply.rows == {}
    assert supply.reasons['request["r"].kelly_notional'] == "it takes risk off"


def test_every_fact_is_its_own_and_in_range() -> None:
    supply = computed(request())
    base = Supply(rows={"request": {"r": {}}})
    parts = [Supplied("book", ("caller",), NOW, base), Supplied(MATH.name, MATH.owners, NOW, supply)]
    found = (assemble("main", NOW, parts).snapshot.rows["request"] or {})["r"]
    assert {n for n, value in found.items() if value is not None} == set(supply.row("request", "r"))
