"""What a request would do to the market and to the fund's own orders, before it is sent: the facts of AELM."""

from __future__ import annotations

import math
from collections.abc import Container

from modules.estimates.depth import impact, is_sound
from modules.estimates.fast_move import FRESH_MS
from modules.inputs import Book, Inputs, Order, Request
from modules.sources.effects import effect_of
from modules.sources.feed import age_ms
from modules.supply import Row
from modules.venues.intents import stem

MINUTE_MS = 60_000


def request_facts(key: str, inputs: Inputs, reasons: dict[str, str], worked: Container[str]) -> Row:
    """The facts of a request that are known; `reasons` gets why the others are not.

    `worked` are the names of the requests that were ever carried out.
    """
    request = inputs.book.requests[key]
    found = {
        "price_deviation": _price_deviation(request, inputs),
        "impact": _impact(request, inputs),
        "duplicate": _duplicate(key, request, inputs.book, worked),
        "crosses_own_order": _crosses(request, inputs.book),
        "repeats_last_minute": _repeats(key, request, inputs),
    }
    for name, (value, why) in found.items():
        if value is None:
            reasons[f'request["{key}"].{name}'] = why
    return {name: value for name, (value, _) in found.items() if value is not None}


def _mark(symbol: str, inputs: Inputs) -> float | None:
    ticker = inputs.market.tickers.get(symbol)
    return ticker.price if ticker is not None and math.isfinite(ticker.price) and ticker.price > 0 else None


def _price_deviation(request: Request, inputs: Inputs) -> tuple[float | None, str]:
    if request.price is None:
        return 0.0, ""
    mark = _mark(request.symbol, inputs)
    if mark is None:
        return None, f"{request.symbol} has no price to compare with"
    return abs(request.price - mark) / mark, ""


def _impact(request: Request, inputs: Inputs) -> tuple[float | None, str]:
    mark, depth = _mark(request.symbol, inputs), inputs.market.depths.get(request.symbol)
    if request.notional is None or not request.notional > 0:
        return None, "the request does not say how much to trade"
    if mark is None:
        return None, f"{request.symbol} has no price"
    if depth is None:
        return None, f"the order book of {request.symbol} is not known"
    age = age_ms(depth.at, inputs.ts)
    if age is None or age > FRESH_MS:
        how = f"{age / 1000:.0f} s old" if age is not None else "dated ahead: a clock is wrong"
        return None, f"the order book of {request.symbol} is {how}"
    if not is_sound(depth):
        return None, f"the order book of {request.symbol} is empty on a side, unsorted or crossed"
    found = impact(depth, request.side == "LONG", request.notional / mark)
    return found, f"the order book of {request.symbol} is not known as deep as the order goes"


def _duplicate(key: str, request: Request, book: Book, worked: Container[str]) -> tuple[bool | None, str]:
    """A client id counts as seen where a request before has it, however long ago it was carried out.

    So it does where an open order is one of its request.
    """
    name = request.client_id or f"{key}@{request.at}"
    if name in worked:
        return True, ""
    earlier = [r.client_id for r in book.recent or ()]
    earlier += [other.client_id for k, other in book.requests.items() if (other.at, k) < (request.at, key)]
    if name in earlier:
        return True, ""
    if book.orders is None:
        return None, "the open orders are not known"
    return any(o.client_id == name or o.client_id.startswith(stem(name)) for o in book.orders.values()), ""


def _crosses(request: Request, book: Book) -> tuple[bool | None, str]:
    if book.orders is None:
        return None, "the open orders are not known"
    return any(_could_trade(request, order) for order in book.orders.values()), ""


def _could_trade(request: Request, order: Order) -> bool:
    """Whether the two could meet: opposite directions, and a price that both take. Two market orders never rest."""
    buys = request.side == "LONG"
    # An order's side is that of the position: one that adds no risk goes against it.
    order_buys = (order.side == "LONG") == order.adds_risk
    if order.symbol != request.symbol or order_buys == buys or order.filled >= order.quantity:
        return False
    if request.price is None or order.price is None:
        return not (request.price is None and order.price is None)
    return request.price >= order.price if buys else request.price <= order.price


def _repeats(key: str, request: Request, inputs: Inputs) -> tuple[int | None, str]:
    """Requests before it that would do the same to the book as it stands."""
    book = inputs.book
    mine = effect_of(request, book.positions)
    if mine.effect is None:
        return None, "what the request does to the book is not known"
    if book.recent is None:
        return None, "what was asked in the last minute, before a restart, is not known"
    peers = [other for k, other in book.requests.items() if (other.at, k) < (request.at, key)]
    late = [r for r in (*book.recent, *peers) if r.at > inputs.ts - MINUTE_MS and r.symbol == request.symbol]
    return sum(1 for r in late if effect_of(r, book.positions) == mine), ""
