"""The made-up market of a day: a year of hours as history, the minutes of the day, and a crash among them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from modules.estimates.hours import HOUR_MS, HOURS_A_DAY, hourly
from modules.feeds.candles import Candles, Panel
from modules.inputs import Depth, Listing, Ticker
from modules.sample_market import MORE
from modules.simulated_market import MINUTE_MS, OWN_VOLATILITY_A_DAY, SYMBOLS, TAIL
from modules.venues.amounts import ceiled, floored
from modules.venues.paper_market import PaperMarket
from policy_dsl.quantities import MS_PER_DAY

BOOK = "day"
DAY = MS_PER_DAY // MINUTE_MS
"""Minutes of a day."""

LISTED_DAYS = 4 * 365
"""How long ago every symbol was listed."""

STAY = 0.98
"""Probability that calm or wild lasts another hour."""

MARKET_VOLATILITY_A_DAY = np.array([0.015, 0.03])
"""Calm and wild; the day itself is calm until the crash."""

DRIFT_A_DAY = 0.015
"""Standard deviation of the drift of a symbol of its own, log return a day."""

MARKET_DRIFT_A_DAY = 0.03
"""The drift of the market as the day begins: it has risen for days, so that the crash finds a fund that is long.

A crash that a fund earns on would be no test.
"""

DRIFT_HALF_LIFE = 5 * HOURS_A_DAY
"""Hours in which half of a drift is gone: trends of days, which a trend follower could find."""

STEPS = 4
"""Steps of the price path within a bar; its extremes make the candle's."""

AFTERMATH = 3.0
"""How much wilder the minutes of a crash are, and those after it at first; half of it is gone in two hours."""

AFTERMATH_HALF_LIFE = 120
SPREAD_SPEED = 0.0015
"""Range of a minute / price at which spreads are twice what they are at rest."""


@dataclass(frozen=True, slots=True)
class Fall:
    """A crash: it starts at the minute `start` of the day, takes `minutes`, and costs the market `depth` of its price.

    A third of it is won back over as many minutes again.
    """

    start: int
    minutes: int
    depth: float


