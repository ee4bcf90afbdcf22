"""What the fund asks of a venue, and everything that can go wrong on the way.

VenueError
├── Unreachable         no answer, or one that says nothing: what was asked may have been done all the same
│   └── OutOfTime           no answer in the time that there is for questions, so that nothing more is asked
├── Malformed           an answer that cannot be read: as above
├── Unclear             an answer of an unknown kind: as above
├── RateLimited         too many requests; nothing was done
├── ClockSkew           our clock and the venue's are too far apart; nothing was done
├── NotPermitted        live trading is off, or there are no keys, or the venue refuses them; nothing was done
├── UnknownOrder        the venue knows no such order
└── Rejected            the venue refuses the order; there is none
    ├── DuplicateClientId   an order of that client id is there already
    ├── NotEnoughMargin     the account cannot carry it
    └── WouldTrigger        the price has reached the trigger of a stop already

The calls block, for as long as `modules.venues.allowance` lets them: what sends an order must write its intent down,
send, and write down what came of it, in that order, on a thread of the scheduler that has nothing else to do meanwhile.
A call that is broken off because the process ends raises HungUp, which is no error of the venue.
"""

# ruff: noqa: N818 -- an error is named after what happened, as in "the venue is unreachable"

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

from modules.feeds.candles import Candles
from modules.inputs import Account, Depth, Listing, Order, Position, Ticker


class VenueError(Exception):
    """Something went wrong at a venue. `is_certain`: what was asked has surely not been done."""

    is_certain: ClassVar[bool] = False


class HungUp(Exception):
    """Asking was broken off, or is over, because the fund ends: of what was sent nobody knows whether it arrived."""


class Unreachable(VenueError):
    """No connection, no answer in time, or the venue is down; an order may have arrived."""


class OutOfTime(Unreachable):
    """The time that there was for questions is over: asked again within it, the venue would not be asked at all."""


class Malformed(VenueError):
    """The answer is no JSON, lacks what it must hold, or contradicts itself; an order may have arrived."""


class Unclear(VenueError):
    """The venue answers with an error of a kind that nobody here knows; an order may have arrived."""


class RateLimited(VenueError):
    """Too many requests. `retry_after` is when to try again, in seconds from now; None if the venue does not say."""

    is_certain = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ClockSkew(VenueError):
    """Our clock and the venue's are too far apart for orders to be trusted to arrive in time or not at all."""

    is_certain = True


class NotPermitted(VenueError):
    """Live trading is off, there are no keys, or the venue does not accept them."""

    is_certain = True


class UnknownOrder(VenueError):
    """The venue knows no order of that client id; on a cancel: none that is open."""

    is_certain = True


class Rejected(VenueError):
    """The venue refuses the order, for the reason that is the message."""

    is_certain = True


class DuplicateClientId(Rejected):
    """There is an order of that client id already."""


class NotEnoughMargin(Rejected):
    """The account cannot carry the order."""


class WouldTrigger(Rejected):
    """The price has reached the trigger of a stop already, so that there is nothing to wait for."""


class Kind(StrEnum):
    """How an order trades: resting at its price, at once up to it, at once at any price, or so once it is triggered."""

    LIMIT = "LIMIT"
    IOC = "IOC"
    MARKET = "MARKET"
    STOP = "STOP"


class Status(StrEnum):
    """How an order stands; all but OPEN are ends. CANCELLED and EXPIRED orders may have filled in part."""

    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to place. `side` is LONG for a buy, SHORT for a sale; `quantity` in base units.

    `price` is the worst one, None for a market order and for a stop. A stop waits for the price to reach `trigger`, on
    the way down for a sale and up for a buy, and may only reduce. The client id is what tells the order from every
    other, now and after a crash: there is no order without one.
    """

    client_id: str
    symbol: str
    side: str
    quantity: float
    kind: Kind
    price: float | None = None
    reduce_only: bool = False
    trigger: float | None = None

    @property
    def buys(self) -> bool:
        """Whether it buys."""
        return self.side == "LONG"


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as the venue knows it: `filled` of `quantity` base units at `average` (None before the first fill).

    `side` is LONG for a buy, SHORT for a sale. Times are the venue's, ms since 1970 UTC. `fee` is what the fills cost
    in quote currency, None where the venue does not tell. A stop is `triggered` once the price has reached its trigger:
    it waits no longer, whatever comes of it.
    """

    client_id: str
    symbol: str
    side: str
    quantity: float
    filled: float
    average: float | None
    status: Status
    kind: Kind
    price: float | None
    reduce_only: bool
    placed: int
    updated: int
    trigger: float | None = None
    fee: float | None = None
    triggered: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.status is Status.OPEN

    @property
    def is_guard(self) -> bool:
        """Whether it only guards a position: it rests nowhere, and reduces once the price has reached its trigger."""
        return self.kind is Kind.STOP and self.reduce_only

    @property
    def waits(self) -> bool:
        """Whether it is a guard whose trigger the price has not reached."""
        return self.is_guard and self.is_open and not self.triggered

    def as_order(self) -> Order:
        """The order as the book keeps it, `side` that of the position it acts on.

        A venue holds only a reduce-only order to its word; any other may add risk.
        """
        against = "SHORT" if self.side == "LONG" else "LONG"
        side = against if self.reduce_only else self.side
        price = None if self.kind in {Kind.MARKET, Kind.STOP} else self.price
        return Order(
            self.client_id, self.symbol, side, not self.reduce_only, self.quantity, self.filled, price, self.placed
        )


