"""What ccxt tells, as the fund's own records: every figure is checked, and what is not there is not made up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import ccxt
import numpy as np

from modules.estimates.depth import is_sound
from modules.feeds.candles import Candles
from modules.inputs import Account, Depth, Listing, MarginTier, Position, Ticker
from modules.venues.venue import Kind, Malformed, OrderState, Status

SAME = 1e-9
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
NAN = math.nan
STATUSES = {"open": Status.OPEN, "canceled": Status.CANCELLED, "expired": Status.EXPIRED, "rejected": Status.REJECTED}
RAW: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "binance": {
        "ticker": ("lastPrice",),
        "order": ("origQty", "executedQty"),
        "stop": ("quantity",),
        "position": ("entryPrice", "notional"),
    }
}
"""By how an exchange's id begins, its own names of figures that must be there. Where one is missing ccxt derives it
from others: an order that is closed it takes as filled, and a last price as the first one and a change."""

AMOUNTS: Mapping[str, str] = {"position": "positionAmt", "order": "origQty", "stop": "quantity"}
"""Binance's names of an amount that makes a row count."""


def figure(value: Any) -> float:
    """A finite number; NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return NAN
    return float(value)


def positive(value: Any) -> float:
    """A number over 0; NaN for anything else."""
    found = figure(value)
    return found if found > 0 else NAN


def needed(value: Any, what: str) -> float:
    """A finite number. Raises Malformed."""
    found = figure(value)
    if math.isnan(found):
        raise Malformed(f"{what} is {value!r}, and no number")
    return found


def moment(value: Any, what: str) -> int:
    """A time in ms. Raises Malformed."""
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise Malformed(f"{what} is {value!r}, and no time")
    return value


def listing(market: Mapping[str, Any], mode: int, tiers: Sequence[Mapping[str, Any]]) -> Listing:
    """A market of ccxt; `mode` is how its exchange tells precision."""
    created = market.get("created")
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    return Listing(
        str(market["id"]),
        is_active=market.get("active") is True,
        listed_at=created if isinstance(created, int) and created > 0 else None,
        tick=_step(precision.get("price"), mode),
        step=_step(precision.get("amount"), mode),
        least_notional=_or_none((limits.get("cost") or {}).get("min")),
        tiers=margin_tiers(tiers),
    )


def margin_tiers(tiers: Sequence[Mapping[str, Any]]) -> tuple[MarginTier, ...]:
    """Tiers of maintenance margin; each deduction makes the margin go on without a jump where its tier begins."""
    out: list[MarginTier] = []
    floor = deduction = rate = 0.0
    for tier in tiers:
        up_to = needed(tier.get("maxNotional"), "the end of a margin tier")
        now = needed(tier.get("maintenanceMarginRate"), "the rate of a margin tier")
        if up_to <= floor or not 0 <= now < 1:
            raise Malformed(f"a margin tier of rate {now} up to {up_to} cannot be")
        deduction += floor * (now - rate)
        floor, rate = up_to, now
        out.append(MarginTier(up_to, now, needed(tier.get("maxLeverage"), "the leverage of a margin tier"), deduction))
    return tuple(out)


def is_told(exchange_id: str, kind: str, told: Mapping[str, Any]) -> bool:
    """Whether the exchange itself told the figures that must be there; yes where their names are not known."""
    info = told.get("info")
    names = [name for start, by_kind in RAW.items() if exchange_id.startswith(start) for name in by_kind[kind]]
    return all(isinstance(info, Mapping) and not math.isnan(number(info.get(name))) for name in names)


def check_rows(exchange_id: str, kind: str, told: Sequence[Any], body: Any) -> None:
    """Raises Malformed where ccxt has left out rows: it takes a body that is no list as one without any."""
    if not exchange_id.startswith("binance"):
        return
    if not isinstance(body, list) or not all(isinstance(row, Mapping) for row in body):
        raise Malformed(f"the answer is no list of {kind}s")
    there = sum(1 for row in body if number(row.get(AMOUNTS[kind])) != 0)
    if there > len(told):
        raise Malformed(f"{there - len(told)} of {there} {kind}s cannot be read")


def ticker(exchange_id: str, told: Mapping[str, Any], quotes: Mapping[str, Any], mark: Any) -> Ticker | None:
    """A ticker with the best quotes and the mark price, NaN where they are not told; None without a last price."""
    last, at = positive(told.get("last")), told.get("timestamp")
    if (
        not is_told(exchange_id, "ticker", told)
        or math.isnan(last)
        or isinstance(at, bool)
        or not isinstance(at, int)
        or at <= 0
    ):
        return None
    bid, ask = positive(quotes.get("bid")), positive(quotes.get("ask"))
    volume = figure(told.get("quoteVolume"))
    return Ticker(at, last, bid, ask, positive(mark), volume if volume >= 0 else NAN)


def depth(told: Mapping[str, Any], asked: int) -> Depth:
    """An order book, as old as the venue says, or else as the question. Raises Malformed for one that cannot be."""
    at = told.get("timestamp")
    sides = [tuple((figure(level[0]), figure(level[1])) for level in told[side]) for side in ("bids", "asks")]
    made = Depth(at if isinstance(at, int) and at > 0 else asked, sides[0], sides[1])
    if not is_sound(made):
        raise Malformed("the order book is empty on a side, unsorted, crossed, or holds what is no number")
    return made


def candles(
    name: str, symbol: str, rows: Sequence[Sequence[Any]], within: tuple[int, int], cadence_ms: int = MINUTE_MS
) -> Candles:
    """Bars that opened at the first time of `within` or later, and have closed at the second.

    Raises Malformed for bars that cannot be.
    """
    since, until = within
    done = [row for row in rows if since <= moment(row[0], "the time of a candle") <= until - cadence_ms]
    opened = np.array([row[0] for row in done], dtype=np.int64)
    values = np.array([[figure(v) for v in row[1:6]] for row in done], dtype=float).reshape(-1, 5)
    opens, highs, lows, closes, volumes = values.T
    sound = np.isfinite(values).all() and (values[:, :4] > 0).all() and (volumes >= 0).all()
    if not sound or (np.diff(opened) <= 0).any():
        raise Malformed(f"the candles of `{symbol}` are out of order or hold what is no price")
    if (highs < np.maximum(opens, closes)).any() or (lows > np.minimum(opens, closes)).any():
        raise Malformed(f"a candle of `{symbol}` has its open or close outside its range")
    panels = {"open": opens, "high": highs, "low": lows, "close": closes, "volume": volumes}
    return Candles(name, cadence_ms, opened, (symbol,), **{n: v[:, None] for n, v in panels.items()})


def account(told: Mapping[str, Any], quote: str, at: int) -> Account:
    """The account in the quote currency: margin balance as equity, wallet balance where the venue tells it."""
    info = told.get("info")
    assets = info.get("assets") if isinstance(info, Mapping) else None
    if isinstance(assets, list):
        (row,) = [a for a in assets if isinstance(a, Mapping) and a.get("asset") == quote] or [{}]
        balance, equity, used = (number(row.get(n)) for n in ("walletBalance", "marginBalance", "initialMargin"))
        needed(balance, "the wallet balance")
    else:
        here = told.get(quote)
        if not isinstance(here, Mapping):
            raise Malformed(f"the account holds no `{quote}`")
        balance, equity, used = NAN, figure(here.get("total")), figure(here.get("used"))
    needed(equity, "the equity")
    needed(used, "the used margin")
    return Account(at, balance, equity, used, NAN, NAN, venue_equity=equity)


def position(exchange_id: str, told: Mapping[str, Any], symbol: str) -> Position | None:
    """A position; None for an empty one."""
    if not is_told(exchange_id, "position", told):
        raise Malformed(f"the position in `{symbol}` lacks its entry price or notional")
    quantity = needed(told.get("contracts"), f"the quantity of `{symbol}`")
    if quantity == 0:
        return None
    size = needed(told.get("contractSize"), f"the contract size of `{symbol}`")
    side = {"long": "LONG", "short": "SHORT"}.get(str(told.get("side")))
    entry, mark = positive(told.get("entryPrice")), positive(told.get("markPrice"))
    if side is None or math.isnan(entry) or math.isnan(mark) or quantity * size < 0:
        raise Malformed(f"the position in `{symbol}` lacks its side, entry or mark price")
    changed = moment(told.get("timestamp"), f"the time of the position in `{symbol}`")
    leverage = _or_none(told.get("leverage")) or _or_none(quantity * size * mark / positive(told.get("initialMargin")))
    return Position(symbol, side, quantity * size, entry, mark, changed, leverage=leverage)


def order(exchange_id: str, told: Mapping[str, Any], symbol: str) -> OrderState:
    """An order as the venue knows it. Raises Malformed where it contradicts itself or does not say what it filled."""
    client_id, side = told.get("clientOrderId"), {"buy": "LONG", "sell": "SHORT"}.get(str(told.get("side")))
    if not isinstance(client_id, str) or side is None:
        raise Malformed("an order without client id or side")
    if not is_told(exchange_id, "order", told):
        raise Malformed(f"`{client_id}` does not say what it filled of what")
    quantity = needed(told.get("amount"), f"the quantity of `{client_id}`")
    filled = needed(told.get("filled"), f"what `{client_id}` filled")
    average = positive(told.get("average"))
    status = STATUSES.get(str(told.get("status")))
    is_whole = filled >= quantity * (1 - SAME)
    if told.get("status") == "closed":
        status = Status.FILLED if is_whole else None
    if status is None or quantity <= 0 or not 0 <= filled <= quantity * (1 + SAME):
        raise Malformed(f"`{client_id}` is {told.get('status')!r} with {filled} of {quantity} filled")
    if filled > 0 and math.isnan(average):
        raise Malformed(f"`{client_id}` filled {filled} at no price")
    placed = moment(told.get("timestamp"), f"the time of `{client_id}`")
    updated = told.get("lastUpdateTimestamp")
    kind = _kind(told)
    return OrderState(
        client_id, symbol, side, quantity, filled, average if filled > 0 else None, status, kind,
        None if kind is Kind.MARKET else _or_none(told.get("price")), told.get("reduceOnly") is True, placed,
        updated if isinstance(updated, int) and updated > 0 else placed,
    )  # fmt: skip


def _kind(told: Mapping[str, Any]) -> Kind:
    if told.get("type") == "market":
        return Kind.MARKET
    return Kind.IOC if told.get("timeInForce") == "IOC" else Kind.LIMIT


def number(text: Any) -> float:
    """A number that is written as text; NaN for anything else."""
    try:
        return figure(float(text))
    except (TypeError, ValueError):
        return NAN


def _step(value: Any, mode: int) -> float | None:
    if mode == ccxt.TICK_SIZE:
        return _or_none(value)
    return 10.0**-value if mode == ccxt.DECIMAL_PLACES and isinstance(value, int) else None


def _or_none(value: Any) -> float | None:
    found = positive(value)
    return None if math.isnan(found) else found
