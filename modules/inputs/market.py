"""The market as a venue tells it: listings, prices, order books, funding, and the candles so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from modules.feeds.candles import Candles


@dataclass(frozen=True, slots=True)
class MarginTier:
    """One tier of a symbol's maintenance margin: notional up to `up_to` needs `rate` x notional - `deduction`."""

    up_to: float
    rate: float
    most_leverage: float
    deduction: float = 0.0


@dataclass(frozen=True, slots=True)
class Listing:
    """A symbol as the venue lists it; `listed_at` in ms, None where it does not say.

    `tick` and `step` are the smallest steps of price and quantity, `least_notional` the smallest order in quote
    currency. `is_active` is no once the venue has stopped its trading.
    """

    symbol: str
    is_active: bool = True
    listed_at: int | None = None
    tick: float | None = None
    step: float | None = None
    least_notional: float | None = None
    tiers: tuple[MarginTier, ...] = ()


@dataclass(frozen=True, slots=True)
class Ticker:
    """The newest prices of a symbol, quote currency; `volume_24h` is traded value; `at` in ms. NaN is not known."""

    at: int
    last: float
    bid: float = float("nan")
    ask: float = float("nan")
    mark: float = float("nan")
    volume_24h: float = float("nan")

    @property
    def price(self) -> float:
        """The mark price, or else the last one."""
        return self.last if math.isnan(self.mark) else self.mark


@dataclass(frozen=True, slots=True)
class Depth:
    """An order book: (price, quantity) from the best one on, in base units; `at` in ms."""

    at: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Market:
    """Everything known of a market. `candles` hold bars that have closed by now, None where there are none.

    `listings` is None where nobody knows what is listed; `tickers`, `depths` and `funding` (what longs pay shorts at
    the next settlement / notional) hold the symbols for which there is one. `newest` is the time in ms of the newest
    market event of any symbol.
    """

    candles: Candles | None = None
    listings: Mapping[str, Listing] | None = None
    tickers: Mapping[str, Ticker] = field(default_factory=dict)
    depths: Mapping[str, Depth] = field(default_factory=dict)
    funding: Mapping[str, float] = field(default_factory=dict)
    newest: int | None = None
