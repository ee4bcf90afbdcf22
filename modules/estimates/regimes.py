"""Two states of a market, a calm and a wild one, and whether the market goes anywhere as it is now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.estimates import switching
from modules.estimates.trend import CLEAR, STILL

Returns = NDArray[np.float64]

IN_FORCE = 0.8
"""Filtered probability from which on a state is taken to be the market's."""

LEAST_WEIGHT = 24.0
"""Bars of a state, as their weights add up, that say whether it has a direction: a day of hours."""


@dataclass(frozen=True, slots=True)
class TwoStates:
    """What a fit found, the state of smaller variance first.

    `filtered` has shape (bars, 2): the probability of each state from the returns up to and with the bar. `variances`
    are those of one bar's return.
    """

    filtered: NDArray[np.float64]
    variances: tuple[float, float]

    @property
    def wild(self) -> float:
        """Probability, at the last bar, of the state of larger variance."""
        return float(self.filtered[-1, 1])


def two_states(returns: Returns) -> TwoStates | None:
    """A two-state Markov-switching mean and variance (Hamilton 1989); None where the search did not arrive.

    The search begins at the same place every time, and nothing in it is drawn by chance.
    """
    scale = float(returns.std())
    if not scale > 0:
        return None
    found = switching.likeliest(returns / scale)
    if found is None:
        return None
    chain, reading = found
    # What is told apart beyond doubt may be certain by a little more than one, as doubles add.
    filtered = np.minimum(reading.filtered.T, 1.0)
    if not (np.isfinite(filtered).all() and (chain.variances > 0).all()):
        return None
    calm, wild = np.argsort(chain.variances, kind="stable")
    sizes = chain.variances * scale**2
    return TwoStates(filtered[:, [calm, wild]], (float(sizes[calm]), float(sizes[wild])))


def regime(returns: Returns, states: TwoStates) -> str:
    """The name of `regime`: whether the market, in the state that it is in now, goes anywhere.

    `returns` are those of the trend window, the last ones of the fit. Each counts by the filtered probability that it
    was of the state in force now, so that a crash is no trend of the calm after it: t = sum of weighted returns /
    (standard deviation of the state x root of the sum of squared weights). TRENDING where |t| is clear, RANGING where
    it is in the lowest quarter of what chance gives; NORMAL where neither shows, as where no state is in force yet or
    it has only begun.
    """
    last = states.filtered[-1]
    now = int(np.argmax(last))
    weights = states.filtered[-len(returns) :, now]
    if last[now] < IN_FORCE or weights.sum() < LEAST_WEIGHT:
        return "NORMAL"
    t = (weights @ returns) / np.sqrt(states.variances[now] * (weights @ weights))
    if abs(t) > CLEAR:
        return "TRENDING"
    return "RANGING" if abs(t) < STILL else "NORMAL"
