"""Where margin runs out by the tiers of a venue: of one position by itself, and of a book whose prices move together.

Maintenance margin is continuous in notional: each tier's rate counts for the part of the notional that lies in it,
which is rate x notional - deduction with the deductions that a sound table has. Beyond the last tier its rate goes on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scipy.optimize import brentq

from modules.inputs import MarginTier

FARTHEST = 100.0
"""Distances are not told apart beyond a hundredfold of the price."""

AGREE = 1e-6
"""A deduction is that of a sound table if it is off by no more than this part of the tier's beginning."""


def fault_of(tiers: Sequence[MarginTier]) -> str:
    """What is wrong with a table of tiers, for a person; empty for a sound one. Tables without deductions are sound."""
    if not tiers:
        return "the venue tells no margin tiers"
    if any(math.isnan(figure) for t in tiers for figure in (t.up_to, t.rate, t.most_leverage, t.deduction)):
        return "the venue's margin tiers hold what is no number"
    if any(b.up_to <= a.up_to or b.rate < a.rate for a, b in pairwise(tiers)) or tiers[0].up_to <= 0:
        return "the venue's margin tiers are out of order"
    if not all(0 <= t.rate < 1 for t in tiers):
        return "the venue's margin tiers have rates that cannot be"
    if any(t.deduction for t in tiers):
        made, begin = 0.0, 0.0
        for before, tier in pairwise(tiers):
            begin = before.up_to
            made += begin * (tier.rate - before.rate)
            if abs(tier.deduction - made) > AGREE * begin:
                return f"the venue's margin tiers contradict each other at {begin:g}"
    return ""


def maintenance(tiers: Sequence[MarginTier], notional: float) -> float:
    """Margin that must remain for a position of `notional`, quote currency."""
    total, begin = 0.0, 0.0
    for i, tier in enumerate(tiers):
        end = math.inf if i == len(tiers) - 1 else tier.up_to
        total += tier.rate * max(0.0, min(notional, end) - begin)
        begin = end
    return total


def liquidation_price(tiers: Sequence[MarginTier], sign: int, quantity: float, price: float, backing: float) -> float:
    """Price at which `backing` (margin at `price`) is down to maintenance; 0 where a long never gets there.

    From backing + sign x quantity x (p - price) = maintenance(quantity x p), tier by tier: in each the margin is linear
    in p, and the one whose notional the solution lies in has it. `price` where nothing is left already.
    """
    if backing <= maintenance(tiers, quantity * price):
        return price
    begin, paid = 0.0, 0.0
    for i, tier in enumerate(tiers):
        end = math.inf if i == len(tiers) - 1 else tier.up_to
        # maintenance = paid + rate x (quantity x p - begin) in this tier.
        found = (paid - tier.rate * begin - backing + sign * quantity * price) / (quantity * (sign - tier.rate))
        # What is left goes one way with the price, so the first tier that ends beyond the solution has it. Where tiers
        # meet, rounding may put the solution before the beginning of the one and beyond the end of the other.
        if quantity * found <= end:
            return max(found, begin / quantity)
        paid += tier.rate * (end - begin) if math.isfinite(end) else 0.0
        begin = end
    return 0.0


def safe_leverage(tiers: Sequence[MarginTier], sign: int, notional: float, distance: float) -> float:
    """Leverage at which an isolated position of `notional` at its entry is liquidated `distance` (of the price) away.

    The margin is what is lost on the way and what must remain there. No more than the venue allows for the notional.
    """
    there = max(0.0, 1 - sign * distance) * notional
    made = notional / (distance * notional + maintenance(tiers, there))
    allowed = next((t.most_leverage for t in tiers if notional <= t.up_to), 0.0)
    return min(made, allowed)


@dataclass(frozen=True, slots=True)
class Held:
    """What margin is computed for: a position's sign, base units, mark price, and its symbol's tiers."""

    sign: int
    quantity: float
    mark: float
    tiers: tuple[MarginTier, ...]

    @property
    def notional(self) -> float:
        """|quantity| x mark price."""
        return self.quantity * self.mark

    @property
    def maintenance(self) -> float:
        """Margin that must remain at the mark."""
        return maintenance(self.tiers, self.notional)


def distance_alone(held: Held, price: float, backing: float) -> float:
    """|mark - liquidation price| / mark of a position with `backing` at `price`, the others standing still.

    0 where the mark is at or beyond it.
    """
    level = liquidation_price(held.tiers, held.sign, held.quantity, price, backing)
    return min(FARTHEST, max(0.0, held.sign * (held.mark - level) / held.mark))


def distances_together(equity: float, book: Mapping[str, Held]) -> tuple[float, float]:
    """How far all prices together may fall, and rise, before equity is down to maintenance, as shares of the price.

    Equity less maintenance is concave in the common factor of the prices, so each way there is one end at most; 1 where
    no fall reaches it, `FARTHEST` where no rise up to it does, and twice 0 where it is reached.
    """
    net = sum(h.sign * h.notional for h in book.values())

    def spare(factor: float) -> float:
        needed = sum(maintenance(h.tiers, h.notional * factor) for h in book.values())
        return equity + (factor - 1) * net - needed

    if spare(1.0) <= 0:
        return 0.0, 0.0
    down = 1.0 - (float(brentq(spare, 0.0, 1.0)) if spare(0.0) < 0 else 0.0)
    up = float(brentq(spare, 1.0, 1 + FARTHEST)) - 1 if spare(1 + FARTHEST) < 0 else FARTHEST
    return down, up
