"""A real venue's prices and books, and orders that fill against them on paper.

Everything that can be seen is the venue's; the account, the orders and the positions are made up here, and nothing is
ever sent. An order takes what the book shows at the moment. The venue does not know of it, so that what it took is
there again a moment later. A limit order that rests fills at its price once the other side of the book has come to it,
with no more than the book shows there. There is no funding. A position is liquidated at the first look at prices beyond
its liquidation price.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import RLock
from typing import Any

from modules.estimates.depth import opposite, walk, within
from modules.feeds.candles import Candles
from modules.inputs import Account, Depth, Listing, Position, Ticker
from modules.venues.amounts import floored, is_multiple
from modules.venues.journal import Journal, Unkept, journal_at
from modules.venues.paper_ledger import NOTHING, Held, Ledger
from modules.venues.venue import (
    DuplicateClientId,
    Kind,
    NewOrder,
    NotEnoughMargin,
    OrderState,
    Rejected,
    Status,
    UnknownOrder,
    Venue,
)


@dataclass(frozen=True, slots=True)
class PaperTerms:
    """The account at its opening, and what trading costs; fees are ratios of traded value."""

    capital: float = 100_000.0
    leverage: float = 10.0
    taker_fee: float = 0.0005
    maker_fee: float = 0.0002


@dataclass(slots=True)
class PaperFills:
    """A venue without money at the prices of `market`. With a `journal` it goes on where that ended.

    Every change is on the disk before it is told. Raises JournalError for a journal that is damaged or in use.
    """

    market: Venue
    terms: PaperTerms = field(default_factory=PaperTerms)
    journal: Path | None = None
    name: str = field(init=False)
    is_live: bool = field(default=False, init=False)
    is_remote: bool = field(init=False)
    takes_stops: bool = field(default=False, init=False)
    arrival_ms: int = field(default=0, init=False)
    _ledger: Ledger = field(init=False)
    _orders: dict[str, OrderState] = field(default_factory=dict)
    _listings: Mapping[str, Listing] = field(default_factory=dict)
    _prices: dict[str, float] = field(default_factory=dict)
    _file: Journal | Unkept = field(init=False)
    _lock: RLock = field(default_factory=RLock)

    def __post_init__(self) -> None:
        self.name, self.is_remote = f"{self.market.name} on paper", self.market.is_remote
        self._ledger = Ledger(self.terms.capital, self.terms.leverage)
        self._file = journal_at(self.journal)
        self._file.replay(self._take)

    def close(self) -> None:
        """Let go of the journal."""
        self._file.close()

    def silence(self) -> float:
        """For how long the venue of the prices owes an answer."""
        return self.market.silence()

    def hang_up(self) -> None:
        """Break off what the venue of the prices is asked."""
        self.market.hang_up()

    # --- what the venue tells ----------------------------------------------------------------------------------------

    def time(self) -> int:
        """The venue's clock."""
        return self.market.time()

    def markets(self) -> Mapping[str, Listing]:
        """What the venue lists."""
        self._listings = self.market.markets()
        return self._listings

    def tickers(self) -> Mapping[str, Ticker]:
        """The venue's prices; positions that they liquidate are gone."""
        found = self.market.tickers()
        with self._lock:
            self._prices.update({s: t.price for s, t in found.items() if math.isfinite(t.price) and t.price > 0})
            self._liquidate()
        return found

    def candles(self, symbol: str, since: int) -> Candles:
        """The venue's candles."""
        return self.market.candles(symbol, since)

    def hours(self, symbol: str, since: int) -> Candles:
        """The venue's candles of an hour."""
        return self.market.hours(symbol, since)

    def depth(self, symbol: str) -> Depth:
        """The venue's order book."""
        return self.market.depth(symbol)

    def funding(self) -> Mapping[str, float]:
        """The venue's funding; nobody pays it here."""
        return self.market.funding()

    # --- what is made up ---------------------------------------------------------------------------------------------

    def account(self) -> Account:
        """The account at the newest prices that were seen."""
        now = self.market.time()
        with self._lock:
            return self._ledger.account(now, self._price, self._reserved())

    def positions(self) -> Mapping[str, Position]:
        """Open positions at the newest prices that were seen."""
        with self._lock:
            return self._ledger.positions(self._price)

    def open_orders(self) -> Sequence[OrderState]:
        """Orders that rest, after what the books of now fill of them."""
        with self._lock:
            resting = [order for order in self._orders.values() if order.is_open]
            return [seen for order in resting if (seen := self._look_again(order)).is_open]

    def stops(self, symbol: str | None = None) -> Sequence[OrderState]:
        """None: the fund watches them."""
        return [order for order in self.open_orders() if order.is_guard and symbol in {None, order.symbol}]

    def order(self, symbol: str, client_id: str, kind: Kind | None = None) -> OrderState:
        """An order, after what the book of now fills of it."""
        with self._lock:
            found = self._orders.get(client_id)
            if found is None or found.symbol != symbol or kind not in {None, found.kind}:
                raise UnknownOrder(f"there is no order `{client_id}` in `{symbol}`")
            return self._look_again(found) if found.is_open else found

    def place(self, order: NewOrder) -> OrderState:
        """Fill an order as far as the venue's book goes; what is left of a limit order rests."""
        depth, now = self.market.depth(order.symbol), self.market.time()
        with self._lock:
            self._check(order)
            state = OrderState(
                order.client_id, order.symbol, order.side, order.quantity, 0.0, None, Status.OPEN, order.kind,
                order.price, order.reduce_only, now, now,
            )  # fmt: skip
            state = self._filled(state, depth, now, rested=False)
            if state.is_open and order.kind is not Kind.LIMIT:
                state = replace(state, status=Status.EXPIRED)
            return self._keep(state)

    def cancel(self, symbol: str, client_id: str, kind: Kind | None = None) -> None:
        """Cancel what is left of an order."""
        with self._lock:
            found = self._orders.get(client_id)
            if found is None or found.symbol != symbol or not found.is_open or kind not in {None, found.kind}:
                raise UnknownOrder(f"there is no open order `{client_id}` in `{symbol}`")
            self._keep(replace(found, status=Status.CANCELLED, updated=self.market.time()))

    def set_leverage(self, symbol: str, leverage: float) -> None:
        """Set the leverage of a symbol, and the margin of the position in it."""
        with self._lock:
            if not (math.isfinite(leverage) and leverage >= 1):
                raise Rejected(f"the leverage {leverage} is less than 1")
            needs = self._ledger.margin_at(symbol, leverage) - self._ledger.margin_at(
                symbol, self._ledger.leverage_of(symbol)
            )
            if needs > self._free():
                raise NotEnoughMargin(f"the leverage {leverage} needs {needs:.2f} more margin than is free")
            self._ledger.set_leverage(symbol, leverage)
            self._write(None)

    # --- orders ------------------------------------------------------------------------------------------------------

    def _check(self, order: NewOrder) -> None:
        """Raises Rejected for an order that the venue would not take."""
        if order.client_id in self._orders:
            raise DuplicateClientId(f"there is an order `{order.client_id}` already")
        listing = (self._listings or self.markets()).get(order.symbol)
        if listing is None or not listing.is_active:
            raise Rejected(f"`{order.symbol}` does not trade at {self.name}")
        if order.kind is Kind.STOP:
            raise Rejected("stops are not taken here: the fund watches them itself")
        if not (math.isfinite(order.quantity) and order.quantity > 0 and is_multiple(order.quantity, listing.step)):
            raise Rejected(f"the quantity {order.quantity} is not a positive multiple of {listing.step}")
        if (order.price is None) != (order.kind is Kind.MARKET):
            raise Rejected("a market order has no price, and every other has one")
        if order.price is not None and not (order.price > 0 and is_multiple(order.price, listing.tick)):
            raise Rejected(f"the price {order.price} is not a positive multiple of {listing.tick}")
        sign = 1 if order.buys else -1
        reducible = self._ledger.reducible(order.symbol, sign)
        if order.reduce_only:
            if reducible <= NOTHING:
                raise Rejected(f"there is nothing in `{order.symbol}` that the order could reduce")
            return
        added = max(0.0, order.quantity - reducible)
        price = order.price if order.price is not None else self._price(order.symbol)
        if added * price / self._ledger.leverage_of(order.symbol) > self._free():
            raise NotEnoughMargin(f"{self._free():.2f} of margin is free, and the order needs more")

    def _look_again(self, state: OrderState) -> OrderState:
        seen = self._filled(state, self.market.depth(state.symbol), self.market.time(), rested=True)
        return seen if seen is state else self._keep(seen)

    def _filled(self, state: OrderState, depth: Depth, now: int, *, rested: bool) -> OrderState:
        """The order after what the book fills of it; itself where that is nothing. One that rested has its price."""
        buys = state.side == "LONG"
        levels = opposite(depth, buys)
        if state.price is not None:
            levels = within(levels, buys, state.price)
        left = state.quantity - state.filled
        if state.reduce_only:
            left = min(left, self._ledger.reducible(state.symbol, 1 if buys else -1))
            if left <= NOTHING:
                return replace(state, status=Status.EXPIRED, updated=now)
        taken = walk(levels, left)
        listing = self._listings.get(state.symbol)
        quantity = floored(taken.quantity, None if listing is None else listing.step)
        if quantity <= 0:
            return state
        price = state.price if rested and state.price is not None else taken.average
        fee = self.terms.maker_fee if rested else self.terms.taker_fee
        self._ledger.fill(state.symbol, 1 if buys else -1, quantity, price, fee, now)
        filled = state.filled + quantity
        average = ((state.average or 0.0) * state.filled + price * quantity) / filled
        status = Status.FILLED if filled >= state.quantity - NOTHING else Status.OPEN
        return replace(state, filled=filled, average=average, status=status, updated=now)

    def _liquidate(self) -> None:
        for symbol, held in sorted(self._ledger.held.items()):
            price, limit = self._prices.get(symbol), self._ledger.liquidation(symbol)
            if price is not None and (price <= limit if held.sign > 0 else price >= limit):
                self._ledger.liquidate(symbol)
                self._write(None)

    # --- figures -----------------------------------------------------------------------------------------------------

    def _price(self, symbol: str) -> float:
        held = self._ledger.held.get(symbol)
        found = self._prices.get(symbol, None if held is None else held.entry)
        if found is None:
            raise Rejected(f"`{symbol}` has no price yet")
        return found

    def _reserved(self) -> float:
        """Margin set aside for what open orders may add."""
        return math.fsum(
            (o.quantity - o.filled) * o.price / self._ledger.leverage_of(o.symbol)
            for o in self._orders.values()
            if o.is_open and not o.reduce_only and o.price is not None
        )

    def _free(self) -> float:
        return self._ledger.equity(self._price) - self._ledger.used_margin - self._reserved()

    # --- the journal -------------------------------------------------------------------------------------------------

    def _keep(self, state: OrderState) -> OrderState:
        self._write(state)
        self._orders[state.client_id] = state
        return state

    def _write(self, state: OrderState | None) -> None:
        """Write the account as it is after a change, and the order that changed."""
        ledger = {**asdict(self._ledger), "held": {s: asdict(h) for s, h in self._ledger.held.items()}}
        self._file.append({"order": None if state is None else asdict(state), "ledger": ledger})

    def _take(self, record: Mapping[str, Any]) -> None:
        if record["order"] is not None:
            fields = record["order"]
            state = OrderState(**{**fields, "kind": Kind(fields["kind"]), "status": Status(fields["status"])})
            self._orders[state.client_id] = state
        ledger = record["ledger"]
        self._ledger = Ledger(**{**ledger, "held": {s: Held(**h) for s, h in ledger["held"].items()}})
