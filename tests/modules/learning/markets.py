"""Markets in which there is something to learn, for a while: what is learnt of one half is wrong in the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from modules.estimates.hours import newest
from modules.feeds.candles import Candles
from modules.learning.learning import Learning
from modules.learning.workers import InPlaceWorker
from tests.modules.hourly_market import HOUR, candles_of

SYMBOLS = tuple(f"{name}USDT" for name in ("ADA", "BTC", "ETH", "SOL", "UNI", "XRP"))


def turning(hours: int, turn: int, *, seed: int = 3, memory: float = 0.6) -> Candles:
    """Prices that go on as they went until the hour `turn`, and from then on go back where they came from."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal((hours, len(SYMBOLS))) * 0.01
    moves = np.zeros(shocks.shape)
    for hour in range(1, hours):
        moves[hour] = (memory if hour < turn else -memory) * moves[hour - 1] + shocks[hour]
    return candles_of(100 * np.exp(np.cumsum(moves, axis=0)), SYMBOLS)


def at(candles: Candles, hour: int) -> int:
    """The time (ms) when the bar at this index closes."""
    return int(candles.opened[hour]) + HOUR


def known(candles: Candles) -> Callable[[int], Candles]:
    """The candles as they are known at a time."""
    return lambda ts: newest(candles, ts, 10_000)


def learning(candles: Candles, folder: Path, **settings: Any) -> Learning:
    """The models of a fund in this market, trained at once and on eight days."""
    worker = settings.pop("worker", InPlaceWorker())
    return Learning.opened(folder, known(candles), worker, **{"window_days": 8.0, **settings})
