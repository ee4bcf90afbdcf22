"""The venue of a fund that has none: a paper exchange with a made-up market, which goes on as the clock does.

The market of a folder stays the same over restarts, and with it what the fund holds; it begins a while before the fund
and ends a while after, and then tells nothing more.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from modules.disk import Disk
from modules.estimates.hours import HOUR_MS
from modules.feeds.candles import Candles
from modules.simulated_market import MINUTE_MS, Crash, simulated_candles
from modules.venues.journal import JournalError
from modules.venues.paper import PaperExchange
from modules.venues.paper_market import PaperMarket, simulated_market
from policy_dsl.quantities import MS_PER_DAY

MINUTES_A_DAY = 1440
DAYS_BEFORE = 370
PANELS = ("open", "high", "low", "close", "volume")
MARKET, ORDERS = "market.json", "paper.jsonl"
"""The files of the venue in a fund's folder."""


def wall_clock() -> int:
    """Ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """Which market it is: a fund meets it at `start` (ms), `before` days after it began, `after` before it ends."""

    seed: int
    start: int
    before: int = 2
    after: int = 30


def embedded_venue(terms: Terms, folder: Path | None = None) -> PaperExchange:
    """The paper exchange of a folder as it was left; one on these terms where there is none, or no folder.

    Raises JournalError for files that are damaged or open in another process.
    """
    journal = None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        terms, journal = _kept(terms, folder / MARKET), folder / ORDERS
    first = terms.start // MINUTE_MS * MINUTE_MS - terms.before * MS_PER_DAY
    market = simulated_market(terms.seed, (terms.before + terms.after) * MINUTES_A_DAY, first)
    return EmbeddedExchange(market, start=terms.start, seed=terms.seed, journal=journal)


class EmbeddedExchange(PaperExchange):
    """A paper exchange that also tells a year of hours before its market's first bar, made up as the market is."""

    @cached_property
    def past(self) -> Candles:
        """The hours before the market's first bar, which they lead up to."""
        return _past(self.market, self.seed)

    def funding(self) -> Mapping[str, float]:
        """Nothing for anybody."""
        return dict.fromkeys(self.markets(), 0.0)

    def hours(self, symbol: str, since: int) -> Candles:
        """Hours that began at `since` or later and are over, those of the year before first."""
        column, past = self._engine.column(symbol), self.past
        there = past.opened >= since
        if not there.any():
            return super().hours(symbol, since)
        panels = {name: getattr(past, name)[there, column : column + 1] for name in PANELS}
        return Candles(self.name, HOUR_MS, past.opened[there], (symbol,), **panels)


def _past(market: PaperMarket, seed: int) -> Candles:
    """Hours of the same symbols whose last close is the market's first price: minutes, stretched as volatility is."""
    bars = DAYS_BEFORE * 24
    first = int(market.candles.opened[0]) // HOUR_MS * HOUR_MS - bars * HOUR_MS
    minutes = simulated_candles(np.random.default_rng([seed, 1]), first, bars, Crash(bars, 1, 0.0), "paper")
    stretch, end = np.sqrt(HOUR_MS / MINUTE_MS), market.candles.open[0]
    prices = {
        name: end * np.exp(np.log(getattr(minutes, name) / minutes.close[-1]) * stretch)
        for name in ("open", "high", "low", "close")
    }
    volume = minutes.volume * minutes.close / prices["close"] * HOUR_MS / MINUTE_MS
    opened = first + HOUR_MS * np.arange(bars, dtype=np.int64)
    return Candles("paper", HOUR_MS, opened, minutes.symbols, volume=volume, **prices)


def _kept(terms: Terms, path: Path) -> Terms:
    """The terms in the file; these, once they are in it, where there is none."""
    if path.exists():
        try:
            return _checked(Terms(**json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError) as error:
            raise JournalError(f"`{path}` is damaged: move its folder away to begin anew") from error
    Disk().replace(path, json.dumps(asdict(terms)).encode())
    return terms


def _checked(terms: Terms) -> Terms:
    """The terms, if a market can be made on them. Raises ValueError for others."""
    figures = asdict(terms).values()
    if not all(type(figure) is int and figure >= 0 for figure in figures) or not terms.before + terms.after:
        raise ValueError("they are no terms of a market")
    return terms


@dataclass(frozen=True, slots=True)
class PaperClock:
    """The time of a fund at a paper exchange, which it moves to that of `wall`.

    It never goes back: where an order had to rest, the exchange's own clock has gone ahead, and waits to be caught up.
    """

    exchange: PaperExchange
    wall: Callable[[], int] = wall_clock

    def __call__(self) -> int:
        """Move the exchange's clock to now (ms since 1970 UTC), and tell it."""
        while True:
            now = max(self.exchange.time(), self.wall())
            try:
                self.exchange.advance(now)
            except ValueError:
                continue  # an order on another thread has let it go on meanwhile
            return now
