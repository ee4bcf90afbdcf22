"""What moves together, what a week may bring, and where each position of a book ends: by the hour, of some symbols."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from modules.estimates.correlation import OBSERVATIONS_PER_SYMBOL, Togetherness, togetherness
from modules.estimates.hours import HOURS_A_DAY, STALE_MS, hourly, newest
from modules.estimates.liquidation import touch_probability
from modules.estimates.margin import Held, distance_alone, distances_together, fault_of
from modules.estimates.volatility import bar_variance, frozen, present_variance
from modules.estimates.windows import Panel, log_returns
from modules.feeds.candles import Candles
from modules.inputs import MarginTier, Position
from policy_dsl.quantities import MS_PER_DAY

LEAST_DAYS = 30
"""Days of hourly candles that statistics rest on; more where there are so many symbols that clusters need them."""

LEAST_BARS = 168
"""Bars that a volatility forecast needs."""

WEEK_MS = 7 * MS_PER_DAY

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Liquidation:
    """The nearest price at which a position would be liquidated, from its mark."""

    mark: float
    level: float

    @property
    def distance(self) -> float:
        """|mark - liquidation price| / mark."""
        return abs(self.mark - self.level) / self.mark

    def probability(self, variance: float) -> float | None:
        """Probability of touching it while the log return gathers `variance`; None where that is not known."""
        if self.level <= 0:
            return 0.0
        if self.level == self.mark:
            return 1.0
        return touch_probability(self.mark, self.level, variance) if math.isfinite(variance) else None


def liquidations(
    positions: Mapping[str, Position], tiers: Mapping[str, tuple[MarginTier, ...]], equity: float | None
) -> dict[str, Liquidation | str]:
    """By position the nearest of its ends, or why none is known.

    There are three: by the margin set aside for it; by the whole equity, the others standing still; and by the whole
    equity, all prices moving together. Where a venue shares margin between positions the first is too near, where it
    does not the others are too far, and nobody says which: so the nearest one. Without the first, how far the others
    are says nothing; the others are left out where nobody knows the whole book.
    """
    held = {
        key: Held(p.sign, p.quantity, p.mark, tiers[p.symbol])
        for key, p in positions.items()
        if not fault_of(tiers.get(p.symbol, ()))
    }
    knows_all = equity is not None and len(held) == len(positions)
    needed = math.fsum(h.maintenance for h in held.values())
    down, up = distances_together(equity, held) if equity is not None and knows_all and held else (math.inf, math.inf)
    out: dict[str, Liquidation | str] = {}
    for key, position in positions.items():
        if key not in held:
            out[key] = f"{fault_of(tiers.get(position.symbol, ()))} of {position.symbol}"
            continue
        one, leverage, entry = held[key], position.leverage, position.entry
        if leverage is None or not (leverage > 0 and entry > 0 and math.isfinite(entry / leverage)):
            out[key] = "the margin that is set aside for it is not known"
            continue
        away = [-one.sign * distance_alone(one, entry, one.quantity * entry / leverage)]
        if knows_all and equity is not None:
            away.append(-one.sign * distance_alone(one, one.mark, equity - (needed - one.maintenance)))
            away += [-down, up]
        out[key] = Liquidation(one.mark, one.mark * (1 + min(away, key=abs)))
    return out


@dataclass(slots=True)
class Returns:
    """Statistics of the hours of a few symbols; those of the newest candles are kept, and no result depends on that."""

    _of: Candles | None = None
    _kept: dict[tuple[object, ...], Any] = field(default_factory=dict)

    def together(self, candles: Candles | None, ts: int, symbols: tuple[str, ...]) -> Togetherness:
        """Which of the symbols move together, as known at `ts` (ms)."""

        def found(closed: int) -> Togetherness:
            hours = self._hours(candles, closed, len(symbols))
            closes = np.empty((0, len(symbols))) if hours is None else _columns(hours.close, hours.symbols, symbols)
            return togetherness(symbols, log_returns(closes)[1:])

        closed = _closed_by(candles, ts)
        return self._once(candles, ("together", closed, symbols), lambda: found(closed))

    def week_variance(self, candles: Candles | None, ts: int, symbols: tuple[str, ...]) -> Mapping[str, float]:
        """Variance of each symbol's log return over seven days as forecast at `ts` (ms); NaN where it is not known.

        What has not moved in the last week is frozen rather than calm: nothing is forecast of it.
        """

        def found(closed: int) -> dict[str, float]:
            hours = self._hours(candles, closed, len(symbols))
            if hours is None or len(hours.opened) == 0:
                return dict.fromkeys(symbols, math.nan)
            panels = [_columns(p, hours.symbols, symbols) for p in (hours.open, hours.high, hours.low, hours.close)]
            realised = bar_variance(*panels)
            variance = present_variance(realised, LEAST_BARS) * (WEEK_MS / hours.cadence_ms)
            variance[frozen(realised[-LEAST_BARS:])] = np.nan
            return dict(zip(symbols, variance.tolist(), strict=True))

        closed = _closed_by(candles, ts)
        return self._once(candles, ("variance", closed, symbols), lambda: found(closed))

    def _hours(self, candles: Candles | None, closed: int, symbols: int) -> Candles | None:
        """The hours up to the bar before index `closed`, as many as so many symbols need; None without any."""
        if candles is None or closed == 0:
            return None
        days = max(LEAST_DAYS, math.ceil(1.25 * OBSERVATIONS_PER_SYMBOL * symbols / HOURS_A_DAY))
        now = int(candles.closed[closed - 1])
        return self._once(candles, ("hours", closed, days), lambda: hourly(newest(candles, now, days)))

    def _once(self, candles: Candles | None, what: tuple[object, ...], make: Callable[[], T]) -> T:
        """What was made of the same candles before, or is made now."""
        if candles is not self._of:
            self._of = candles
            self._kept.clear()
        if what not in self._kept:
            self._kept[what] = make()
        made: T = self._kept[what]
        return made


def _closed_by(candles: Candles | None, ts: int) -> int:
    """How many bars have closed by `ts`; none where the newest of them is too old to tell of now."""
    if candles is None:
        return 0
    closed = int(np.searchsorted(candles.closed, ts, side="right"))
    is_stale = closed > 0 and ts - int(candles.closed[closed - 1]) > max(STALE_MS, candles.cadence_ms)
    return 0 if is_stale else closed


def _columns(panel: Panel, names: Sequence[str], wanted: Sequence[str]) -> Panel:
    """The columns of the wanted symbols, NaN for those that there are none of."""
    place = {name: i for i, name in enumerate(names)}
    out = np.full((len(panel), len(wanted)), np.nan)
    known = [i for i, name in enumerate(wanted) if name in place]
    out[:, known] = panel[:, [place[wanted[i]] for i in known]]
    return out
