"""How a paper exchange trades: what orders take from books and bars, what they need, and when positions are liquidated.

Fills do not depend on the size of the steps in which the clock moves. Own orders do not trade with each other; there is
no funding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from modules.estimates.depth import walk, within
from modules.inputs import Depth, Listing
from modules.venues.amounts import floored, is_multiple
from modules.venues.paper_ledger import NOTHING, Ledger
from modules.venues.paper_market import PaperMarket
from modules.venues.venue import (
    DuplicateClientId,
    Kind,
    NewOrder,
    NotEnoughMargin,
    OrderState,
    Rejected,
    Status,
    UnknownOrder,
    Unreachable,
    WouldTrigger,
)


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the exchange trades. Fees are ratios of traded value; the default ones are a large venue's first tier.

    `latency_ms` passes on its clock with every order and cancel. `reject_rate` is the share of sound orders that it
    refuses all the same. A resting order fills once the price has gone through it, with up to `resting_share` of what
    the bar traded.
    """

    taker_fee: float = 0.0005
    maker_fee: float = 0.0002
    leverage: float = 10.0
    latency_ms: int = 50
    reject_rate: float = 0.0
    resting_share: float = 0.1


class PaperEngine:
    """The orders and the account of a paper exchange, on `market` from `now` (ms) on; for one thread at a time."""

    def __init__(self, market: PaperMarket, conditions: Conditions, *, now: int, capital: float, seed: int) -> None:
        self.market, self.conditions, self.now, self.seed = market, conditions, now, seed
        self.ledger = Ledger(capital, conditions.leverage)
        self.listings = market.listings()
        self.orders: dict[str, OrderState] = {}
        self.liquidated: list[tuple[int, str]] = []
        self._taken: dict[tuple[str, bool], tuple[int, float]] = {}
        self._commands = 0

    def advance(self, to: int) -> None:
        """Moves the clock to `to` (ms): resting orders fill and positions are liquidated on the bars that close."""
        if to < self.now:
            raise ValueError(f"the clock of the paper exchange is at {self.now} and cannot go back to {to}")
        for bar in range(self.market.bar(self.now) + 1, self.market.bar(to) + 1):
            self._fill_resting(bar)
            self._trigger(bar)
            self._liquidate(bar)
        self.now = to

    def depth(self, symbol: str) -> Depth:
        """The book, less what was taken from it since it was made."""
        self.column(symbol)
        found = self.market.depth(symbol, self.now)
        if found is None:
            raise Unreachable(f"there is no order book of `{symbol}` at {self.now}")
        taken = {buys: self._taken_from(symbol, buys, found) for buys in (True, False)}
        return Depth(found.at, _less(found.bids, taken[False]), _less(found.asks, taken[True]))

    # --- orders ----------------------------------------------------------------------------------------------------

    def place(self, order: NewOrder) -> OrderState:
        """Carries an order out as far as the book goes. Raises Rejected for one that cannot be carried out."""
        self._arrive()
        self._check(order)
        state = OrderState(
            order.client_id, order.symbol, order.side, order.quantity, 0.0, None, Status.OPEN, order.kind, order.price,
            order.reduce_only, self.now, self.now, order.trigger,
        )  # fmt: skip
        self.orders[order.client_id] = state if state.is_guard else self._take(state)
        return self.orders[order.client_id]

    def cancel(self, symbol: str, client_id: str) -> None:
        """Cancels what is left of an order. Raises UnknownOrder where nothing is."""
        self._arrive()
        state = self.orders.get(client_id)
        if state is None or state.symbol != symbol or not state.is_open:
            raise UnknownOrder(f"there is no open order `{client_id}` in `{symbol}`")
        self.orders[client_id] = replace(state, status=Status.CANCELLED, updated=self.now)

    def set_leverage(self, symbol: str, leverage: float) -> None:
        """Sets the leverage of a symbol. Raises NotEnoughMargin where the position in it would need too much."""
        self._arrive()
        self.column(symbol)
        if not 1 <= leverage <= self.listings[symbol].tiers[0].most_leverage:
            raise Rejected(f"the leverage {leverage} is not in 1 to {self.listings[symbol].tiers[0].most_leverage}")
        needs = self.ledger.margin_at(symbol, leverage) - self.ledger.margin_at(symbol, self.ledger.leverage_of(symbol))
        if needs > self._free():
            raise NotEnoughMargin(
                f"the leverage {leverage} needs {needs:.2f} more margin, and {self._free():.2f} is free"
            )
        self.ledger.set_leverage(symbol, leverage)

    def _arrive(self) -> None:
        self._commands += 1
        self.advance(self.now + self.conditions.latency_ms)

    def _check(self, order: NewOrder) -> None:
        """Raises Rejected for an order that cannot be carried out."""
        listing = self.listings.get(order.symbol)
        if listing is None or self.market.price(order.symbol, self.now) is None:
            raise Rejected(f"`{order.symbol}` does not trade here")
        if not order.client_id or order.client_id in self.orders:
            raise DuplicateClientId(f"there is an order `{order.client_id}` already")
        if not 0 < order.quantity < math.inf or not is_multiple(order.quantity, listing.step):
            raise Rejected(f"the quantity {order.quantity} is not a positive multiple of {listing.step}")
        if (order.price is None) != (order.kind in {Kind.MARKET, Kind.STOP}):
            raise Rejected("a market order and a stop have no price, and every other has one")
        self._check_trigger(order, listing)
        if order.price is not None and not (0 < order.price < math.inf and is_multiple(order.price, listing.tick)):
            raise Rejected(f"the price {order.price} is not a positive multiple of {listing.tick}")
        value = order.quantity * (order.price or self.price(order.symbol))
        if not order.reduce_only and listing.least_notional is not None and value < listing.least_notional:
            raise Rejected(f"an order of {value} is smaller than {listing.least_notional}")
        self._check_position(order, value)
        if np.random.default_rng([self.seed, self._commands]).random() < self.conditions.reject_rate:
            raise Rejected("the exchange is busy")

    def _check_trigger(self, order: NewOrder, listing: Listing) -> None:
        if (order.trigger is None) == (order.kind is Kind.STOP):
            raise Rejected("a stop has a trigger, and no other order has one")
        if order.trigger is None:
            return
        if not order.reduce_only:
            raise Rejected("a stop may only reduce")
        if not (0 < order.trigger < math.inf and is_multiple(order.trigger, listing.tick)):
            raise Rejected(f"the trigger {order.trigger} is not a positive multiple of {listing.tick}")
        price = self.price(order.symbol)
        if price >= order.trigger if order.buys else price <= order.trigger:
            raise WouldTrigger(f"the price {price} has reached the trigger {order.trigger} already")

    def _check_position(self, order: NewOrder, value: float) -> None:
        against = self.ledger.reducible(order.symbol, 1 if order.buys else -1)
        if order.reduce_only:
            if against == 0:
                raise Rejected(f"there is no position in `{order.symbol}` to reduce")
            return
        needs = value * max(0.0, 1 - against / order.quantity) / self.ledger.leverage_of(order.symbol)
        free = self._free()
        if needs > 0 and needs > free:
            raise NotEnoughMargin(f"the order needs a margin of {needs:.2f}, and {free:.2f} is free")

    def _take(self, state: OrderState) -> OrderState:
        """What an order takes from the book as it arrives, and how it stands then."""
        buys = state.side == "LONG"
        depth = self.depth(state.symbol)
        levels = depth.asks if buys else depth.bids
        if state.price is not None:
            levels = within(levels, buys, state.price)
        got = walk(levels, self._limit(state, state.quantity))
        if got.quantity > NOTHING:
            before = self._taken_from(state.symbol, buys, depth)
            self._taken[state.symbol, buys] = (depth.at, before + got.quantity)
            state = self._filled(state, got.quantity, got.average, self.conditions.taker_fee, self.now)
        if state.is_open and state.kind is not Kind.LIMIT:
            state = replace(state, status=Status.EXPIRED)
        return state

    def _filled(self, state: OrderState, quantity: float, price: float, fee: float, ts: int) -> OrderState:
        """The order after one more fill, which is booked."""
        self.ledger.fill(state.symbol, 1 if state.side == "LONG" else -1, quantity, price, fee, ts)
        filled = floored(state.filled + quantity, self.listings[state.symbol].step)
        average = ((state.average or 0.0) * state.filled + price * quantity) / filled
        status = Status.FILLED if filled >= state.quantity else Status.OPEN
        return replace(state, filled=filled, average=average, status=status, updated=ts)

    def _limit(self, state: OrderState, quantity: float) -> float:
        """What the order may fill now: no more than the position if it may only reduce."""
        if not state.reduce_only:
            return quantity
        return min(quantity, self.ledger.reducible(state.symbol, 1 if state.side == "LONG" else -1))

    # --- bars ------------------------------------------------------------------------------------------------------

    def _fill_resting(self, bar: int) -> None:
        candles = self.market.candles
        ts = int(candles.closed[bar])
        offered: dict[tuple[str, str], float] = {}
        for state in [o for o in self.orders.values() if o.is_open and o.price is not None]:
            if not self._is_passed(state, bar):
                continue
            share = float(candles.volume[bar, self.column(state.symbol)]) * self.conditions.resting_share
            left = offered.get((state.symbol, state.side), share)
            most = self._limit(state, state.quantity - state.filled)
            if most <= NOTHING:
                self.orders[state.client_id] = replace(state, status=Status.EXPIRED, updated=ts)
                continue
            quantity = floored(min(most, left), self.listings[state.symbol].step)
            offered[state.symbol, state.side] = left - quantity
            if quantity > 0 and state.price is not None:
                fee = self.conditions.maker_fee
                self.orders[state.client_id] = self._filled(state, quantity, state.price, fee, ts)

    def _trigger(self, bar: int) -> None:
        """Stops whose trigger the price has reached trade there, or where the bar opened beyond it."""
        candles, ts = self.market.candles, int(self.market.candles.closed[bar])
        for state in [o for o in self.orders.values() if o.is_open and o.is_guard]:
            column, buys = self.column(state.symbol), state.side == "LONG"
            saw_it_all = candles.opened[bar] >= state.placed
            reach = candles.close if not saw_it_all else candles.high if buys else candles.low
            worst, first = float(reach[bar, column]), float((candles.open if saw_it_all else reach)[bar, column])
            if state.trigger is None or not (worst >= state.trigger if buys else worst <= state.trigger):
                continue
            quantity = self._limit(state, state.quantity)
            if quantity > NOTHING:
                price = max(state.trigger, first) if buys else min(state.trigger, first)
                self.orders[state.client_id] = self._filled(state, quantity, price, self.conditions.taker_fee, ts)
            after = self.orders[state.client_id]
            status = Status.EXPIRED if after.is_open else after.status
            self.orders[state.client_id] = replace(after, status=status, updated=ts, triggered=True)

    def _is_passed(self, state: OrderState, bar: int) -> bool:
        """Whether the price went through a resting order within a bar; of a bar that it missed part of, by its end."""
        candles, column = self.market.candles, self.column(state.symbol)
        saw_it_all = candles.opened[bar] >= state.placed
        if state.price is None:
            return False
        if state.side == "LONG":
            return bool((candles.low if saw_it_all else candles.close)[bar, column] < state.price)
        return bool((candles.high if saw_it_all else candles.close)[bar, column] > state.price)

    def _liquidate(self, bar: int) -> None:
        candles = self.market.candles
        for symbol, held in sorted(self.ledger.held.items()):
            column, price = self.column(symbol), self.ledger.liquidation(symbol)
            touched = candles.low[bar, column] <= price if held.sign > 0 else candles.high[bar, column] >= price
            if touched:
                self.ledger.liquidate(symbol)
                self.liquidated.append((int(candles.closed[bar]), symbol))

    # --- figures ---------------------------------------------------------------------------------------------------

    def column(self, symbol: str) -> int:
        """Where a symbol stands in the market's panels. Raises Rejected for one that is not listed."""
        column = self.market.column(symbol)
        if column is None:
            raise Rejected(f"`{symbol}` is not listed here")
        return column

    def price(self, symbol: str) -> float:
        """The newest close; where there is none, the entry price of the position."""
        price = self.market.price(symbol, self.now)
        return self.ledger.held[symbol].entry if price is None else price

    def reserved(self) -> float:
        """Margin set aside for what open orders may add."""
        orders = [o for o in self.orders.values() if o.is_open and not o.reduce_only and o.price is not None]
        value = math.fsum((o.quantity - o.filled) * o.price for o in orders if o.price is not None)
        return value / self.conditions.leverage

    def _free(self) -> float:
        """Margin that nothing is set aside for."""
        return self.ledger.equity(self.price) - self.ledger.used_margin - self.reserved()

    def _taken_from(self, symbol: str, buys: bool, depth: Depth) -> float:
        at, quantity = self._taken.get((symbol, buys), (depth.at, 0.0))
        return quantity if at == depth.at else 0.0


def _less(levels: tuple[tuple[float, float], ...], taken: float) -> tuple[tuple[float, float], ...]:
    """What is left of the levels once `taken` base units are gone from the best one on."""
    out = []
    for price, size in levels:
        gone = min(size, taken)
        taken -= gone
        if size - gone > NOTHING:
            out.append((price, size - gone))
    return tuple(out)
