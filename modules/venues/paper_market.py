"""The market that a paper exchange trades against: candles, and order books recorded or made up around their closes."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modules.estimates.liquidation import MAINTENANCE
from modules.feeds.candles import Candles, Panel
from modules.inputs import Depth, Listing, MarginTier, Ticker
from modules.simulated_market import Crash, simulated_candles, simulated_spreads
from modules.venues.amounts import ceiled, floored

DAY_MS = 86_400_000
LEVELS = 20
"""Levels a side of a made-up book."""

GAP = 0.5
"""Distance of two neighbouring levels / spread."""

LEVEL_SHARE = 0.05
"""What a level holds on average / what its bar traded."""

LEVEL_NOISE = 0.5
"""Standard deviation of the log of a level's size."""

TICKS = 1_000_000
"""A listed price is about so many ticks, rounded to a power of ten."""

STEP_VALUE = 1.0
"""A quantity step is worth about so much in quote currency, rounded to a power of ten."""

LEAST_NOTIONAL = 5.0
MOST_LEVERAGE = 20.0
FIRST_MS = 1_735_689_600_000
"""2025-01-01T00:00:00Z."""


@dataclass(frozen=True, slots=True)
class PaperMarket:
    """Everything that can be seen of a market at any time; nothing of a bar before it has closed.

    `spreads` are ratios of price, shape (bars, symbols). Books of `recorded` (oldest first) are used where one is no
    older than the newest bar; elsewhere a book is made up from `seed`, the same one every time it is looked at.
    """

    candles: Candles
    spreads: Panel
    seed: int = 0
    recorded: Mapping[str, Sequence[Depth]] = field(default_factory=dict)
    _columns: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    _steps: dict[int, tuple[float, float]] = field(default_factory=dict, repr=False, compare=False)
    _made: dict[int, tuple[int, Depth]] = field(default_factory=dict, repr=False, compare=False)
    """The newest book that was made up of each column, with its bar: it would be the same one again."""
    _traded: dict[int, list[float]] = field(default_factory=dict, repr=False, compare=False)
    """What each column has traded in the day up to the newest bar that was asked about."""

    @property
    def fingerprint(self) -> str:
        """Tells this market from every other."""
        digest = hashlib.sha256(repr((self.candles.symbols, self.candles.cadence_ms, self.seed)).encode())
        panels = (self.candles.opened, self.candles.close, self.candles.low, self.candles.high, self.candles.volume)
        for panel in (*panels, self.spreads):
            digest.update(np.ascontiguousarray(panel).tobytes())
        digest.update(repr(sorted((name, tuple(books)) for name, books in self.recorded.items())).encode())
        return digest.hexdigest()[:16]

    def bar(self, ts: int) -> int:
        """Index of the newest bar that has closed at `ts`, -1 before the first."""
        # Asked thousands of times a snapshot: `closed` would be a new array each time.
        return int(self.candles.opened.searchsorted(ts - self.candles.cadence_ms, side="right")) - 1

    def column(self, symbol: str) -> int | None:
        """Where the symbol stands in the panels; None where it is not listed."""
        if not self._columns:
            self._columns.update((name, column) for column, name in enumerate(self.candles.symbols))
        return self._columns.get(symbol)

    def listings(self) -> dict[str, Listing]:
        """Every symbol, with the steps that suit its first price."""
        out = {}
        for column, symbol in enumerate(self.candles.symbols):
            tick, step = self.steps(column)
            tiers = (MarginTier(math.inf, MAINTENANCE, MOST_LEVERAGE),)
            out[symbol] = Listing(symbol, tick=tick, step=step, least_notional=LEAST_NOTIONAL, tiers=tiers)
        return out

    def steps(self, column: int) -> tuple[float, float]:
        """The tick and the quantity step of a symbol."""
        if column not in self._steps:
            known = self.candles.close[:, column]
            price = float(known[np.isfinite(known)][0])
            self._steps[column] = _power_of_ten(price / TICKS), _power_of_ten(STEP_VALUE / price)
        return self._steps[column]

    def price(self, symbol: str, ts: int) -> float | None:
        """The newest close; None where there is none."""
        column, bar = self.column(symbol), self.bar(ts)
        if column is None or bar < 0 or not np.isfinite(self.candles.close[bar, column]):
            return None
        return float(self.candles.close[bar, column])

    def depth(self, symbol: str, ts: int) -> Depth | None:
        """The order book at `ts`; None where there is no price."""
        price, column = self.price(symbol, ts), self.column(symbol)
        if price is None or column is None:
            return None
        bar = self.bar(ts)
        closed = int(self.candles.closed[bar])
        books = self.recorded.get(symbol, ())
        found = bisect_right(books, ts, key=lambda b: b.at)
        if found and books[found - 1].at >= closed:
            return books[found - 1]
        made = self._made.get(column)
        if made is None or made[0] != bar:
            made = self._made[column] = bar, self._made_up(column, bar, price)
        return made[1]

    def ticker(self, symbol: str, ts: int) -> Ticker | None:
        """Prices at `ts`, the mark price that of the newest close; None where there is none."""
        price, depth, column = self.price(symbol, ts), self.depth(symbol, ts), self.column(symbol)
        if price is None or depth is None or column is None:
            return None
        value = self._value_of_day(self.bar(ts))[column]
        bid = depth.bids[0][0] if depth.bids else float("nan")
        ask = depth.asks[0][0] if depth.asks else float("nan")
        return Ticker(depth.at, price, bid, ask, mark=price, volume_24h=value)

    def _value_of_day(self, bar: int) -> list[float]:
        """What each column traded in the day up to a bar, quote currency."""
        if bar not in self._traded:
            bars = slice(max(0, bar + 1 - DAY_MS // self.candles.cadence_ms), bar + 1)
            value = np.nansum(self.candles.close[bars] * self.candles.volume[bars], axis=0).tolist()
            self._traded.clear()
            self._traded[bar] = value
        return self._traded[bar]

    def _made_up(self, column: int, bar: int, price: float) -> Depth:
        at = int(self.candles.closed[bar])
        rng = np.random.default_rng([self.seed, column, bar])
        volume = float(self.candles.volume[bar, column])
        sizes = volume * LEVEL_SHARE * np.exp(LEVEL_NOISE * rng.standard_normal((2, LEVELS)))
        spread = float(self.spreads[bar, column])
        away = price * spread * (0.5 + GAP * np.arange(LEVELS))
        tick, step = self.steps(column)
        bids = [(floored(float(p), tick), floored(float(q), step)) for p, q in zip(price - away, sizes[0], strict=True)]
        asks = [(ceiled(float(p), tick), floored(float(q), step)) for p, q in zip(price + away, sizes[1], strict=True)]
        return Depth(at, _levels(bids), _levels(asks))


def simulated_market(seed: int = 0, bars: int = 1440, first_ms: int = FIRST_MS) -> PaperMarket:
    """One-minute bars of ten made-up symbols, without a crash; the same seed makes the same market."""
    rng = np.random.default_rng(seed)
    candles = simulated_candles(rng, first_ms, bars, Crash(start=bars, minutes=1, depth=0.0), "paper")
    return PaperMarket(candles, simulated_spreads(rng, candles), seed)


def _levels(found: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Those with a price and a size, one a price."""
    there = {price: size for price, size in found if price > 0 and size > 0}
    return tuple(there.items())


def _power_of_ten(value: float) -> float:
    return float(f"1e{round(np.log10(value))}")
