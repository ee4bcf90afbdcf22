"""The paper exchange of a day: it does not answer in an outage, and fails at random in a storm of errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from modules.feeds.candles import Candles
from modules.inputs import Account, Depth, Listing, Position, Ticker
from modules.trading_day.market import DayMarket
from modules.trading_day.mishaps import Mishaps
from modules.venues.paper import PaperExchange
from modules.venues.paper_engine import Conditions
from modules.venues.venue import Kind, Malformed, NewOrder, OrderState, RateLimited, Unreachable

T = TypeVar("T")

LEVERAGE = 3.0
FAILING = 0.6
"""Share of the calls that fail in a storm."""


class DayExchange(PaperExchange):
    """A paper exchange with fees, latency and partial fills, that is at times not there.

    An order that is sent meanwhile has not arrived. Which calls of a storm fail follows from the seed and their number.
    """

    def __init__(self, market: DayMarket, troubles: Mishaps, *, seed: int, capital: float) -> None:
        self._troubles = troubles
        self._calls = 0
        self._within = False
        conditions = Conditions(leverage=LEVERAGE)
        super().__init__(market, start=market.midnight, capital=capital, conditions=conditions, seed=seed)

    def markets(self) -> Mapping[str, Listing]:
        """What is listed."""
        return self._answered(super().markets)

    def tickers(self) -> Mapping[str, Ticker]:
        """Prices at the newest close."""
        return self._answered(super().tickers)

    def candles(self, symbol: str, since: int) -> Candles:
        """Bars that opened at `since` or later and have closed."""
        ask = super().candles
        return self._answered(lambda: ask(symbol, since))

    def hours(self, symbol: str, since: int) -> Candles:
        """Hours that began at `since` or later and are over."""
        ask = super().hours
        return self._answered(lambda: ask(symbol, since))

    def depth(self, symbol: str) -> Depth:
        """The book, less what was taken from it since it was made."""
        ask = super().depth
        return self._answered(lambda: ask(symbol))

    def funding(self) -> Mapping[str, float]:
        """Nothing: nobody pays funding here."""
        return dict.fromkeys(self._answered(super().markets), 0.0)

    def account(self) -> Account:
        """The account at the newest closes."""
        return self._answered(super().account)

    def positions(self) -> Mapping[str, Position]:
        """Open positions at the newest closes."""
        return self._answered(super().positions)

    def open_orders(self) -> Sequence[OrderState]:
        """Orders that rest."""
        return self._answered(super().open_orders)

    def stops(self, symbol: str | None = None) -> Sequence[OrderState]:
        """Stops that wait."""
        ask = super().stops
        return self._answered(lambda: ask(symbol))

    def order(self, symbol: str, client_id: str, kind: Kind | None = None) -> OrderState:
        """An order, open or not."""
        ask = super().order
        return self._answered(lambda: ask(symbol, client_id, kind))

    def place(self, order: NewOrder) -> OrderState:
        """Carries an order out as far as the book goes."""
        send = super().place
        return self._answered(lambda: send(order))

    def set_leverage(self, symbol: str, leverage: float) -> None:
        """Sets the leverage of a symbol."""
        send = super().set_leverage
        self._answered(lambda: send(symbol, leverage))

    def cancel(self, symbol: str, client_id: str, kind: Kind | None = None) -> None:
        """Cancels what is left of an order."""
        send = super().cancel
        self._answered(lambda: send(symbol, client_id, kind))

    def worth(self) -> float:
        """The equity at the newest closes, whether or not the exchange answers."""
        return self.ledger.equity(self._engine.price)

    def _answered(self, call: Callable[[], T]) -> T:
        """What a call gives; what the exchange asks of itself meanwhile does not go over the wire."""
        if self._within:
            return call()
        self._fail_if_troubled()
        self._within = True
        try:
            return call()
        finally:
            self._within = False

    def _fail_if_troubled(self) -> None:
        now = self.time()
        if self._troubles.outage.holds(now):
            raise Unreachable("no answer in time")
        if not self._troubles.storm.holds(now):
            return
        self._calls += 1
        drawn = np.random.default_rng([self.seed, 3, self._calls]).random() / FAILING
        if drawn < 1 / 3:
            raise Unreachable("no answer in time")
        if drawn < 2 / 3:
            raise RateLimited("too many requests", 1.0)
        if drawn < 1:
            raise Malformed("an answer that is no JSON")