@dataclass(frozen=True, slots=True)
class DayMarket(PaperMarket):
    """The market of one day. What is seen of a bar is worked out once, however many funds look at it.

    `hours` holds for each hour of the day the hourly bars that have closed by then, `drift` the log return a minute
    that each symbol heads for, shape (minutes of the day, symbols).
    """

    hours: tuple[Candles, ...] = ()
    drift: Panel = field(default_factory=lambda: np.empty((0, 0)))
    traded: Panel = field(default_factory=lambda: np.empty((0, 0)))
    _tickers: dict[int, dict[str, Ticker]] = field(default_factory=dict)
    _depths: dict[tuple[str, int], Depth | None] = field(default_factory=dict)
    _listings: dict[str, Listing] = field(default_factory=dict)

    @property
    def midnight(self) -> int:
        """When the day begins, ms since 1970 UTC."""
        return int(self.candles.closed[0])

    def bar(self, ts: int) -> int:
        """Index of the newest bar that has closed at `ts`, -1 before the first."""
        return min((ts - int(self.candles.opened[0])) // MINUTE_MS, len(self.candles.opened)) - 1

    def candles_at(self, ts: int) -> Candles:
        """The hourly bars that have closed by `ts`: the same object until the next one closes."""
        return self.hours[min((ts - self.midnight) // HOUR_MS, len(self.hours) - 1)]

    def listings(self) -> dict[str, Listing]:
        """Every symbol, listed for years."""
        if not self._listings:
            listed_at = self.midnight - LISTED_DAYS * MS_PER_DAY
            for symbol, found in PaperMarket.listings(self).items():
                self._listings[symbol] = Listing(
                    symbol, True, listed_at, found.tick, found.step, found.least_notional, found.tiers
                )
        return self._listings

    def depth(self, symbol: str, ts: int) -> Depth | None:
        """The order book at `ts`."""
        key = (symbol, self.bar(ts))
        if key not in self._depths:
            self._depths[key] = PaperMarket.depth(self, symbol, ts)
        return self._depths[key]

    def ticker(self, symbol: str, ts: int) -> Ticker | None:
        """Prices at `ts`, best bid and ask those of the order book."""
        bar = self.bar(ts)
        if bar not in self._tickers:
            self._tickers[bar] = self._priced(bar)
        return self._tickers[bar].get(symbol)

    def _priced(self, bar: int) -> dict[str, Ticker]:
        at, out = int(self.candles.closed[bar]), {}
        listings = self.listings()
        for column, symbol in enumerate(self.candles.symbols):
            price = float(self.candles.close[bar, column])
            half, tick = price * float(self.spreads[bar, column]) / 2, listings[symbol].tick
            bid, ask = floored(price - half, tick), ceiled(price + half, tick)
            out[symbol] = Ticker(at, price, bid, ask, price, float(self.traded[bar, column]))
        return out


def day_market(seed: int, midnight: int, fall: Fall, *, history_days: int = 365) -> DayMarket:
    """Twenty-four symbols over the day that begins at `midnight` (ms), after days of hours; same seed, same day.

    The market is calm or wild by a Markov chain and has trends of days; returns have fat tails. Before the crash it
    rises.
    """
    rng = np.random.default_rng([seed, 1])
    names = sorted((*SYMBOLS, *MORE))
    price, beta, daily = (np.array([s[i] for s in names]) for i in (1, 2, 3))
    hours = history_days * HOURS_A_DAY
    drift = _drifts(rng, hours + HOURS_A_DAY, beta)
    wild = np.cumsum(rng.random(hours) > STAY) % 2
    past = _path(rng, drift[:hours], MARKET_VOLATILITY_A_DAY[wild], beta, HOURS_A_DAY)
    minute_drift = np.repeat(drift[hours:] / 60, 60, axis=0)
    loud = _loudness(fall)
    day = _path(rng, minute_drift, MARKET_VOLATILITY_A_DAY[0] * loud, beta, DAY)
    day += _falling(fall)[:, :, None] * beta
    start = np.log(price)
    before = _candles(
        rng, past, start - past.sum(axis=(0, 1)), daily, first_ms=midnight - hours * HOUR_MS, cadence=HOUR_MS
    )
    # One bar before midnight, so that there is a price when the day begins.
    first = np.concatenate([np.zeros((1, STEPS, len(names))), day])
    minutes = _candles(
        rng, first, start, daily, first_ms=midnight - MINUTE_MS, cadence=MINUTE_MS, loud=np.r_[1.0, loud]
    )
    spreads = _spreads(rng, minutes, daily)
    symbols = tuple(s[0] for s in names)
    traded = np.broadcast_to(daily, minutes.close.shape) * np.exp(0.1 * rng.standard_normal(len(symbols)))
    return DayMarket(
        minutes, spreads, seed, hours=_hours(before, minutes), drift=minute_drift, traded=np.array(traded)
    )  # fmt: skip


def _drifts(rng: np.random.Generator, hours: int, beta: NDArray[np.float64]) -> Panel:
    """The log return an hour that each symbol heads for; the market comes to head up."""
    keep = 0.5 ** (1 / DRIFT_HALF_LIFE)
    shocks = rng.standard_normal((hours, len(beta) + 1)) * np.sqrt(1 - keep**2)
    out = np.empty_like(shocks)
    now = rng.standard_normal(len(beta) + 1)
    for hour in range(hours):
        now = keep * now + shocks[hour]
        out[hour] = now
    # The path of the market's drift is lifted to where it is to be when the day begins, the less the longer before.
    began = hours - 1 - HOURS_A_DAY
    lift = (1 - out[began, 0]) * keep ** np.abs(np.arange(hours) - began)
    market = (out[:, 0] + lift) * MARKET_DRIFT_A_DAY
    return np.asarray((out[:, 1:] * DRIFT_A_DAY + market[:, None] * beta) / HOURS_A_DAY)


def _path(
    rng: np.random.Generator, drift: Panel, volatility: NDArray[np.float64] | float, beta: Panel, bars_a_day: int
) -> NDArray[np.float64]:
    """Log returns, shape (bars, STEPS, symbols); `volatility` is the market's a day, by bar."""
    bars, symbols = drift.shape
    step = np.sqrt(bars_a_day * STEPS * TAIL / (TAIL - 2))
    scale = np.broadcast_to(np.asarray(volatility, dtype=float), (bars,))[:, None]
    market = rng.standard_t(TAIL, (bars, STEPS)) * scale / step
    own = rng.standard_t(TAIL, (bars, STEPS, symbols)) * OWN_VOLATILITY_A_DAY / step
    return np.asarray(market[:, :, None] * beta + own + drift[:, None, :] / STEPS)


def _loudness(fall: Fall) -> NDArray[np.float64]:
    """How many times wilder than calm each minute of the day is."""
    since = np.arange(DAY) - fall.start
    return np.where(since < 0, 1.0, 1 + AFTERMATH * 0.5 ** (np.maximum(since, 0) / AFTERMATH_HALF_LIFE))


def _falling(fall: Fall) -> NDArray[np.float64]:
    """The log returns of the crash and of what is won back, shape (minutes, STEPS)."""
    out = np.zeros((DAY, STEPS))
    step = np.log(1 - fall.depth) / (fall.minutes * STEPS)
    out[fall.start : fall.start + fall.minutes] = step
    out[fall.start + fall.minutes : fall.start + 2 * fall.minutes] = -step / 3
    return out


def _candles(
    rng: np.random.Generator,
    moves: NDArray[np.float64],
    start: Panel,
    daily: Panel,
    *,
    first_ms: int,
    cadence: int,
    loud: NDArray[np.float64] | None = None,
) -> Candles:
    bars, _, symbols = moves.shape
    path = start + np.cumsum(moves.reshape(bars * STEPS, symbols), axis=0)
    prices = np.exp(path).reshape(bars, STEPS, symbols)
    close = prices[:, -1]
    opened = np.vstack([np.exp(start)[None, :], close[:-1]])
    every = np.concatenate([opened[:, None], prices], axis=1)
    noise = np.exp(0.4 * rng.standard_normal(close.shape)) * (1.0 if loud is None else loud[:, None])
    names = tuple(s[0] for s in sorted((*SYMBOLS, *MORE)))
    return Candles(
        BOOK, cadence, first_ms + cadence * np.arange(bars, dtype=np.int64), names, opened, every.max(axis=1),
        every.min(axis=1), close, daily * cadence / MS_PER_DAY * noise / close,
    )  # fmt: skip


def _spreads(rng: np.random.Generator, minutes: Candles, daily: Panel) -> Panel:
    """Spreads as ratios of price: about a basis point, wider in fast minutes and thin coins."""
    speed = np.log(minutes.high / minutes.low) / SPREAD_SPEED
    noise = np.exp(0.2 * rng.standard_normal(minutes.close.shape))
    return np.asarray(1e-4 * np.sqrt(1e9 / daily) * (0.5 + 0.5 * speed) * noise)


def _hours(before: Candles, minutes: Candles) -> tuple[Candles, ...]:
    """The hourly bars by hour of the day; the first holds those before the day."""
    panels = (minutes.open[1:], minutes.high[1:], minutes.low[1:], minutes.close[1:], minutes.volume[1:])
    today = hourly(Candles(BOOK, MINUTE_MS, minutes.opened[1:], minutes.symbols, *panels))
    names = ("open", "high", "low", "close", "volume")
    whole = {name: np.vstack([getattr(before, name), getattr(today, name)]) for name in names}
    opened = np.concatenate([before.opened, today.opened])
    known = len(before.opened)
    return tuple(
        Candles(
            BOOK, HOUR_MS, opened[: known + hour], before.symbols,
            **{name: panel[: known + hour] for name, panel in whole.items()},
        )
        for hour in range(HOURS_A_DAY + 1)
    )  # fmt: skip
