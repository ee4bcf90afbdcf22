"""Statistics behind the facts: right on cases worked by hand, and blind to what comes later."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import t as student

from modules.estimates import (
    correlation,
    liquidation,
    liquidity,
    opportunity,
    proportions,
    records,
    sectors,
    trend,
    volatility,
    windows,
)
from modules.facts.levels import CATEGORY, REGIME, TIER, TREND_DIRECTION, VOLATILITY
from modules.feeds.candles import Candles
from modules.market_state import market_state
from tests.modules.samples import SHORT, first_bars, made_candles, shaken_after

Panel = NDArray[np.float64]


def column(*values: float) -> Panel:
    return np.array(values)[:, None]


def listed(panel: Panel) -> list[float | None]:
    return [None if np.isnan(v) else round(float(v), 9) for v in panel.ravel()]


def test_a_sum_needs_every_value_of_its_window() -> None:
    assert listed(windows.trailing_sum(column(1, 2, np.nan, 4, 5, 6), 2)) == [None, 3, None, None, 9, 11]
    assert listed(windows.trailing_sum(column(1, 2), 3)) == [None, None]


def test_a_smoothed_mean_weighs_by_half_lives_and_skips_gaps() -> None:
    made = windows.smoothed(column(np.nan, 4, 1, np.nan, 1), 1)
    assert listed(made) == [None, 4, 2, 2, round((4 / 4 + 1 / 2 + 1) / (1 / 4 + 1 / 2 + 1), 9)]


def test_the_middle_of_a_bar_is_the_median_of_its_known_symbols() -> None:
    rng = np.random.default_rng(10)
    values = np.round(rng.normal(size=(60, 5)), 1)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:6, 0] = np.nan
    values[7] = np.nan
    assert np.array_equal(windows.middle(values), windows.over_symbols(values, np.nanmedian), equal_nan=True)
    assert windows.middle(np.empty((3, 0))).shape == (3, 1)


@pytest.mark.parametrize("half_life", [1.0, 24.0])
def test_a_smoothed_mean_is_the_one_of_each_column_by_itself(half_life: float) -> None:
    """Columns that begin at once, later, with gaps, end early or never begin are told apart, and none tells another."""
    values = np.random.default_rng(11).random((50, 7))
    values[:20, 1] = values[:20, 2] = np.nan
    values[[3, 30, 31], 3] = np.nan
    values[40:, 4] = np.nan
    values[:, 5] = np.nan
    keep, total, weight = 0.5 ** (1 / half_life), np.zeros(7), np.zeros(7)
    made = windows.smoothed(values, half_life)
    for bar, row in enumerate(values):
        known = np.isfinite(row)
        total = np.where(known, total * keep + row, total)
        weight = np.where(known, weight * keep + 1, weight)
        expected = np.divide(total, weight, out=np.full(7, np.nan), where=weight > 0)
        assert made[bar] == pytest.approx(expected, nan_ok=True, rel=1e-12)
    assert windows.smoothed(np.empty((0, 2)), half_life).shape == (0, 2)


def test_a_rank_is_the_share_of_the_past_below() -> None:
    made = windows.past_rank(column(3, 1, 2, 2, np.nan, 9), least=2, window=100)
    assert listed(made) == [None, None, 0.5, 0.5, None, 1]


def test_a_rank_forgets_what_is_older_than_its_window() -> None:
    assert listed(windows.past_rank(column(9, 1, 2, 3), least=1, window=2))[-1] == 1


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 9))
def test_ranks_agree_with_their_definition(values: list[float], least: int, window: int) -> None:
    made = windows.past_rank(column(*values), least, window).ravel()
    for i, value in enumerate(values):
        past = np.array(values[max(0, i - window) : i])
        if i < least:
            assert np.isnan(made[i])
        else:
            assert made[i] == pytest.approx((np.sum(past < value) + np.sum(past == value) / 2) / len(past))


def test_ranks_across_symbols_and_places_from_the_top() -> None:
    row = np.array([[5.0, np.nan, 7.0, 5.0]])
    assert listed(windows.cross_section_rank(row)) == [round(2 / 3, 9), None, 1, round(2 / 3, 9)]
    assert windows.place_from_top(row).tolist() == [[2, 0, 1, 3]]


def test_the_range_of_a_random_walk_gives_back_its_variance() -> None:
    rng = np.random.default_rng(1)
    paths = np.cumsum(rng.normal(0, 0.01 / np.sqrt(500), (2000, 500)), axis=1)
    high, low = np.exp(np.maximum(paths.max(axis=1), 0)), np.exp(np.minimum(paths.min(axis=1), 0))
    close = np.full((2000, 1), 1.0)
    made = volatility.bar_variance(close, high[:, None], low[:, None], close)
    assert made.mean() == pytest.approx(0.01**2, rel=0.1)


def test_a_gap_between_bars_is_variance_too() -> None:
    opened, close = column(100, 110, 120), column(100, np.nan, 120)
    made = volatility.bar_variance(opened, opened, opened, close)
    assert listed(made) == [0, round(np.log(1.1) ** 2, 9), 0]


def test_a_forecast_waits_for_history_and_rises_with_a_shock() -> None:
    calm = volatility.forecast_variance(np.full((30, 1), 1e-4), least=10).ravel()
    assert np.isnan(calm[:9]).all()
    assert calm[9:] == pytest.approx(np.full(21, 1e-4))
    shocked = np.full((30, 1), 1e-4)
    shocked[20] = 1e-2
    made = volatility.forecast_variance(shocked, least=10).ravel()
    assert made[20] > made[25] > made[29] > 1e-4


def test_volatility_words_are_cut_at_their_quantiles() -> None:
    made = volatility.volatility_level(np.array([np.nan, 0, 0.249, 0.25, 0.899, 0.9, 0.989, 0.99, 1]))
    names = [None if r < 0 else VOLATILITY.members[r] for r in made.tolist()]
    assert names == [None, "LOW", "LOW", "NORMAL", "NORMAL", "HIGH", "HIGH", "EXTREME", "EXTREME"]


def test_the_average_range_counts_gaps_between_bars() -> None:
    made = volatility.average_range(column(11, 21), column(9, 20), column(10, 20), bars=1)
    assert listed(made) == [None, round(11 / 20, 9)]


def test_turbulence_is_one_where_moves_are_as_forecast() -> None:
    returns, variance = np.array([[np.nan] * 2, [0.1, -0.2]]), np.array([[0.01, 0.04], [9.0, 9.0]])
    assert listed(volatility.turbulence_score(returns, variance)) == [None, 1]


def test_the_t_statistic_is_the_one_of_the_mean() -> None:
    returns = np.array([0.01, 0.03, -0.01, 0.02])
    t = np.sqrt(4) * returns.mean() / returns.std(ddof=1)
    assert trend.trend_t(returns[:, None], 4)[-1, 0] == pytest.approx(t)
    assert np.isnan(trend.trend_t(np.zeros((4, 1)), 4)[-1, 0])


def test_driftless_walks_seldom_show_a_clear_trend() -> None:
    returns = np.random.default_rng(2).normal(0, 0.01, (168, 4000))
    t = trend.trend_t(returns, 168)[-1:]
    assert np.mean(np.abs(t) > trend.CLEAR) == pytest.approx(0.05, abs=0.012)
    assert np.mean(np.abs(t) < trend.STILL) == pytest.approx(0.25, abs=0.025)


def test_directions_and_regimes_are_named_by_t() -> None:
    t = np.array([[np.nan, 2.0, -2.0, 0.5, 0.1]])
    assert [None if r < 0 else TREND_DIRECTION.members[r] for r in trend.direction_level(t)[0]] == [
        None, "UP", "DOWN", "FLAT", "FLAT",
    ]  # fmt: skip
    assert [None if r < 0 else REGIME.members[r] for r in trend.regime_level(t)[0]] == [
        None, "TRENDING", "TRENDING", "NORMAL", "RANGING",
    ]  # fmt: skip


def test_efficiency_is_one_on_a_straight_way_and_none_without_a_move() -> None:
    assert listed(trend.efficiency(column(0.1, 0.1, 0.1), 3))[-1] == 1
    assert listed(trend.efficiency(column(0.1, -0.1, 0.1), 3))[-1] == round(1 / 3, 9)
    assert listed(trend.efficiency(column(0, 0, 0), 3))[-1] is None


def test_votes_count_the_windows_that_agree() -> None:
    t = np.array([[1.0, -1.0, np.nan]])
    others = (np.array([[2.0, 2.0, 2.0]]), np.array([[-1.0, -1.0, np.nan]]))
    assert trend.agreeing(t, others).tolist() == [[2, 2, 0]]


def test_breadth_is_the_share_above_the_mean() -> None:
    close = np.array([[1.0, 1.0, np.nan], [2.0, 0.5, 1.0]])
    assert listed(trend.breadth(close, 2)) == [None, 0.5]


def test_tiers_follow_traded_value() -> None:
    made = liquidity.tier_level(np.array([[9.0, 8.0, 7.0, 6.0, 0.0, np.nan]]))
    assert [None if r < 0 else TIER.members[r] for r in made[0].tolist()] == [
        "CORE", "EXPANSION", "EXPANSION", "EXPANSION", "BLACKLIST", None,
    ]  # fmt: skip


def test_impact_grows_with_the_root_of_size() -> None:
    assert liquidity.impact(400, 40_000, 0.04) == pytest.approx(0.004)
    assert liquidity.impact(100, 40_000, 0.04) == pytest.approx(0.002)
    assert np.isnan(liquidity.impact(1, 0, 0.04))


def test_an_opportunity_without_a_part_has_no_score() -> None:
    score = opportunity.opportunity_score(
        np.array([[0.0, 3.0, np.nan]]), np.array([[0.5, 0.5, 0.5]]), np.array([[1.0, 2.0, 3.0]])
    )
    assert score[0, 1] > score[0, 0]
    assert np.isnan(score[0, 2])


def test_shrinkage_follows_ledoit_and_wolf() -> None:
    rng = np.random.default_rng(3)
    few = rng.normal(size=(30, 5)) * np.arange(1, 6)
    shrunk, sample = correlation.shrunk_covariance(few), np.cov(few.T, bias=True)
    assert np.trace(shrunk) == pytest.approx(np.trace(sample))
    off = ~np.eye(5, dtype=bool)
    kept = shrunk[off] / sample[off]
    assert kept == pytest.approx(np.full(20, kept[0]))
    assert 0 < kept[0] < 1


def test_symbols_that_move_together_are_one_cluster() -> None:
    rng = np.random.default_rng(4)
    one, two = rng.normal(size=(2, 300))
    noise = 0.1 * rng.normal(size=(4, 300))
    made = correlation.clusters(np.array([one + noise[0], one + noise[1], two + noise[2], two + noise[3]]).T)
    assert made[0] == made[1] != made[2] == made[3]


@pytest.mark.parametrize("returns", [np.zeros((300, 3)), np.random.default_rng(0).normal(size=(29, 3))])
def test_without_enough_to_tell_everything_is_one_cluster(returns: Panel) -> None:
    assert correlation.clusters(returns).tolist() == [1, 1, 1]


@given(st.sampled_from([1, -1]), st.floats(1.5, 50), st.floats(0.01, 1e5))
def test_at_liquidation_only_the_maintenance_margin_is_left(sign: int, leverage: float, entry: float) -> None:
    price = liquidation.liquidation_price(entry, sign, leverage)
    left = entry / leverage + sign * (price - entry)
    assert left == pytest.approx(price * liquidation.MAINTENANCE, abs=1e-9 * entry)


def test_touching_is_certain_at_the_level_and_unlikely_far_off() -> None:
    assert liquidation.touch_probability(100, 100, 0.01) == 1
    assert liquidation.touch_probability(100, 50, 0.01) < 1e-9
    assert liquidation.touch_probability(100, 0, 0.01) == 0
    distance = abs(np.log(0.9))
    assert liquidation.touch_probability(100, 90, (distance / 1.96) ** 2) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(
    ("trades", "rate", "r", "word"),
    [(2, 0.0, -1, None), (3, 0.34, 9, "BAD"), (3, 0.9, 0.49, "BAD"), (3, 0.35, 0.5, "NEUTRAL"),
     (3, 0.55, 1.3, "NEUTRAL"), (3, 0.56, 1.21, "GOOD")],
)  # fmt: skip
def test_a_record_is_tagged_as_the_predecessor_did(trades: int, rate: float, r: float, word: str | None) -> None:
    assert records.performance_of(trades, rate, r) == word


@pytest.mark.parametrize(
    ("trades", "r", "deviation", "word"),
    [
        (2, -1, 0.0, None),
        (3, 0.25, 0.0, "GOOD"),
        (500, 0.25, 0.1, "GOOD"),
        (20, 0.25, 1.5, "NEUTRAL"),
        (20, -0.25, 1.5, "NEUTRAL"),
        (20, -0.9, 1.5, "BAD"),
        (3, -1, 0.1, "BAD"),
        (3, 0.0, 0.0, "NEUTRAL"),
    ],
)
def test_a_record_is_bad_only_where_it_clearly_loses(trades: int, r: float, deviation: float, word: str | None) -> None:
    assert records.performance_by_interval(trades, r, deviation) == word


def test_the_interval_of_a_mean() -> None:
    values = np.array([1.0, -1.0, 2.0, 0.5, -0.5])
    found = proportions.mean_interval(5, float(values.mean()), float(values.std(ddof=1)))
    assert found == pytest.approx(student.interval(0.95, 4, values.mean(), values.std(ddof=1) / np.sqrt(5)))
    assert proportions.mean_interval(1, 3.0, 0.0) == (-np.inf, np.inf)


@given(st.lists(st.floats(0.001, 10), min_size=3, max_size=40))
def test_whoever_only_wins_is_never_bad(multiples: list[float]) -> None:
    word = records.performance_by_interval(len(multiples), float(np.mean(multiples)), float(np.std(multiples, ddof=1)))
    assert word in {"NEUTRAL", "GOOD"}


def test_categories_rise_with_r() -> None:
    assert [records.category_of(r) for r in (-0.6, -0.5, -0.25, 0.25, 1.0)] == list(CATEGORY.members)


def test_every_bound_of_the_categories_tells_two_words_apart() -> None:
    sides = [(records.category_of(b - 1e-9), records.category_of(b)) for b in records.CATEGORY_BOUNDS]
    assert sides == list(pairwise(CATEGORY.members))


def test_sectors_of_symbols() -> None:
    assert [sectors.sector_of(s) for s in ("BTCUSDT", "ETHUSDC", "TRX/BTC", "USDT", "NOSUCHUSDT")] == [
        "BTC", "L1", "L1", None, None,
    ]  # fmt: skip


LATER_CHANGES: dict[str, Callable[[Candles], Candles]] = {
    "unknown": lambda c: first_bars(c, 70),
    "higher": lambda c: shaken_after(c, 70, 1.7),
    "lower": lambda c: shaken_after(c, 70, 0.2),
    "gone": lambda c: shaken_after(c, 70, np.nan),
}


@pytest.mark.parametrize("change", LATER_CHANGES)
@given(seed=st.integers(0, 10_000))
def test_no_statistic_sees_ahead(change: str, seed: int) -> None:
    candles = made_candles(seed)
    now, other = market_state(candles, SHORT), market_state(LATER_CHANGES[change](candles), SHORT)
    for name in now.__dataclass_fields__.keys() - {"candles"}:
        assert np.array_equal(getattr(now, name)[:70], getattr(other, name)[:70], equal_nan=True), name
