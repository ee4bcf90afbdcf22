"""Real exchanges through ccxt: Binance USD-M futures by default, any other of one-way linear contracts by its id.

Nothing is traded unless the venue is made with `live=True` and keys. What only reads, and a cancel, is tried again
when the venue cannot be reached. An order is sent once: a venue may take a client id again once its order has ended,
so sending it a second time could fill it twice. Whoever gets no answer asks for the order by its client id.

The calls wait for answers that come in on an event loop of the venue's own, which begins with the first question and
ends with `hang_up`, with the venue, or with the process.

Stops are placed where ccxt says that the exchange takes them and it is known what they become (`ccxt_stops`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import finalize

from modules.feeds.candles import Candles
from modules.inputs import Account, Depth, Listing, Position, Ticker
from modules.venues import ccxt_records as records
from modules.venues import ccxt_stops
from modules.venues.ccxt_asking import Asking, Manners, understood
from modules.venues.ccxt_client import RECEIVE_WINDOW_MS, configured
from modules.venues.ccxt_contracts import Contracts
from modules.venues.credentials import Credentials
from modules.venues.venue import Kind, Malformed, NewOrder, NotPermitted, OrderState, Rejected, Unclear, UnknownOrder

LEVELS = 100
MOST_CANDLES = 1000


class CcxtVenue:
    """An exchange that ccxt knows.

    `live` permits orders; `quote` is the currency in which contracts are settled. `endpoint` (https, or loopback)
    replaces the host of every address; `config` is handed to ccxt. Raises ValueError for an exchange that ccxt does
    not know and NotPermitted for live trading without keys.
    """

    is_remote: bool = True

    def __init__(
        self,
        exchange_id: str = "binanceusdm",
        *,
        credentials: Credentials | None = None,
        live: bool = False,
        quote: str = "USDT",
        endpoint: str | None = None,
        manners: Manners | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        if live and credentials is None:
            raise NotPermitted("live trading needs keys")
        manners = manners or Manners()
        self.name, self.is_live = exchange_id, live
        self.arrival_ms = RECEIVE_WINDOW_MS + manners.most_skew_ms
        self._quote, self._has_keys = quote, credentials is not None
        self._client = configured(exchange_id, credentials, manners.timeout, endpoint, config or {})
        self._asking = Asking(exchange_id, self._client, manners)
        self._contracts = Contracts(exchange_id, self._client, self._asking, quote)
        self._parting = finalize(self, self._asking.line.close)
        self._dialect = ccxt_stops.dialect_of(self._client)
        self.takes_stops = self._dialect is not None

    def __repr__(self) -> str:
        """Tells neither keys nor addresses."""
        return f"CcxtVenue({self.name!r}, live={self.is_live})"

    def silence(self) -> float:
        """How long ago it was asked first of what came after its last answer, s; 0 where it has answered since."""
        return self._asking.line.silence()

    def hang_up(self) -> None:
        """Break off every question and order, and let go of the connections: nothing can be asked after it."""
        self._parting()

    # --- what can be seen ------------------------------------------------------------------------------------------

    def time(self) -> int:
        """The venue's clock."""
        return self._asking.time()

    def markets(self) -> Mapping[str, Listing]:
        """Linear perpetual contracts in the quote currency, with margin tiers where there are keys to ask for them."""
        found = self._asking.read("the markets", lambda: self._client.load_markets(True))
        mine = {m["id"]: m for m in found.values() if self._contracts.is_mine(m)}
        if not mine:
            raise Malformed(f"the venue lists no contract in {self._quote}")
        tiers: Mapping[str, Any] = {}
        if self._has_keys and self._client.has.get("fetchLeverageTiers"):
            tiers = self._asking.read("the margin tiers", self._client.fetch_leverage_tiers)
        mode = self._client.precisionMode
        return understood("the markets", lambda: {
            name: records.listing(m, mode, tiers.get(m["symbol"], ())) for name, m in sorted(mine.items())
        })  # fmt: skip

    def tickers(self) -> Mapping[str, Ticker]:
        """Prices of every contract that has a last one; quotes and mark prices where the venue tells them."""
        also = {"fetchBidsAsks": self._client.fetch_bids_asks, "fetchFundingRates": self._client.fetch_funding_rates}
        asks = {name: ask for name, ask in also.items() if self._client.has.get(name)}
        # What counts most for the rate limit comes last: whatever follows it waits longest.
        *others, rows = self._asking.reads("the tickers", [*asks.values(), self._client.fetch_tickers])
        told = self._contracts.by_id(rows)
        known_by = {name: self._contracts.by_id(one) for name, one in zip(asks, others, strict=True)}
        quotes, marks = known_by.get("fetchBidsAsks", told), known_by.get("fetchFundingRates", told)
        made = understood("the tickers", lambda: {
            name: records.ticker(self.name, told[name], quotes.get(name, {}), marks.get(name, {}).get("markPrice"))
            for name in sorted(told)
        })  # fmt: skip
        known = {name: ticker for name, ticker in made.items() if ticker is not None}
        if not known:
            raise Malformed("no ticker has a price")
        return known

    def candles(self, symbol: str, since: int) -> Candles:
        """One-minute bars that have closed."""
        return self._bars(symbol, since, "1m", records.MINUTE_MS)

    def hours(self, symbol: str, since: int) -> Candles:
        """Bars of an hour that have closed."""
        return self._bars(symbol, since, "1h", records.HOUR_MS)

    def _bars(self, symbol: str, since: int, length: str, cadence_ms: int) -> Candles:
        now = self.time()
        name = self._contracts.unified(symbol)
        rows = self._asking.read("the candles", lambda: self._client.fetch_ohlcv(name, length, since, MOST_CANDLES))
        return understood("the candles", lambda: records.candles(self.name, symbol, rows, (since, now), cadence_ms))

    def depth(self, symbol: str) -> Depth:
        """The best levels of the order book."""
        asked, name = self._asking.clock(), self._contracts.unified(symbol)
        told = self._asking.read("the order book", lambda: self._client.fetch_order_book(name, LEVELS))
        return understood("the order book", lambda: records.depth(told, asked))

    def funding(self) -> Mapping[str, float]:
        """Rates of the next settlement, of the contracts that have one."""
        told = self._contracts.by_id(self._asking.read("the funding rates", self._client.fetch_funding_rates))
        rates = {name: records.figure(row.get("fundingRate")) for name, row in sorted(told.items())}
        return {name: rate for name, rate in rates.items() if not math.isnan(rate)}

    def account(self) -> Account:
        """The account; its time is ours, before asking."""
        asked = self._asking.clock()
        told = self._asking.read("the account", self._client.fetch_balance)
        return understood("the account", lambda: records.account(told, self._quote, asked))

    def positions(self) -> Mapping[str, Position]:
        """Open positions. Raises Malformed where an account holds both sides of one contract."""
        told = self._asking.rows("position", self._client.fetch_positions)
        out: dict[str, Position] = {}
        for row in told:
            symbol, found = understood("a position", partial(self._position, row))
            if found is not None and symbol in out:
                raise Malformed(f"there are two positions in `{symbol}`: the account must be in one-way mode")
            if found is not None:
                out[symbol] = found
        return dict(sorted(out.items()))

    def open_orders(self) -> Sequence[OrderState]:
        """Orders that rest, of all contracts."""
        told = self._asking.rows("order", self._client.fetch_open_orders)
        made = understood("the open orders", lambda: [self._state(row) for row in told])
        return sorted(made, key=lambda order: (order.placed, order.client_id))

    def stops(self, symbol: str | None = None) -> Sequence[OrderState]:
        """Stops, whoever placed them, that have not ended; those of all contracts cost far more to ask for."""
        dialect = self._dialect
        if dialect is None:
            return []
        name = None if symbol is None else self._contracts.unified(symbol)
        told = self._asking.rows("stop", lambda: self._client.fetch_open_orders(name, params={"trigger": True}))
        rows = [row for row in told if not ccxt_stops.closes_a_position(row)]
        made = understood("the stops", lambda: [self._stop(row, dialect).state for row in rows])
        return sorted((s for s in made if s.is_open), key=lambda order: (order.placed, order.client_id))

    def order(self, symbol: str, client_id: str, kind: Kind | None = None) -> OrderState:
        """An order, open or not; of a stop that was triggered, what its order filled and paid."""
        if kind is Kind.STOP:
            return self._stopped(symbol, client_id)
        name = self._contracts.unified(symbol)
        told = self._asking.read(
            "the order", lambda: self._client.fetch_order(client_id, name, {"clientOrderId": client_id})
        )  # fmt: skip
        return self._own(told, symbol, client_id)

    # --- what can be done ------------------------------------------------------------------------------------------

    def place(self, order: NewOrder) -> OrderState:
        """Sends an order, once."""
        self._permit()
        if not order.client_id:
            raise Rejected("an order needs a client id")
        with self._asking.ordering():
            return self._place_stop(order) if order.kind is Kind.STOP else self._place(order)

    def _place(self, order: NewOrder) -> OrderState:
        name = self._contracts.unified(order.symbol)
        self._check_steps(order, name)
        self._asking.check_clock()
        params: dict[str, Any] = {"clientOrderId": order.client_id}
        if order.reduce_only:
            params["reduceOnly"] = True
        if order.kind is Kind.IOC:
            params["timeInForce"] = "IOC"
        type_ = "market" if order.kind is Kind.MARKET else "limit"
        side = "buy" if order.buys else "sell"
        told = self._asking.once(
            "the order", lambda: self._client.create_order(name, type_, side, order.quantity, order.price, params)
        )  # fmt: skip
        state = self._own(told, order.symbol, order.client_id)
        if state.quantity != order.quantity or state.side != order.side:
            raise Malformed(f"`{order.client_id}` is told as another order than was sent")
        return state

    def _place_stop(self, order: NewOrder) -> OrderState:
        """Sends a stop, once."""
        dialect = self._dialect
        if dialect is None:
            raise Rejected(f"stops are not placed at {self.name}: the fund watches them")
        if order.trigger is None or not order.reduce_only:
            raise Rejected("a stop has a trigger, and may only reduce")
        name = self._contracts.unified(order.symbol)
        self._check_steps(order, name)
        self._asking.check_clock()
        side, sent = "buy" if order.buys else "sell", ccxt_stops.params(order, dialect)
        told = self._asking.once(
            "the stop", lambda: self._client.create_order(name, "market", side, order.quantity, None, sent)
        )  # fmt: skip
        state = self._own(told, order.symbol, order.client_id, lambda row: self._stop(row, dialect).state)
        said = (state.quantity, state.side, state.trigger, state.reduce_only)
        if said != (order.quantity, order.side, order.trigger, True):
            raise Malformed(f"the stop `{order.client_id}` is told as another one than was sent")
        return state

    def cancel(self, symbol: str, client_id: str, kind: Kind | None = None) -> None:
        """Asks to cancel; a second try finds what the first one cancelled gone, which is UnknownOrder."""
        self._permit()
        with self._asking.ordering():
            name, asked = self._contracts.unified(symbol), self._asked_for(client_id, kind)
            self._asking.read("the cancel", lambda: self._client.cancel_order(client_id, name, asked))

    def set_leverage(self, symbol: str, leverage: float) -> None:
        """Sets the leverage of a contract, rounded down to a whole number: venues take no other."""
        self._permit()
        if not 1 <= leverage < math.inf:
            raise Rejected(f"the leverage {leverage} is not 1 or more")
        if not self._client.has.get("setLeverage"):
            raise Rejected(f"{self.name} sets no leverage")
        whole = math.floor(leverage)
        with self._asking.ordering():
            name = self._contracts.unified(symbol)
            told = self._asking.once("the leverage", lambda: self._client.set_leverage(whole, name))
        if self.name.startswith("binance") and not (
            isinstance(told, Mapping) and told.get("symbol") == symbol and records.number(told.get("leverage")) == whole
        ):
            raise Malformed(f"the venue does not say that the leverage of `{symbol}` is {whole}")

    def _permit(self) -> None:
        if not self.is_live:
            raise NotPermitted(f"live trading at {self.name} is off")

    def _check_steps(self, order: NewOrder, name: str) -> None:
        """Raises Rejected where ccxt would send another quantity or price than the order says."""
        told = self._asking.reckoned("the quantity", lambda: self._client.amount_to_precision(name, order.quantity))
        if float(told) != order.quantity:
            raise Rejected(f"the quantity {order.quantity} is no multiple of the contract's step")
        if (order.price is None) != (order.kind in {Kind.MARKET, Kind.STOP}):
            raise Rejected("a market order and a stop have no price, and every other has one")
        if (order.trigger is None) == (order.kind is Kind.STOP):
            raise Rejected("a stop has a trigger, and no other order has one")
        for what, price in (("price", order.price), ("trigger", order.trigger)):
            if price is None:
                continue
            told = self._asking.reckoned(f"the {what}", partial(self._client.price_to_precision, name, price))
            if float(told) != price:
                raise Rejected(f"the {what} {price} is no multiple of the contract's tick")

    # --- stops -----------------------------------------------------------------------------------------------------

    def _asked_for(self, client_id: str, kind: Kind | None) -> dict[str, Any]:
        """How ccxt is asked for an order by its client id. Raises UnknownOrder for a stop where none is taken."""
        if kind is Kind.STOP and self._dialect is None:
            raise UnknownOrder(f"{self.name} takes no stops, and has no stop `{client_id}`")
        return {"clientOrderId": client_id, **({"trigger": True} if kind is Kind.STOP else {})}

    def _stop(self, told: Mapping[str, Any], dialect: ccxt_stops.Dialect) -> ccxt_stops.Stop:
        return ccxt_stops.stop(self.name, dialect, told, self._contracts.id_of(told["symbol"]))

    def _stopped(self, symbol: str, client_id: str) -> OrderState:
        """A stop as it stands, with what came of it if it was triggered."""
        name, asked = self._contracts.unified(symbol), self._asked_for(client_id, Kind.STOP)
        dialect = self._dialect
        assert dialect is not None  # or it could not be asked for
        found = self._asking.read("the stop", lambda: self._client.fetch_order(client_id, name, asked))
        told = understood("the stop", lambda: self._stop(found, dialect))
        self._own(found, symbol, client_id, lambda _: told.state)
        if told.order_id is None:
            return told.state
        try:
            row = self._asking.read("the order of the stop", lambda: self._client.fetch_order(told.order_id, name))
        except UnknownOrder as error:
            raise Unclear(f"the stop `{client_id}` became an order that the venue does not find yet") from error
        order = understood("the order of the stop", lambda: self._state(row))
        if order.symbol != symbol:
            raise Malformed(f"the order of the stop `{client_id}` is of `{order.symbol}`")
        state = ccxt_stops.became(told.state, order)
        if state.is_open or state.filled == 0:
            return state
        return replace(state, fee=self._fee(name, told.order_id, state.filled))

    def _fee(self, name: str, order_id: str, filled: float) -> float | None:
        """What the fills of an order cost in the quote currency; None where the venue does not tell, or not yet."""
        asked = {"orderId": order_id}
        try:
            told = self._asking.read("the fills", lambda: self._client.fetch_my_trades(name, None, None, asked))
            return understood("the fills", lambda: ccxt_stops.fee_of(told, filled, self._quote))
        except Malformed:
            return None

    # --- records ---------------------------------------------------------------------------------------------------

    def _state(self, told: Mapping[str, Any]) -> OrderState:
        return records.order(self.name, told, self._contracts.id_of(told["symbol"]))

    def _position(self, told: Mapping[str, Any]) -> tuple[str, Position | None]:
        symbol = self._contracts.id_of(told["symbol"])
        return symbol, records.position(self.name, told, symbol)

    def _own(
        self, told: Any, symbol: str, client_id: str, read: Callable[[Any], OrderState] | None = None
    ) -> OrderState:
        """The state of the order that was asked for. Raises Malformed for that of another."""
        state = understood("the order", lambda: (read or self._state)(told))
        if state.client_id != client_id or state.symbol != symbol:
            raise Malformed(f"asked for `{client_id}` in `{symbol}`, the venue tells of another order")
        return state
