"""What the feed tells of prices: their age, their spread, and funding."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from modules.inputs import Inputs, Market, Ticker
from modules.supply import Supply

NO_PRICE = "no price has arrived"


class FeedSource:
    """`market.data_age`, and a row for each symbol that is listed or has a price."""

    name: ClassVar[str] = "feed"
    policy: ClassVar[str | None] = None
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("feed",)

    def compute(self, inputs: Inputs) -> Supply:
        """Ages at the time of the snapshot; a spread of crossed or absent quotes is unknown."""
        market, reasons = inputs.market, {}
        single: dict[str, Any] = {}
        if market.newest is None:
            reasons["market.data_age"] = "no market event has arrived"
        else:
            single["market.data_age"] = max(0, inputs.ts - market.newest) / 1000
        rows: dict[str, dict[str, Any]] = {}
        for symbol in sorted(_symbols(market)):
            ticker = market.tickers.get(symbol)
            rows[symbol] = {} if ticker is None else _priced(ticker, inputs.ts)
            if ticker is None:
                reasons[f'symbol["{symbol}"].price_age'] = NO_PRICE
            if symbol in market.funding:
                rows[symbol]["funding_rate"] = market.funding[symbol]
        told = market.listings is not None or market.tickers
        return Supply(single=single, rows={"symbol": rows} if told else {}, reasons=reasons)


def _symbols(market: Market) -> set[str]:
    return set(market.tickers) | set(market.listings or {})


def _priced(ticker: Ticker, ts: int) -> dict[str, Any]:
    row: dict[str, Any] = {"price_age": max(0, ts - ticker.at) / 1000}
    middle = (ticker.bid + ticker.ask) / 2
    if math.isfinite(middle) and 0 < ticker.bid <= ticker.ask:
        row["spread"] = (ticker.ask - ticker.bid) / middle
    return row
