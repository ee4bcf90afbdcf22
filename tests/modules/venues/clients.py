"""A client of the server that stands for an exchange."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from modules.venues import Kind, NewOrder
from modules.venues.ccxt_asking import Manners
from modules.venues.ccxt_venue import CcxtVenue
from modules.venues.credentials import Credentials
from tests.modules.venues.binance_server import KEY, SECRET, Exchange

SHORT = 2.0
"""Seconds: a time-out that a test can wait for, and an answer on a busy machine keeps."""

KEYS = Credentials(SecretStr(KEY), SecretStr(SECRET))
AT_ONCE = {"rateLimit": 0, "timeout_on_exit": 0}
"""Neither between two questions, nor for connections to close, does ccxt wait: the server is on this machine."""

BUY = NewOrder("rf-1", "BTCUSDT", "LONG", 1.0, Kind.MARKET)


def venue(exchange: Exchange, *, live: bool = True, delays: list[float] | None = None, **manners: Any) -> CcxtVenue:
    slept = delays if delays is not None else []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    made = Manners(**{"timeout": 10.0, "attempts": 3, "jitter": lambda: 1.0, "sleep": sleep, **manners})
    return CcxtVenue(credentials=KEYS, live=live, endpoint=exchange.url, manners=made, config=AT_ONCE)
