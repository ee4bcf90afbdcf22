"""OpportunityRanker: what makes a score, what leaves one out, and the places that follow."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from modules.assembly import Supplied, assemble
from modules.inputs import Inputs
from modules.module import Module
from modules.opportunity_ranker import NEEDED, OpportunityRanker
from modules.sample_market import sample_inputs
from modules.supply import Supply
from modules.universe_os import UniverseOS
from tests.modules.hourly_market import NOW, inputs_of

PLAIN: Mapping[str, Any] = {
    "in_universe": True,
    "trend_t": 1.0,
    "volatility_rank": 0.5,
    "volume_24h": 1e8,
    "spread": 0.0002,
    "trades": 0,
}


def known(rows: Mapping[str, Mapping[str, Any]], regime: str | None = "NORMAL", market_t: float | None = 1.0) -> Inputs:
    single = {"market.regime": regime, "market.trend_t": market_t}
    told = Supply({path: value for path, value in single.items() if value is not None}, {"symbol": rows})
    return Inputs("main", NOW, known=told)


def score(rows: Mapping[str, Mapping[str, Any]], symbol: str = "A", **market: Any) -> float | None:
    found: float | None = (
        OpportunityRanker().compute(known(rows, **market)).row("symbol", symbol).get("opportunity_score")
    )
    return found


def places(rows: Mapping[str, Mapping[str, Any]], **market: Any) -> dict[str, int]:
    made = OpportunityRanker().compute(known(rows, **market)).rows["symbol"]
    return {symbol: row["opportunity_rank"] for symbol, row in made.items() if row}


def test_it_is_a_module() -> None:
    module: Module = OpportunityRanker()
    assert (module.name, module.policy, module.port, module.interval) == ("opportunity_ranker", "ranker", None, 900)


def test_the_top_twenty_without_anything_given() -> None:
    ranker = OpportunityRanker()
    top_symbols = ranker.get_top_opportunities(limit=20)
    assert len(top_symbols) == len(set(top_symbols)) == 20
    assert ranker.get_top_opportunities(limit=3) == top_symbols[:3]
    assert set(top_symbols) < set(sample_inputs().market.tickers)


def test_a_list_of_nobody_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="at least one must be asked for"):
        OpportunityRanker().get_top_opportunities(limit=0)


def test_without_a_market_the_list_is_empty() -> None:
    assert OpportunityRanker(Inputs("main", NOW)).get_top_opportunities() == []
    assert OpportunityRanker().compute(Inputs("main", NOW)) == Supply()


def test_a_score_worked_by_hand() -> None:
    """One symbol alone: liquidity and spread are 1, volatility 1, no record 0; trend 0.6827, and half of each fit.

    0.25 x 0.6827 + 0.20 + 0.20 + 0.10 + 0 + 0.15 x (0.8413 + 1 - 0.6827) / 2 = 0.7576
    """
    assert score({"A": PLAIN}) == pytest.approx(0.7576, abs=1e-4)


def test_a_record_counts_with_what_it_proves() -> None:
    # Wilson's lower end for 8 of 10 is 0.4902, a tenth of which is added.
    base = score({"A": PLAIN})
    proven = score({"A": {**PLAIN, "trades": 10, "win_rate": 0.8}})
    assert base is not None
    assert proven == pytest.approx(base + 0.04902, abs=1e-5)


def test_a_symbol_that_was_never_traded_stands_no_higher_than_one_with_any_record() -> None:
    untried = score({"A": PLAIN})
    assert untried is not None
    for trades, wins in ((1, 0), (1, 1), (10, 0), (10, 5), (100, 1)):
        tried = score({"A": {**PLAIN, "trades": trades, "win_rate": wins / trades}})
        assert tried is not None
        assert untried <= tried


def test_more_trades_at_the_same_rate_prove_more() -> None:
    few = score({"A": {**PLAIN, "trades": 10, "win_rate": 0.6}})
    many = score({"A": {**PLAIN, "trades": 1000, "win_rate": 0.6}})
    assert few is not None
    assert many is not None
    assert few < many


@pytest.mark.parametrize("fact", ["trend_t", "volatility_rank", "volume_24h", "spread", "trades"])
@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_missing_part_leaves_no_score_and_says_so(fact: str, value: float | None) -> None:
    rows = {"A": PLAIN, "B": {**PLAIN, fact: value}}
    supply = OpportunityRanker().compute(known(rows))
    assert supply.row("symbol", "B") == {}
    assert supply.reasons['symbol["B"].opportunity_score'] == f"no score without {fact}"
    assert supply.reasons['symbol["B"].opportunity_rank'] == f"no score without {fact}"
    assert supply.row("symbol", "A")["opportunity_rank"] == 1


def test_trades_without_a_win_rate_are_a_missing_part() -> None:
    supply = OpportunityRanker().compute(known({"A": {**PLAIN, "trades": 5}}))
    assert supply.reasons['symbol["A"].opportunity_score'] == "no score without win_rate"


def test_a_market_that_nobody_knows_leaves_no_scores() -> None:
    assert score({"A": PLAIN}, regime=None) is None
    assert score({"A": PLAIN}, market_t=None) is None
    assert score({"A": PLAIN}, regime="SIDEWAYS") is None
    supply = OpportunityRanker().compute(known({"A": PLAIN}, regime=None, market_t=None))
    assert supply.reasons['symbol["A"].opportunity_score'] == "no score without market.regime, market.trend_t"


@pytest.mark.parametrize("in_universe", [False, None])
def test_what_is_not_in_the_universe_has_no_place_in_the_list(in_universe: bool | None) -> None:
    rows = {"A": PLAIN, "B": {**PLAIN, "in_universe": in_universe, "volume_24h": 1e12}}
    supply = OpportunityRanker().compute(known(rows))
    assert supply.row("symbol", "B") == {}
    assert supply.reasons['symbol["B"].opportunity_rank'] == "it is not known to be in the universe"
    assert score(rows) == score({"A": PLAIN})


def test_a_collapse_in_a_rising_market_is_a_worse_opportunity_than_a_rise() -> None:
    rows = {"A": {**PLAIN, "trend_t": 3.0}, "B": {**PLAIN, "trend_t": -3.0}}
    risen, fallen = (score(rows, s, regime="TRENDING", market_t=4.0) for s in ("A", "B"))
    assert risen is not None
    assert fallen is not None
    assert risen - fallen == pytest.approx(0.15 * (norm.cdf(3) - norm.cdf(-3)))


def test_in_a_falling_market_the_one_that_falls_is_liked() -> None:
    rows = {"A": {**PLAIN, "trend_t": 3.0}, "B": {**PLAIN, "trend_t": -3.0}}
    assert places(rows, regime="TRENDING", market_t=-4.0) == {"B": 1, "A": 2}


def test_in_a_ranging_market_standing_still_fits_and_going_anywhere_does_not() -> None:
    still = score({"A": {**PLAIN, "trend_t": 0.0}}, regime="RANGING", market_t=0.1)
    # No trend at all: 0.20 + 0.20 + 0.10 of the other parts, and all of the fit.
    assert still == pytest.approx(0.65)


def test_the_middle_of_its_own_past_is_the_best_volatility_whatever_the_bars() -> None:
    rows = {s: {**PLAIN, "volatility_rank": rank} for s, rank in zip("ABC", (0.5, 0.0, 1.0), strict=True)}
    middle, calm, wild = (score(rows, s) for s in "ABC")
    assert middle is not None
    assert calm == wild == pytest.approx(middle - 0.20)


CHANGES: dict[str, dict[str, Any]] = {
    "trend_t": {"trend_t": 2.0},
    "volatility_rank": {"volatility_rank": 0.9},
    "volume_24h": {"volume_24h": 1e6},
    "spread": {"spread": 0.002},
    "trades": {"trades": 500},
    "win_rate": {"win_rate": 0.9},
}


@pytest.mark.parametrize("fact", CHANGES)
def test_each_fact_that_a_score_rests_on_moves_it(fact: str) -> None:
    plain = {**PLAIN, "trades": 50, "win_rate": 0.5}
    rows = {"A": plain, "B": plain}
    assert score({**rows, "A": plain | CHANGES[fact]}) != score(rows)
    assert CHANGES.keys() == {*NEEDED, "win_rate"}


def test_each_fact_of_the_market_that_a_score_rests_on_moves_it() -> None:
    rows = {"A": {**PLAIN, "trend_t": 1.5}}
    found = {score(rows, regime=regime, market_t=t) for regime in ("RANGING", "TRENDING") for t in (-2.0, 2.0)}
    # Which way a market goes that goes nowhere makes no difference.
    assert len(found) == 3


def test_the_clearer_a_trend_that_the_market_has_too_the_better_and_none_gets_nothing_for_it() -> None:
    found = [score({"A": {**PLAIN, "trend_t": t}}, regime="TRENDING", market_t=3.0) for t in np.arange(0, 4.01, 0.25)]
    scores = [s for s in found if s is not None]
    assert scores == sorted(set(scores))
    # Standing still: all that is not about trends (0.50), and the chance of a coin to go the market's way.
    assert scores[0] == pytest.approx(0.50 + 0.15 / 2)
    assert scores[-1] == pytest.approx(0.50 + 0.25 + 0.15, abs=1e-4)


@pytest.mark.parametrize("factor", [1e-3, 1e3, 1e6])
def test_no_place_depends_on_how_much_money_a_market_moves(factor: float) -> None:
    volumes = {"A": 1e5, "B": 3e6, "C": 1e6, "D": 1e9, "E": 2e7, "F": 4e8}
    rows = {s: {**PLAIN, "volume_24h": volume} for s, volume in volumes.items()}
    scaled = {s: {**row, "volume_24h": row["volume_24h"] * factor} for s, row in rows.items()}
    assert OpportunityRanker().compute(known(scaled)) == OpportunityRanker().compute(known(rows))
    tiers = [
        {m.symbol: m.tier for m in UniverseOS(inputs_of({s: v * by for s, v in volumes.items()})).universe()}
        for by in (1.0, factor)
    ]
    assert tiers[0] == tiers[1]
    assert len(set(tiers[0].values())) == 3


def test_equal_scores_are_placed_by_name() -> None:
    assert places(dict.fromkeys("CAB", PLAIN)) == {"A": 1, "B": 2, "C": 3}


def test_a_removed_symbol_is_not_remembered() -> None:
    ranker = OpportunityRanker()
    ranker.compute(known({"A": PLAIN, "B": PLAIN}))
    assert list(ranker.compute(known({"B": PLAIN})).rows["symbol"]) == ["B"]


FACTS = st.fixed_dictionaries(
    {
        "in_universe": st.just(value=True),
        "trend_t": st.floats(-6, 6),
        "volatility_rank": st.floats(0, 1),
        "volume_24h": st.floats(0, 1e12),
        "spread": st.floats(0, 0.1),
        "trades": st.just(20),
        "win_rate": st.integers(0, 20).map(lambda wins: wins / 20),
    }
)
REGIMES = st.sampled_from(["RANGING", "NORMAL", "TRENDING"])


@given(st.lists(FACTS, min_size=1, max_size=4), REGIMES, st.floats(-6, 6))
def test_neither_order_nor_mirroring_of_the_market_changes_a_place(rows: Any, regime: str, market_t: float) -> None:
    named = dict(zip("ABCD", rows, strict=False))
    expected = OpportunityRanker().compute(known(named, regime, market_t))
    for order in itertools.permutations(named):
        assert OpportunityRanker().compute(known({s: named[s] for s in order}, regime, market_t)) == expected
    mirrored = {s: {**row, "trend_t": -row["trend_t"]} for s, row in named.items()}
    assert OpportunityRanker().compute(known(mirrored, regime, -market_t)) == expected


@given(FACTS, REGIMES, st.floats(-6, 6), st.floats(0, 1e12), st.floats(0, 0.1), st.integers(0, 20))
def test_more_volume_less_spread_and_more_wins_never_lower_a_score(
    row: Any, regime: str, market_t: float, volume: float, spread: float, wins: int
) -> None:
    rows = {"A": row, "B": {**row, "volume_24h": volume, "spread": spread, "win_rate": wins / 20}}
    better = {
        **row,
        "volume_24h": max(volume, row["volume_24h"]),
        "spread": min(spread, row["spread"]),
        "win_rate": max(wins / 20, row["win_rate"]),
    }
    before = score(rows, regime=regime, market_t=market_t)
    after = score({**rows, "A": better}, regime=regime, market_t=market_t)
    assert before is not None
    assert after is not None
    assert 0 <= before <= after + 1e-12
    assert after <= 1 + 1e-12


def test_every_score_can_be_believed() -> None:
    inputs = known({s: {**PLAIN, "trend_t": 40.0, "trades": 10**6, "win_rate": 1.0} for s in "ABC"}, "TRENDING", 9.0)
    parts = [
        Supplied("feed", ("feed",), NOW, Supply(rows={"symbol": {s: {} for s in "ABC"}})),
        Supplied("opportunity_ranker", OpportunityRanker.owners, NOW, OpportunityRanker().compute(inputs)),
    ]
    made = assemble("main", NOW, parts)
    assert not [path for path in made.reasons if path.startswith("symbol")]
    rows = made.snapshot.collection("symbol")
    assert rows is not None
    assert [rows[s]["opportunity_rank"] for s in "ABC"] == [1, 2, 3]


def test_what_was_told_already_is_not_told_over_again() -> None:
    """Facts in `known` stand: a spread that a module before has told is the one that counts."""
    wide = Supply(rows={"symbol": {"ETHUSDT": {"in_universe": False}}})
    assert "ETHUSDT" not in OpportunityRanker(replace(sample_inputs(), known=wide)).get_top_opportunities(limit=24)
