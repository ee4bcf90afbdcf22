"""The likelihood of two states: as statsmodels works it out by other ways, and where it is highest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from modules.estimates import switching
from modules.estimates.switching import Chain


def returns_of(seed: int, bars: int = 400) -> NDArray[np.float64]:
    """Of variance one; calm and wild by turns."""
    rng = np.random.default_rng(seed)
    wild = np.cumsum(rng.random(bars) > 0.97) % 2
    made = rng.standard_normal(bars) * np.where(wild, 3.0, 1.0)
    return np.asarray(made / made.std())


def regression(returns: NDArray[np.float64]) -> Any:
    return MarkovRegression(returns, k_regimes=2, trend="c", switching_variance=True)


odds, mean, size = st.floats(-6, 6), st.floats(-2, 2), st.floats(0.2, 3)


@settings(max_examples=25, deadline=None)
@given(st.tuples(odds, odds, mean, mean, size, size), st.integers(0, 20))
def test_likelihood_slope_and_probabilities_are_those_of_statsmodels(place: tuple[float, ...], seed: int) -> None:
    """Its slope is one of differences in complex steps, exact but for rounding."""
    returns, there = returns_of(seed, 60), np.array(place)
    chain, model = Chain.at(there), regression(returns)
    assert chain.place == pytest.approx(there)
    reading = switching.read(returns, chain)
    assert reading.log_likelihood == pytest.approx(model.loglike(there, False))
    assert switching.slope(returns, chain, reading) == pytest.approx(model.score(there, False), rel=1e-6, abs=1e-6)
    found = model.smooth(there, transformed=False, cov_type="none")
    assert reading.filtered == pytest.approx(found.filtered_marginal_probabilities.T)
    assert reading.smoothed == pytest.approx(found.smoothed_marginal_probabilities.T)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_likeliest_chain_is_the_one_that_statsmodels_finds(seed: int) -> None:
    returns = returns_of(seed)
    found = switching.likeliest(returns)
    assert found is not None
    chain, reading = found
    theirs = regression(returns).fit(start_params=np.array(switching.START), cov_type="none", disp=False)
    assert reading.log_likelihood == pytest.approx(theirs.llf, abs=1e-3)
    assert np.concatenate([chain.to_first, chain.means, chain.variances]) == pytest.approx(theirs.params, abs=0.01)
    assert reading.filtered == pytest.approx(theirs.filtered_marginal_probabilities.T, abs=0.01)


def test_each_of_the_first_steps_is_likelier() -> None:
    returns, chain = returns_of(4), Chain.start()
    before = -np.inf
    for _ in range(switching.FIRST_STEPS):
        reading = switching.read(returns, chain)
        assert reading.log_likelihood > before
        before, chain = reading.log_likelihood, switching.likelier(returns, reading)


def test_what_is_filtered_knows_nothing_of_later() -> None:
    returns, chain = returns_of(5), Chain.start()
    changed = returns.copy()
    changed[-10:] = 5.0
    seen, later = switching.read(returns, chain), switching.read(changed, chain)
    assert np.array_equal(seen.filtered[:, :-10], later.filtered[:, :-10])
    assert not np.allclose(seen.smoothed[:, -20:-10], later.smoothed[:, -20:-10])


@pytest.mark.parametrize(
    "returns",
    [
        np.zeros(50),
        np.full(50, 1e15),
        np.array([np.nan, *np.ones(49)]),
        np.array([1e200, *np.zeros(49)]),
    ],
)
def test_a_search_of_what_has_no_states_arrives_nowhere_and_raises_nothing(returns: NDArray[np.float64]) -> None:
    assert switching.likeliest(returns) is None