class Venue(Protocol):
    """An exchange with one-way positions. Symbols are the venue's own ids, such as `BTCUSDT`.

    Every call may raise VenueError. What a venue does not tell is NaN, None or absent, never made up.
    """

    name: str
    is_live: bool
    """Whether an order that is placed here moves real money."""

    is_remote: bool
    """Whether its answers take their time: then questions that do not wait for each other are asked at once."""

    takes_stops: bool
    """Whether it takes orders of the kind STOP. Where it does not, the fund watches stops itself, at each snapshot."""

    arrival_ms: int
    """How long after its sending an order may still arrive; a client id unknown after that was never placed."""

    def silence(self) -> float:
        """For how many seconds an answer is owed; 0 where none is, as at a venue that answers at once."""
        ...

    def hang_up(self) -> None:
        """Break off whatever is being asked, from any thread: that and every later call raises HungUp.

        A venue that answers at once has nothing to break off, and goes on answering.
        """
        ...

    def time(self) -> int:
        """The venue's clock, ms since 1970 UTC."""
        ...

    def markets(self) -> Mapping[str, Listing]:
        """What is listed, by symbol."""
        ...

    def tickers(self) -> Mapping[str, Ticker]:
        """The newest prices by symbol."""
        ...

    def candles(self, symbol: str, since: int) -> Candles:
        """The one-minute candles of a symbol that opened at `since` (ms) or later and have closed, oldest first.

        As many as the venue gives at once: ask again from the end of the last one.
        """
        ...

    def hours(self, symbol: str, since: int) -> Candles:
        """The candles of an hour of a symbol, as `candles`."""
        ...

    def depth(self, symbol: str) -> Depth:
        """The order book of a symbol."""
        ...

    def funding(self) -> Mapping[str, float]:
        """What longs pay shorts at the next settlement / notional, by symbol, where the venue tells."""
        ...

    def account(self) -> Account:
        """The account by the venue's record. Peak and start of day are the book's to know, and NaN here."""
        ...

    def positions(self) -> Mapping[str, Position]:
        """Open positions by symbol. `opened` is the newest change where the venue keeps no time of the opening."""
        ...

    def open_orders(self) -> Sequence[OrderState]:
        """The orders that may still fill, oldest first; stops are among them only where the venue keeps them there."""
        ...

    def stops(self, symbol: str | None = None) -> Sequence[OrderState]:
        """The orders of the kind STOP that may still trade, oldest first, of a symbol or of all of them."""
        ...

    def place(self, order: NewOrder) -> OrderState:
        """Places an order, and never sends it twice. An error that is not certain leaves open whether it is there."""
        ...

    def cancel(self, symbol: str, client_id: str, kind: Kind | None = None) -> None:
        """Asks to cancel an open order. Whether it is cancelled, and what it filled before, `order` tells.

        `kind` is STOP for a stop, which some venues keep apart.
        """
        ...

    def set_leverage(self, symbol: str, leverage: float) -> None:
        """Sets how much notional a unit of margin carries in a symbol, for the position that is there and later ones.

        Raises NotEnoughMargin or Rejected where the venue does not do it.
        """
        ...

    def order(self, symbol: str, client_id: str, kind: Kind | None = None) -> OrderState:
        """An order by its client id, open or not; `kind` as for `cancel`. Raises UnknownOrder."""
        ...
