"""The fund's own book: its account, what it holds, what it has ordered, what it has closed, what is asked of it.

Money is quote currency, times are ms since 1970 UTC, sides are `LONG` or `SHORT` of the position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """The account at `at`.

    `venue_equity` is the equity by the venue's record, None where it was not asked; `own_equity` that by the fund's own
    record of what it traded, None where it has none.
    `peak_equity` is the highest equity so far, `day_equity` that at 00:00 UTC, None where nobody knows it.
    """

    at: int
    balance: float
    equity: float
    used_margin: float
    peak_equity: float
    day_equity: float | None
    venue_equity: float | None = None
    own_equity: float | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """An open position: `quantity` in base units, never negative; `entry` is its average entry price.

    `first_quantity` and `first_entry` are those of the opening, `first_stop` the stop then; `stop` is the one in
    force, `target` the price at which its profit is taken. None is no such price, or nobody knows.
    """

    symbol: str
    side: str
    quantity: float
    entry: float
    mark: float
    opened: int
    leverage: float | None = None
    first_quantity: float | None = None
    first_entry: float | None = None
    first_stop: float | None = None
    stop: float | None = None
    target: float | None = None

    @property
    def sign(self) -> int:
        """1 for a long, -1 for a short."""
        return 1 if self.side == "LONG" else -1

    @property
    def notional(self) -> float:
        """|quantity| x mark price."""
        return self.quantity * self.mark

    @property
    def profit(self) -> float:
        """Unrealised profit at the mark, before fees."""
        return self.sign * self.quantity * (self.mark - self.entry)


@dataclass(frozen=True, slots=True)
class Order:
    """An order that is not at its end: `filled` of `quantity` base units; `price` is None for a market order.

    `leverage` and `stop` are those of the request that it came from; None where nobody wrote them down.
    """

    client_id: str
    symbol: str
    side: str
    adds_risk: bool
    quantity: float
    filled: float
    price: float | None
    placed: int
    leverage: float | None = None
    stop: float | None = None


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """A position that was closed at `closed`; `exit` is a name of `trade_exit`; None is not known."""

    symbol: str
    side: str
    exit: str
    closed: int
    profit: float | None
    profit_ratio: float | None = None
    r_multiple: float | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A signal or order that asks to trade, as its caller states it; what the caller leaves out is None.

    `side` is that of the order's direction: LONG buys, SHORT sells. What it does to the book is not for the caller to
    say: it follows from the positions there are. `reduce_only` says that it may not do more than reduce. `price` is
    None for a market order, `stop` the price at which the trade would be given up, `target` that of its profit.
    """

    symbol: str
    side: str
    at: int
    notional: float | None = None
    leverage: float | None = None
    model: str | None = None
    confidence: float | None = None
    votes: int | None = None
    urgency: str | None = None
    price: float | None = None
    stop: float | None = None
    reduce_only: bool = False
    client_id: str | None = None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Everything known of the book. None is a collection that nobody knows, which is not an empty one.

    `trades` are all closed trades, oldest first; those after the snapshot before are news. `recent` are the
    requests of the last minute before those at hand, those of an earlier process too.
    """

    account: Account | None = None
    positions: Mapping[str, Position] | None = None
    orders: Mapping[str, Order] | None = None
    trades: Sequence[ClosedTrade] | None = None
    requests: Mapping[str, Request] = field(default_factory=dict)
    recent: Sequence[Request] | None = ()
