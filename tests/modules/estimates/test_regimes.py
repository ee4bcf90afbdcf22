"""Two states of a market, the forecast of its volatility, and what they are told apart by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from modules.estimates import har, opportunity, switching, trend, windows
from modules.estimates.regimes import TwoStates, regime, two_states


def turns(seed: int, hours: int = 1200, calm: float = 0.002, wild: float = 0.008) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    state = np.cumsum(rng.random(hours) > 0.985) % 2
    return rng.standard_normal(hours) * np.where(state, wild, calm), state


def test_two_states_are_found_calm_first() -> None:
    returns, state = turns(1)
    found = two_states(returns)
    assert found is not None
    assert found.variances[0] == pytest.approx(0.002**2, rel=0.25)
    assert found.variances[1] == pytest.approx(0.008**2, rel=0.25)
    assert ((found.filtered[:, 1] > 0.5) == state).mean() > 0.95
    assert found.filtered.sum(axis=1) == pytest.approx(1)
    assert found.wild == found.filtered[-1, 1]


def test_the_same_returns_give_the_same_states_and_a_unit_changes_none() -> None:
    returns, _ = turns(2)
    once, again, larger = two_states(returns), two_states(returns), two_states(returns * 64)
    assert once is not None and again is not None and larger is not None  # noqa: PT018 -- one thing: all converged
    assert np.array_equal(once.filtered, again.filtered)
    assert larger.filtered == pytest.approx(once.filtered)


def test_the_probabilities_of_a_bar_know_nothing_of_later_bars() -> None:
    returns, _ = turns(1, hours=500)
    found, learnt = two_states(returns), switching.likeliest(returns / returns.std())
    assert found is not None
    assert learnt is not None
    for bars in range(50, 500, 50):
        until_then = switching.read(returns[:bars] / returns.std(), learnt[0]).filtered[:, -1]
        assert np.sort(found.filtered[bars - 1]) == pytest.approx(np.sort(until_then), abs=1e-9)


@pytest.mark.parametrize("returns", [np.zeros(500), np.full(500, 0.001)])
def test_a_market_that_does_not_move_has_no_states(returns: NDArray[np.float64]) -> None:
    assert two_states(returns) is None


def test_a_search_that_does_not_arrive_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switching, "MOST_STEPS", 1)
    assert two_states(turns(4)[0]) is None


def certain(*columns: int) -> TwoStates:
    """States that are certain: 0 calm or 1 wild at each bar; variances one and four."""
    return TwoStates(np.eye(2)[list(columns)], (1.0, 4.0))


def test_a_trend_is_a_mean_that_is_clear_in_the_state_in_force() -> None:
    calm = certain(*[0] * 100)
    # t = 100 x mean / (1 x 10) = 10 x mean
    assert regime(np.full(100, 0.20), calm) == "TRENDING"
    assert regime(np.full(100, -0.20), calm) == "TRENDING"
    assert regime(np.full(100, 0.19), calm) == "NORMAL"
    assert regime(np.full(100, 0.031), calm) == "RANGING"
    assert regime(np.full(100, 0.39), certain(*[1] * 100)) == "NORMAL"


def test_a_crash_is_no_trend_of_the_calm_after_it() -> None:
    returns = np.concatenate([np.full(20, -5.0), np.zeros(80)])
    assert regime(returns, certain(*[1] * 20, *[0] * 80)) == "RANGING"
    assert regime(returns, certain(*[0] * 100)) == "TRENDING"


def test_a_state_that_has_only_begun_or_is_in_doubt_tells_nothing() -> None:
    returns = np.full(100, 3.0)
    assert regime(returns, certain(*[0] * 77, *[1] * 23)) == "NORMAL"
    assert regime(returns, certain(*[0] * 76, *[1] * 24)) == "TRENDING"
    doubt = certain(*[0] * 100)
    doubt.filtered[-1] = [0.79, 0.21]
    assert regime(returns, doubt) == "NORMAL"


@given(st.integers(0, 1000), st.floats(-0.5, 0.5))
def test_a_mirrored_market_is_of_the_same_regime(seed: int, drift: float) -> None:
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal(120) + drift
    states = TwoStates(np.stack([1 - (p := rng.random(120) ** 4), p], axis=1), (1.0, 4.0))
    assert regime(returns, states) == regime(-returns, states)


@pytest.mark.slow
def test_one_in_twenty_driftless_markets_seems_to_trend() -> None:
    found = []
    for seed in range(60):
        returns, _ = turns(seed, 2160)
        states = two_states(returns)
        found.append(None if states is None else regime(returns[-336:], states))
    assert found.count(None) <= 3
    assert found.count("TRENDING") <= 8  # of 60 at 5 %: more has a chance of one in 200


def day_by_day(levels: list[float]) -> NDArray[np.float64]:
    return np.repeat(np.array(levels), 24)


def test_a_forecast_learns_the_cascade_that_made_the_days() -> None:
    rng = np.random.default_rng(5)
    logs = list(rng.normal(0, 1, 30))
    expected = [float("nan")] * 29
    for _ in range(400):
        past = np.exp(logs[-30:])
        expected.append(0.1 + 0.3 * logs[-1] + 0.3 * np.log(past[-7:].mean()) + 0.2 * np.log(past.mean()))
        logs.append(expected[-1] + 0.3 * float(rng.standard_normal()))
    made = har.forecasts(np.exp(logs[:-1]), 1)
    assert made is not None
    assert np.isnan(made[:29]).all()
    assert np.corrcoef(made[29:], expected[29:])[0, 1] > 0.98


def test_a_forecast_needs_a_month_and_ninety_days() -> None:
    variance = np.exp(np.random.default_rng(6).normal(size=200))
    assert har.forecast_rank(variance[:119], 1) is None  # thirty days for the lags, and 89 with a day after
    assert har.forecast_rank(variance[:120], 1) is not None


def test_a_market_in_uproar_ranks_high_and_a_quiet_one_low() -> None:
    usual = list(np.exp(0.3 * np.random.default_rng(7).normal(size=150)))
    loud = har.forecast_rank(day_by_day([*usual, *[30.0] * 5]), 24)
    quiet = har.forecast_rank(day_by_day([*usual, *[0.03] * 5]), 24)
    assert loud is not None
    assert quiet is not None
    assert loud > 0.95
    assert quiet < 0.05


def test_a_market_that_does_not_move_has_no_forecast() -> None:
    assert har.forecast_rank(np.zeros(5000), 24) is None


def test_the_newest_rank_is_the_last_of_all_ranks() -> None:
    rng = np.random.default_rng(8)
    values = np.round(rng.normal(size=(60, 4)), 1)
    values[rng.random(values.shape) < 0.2] = np.nan
    for least, window in ((1, 100), (5, 10), (50, 60)):
        expected = windows.past_rank(values, least, window)[-1]
        for cuts in ((), (0,), (20,), (7, 31), (59,)):
            *earlier, newest = np.split(values, cuts)
            found = windows.latest_rank(newest, least, window, *earlier)
            assert np.array_equal(found, expected, equal_nan=True), (least, window, cuts)
    assert np.isnan(windows.latest_rank(np.empty((0, 2)), 1, 10)).all()


def test_the_variance_ratio_tells_moves_that_go_on_from_moves_that_are_taken_back() -> None:
    rng = np.random.default_rng(9)
    shocks = rng.standard_normal((2000, 3))
    on, back = shocks.copy(), shocks.copy()
    on[1:, 1] += 0.5 * shocks[:-1, 1]
    back[1:, 2] -= 0.5 * shocks[:-1, 2]
    walk, goes_on, taken_back = trend.variance_ratio(np.column_stack([on[:, 0], on[:, 1], back[:, 2]]), 10)
    assert walk == pytest.approx(1, abs=0.15)
    assert goes_on > 1.4
    assert taken_back < 0.5


@pytest.mark.parametrize(("bars", "window"), [(2, 4), (5, 40), (24, 100)])
def test_rolling_variance_ratios_are_those_of_each_window(bars: int, window: int) -> None:
    returns = np.random.default_rng(4).normal(0.001, 0.01, (160, 2))
    returns[20, 1] = np.nan
    found = trend.rolling_variance_ratio(returns, bars, window)
    assert np.isnan(found[: window - 1]).all()
    for end in (window, 130, 160):
        expected = trend.variance_ratio(returns[end - window : end], bars)
        assert found[end - 1] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(trend.rolling_variance_ratio(returns, 24, 40)).all()
    assert np.isnan(trend.rolling_variance_ratio(np.full((60, 1), 0.1), 2, 40)).all()


def test_a_variance_ratio_worked_by_hand() -> None:
    # Returns 1 1 -1 -1: mean 0, variance 4/3. Sums of two: 2 0 -2, squares 8; 8 / (2 x 3 x 1/2) = 8/3. Ratio 2.
    assert trend.variance_ratio(np.array([[1.0], [1.0], [-1.0], [-1.0]]), 2).tolist() == [pytest.approx(2)]
    assert np.isnan(trend.variance_ratio(np.ones((3, 1)), 2)).all()
    assert np.isnan(trend.variance_ratio(np.full((50, 1), 0.1), 2)).all()


def test_parts_of_a_score_weigh_one_in_all() -> None:
    assert sum(opportunity.PARTS.values()) == pytest.approx(1)
    assert min(opportunity.PARTS.values()) > 0
