"""A paper exchange: orders fill against the books and candles of a paper market, and survive a crash.

Every order and cancel is written to a journal and on the disk before it is carried out (`paper_engine`); reopened, the
exchange carries the journal out again. The same market, seed and commands make the same fills, so what was acknowledged
is there. Its clock stands until `advance` moves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from modules.estimates.hours import HOUR_MS, hourly
from modules.feeds.candles import Candles
from modules.inputs import Account, Depth, Listing, Position, Ticker
from modules.venues.journal import JournalError, journal_at
from modules.venues.paper_engine import Conditions, PaperEngine
from modules.venues.paper_market import PaperMarket, simulated_market
from modules.venues.venue import Kind, NewOrder, OrderState, Rejected, UnknownOrder

MOST_CANDLES = 1500
HALF_DAY_MS = 43_200_000
PANELS = ("open", "high", "low", "close", "volume")


class PaperExchange:
    """A venue without money. `start` (ms) is where its clock begins, half a day into the market by default.

    With a `journal` it goes on where that ended, its clock at the last command. Raises JournalError for a journal of
    another market, seed or terms.
    """

    name: str = "paper"
    is_live: bool = False
    is_remote: bool = False
    takes_stops: bool = True
    arrival_ms: int

    def __init__(
        self,
        market: PaperMarket | None = None,
        *,
        start: int | None = None,
        capital: float = 100_000.0,
        conditions: Conditions | None = None,
        seed: int = 0,
        journal: Path | None = None,
    ) -> None:
        self.market = market or simulated_market()
        self.conditions = conditions or Conditions()
        self.arrival_ms = self.conditions.latency_ms
        self.seed = seed
        now = int(self.market.candles.opened[0]) + HALF_DAY_MS if start is None else start
        self._engine = PaperEngine(self.market, self.conditions, now=now, capital=capital, seed=seed)
        self.ledger, self.liquidated = self._engine.ledger, self._engine.liquidated
        self._lock = RLock()
        self._journal = journal_at(journal)
        self._reopen(journal, capital)

    def silence(self) -> float:
        """It answers at once."""
        return 0.0

    def hang_up(self) -> None:
        """It answers at once: there is nothing to break off."""

    # --- the clock -------------------------------------------------------------------------------------------------

    def time(self) -> int:
        """The exchange's clock."""
        return self._engine.now

    def advance(self, to: int) -> None:
        """Moves the clock to `to` (ms): resting orders fill and positions are liquidated on the bars that close."""
        with self._lock:
            self._engine.advance(to)

    # --- what can be seen ------------------------------------------------------------------------------------------

    def markets(self) -> Mapping[str, Listing]:
        """What is listed."""
        return dict(self._engine.listings)

    def tickers(self) -> Mapping[str, Ticker]:
        """Prices at the newest close."""
        found = {symbol: self.market.ticker(symbol, self._engine.now) for symbol in self._engine.listings}
        return {symbol: ticker for symbol, ticker in found.items() if ticker is not None}

    def hours(self, symbol: str, since: int) -> Candles:
        """Hours that began at `since` or later and are over, made of the market's bars."""
        column, bars = self._engine.column(symbol), self.market.candles
        last = self.market.bar(self._engine.now) + 1
        if bars.cadence_ms >= HOUR_MS:
            return self.candles(symbol, since)
        first = int(np.searchsorted(bars.opened, -(-since // HOUR_MS) * HOUR_MS))
        last = min(last, first + MOST_CANDLES * HOUR_MS // bars.cadence_ms)
        panels = {n: getattr(bars, n)[first:last, column : column + 1] for n in PANELS}
        found = hourly(Candles(self.name, bars.cadence_ms, bars.opened[first:last], (symbol,), **panels))
        there = np.isfinite(found.close[:, 0])
        return Candles(
            self.name, HOUR_MS, found.opened[there], (symbol,), **{n: getattr(found, n)[there] for n in PANELS}
        )

    def candles(self, symbol: str, since: int) -> Candles:
        """Bars that opened at `since` or later and have closed."""
        column = self._engine.column(symbol)
        all_bars = self.market.candles
        first = int(np.searchsorted(all_bars.opened, since))
        bars = slice(first, min(first + MOST_CANDLES, self.market.bar(self._engine.now) + 1))
        there = np.flatnonzero(np.isfinite(all_bars.close[bars, column])) + first
        panels = {n: getattr(all_bars, n)[there, column : column + 1] for n in ("open", "high", "low", "close")}
        volume = all_bars.volume[there, column : column + 1]
        return Candles(self.name, all_bars.cadence_ms, all_bars.opened[there], (symbol,), volume=volume, **panels)

    def depth(self, symbol: str) -> Depth:
        """The book, less what was taken from it since it was made."""
        with self._lock:
            return self._engine.depth(symbol)

    def funding(self) -> Mapping[str, float]:
        """Nothing: nobody pays funding here."""
        return {}

    def account(self) -> Account:
        """The account at the newest closes."""
        with self._lock:
            return self.ledger.account(self._engine.now, self._engine.price, self._engine.reserved())

    def positions(self) -> Mapping[str, Position]:
        """Open positions at the newest closes."""
        with self._lock:
            return self.ledger.positions(self._engine.price)

    def open_orders(self) -> Sequence[OrderState]:
        """Orders that rest."""
        with self._lock:
            return [order for order in self._engine.orders.values() if order.is_open]

    def stops(self, symbol: str | None = None) -> Sequence[OrderState]:
        """Stops that wait."""
        return [o for o in self.open_orders() if o.is_guard and symbol in {None, o.symbol}]

    def order(self, symbol: str, client_id: str, kind: Kind | None = None) -> OrderState:
        """An order, open or not."""
        with self._lock:
            found = self._engine.orders.get(client_id)
        if found is None or found.symbol != symbol or kind not in {None, found.kind}:
            raise UnknownOrder(f"there is no order `{client_id}` in `{symbol}`")
        return found

    # --- what can be done ------------------------------------------------------------------------------------------

    def place(self, order: NewOrder) -> OrderState:
        """Carries an order out as far as the book goes; what is left of a limit order rests."""
        with self._lock:
            self._write({"do": "place", "at": self._engine.now, "order": asdict(order)})
            return self._engine.place(order)

    def cancel(self, symbol: str, client_id: str, kind: Kind | None = None) -> None:
        """Cancels what is left of an order."""
        with self._lock:
            if kind is not None:
                self.order(symbol, client_id, kind)
            self._write({"do": "cancel", "at": self._engine.now, "symbol": symbol, "client_id": client_id})
            self._engine.cancel(symbol, client_id)

    def set_leverage(self, symbol: str, leverage: float) -> None:
        """Sets the leverage of a symbol; the position in it gets the margin that it then needs."""
        with self._lock:
            self._write({"do": "leverage", "at": self._engine.now, "symbol": symbol, "leverage": leverage})
            self._engine.set_leverage(symbol, leverage)

    def close(self) -> None:
        """Lets go of the journal."""
        self._journal.close()

    # --- the journal -----------------------------------------------------------------------------------------------

    def _write(self, record: Mapping[str, Any]) -> None:
        self._journal.append(record)

    def _reopen(self, path: Path | None, capital: float) -> None:
        terms = {
            "do": "open", "market": self.market.fingerprint, "seed": self.seed, "start": self._engine.now,
            "capital": capital, "conditions": asdict(self.conditions),
        }  # fmt: skip
        if not self._journal.records:
            self._journal.append(terms)
            return
        if self._journal.records[0] != terms:
            self._journal.close()
            raise JournalError(f"`{path}` was written by a paper exchange of another market or terms")
        self._journal.replay(self._redo)

    def _redo(self, record: Mapping[str, Any]) -> None:
        if record["do"] == "open":
            return
        self.advance(max(self._engine.now, record["at"]))
        try:
            if record["do"] == "place":
                fields = record["order"]
                self._engine.place(NewOrder(**{**fields, "kind": Kind(fields["kind"])}))
            elif record["do"] == "leverage":
                self._engine.set_leverage(record["symbol"], record["leverage"])
            elif record["do"] == "cancel":
                self._engine.cancel(record["symbol"], record["client_id"])
            else:
                raise ValueError(f"nobody knows how to do `{record['do']}`")
        except (Rejected, UnknownOrder):
            return  # as it was refused then
