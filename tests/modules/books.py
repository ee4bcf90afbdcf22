"""Small books over made-up candles, for tests of the balancer."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from modules.feeds.candles import Candles
from modules.inputs import Account, Book, Inputs, Listing, MarginTier, Market, Order, Position, Request, Ticker
from modules.sources import BookSource
from modules.supply import Supply, merged
from tests.modules.samples import HOUR_MS, START_MS

SECTORS = {"BTCUSDT": "BTC", "ETHUSDT": "L1", "SOLUSDT": "L1", "UNIUSDT": "DEFI"}
TIERS = (MarginTier(1e9, 0.005, 125),)
BARS = 400
NOW = START_MS + BARS * HOUR_MS


def walk(seed: int, together: float = 0.0) -> Candles:
    """Hourly candles; of every return the part `together` is common to all symbols."""
    rng = np.random.default_rng(seed)
    common, own = rng.normal(0, 0.01, (BARS, 1)), rng.normal(0, 0.01, (BARS, len(SECTORS)))
    close = 100 * np.exp(np.cumsum(together * common + (1 - together) * own, axis=0))
    opened = START_MS + HOUR_MS * np.arange(BARS, dtype=np.int64)
    return Candles("made", HOUR_MS, opened, tuple(SECTORS), close, close * 1.005, close / 1.005, close, close)


APART, TOGETHER = walk(1), walk(1, together=0.95)


def held(symbol: str, notional: float, side: str = "LONG", stop: float | None = 95.0, **other: Any) -> Position:
    """A position at 100 with a leverage of 5, its stop 5 away."""
    if stop is not None and side == "SHORT":
        stop = 200 - stop
    return Position(symbol, side, notional / 100, 100, 100, START_MS, **({"leverage": 5.0, "stop": stop} | other))


def asked(symbol: str, notional: float | None, side: str = "LONG", stop: float | None = 95.0, **other: Any) -> Request:
    fields: dict[str, Any] = {"notional": notional, "leverage": 5.0, "stop": stop, "price": 100.0}
    return Request(symbol, side, NOW, **(fields | other))


def state(
    positions: dict[str, Position] | None = None,
    requests: dict[str, Request] | None = None,
    orders: dict[str, Order] | None = None,
    *,
    equity: float = 10_000.0,
    candles: Candles | None = APART,
    sectors: dict[str, str] | None = None,
) -> Inputs:
    positions = {} if positions is None else positions
    used = math.fsum(p.notional / p.leverage for p in positions.values() if p.leverage)
    account = Account(NOW, 10_000, equity, used, equity, equity)
    book = Book(account, positions, {} if orders is None else orders, (), requests or {})
    listings = {s: Listing(s, tiers=TIERS) for s in SECTORS}
    tickers = {s: Ticker(NOW, 100.0) for s in SECTORS}
    market = Market(candles, listings, tickers, newest=NOW)
    return known(Inputs("main", NOW, market, book), SECTORS if sectors is None else sectors)


def known(inputs: Inputs, sectors: dict[str, str]) -> Inputs:
    """With what the book and the universe supply before the balancer runs."""
    universe = Supply(rows={"symbol": {s: {"sector": name} for s, name in sectors.items()}})
    return replace(inputs, known=merged([BookSource().compute(inputs), universe]))


def order(symbol: str, quantity: float, **other: Any) -> Order:
    fields: dict[str, Any] = {"filled": 0.0, "price": 100.0, "side": "LONG", "adds_risk": True}
    fields |= {"leverage": 5.0, "stop": 95.0}
    return Order(client_id="o", symbol=symbol, quantity=quantity, placed=NOW, **(fields | other))
