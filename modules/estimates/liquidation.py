"""How far a position is from liquidation, and how likely it gets there."""

from __future__ import annotations

import math

MAINTENANCE = 0.005
"""Margin that must remain, as a share of notional: the first tier of a large venue."""


def liquidation_price(entry: float, sign: int, leverage: float) -> float:
    """Price at which the margin of an isolated position is used up but for the maintenance margin.

    From margin + sign x quantity x (price - entry) = quantity x price x maintenance, with margin = quantity x entry /
    leverage. `sign` is 1 for a long, -1 for a short; 0 where a long cannot be liquidated.
    """
    return max(0.0, entry * (1 / leverage - sign) / (MAINTENANCE - sign))


def touch_probability(mark: float, level: float, variance: float) -> float:
    """Probability that a driftless price at `mark` touches `level` while its log return gathers `variance`.

    2 x P(normal > distance / standard deviation), by the reflection principle; 0 for a level at nothing.
    """
    if level <= 0 or variance <= 0:
        return 0.0
    distance = abs(math.log(mark / level))
    return min(1.0, math.erfc(distance / math.sqrt(2 * variance)))
