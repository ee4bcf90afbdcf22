"""Two states that take turns (Hamilton 1989): how likely they make given returns, and where that is most likely.

Each state has a mean and a variance, and the one after it depends on it alone. statsmodels filters and smooths; here is
what its own search works out by differences, six passes over the returns a step: the slope of the likelihood, which one
pass tells exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

Values = NDArray[np.float64]

START = (0.98, 0.02, 0.0, 0.0, 0.5, 2.0)
"""Where the search begins, for returns of variance one: states that last, without a mean, of half and twice it."""

FIRST_STEPS = 5
"""Steps of expectation and maximisation (Dempster, Laird and Rubin 1977), which come near from anywhere."""

MOST_STEPS = 100
"""Steps of the search after them; one that has not arrived by then does not."""

LEAST = 1e-20
"""What a probability is at least of which the logarithm is taken; statsmodels holds turns to it too."""

LEVEL = 1e-5
"""Slope of the mean log-likelihood of a bar, in each parameter, that counts as none."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The parameters: `to_first` is the probability that the first state comes next, after the first and the second.

    All of shape (2,), the first state before the second.
    """

    to_first: Values
    means: Values
    variances: Values

    @classmethod
    def start(cls) -> Chain:
        """Where every search begins."""
        return cls(np.array(START[:2]), np.array(START[2:4]), np.array(START[4:]))

    @classmethod
    def at(cls, place: Values) -> Chain:
        """The one at a place of the search, shape (6,); every place is one."""
        return cls(expit(place[:2]), place[2:4], place[4:] ** 2)

    @property
    def place(self) -> Values:
        """Log-odds of `to_first`, means, standard deviations."""
        return np.concatenate([logit(self.to_first), self.means, np.sqrt(self.variances)])


@dataclass(frozen=True, slots=True)
class Reading:
    """What returns tell of a chain.

    `filtered` and `smoothed` have shape (2, bars): the probability of each state from the returns up to and with the
    bar, and from all of them. `moves` are the moves to the first state that all returns make one expect, from the first
    and from the second, shape (2,).
    """

    log_likelihood: float
    filtered: Values
    smoothed: Values
    moves: Values


def read(returns: Values, chain: Chain) -> Reading:
    """Two passes over the returns, forwards and back; the chain is taken to have run for ever before them."""
    # A fund that has no quarter of hours yet does without the import, which takes longer than all the rest.
    from statsmodels.tsa.regime_switching.markov_switching import (  # noqa: PLC0415 -- see above
        cy_hamilton_filter_log,
        cy_kim_smoother_log,
    )

    after_first, after_second = chain.to_first
    at_first = np.maximum(np.array([after_second, 1 - after_first]) / (1 - after_first + after_second), LEAST)
    turns = np.array([chain.to_first, 1 - chain.to_first])[:, :, None]
    sizes = chain.variances[:, None]
    likely = -0.5 * (returns - chain.means[:, None]) ** 2 / sizes - 0.5 * np.log(2 * np.pi * sizes)
    filtered, predicted, logs, _, predicted_log, filtered_log = cy_hamilton_filter_log(at_first, turns, likely, 0)
    _, smoothed = cy_kim_smoother_log(turns, predicted_log, filtered_log)
    moves = chain.to_first * (filtered[:, :-1] @ (smoothed[0, 1:] / predicted[0, 1:]))
    return Reading(float(logs.sum()), filtered, smoothed, moves)


def slope(returns: Values, chain: Chain, reading: Reading) -> Values:
    """The slope of the log-likelihood at `chain.place`, shape (6,).

    It is the expected slope of the likelihood of returns and states together (Fisher's identity).
    """
    (a, b), stays = chain.to_first, reading.smoothed[:, :-1].sum(axis=1)
    apart = 1 - a + b
    # The state before the first return follows from the same two probabilities.
    begins = np.array([
        (1 - a) * a / apart - a * reading.smoothed[1, 0],
        (1 - b) * reading.smoothed[0, 0] - b * (1 - b) / apart,
    ])  # fmt: skip
    off = returns - chain.means[:, None]
    squares = (reading.smoothed * off**2).sum(axis=1) / chain.variances
    return np.concatenate([
        reading.moves - chain.to_first * stays + begins,
        (reading.smoothed * off).sum(axis=1) / chain.variances,
        (squares - reading.smoothed.sum(axis=1)) / np.sqrt(chain.variances),
    ])  # fmt: skip


def likelier(returns: Values, reading: Reading) -> Chain:
    """The chain that is likeliest given the states that a reading makes one expect.

    What they say of the state before the first return is left to the search: it is one bar of many.
    """
    weights = reading.smoothed.sum(axis=1)
    means = reading.smoothed @ returns / weights
    squares = (reading.smoothed * (returns - means[:, None]) ** 2).sum(axis=1)
    return Chain(reading.moves / reading.smoothed[:, :-1].sum(axis=1), means, squares / weights)


def likeliest(returns: Values) -> tuple[Chain, Reading] | None:
    """The chain under which returns (of variance one) are the likeliest, and what they tell of it.

    None where the search does not arrive. It begins at the same place every time, and nothing in it is drawn by chance.
    """
    bars = len(returns)

    def loss(place: Values) -> tuple[float, Values]:
        chain = Chain.at(place)
        reading = read(returns, chain)
        return -reading.log_likelihood / bars, -slope(returns, chain, reading) / bars

    # What the search meets on its way says nothing; whether it arrived is asked below.
    with np.errstate(all="ignore"):
        chain = Chain.start()
        for _ in range(FIRST_STEPS):
            reading = read(returns, chain)
            chain = likelier(returns, reading)
        reach = 1 / _curvature(chain, reading.smoothed.mean(axis=1))
        if not (np.isfinite(chain.place).all() and np.isfinite(reach).all()):
            return None
        options = {"gtol": LEVEL, "maxiter": MOST_STEPS, "hess_inv0": np.diag(reach)}
        found = minimize(loss, chain.place, jac=True, method="BFGS", options=options)
        chain = Chain.at(found.x)
        return (chain, read(returns, chain)) if found.success else None


def _curvature(chain: Chain, shares: Values) -> Values:
    """How the mean log-likelihood would bend at `chain.place` if the states were seen: a first guess of how it does."""
    odds = shares * chain.to_first * (1 - chain.to_first)
    return np.concatenate([odds, shares / chain.variances, 2 * shares / chain.variances])
