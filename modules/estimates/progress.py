"""How far a position has come, in units of the risk first taken (R), and what has been added to it since.

Every function answers None where a figure is missing, is no number, or cannot be what it is said to be.
"""

from __future__ import annotations

import math

SAME = 1e-6
"""Two amounts of money whose ratio is off by no more than this are one: what is stored is rounded."""


def is_known(*values: float | None) -> bool:
    """Whether every value is there and finite."""
    return all(v is not None and math.isfinite(v) for v in values)


def risk_per_unit(sign: int, entry: float | None, stop: float | None) -> float | None:
    """What one unit loses from `entry` to `stop`, quote currency; None for a stop that is no loss."""
    if entry is None or stop is None or not is_known(entry, stop) or entry <= 0 or stop < 0:
        return None
    lost = sign * (entry - stop)
    return lost if lost > 0 else None


def loss_at_stop(sign: int, quantity: float, mark: float, stop: float | None) -> float | None:
    """What `quantity` loses from `mark` to `stop`, quote currency; 0 beyond it, None for a stop that is no price."""
    if stop is None or not is_known(quantity, mark, stop) or stop < 0:
        return None
    return max(0.0, sign * quantity * (mark - stop))


def r_multiple(sign: int, entry: float | None, mark: float | None, risk: float | None) -> float | None:
    """Profit of one unit from the average `entry` to `mark` / the risk that one unit first took."""
    if entry is None or mark is None or risk is None or not is_known(entry, mark, risk):
        return None
    if entry <= 0 or mark <= 0 or risk <= 0:
        return None
    return sign * (mark - entry) / risk


def drawdown_from_peak(r: float, peak: float) -> float:
    """(peak R - R) / peak R, never negative; 0 where there was no profit yet."""
    return max(0.0, (peak - r) / peak) if peak > 0 else 0.0


def cost_of(notional: float, unrealized: float, sign: int) -> float | None:
    """Quantity x average entry price, from notional at the mark and unrealised profit / cost; None at a price of 0."""
    grown = 1 + sign * unrealized
    return notional / grown if grown > 0 else None


def added_since(original: float, cost: float, cost_before: float, scaled_before: float) -> float:
    """Notional added since the opening / `original`: what was added `before`, and by how much cost has risen since.

    Taking a part off lowers cost and takes nothing back from what has been added: the cap is on the whole life.
    """
    rise = cost - cost_before
    return scaled_before + (rise / original if rise > SAME * original else 0.0)


def added_at_least(original: float, cost: float) -> float:
    """What must have been added for a position of `original` cost to cost what it does, as a share of `original`."""
    return (cost - original) / original if cost - original > SAME * original else 0.0
