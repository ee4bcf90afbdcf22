"""A made-up market: correlated symbols with regimes, fat tails and one crash, from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.feeds.candles import Candles

SYMBOLS = (
    ("BTCUSDT", 90_000.0, 0.8, 15e9), ("ETHUSDT", 3_200.0, 1.0, 12e9), ("SOLUSDT", 140.0, 1.2, 4e9),
    ("XRPUSDT", 2.1, 1.0, 2e9), ("BNBUSDT", 880.0, 0.8, 1.5e9), ("DOGEUSDT", 0.14, 1.3, 1.2e9),
    ("LINKUSDT", 13.5, 1.2, 6e8), ("AVAXUSDT", 13.0, 1.2, 5e8), ("UNIUSDT", 5.6, 1.1, 2e8),
    ("AAVEUSDT", 190.0, 1.2, 2e8),
)  # fmt: skip
"""Symbol, price, sensitivity to the market, and value traded a day in quote currency."""

STEPS = 4
"""Steps of the price path within a minute; its extremes make the candle's."""

MINUTE_MS = 60_000
TAIL = 4
"""Degrees of freedom of Student's t: so fat are the tails of minute returns."""

QUIET, DRIFTING, WILD = range(3)
STAY = 0.996
"""Probability that a regime lasts another minute: four hours on average."""

VOLATILITY_A_DAY = np.array([0.010, 0.011, 0.018])
"""Of the market, by regime."""

DRIFT_A_DAY = np.array([0.0, 0.02, 0.0])
"""Of the market by regime, up or down as the spell has it."""

OWN_VOLATILITY_A_DAY = 0.012


@dataclass(frozen=True, slots=True)
class Crash:
    """A fall of the market as a whole: it starts at the bar `start`, takes `minutes`, and is `depth` of the price.

    A third of it is won back over as many minutes again.
    """

    start: int
    minutes: int
    depth: float


def simulated_candles(rng: np.random.Generator, first_ms: int, bars: int, crash: Crash, book: str) -> Candles:
    """One-minute candles of ten symbols from `first_ms` on; the same generator state makes the same candles."""
    market = _market_returns(rng, bars) + _crash_returns(bars, crash)
    beta = np.array([s[2] for s in SYMBOLS])
    scale = OWN_VOLATILITY_A_DAY / np.sqrt(1440 * STEPS)
    own = _student(rng, (bars, STEPS, len(SYMBOLS))) * scale
    path = np.cumsum((market[:, :, None] * beta + own).reshape(bars * STEPS, -1), axis=0)
    prices = np.array([s[1] for s in SYMBOLS]) * np.exp(path).reshape(bars, STEPS, -1)
    close = prices[:, -1]
    opened = np.vstack([np.array([s[1] for s in SYMBOLS]), close[:-1]])
    every = np.concatenate([opened[:, None], prices], axis=1)
    order = np.argsort([s[0] for s in SYMBOLS])
    value = _values(rng, market, bars)
    return Candles(
        book=book,
        cadence_ms=MINUTE_MS,
        opened=first_ms + MINUTE_MS * np.arange(bars, dtype=np.int64),
        symbols=tuple(sorted(s[0] for s in SYMBOLS)),
        open=opened[:, order],
        high=every.max(axis=1)[:, order],
        low=every.min(axis=1)[:, order],
        close=close[:, order],
        volume=(value / close)[:, order],
    )


def simulated_spreads(rng: np.random.Generator, candles: Candles) -> NDArray[np.float64]:
    """Spreads as ratios of price, shape (bars, symbols): about a basis point, wider in fast minutes and thin coins."""
    base = {s[0]: 1e-4 * np.sqrt(1e9 / s[3]) for s in SYMBOLS}
    speed = np.log(candles.high / candles.low) / 0.001
    noise = np.exp(0.2 * rng.standard_normal(candles.close.shape))
    out: NDArray[np.float64] = np.array([base[s] for s in candles.symbols]) * (1 + speed) * noise
    return out


def _student(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Student's t with variance one."""
    out: NDArray[np.float64] = rng.standard_t(TAIL, shape) / np.sqrt(TAIL / (TAIL - 2))
    return out


def _market_returns(rng: np.random.Generator, bars: int) -> NDArray[np.float64]:
    """Log returns of the market, shape (bars, STEPS), regimes changing by a Markov chain."""
    regime, sign = np.empty(bars, dtype=np.int64), np.empty(bars)
    now, towards = QUIET, 1.0
    for bar, (stays, other, up) in enumerate(rng.random((bars, 3)).tolist()):
        if stays > STAY:
            now, towards = (now + (1 if other < 1 / 2 else 2)) % 3, 1.0 if up < 1 / 2 else -1.0
        regime[bar], sign[bar] = now, towards
    per_step = 1440 * STEPS
    shocks = _student(rng, (bars, STEPS)) * (VOLATILITY_A_DAY[regime] / np.sqrt(per_step))[:, None]
    out: NDArray[np.float64] = shocks + (sign * DRIFT_A_DAY[regime] / per_step)[:, None]
    return out


def _crash_returns(bars: int, crash: Crash) -> NDArray[np.float64]:
    out = np.zeros((bars, STEPS))
    fall = np.log(1 - crash.depth) / (crash.minutes * STEPS)
    out[crash.start : crash.start + crash.minutes] = fall
    out[crash.start + crash.minutes : crash.start + 2 * crash.minutes] = -fall / 3
    return out


def _values(rng: np.random.Generator, market: NDArray[np.float64], bars: int) -> NDArray[np.float64]:
    """Value traded a minute, shape (bars, symbols): it rises with the market's move."""
    base = np.array([s[3] / 1440 for s in SYMBOLS])
    move = np.abs(market.sum(axis=1)) / 0.0005
    noise = np.exp(0.5 * rng.standard_normal((bars, len(SYMBOLS))))
    out: NDArray[np.float64] = base * noise * (0.5 + 0.5 * move)[:, None]
    return out
