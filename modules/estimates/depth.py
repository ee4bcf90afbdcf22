"""What an order would cost by the order book at hand: the book is walked from its best price on.

Nothing is known of what lies beyond the snapshot: what the levels at hand do not hold, no figure here supposes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modules.inputs import Depth

Levels = tuple[tuple[float, float], ...]
"""(price, quantity), from the best price on."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk takes: base units, what they cost in quote currency, and the worst price paid (NaN for nothing)."""

    quantity: float
    cost: float
    worst: float

    @property
    def average(self) -> float:
        """Cost / quantity; NaN for nothing."""
        return self.cost / self.quantity if self.quantity > 0 else math.nan


def is_sound(depth: Depth) -> bool:
    """Whether both sides have levels, of positive prices and quantities, best first, and do not cross."""
    if not depth.bids or not depth.asks:
        return False
    bids, asks = np.array(depth.bids, dtype=float), np.array(depth.asks, dtype=float)
    if not all(np.isfinite(side).all() and (side > 0).all() for side in (bids, asks)):
        return False
    falls, rises = np.diff(bids[:, 0]) < 0, np.diff(asks[:, 0]) > 0
    return bool(falls.all() and rises.all() and bids[0, 0] < asks[0, 0])


def middle(depth: Depth) -> float:
    """(best bid + best ask) / 2 of a sound book."""
    return (depth.bids[0][0] + depth.asks[0][0]) / 2


def opposite(depth: Depth, buys: bool) -> Levels:
    """The levels that an order trades with."""
    return depth.asks if buys else depth.bids


def walk(levels: Levels, quantity: float) -> Walk:
    """Takes `quantity` base units from the levels, or all that they hold: fill = clip(quantity - prior depth, 0, q)."""
    if not levels or quantity <= 0:
        return Walk(0.0, 0.0, math.nan)
    prices, sizes = np.array(levels, dtype=float).T
    prior = np.cumsum(sizes) - sizes
    taken = np.clip(quantity - prior, 0.0, sizes)
    total = float(taken.sum())
    return Walk(total, float(taken @ prices), float(prices[np.flatnonzero(taken)[-1]]))


def held(levels: Levels) -> float:
    """Base units that the levels hold."""
    return math.fsum(size for _, size in levels)


def impact(depth: Depth, buys: bool, quantity: float) -> float | None:
    """(average price of the walk - mid) / mid, against the trader and so never negative in a sound book.

    None where the book is not sound, the quantity is nothing, or the levels do not hold it.
    """
    if not is_sound(depth) or not quantity > 0:
        return None
    levels = opposite(depth, buys)
    if quantity > held(levels):
        return None
    mid = middle(depth)
    gap = walk(levels, quantity).average - mid
    return (gap if buys else -gap) / mid


def collar(mid: float, buys: bool, most: float) -> float:
    """The worst price that is no more than `most` (a ratio) away from the mid, against the trader."""
    return mid * (1 + most if buys else 1 - most)


def within(levels: Levels, buys: bool, worst: float) -> Levels:
    """The levels at `worst` or better."""
    return tuple(level for level in levels if (level[0] <= worst if buys else level[0] >= worst))
