"""MSC AI: what it tells of a market, what it leaves out, and the posture that the rules make of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluators.snapshot import Snapshot
from modules.assembly import Supplied, assemble
from modules.estimates.hours import hourly
from modules.facts import CATALOGUE
from modules.feeds.candles import Candles
from modules.inputs import Account, Book, Inputs, Market
from modules.judge import Judge
from modules.meta_strategy_controller import MARKET_FACTS, MetaStrategyController
from modules.module import Module
from modules.sample_market import sample_inputs
from modules.sources.book import BookSource
from modules.sources.feed import FeedSource
from modules.supply import Supply
from policy_dsl.bundle import check_files
from tests.modules.hourly_market import HOUR, NOW, candles_of, walk

DAYS = 150
SYMBOLS = ("A", "B", "C", "D", "E", "F")

RULES = """policy msc version 1.0.0
  "Posture."

output posture: DEFENSIVE < NORMAL < AGGRESSIVE
  starts AGGRESSIVE

rule unclear
  unless market.volatility is LOW
  tighten posture to NORMAL
  because "volatility is {market.volatility}"

rule wild
  when market.volatility in {HIGH, EXTREME}
  tighten posture to DEFENSIVE
  because "volatility is {market.volatility}"
"""


@cache
def judge() -> Judge:
    report = check_files({"msc.rules": RULES.encode(), "ringfence.toml": b""}, CATALOGUE)
    assert report.bundle is not None, report.diagnostics
    return Judge(report.bundle)


def seen(candles: Candles | None, *, now: int = NOW) -> Inputs:
    return Inputs("main", now, Market(candles, newest=now), Book(positions={}, orders={}, trades=()))


@cache
def prices(days: int = DAYS, seed: int = 1) -> NDArray[np.float64]:
    return walk(days, len(SYMBOLS), seed=seed)


@cache
def ordinary() -> Supply:
    return MetaStrategyController().compute(seen(candles_of(prices(), SYMBOLS)))


def test_it_is_a_module() -> None:
    module: Module = MetaStrategyController()
    assert (module.name, module.policy, module.port, module.interval) == ("msc_ai", "msc", None, 1800)


def test_half_a_year_of_hours_tells_everything() -> None:
    supply = ordinary()
    assert set(supply.single) == {f"market.{fact}" for fact in MARKET_FACTS}
    assert {len(row) for row in supply.rows["symbol"].values()} == {8}
    assert supply.reasons == {}


def test_every_value_can_be_believed() -> None:
    inputs = seen(candles_of(prices(), SYMBOLS))
    feed = Supply(rows={"symbol": {s: {} for s in SYMBOLS}})
    parts = [Supplied("feed", ("feed",), NOW, feed), Supplied("msc_ai", ("MSC AI",), NOW, ordinary())]
    made = assemble("main", inputs.ts, parts)
    assert not {path for path in made.reasons if path.startswith(("market.", "symbol["))}
    assert made.snapshot.facts["market.regime"] is not None


def test_the_same_candles_tell_the_same_whatever_was_fitted_before() -> None:
    controller = MetaStrategyController()
    one, other = (seen(candles_of(prices(seed=n), SYMBOLS)) for n in (1, 2))
    first = controller.compute(one)
    assert controller.compute(other) != first
    assert controller.compute(one) == first == ordinary()


def test_the_order_of_symbols_changes_nothing() -> None:
    order = [3, 1, 5, 0, 2, 4]
    plain = MetaStrategyController().compute(seen(candles_of(prices(20), SYMBOLS)))
    shuffled = candles_of(prices(20)[:, order], [SYMBOLS[i] for i in order])
    made = MetaStrategyController().compute(seen(shuffled))
    assert len(plain.single) == 4
    assert dict(made.single) == pytest.approx(dict(plain.single))
    for symbol in SYMBOLS:
        assert made.row("symbol", symbol) == plain.row("symbol", symbol)


def test_minutes_and_hours_tell_the_same() -> None:
    """What is told is told of hours: the same market by quarters of an hour gives the same facts."""
    quarters = walk(DAYS * 4, len(SYMBOLS), seed=3)
    fine = candles_of(quarters, SYMBOLS, cadence=HOUR // 4)
    controller = MetaStrategyController()
    by_quarters = controller.compute(seen(fine))
    assert by_quarters == controller.compute(seen(hourly(fine)))
    assert by_quarters.reasons == {}


def test_a_range_of_fourteen_hours_is_no_range_of_fourteen_minutes() -> None:
    flat = np.full((20 * 60, 1), 100.0)
    minutes = candles_of(flat, ["A"], cadence=60_000, reach=0.01)
    row = MetaStrategyController().compute(seen(minutes)).row("symbol", "A")
    assert row["atr"] == pytest.approx(0.02)


def test_nothing_of_later_is_seen() -> None:
    whole = candles_of(prices(), SYMBOLS)
    past = NOW - 10 * 24 * HOUR
    cut = candles_of(prices()[: -10 * 24], SYMBOLS, end=past)
    controller = MetaStrategyController()
    assert controller.compute(seen(whole, now=past)) == controller.compute(seen(cut, now=past))


@pytest.mark.parametrize(
    ("candles", "why"),
    [
        (None, "there are no candles"),
        (candles_of(np.empty((0, 1)), ["A"]), "there are no candles"),
        (candles_of(np.empty((5, 0)), []), "there are no candles"),
        (candles_of(np.ones((50, 1)), ["A"], cadence=4 * HOUR), "candles of 4 hours are too coarse: an hour at most"),
        (candles_of(np.ones((50, 1)), ["A"], end=NOW - 3 * HOUR), "the newest candle closed 3.0 hours ago"),
        (candles_of(np.ones((5, 1)), ["A"], end=NOW + 9 * HOUR), "no candle has closed yet"),
        (candles_of(np.ones((3, 1)), ["A"], cadence=60_000, end=NOW - 60_000), "no hour of candles is over"),
    ],
)
def test_what_tells_nothing_says_why(candles: Candles | None, why: str) -> None:
    supply = MetaStrategyController().compute(seen(candles))
    assert supply.single == {}
    assert dict(supply.rows) == {}
    assert supply.reasons == {f"market.{fact}": why for fact in MARKET_FACTS}


def test_ten_days_tell_breadth_and_ranges_and_no_more_than_they_can() -> None:
    supply = MetaStrategyController().compute(seen(candles_of(prices(10), SYMBOLS)))
    assert set(supply.single) == {"market.breadth"}
    assert set(supply.row("symbol", "A")) == {"atr", "trend_t_short"}
    assert supply.reasons["market.trend_t"] == "240 hours of candles, and it takes 337"
    assert supply.reasons["market.regime"] == "240 hours of candles, and it takes 2161"
    assert supply.reasons["market.volatility"] == "240 hours of candles, and it takes 2904"
    assert supply.reasons['symbol["A"].trend_t'] == "240 of its last 337 hours have candles"


def test_a_market_that_stands_still_is_not_taken_for_a_calm_one() -> None:
    supply = MetaStrategyController().compute(seen(candles_of(np.full((DAYS * 24, 2), 50.0), ["A", "B"], reach=0.0)))
    assert set(supply.single) == {"market.breadth"}
    assert "did not converge" in supply.reasons["market.regime"]
    assert supply.row("symbol", "A") == {}
    for fact in ("trend_t", "atr"):
        assert supply.reasons[f'symbol["A"].{fact}'] == "it does not move"


def test_a_symbol_that_has_stopped_trading_loses_its_facts_and_the_others_keep_theirs() -> None:
    gone = prices(20).copy()
    gone[-5:, 2] = np.nan
    plain = MetaStrategyController().compute(seen(candles_of(prices(20), SYMBOLS)))
    supply = MetaStrategyController().compute(seen(candles_of(gone, SYMBOLS)))
    assert supply.row("symbol", "C") == {}
    assert supply.reasons['symbol["C"].atr'] == "10 of its last 15 hours have candles"
    assert supply.row("symbol", "A") == plain.row("symbol", "A")
    assert set(supply.single) == set(plain.single)


def test_hours_that_the_venue_missed_are_no_trend() -> None:
    whole = candles_of(prices(20), SYMBOLS)
    opened = whole.opened.copy()
    opened[:-100] -= 24 * HOUR
    holed = Candles("t", HOUR, opened, SYMBOLS, whole.open, whole.high, whole.low, whole.close, whole.volume)
    supply = MetaStrategyController().compute(seen(holed))
    assert "market.trend_t" not in supply.single
    assert "have gaps" in supply.reasons["market.trend_t"]
    assert set(supply.row("symbol", "A")) == {"atr", "volatility", "volatility_rank", "trend_t_short"}
    assert supply.reasons['symbol["A"].trend_t'] == "the last 337 hours of candles have gaps"


def test_a_rise_and_its_mirror_image_differ_in_sign_and_direction_only() -> None:
    risen = prices() * np.exp(np.linspace(0, 3, DAYS * 24))[:, None]
    up = MetaStrategyController().compute(seen(candles_of(risen, SYMBOLS)))
    down = MetaStrategyController().compute(seen(candles_of(1e4 / risen, SYMBOLS)))
    assert up.single["market.trend_t"] == pytest.approx(-down.single["market.trend_t"])
    for same in ("market.regime", "market.volatility"):
        assert up.single[same] == down.single[same]
    mirrored = {"UP": "DOWN", "FLAT": "FLAT", "DOWN": "UP"}
    for symbol in SYMBOLS:
        here, there = up.row("symbol", symbol), down.row("symbol", symbol)
        assert mirrored[here["trend_direction"]] == there["trend_direction"]
        assert here["trend_t"] == pytest.approx(-there["trend_t"])
        assert here["trend_strength"] == pytest.approx(there["trend_strength"])


def test_figures_of_a_symbol_worked_by_hand() -> None:
    """Log returns +2 % and -1 % by turns: mean 0.5 %, variance 0.015^2 x n / (n - 1), one step of three kept."""
    steps = np.tile([0.02, -0.01], 20 * 12)
    rising = 100 * np.exp(np.cumsum(steps))[:, None]
    row = MetaStrategyController().compute(seen(candles_of(rising, ["A"], reach=0.0))).row("symbol", "A")
    assert row["trend_t"] == pytest.approx(np.sqrt(336) * 0.005 / np.sqrt(0.015**2 * 336 / 335))
    assert row["trend_t_short"] == pytest.approx(np.sqrt(72) * 0.005 / np.sqrt(0.015**2 * 72 / 71))
    assert row["trend_strength"] == pytest.approx(1 / 3)
    assert row["trend_direction"] == "UP"
    assert row["variance_ratio"] == pytest.approx(0, abs=1e-9)  # a day is always twelve times a step up and one down


@pytest.mark.parametrize("price", [0.0003, 1.0, 90_000.0])
@pytest.mark.parametrize("cadence", [HOUR // 4, HOUR])
def test_a_range_is_a_share_of_the_price_of_whatever_coin_and_candles(price: float, cadence: int) -> None:
    bars = 20 * HOUR // cadence
    flat = candles_of(np.full((bars, 1), price), ["A"], cadence=cadence, reach=0.01)
    assert MetaStrategyController().compute(seen(flat)).row("symbol", "A")["atr"] == pytest.approx(0.02)


def test_an_uproar_is_seen() -> None:
    stormy = prices().copy()
    rng = np.random.default_rng(4)
    stormy[-72:] *= np.exp(np.cumsum(rng.normal(0, 0.04, (72, 1)), axis=0))
    supply = MetaStrategyController().compute(seen(candles_of(stormy, SYMBOLS)))
    assert supply.single["market.volatility"] in {"HIGH", "EXTREME"}
    assert supply.single["market.wild_probability"] > 0.5
    assert supply.row("symbol", "A")["volatility"] in {"HIGH", "EXTREME"}


def test_without_data_the_posture_is_defensive() -> None:
    msc = MetaStrategyController()
    market_state = msc.evaluate_market_conditions()
    assert market_state["risk_mode"] == "DEFENSIVE"
    assert market_state["regime"] is None
    assert market_state["reasons"]["market.regime"] == "there are no candles"


def test_without_data_the_rules_make_the_posture_defensive() -> None:
    assert MetaStrategyController(judge=judge()).evaluate_market_conditions()["risk_mode"] == "DEFENSIVE"


def test_where_no_rule_speaks_of_postures_it_is_defensive() -> None:
    report = check_files({"ringfence.toml": b""}, CATALOGUE)
    assert report.bundle is not None, report.diagnostics
    silent = MetaStrategyController(sample_inputs(), Judge(report.bundle))
    assert silent.evaluate_market_conditions()["risk_mode"] == "DEFENSIVE"


def test_the_posture_is_the_rules_answer_to_the_facts() -> None:
    conditions = MetaStrategyController(sample_inputs(), judge()).evaluate_market_conditions()
    assert conditions["volatility"] == "NORMAL"
    assert conditions["risk_mode"] == "NORMAL"
    assert conditions["because"] == {"msc.unclear": "volatility is NORMAL"}
    assert conditions["reasons"] == {}


def test_what_else_is_known_is_told_to_the_rules() -> None:
    """A rule on the account reads the account of the inputs that are handed over."""
    rules = (
        RULES + '\nrule losing\n  unless account.drawdown < 3%\n  tighten posture to DEFENSIVE\n  because "it loses"\n'
    )
    report = check_files({"msc.rules": rules.encode(), "ringfence.toml": b""}, CATALOGUE)
    assert report.bundle is not None, report.diagnostics
    msc = MetaStrategyController(judge=Judge(report.bundle))
    account = Account(NOW, 100.0, 100.0, 0.0, 100.0, 100.0)
    inputs = replace(sample_inputs(), book=replace(sample_inputs().book, account=account))
    known = replace(inputs, known=BookSource().compute(inputs))
    assert msc.evaluate_market_conditions(known)["risk_mode"] == "NORMAL"
    assert msc.evaluate_market_conditions(inputs)["risk_mode"] == "DEFENSIVE"


def test_a_look_at_the_market_changes_nothing_that_it_is_given() -> None:
    inputs = seen(candles_of(prices(20), SYMBOLS))
    before = inputs.market.candles
    assert before is not None
    copies = [panel.copy() for panel in (before.open, before.high, before.low, before.close, before.volume)]
    MetaStrategyController().compute(inputs)
    for panel, copy in zip((before.open, before.high, before.low, before.close, before.volume), copies, strict=True):
        assert np.array_equal(panel, copy)


def test_the_feed_says_which_symbols_there_are() -> None:
    inputs = seen(candles_of(prices(), SYMBOLS))
    parts = [
        Supplied("feed", ("feed",), NOW, FeedSource().compute(inputs)),
        Supplied("msc_ai", ("MSC AI",), NOW, ordinary()),
    ]
    made: Snapshot = assemble("main", NOW, parts).snapshot
    assert made.collection("symbol") is None
