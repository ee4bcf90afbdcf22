"""The state of a fund at a venue: what the venue tells, what the ledger remembers, what people ask.

Whatever the venue does not answer is left out of the snapshot, and is a failure of the service `venue` that rules can
count; nothing is carried over from an answer that is not there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog

from evaluators.snapshot import Snapshot
from modules.feeds.candles import Candles
from modules.inputs import (
    Account,
    Book,
    Depth,
    Failure,
    Inputs,
    Listing,
    Machinery,
    Market,
    ModelRecord,
    OrderEnd,
    Position,
    Request,
    Service,
    Ticker,
)
from modules.judge import Answer
from modules.runtime.controls import Controls
from modules.runtime.ledger import Ledger, Purpose
from modules.venues.venue import OrderState, Venue, VenueError

log = structlog.get_logger()

VENUE = "venue"
"""The service that stands for the way to the venue."""

REMEMBERED_MS = 5 * 60_000
"""How long calls and failures are counted: error rates are of the last five minutes."""

A_MINUTE_MS = 60_000

_T = TypeVar("_T")

Act = Callable[[Answer, Inputs], None]
"""Does at the venue what was decided."""


def nothing(answer: Answer, inputs: Inputs) -> None:
    """Does nothing: the fund only watches."""
    del answer, inputs


@dataclass(slots=True)
class VenueWorld:
    """The world of one book at `venue`. `candles` gives the bars closed by a time, None where there are none.

    `ended` gives the orders that reached their end since it was asked last, with why each was sent.
    """

    venue: Venue
    ledger: Ledger
    controls: Controls
    book: str = "main"
    candles: Callable[[int], Candles | None] = lambda _: None
    ended: Callable[[], Iterable[tuple[OrderState, Purpose]]] = tuple
    models: Callable[[int], Mapping[str, ModelRecord]] = lambda _: {}
    act: Act = nothing
    _calls: deque[tuple[int, str | None]] = field(default_factory=deque)
    _asked: deque[Request] = field(default_factory=deque)
    _seen: int | None = None
    _unseen: list[tuple[OrderState, Purpose]] = field(default_factory=list)
    """Orders that ended and that the ledger has not taken note of: the venue did not answer meanwhile."""

    def inputs(self, ts: int, before: Snapshot | None, requests: Mapping[str, Request]) -> Inputs:
        """Everything that the venue, the ledger and people tell at `ts` (ms since 1970 UTC)."""
        market = self._market(ts, {request.symbol for request in requests.values()})
        ended = list(self.ended())
        self._unseen += ended
        book = self._book(ts, requests)
        machinery = self._machinery(ts, ended)
        self._asked.extend(requests.values())
        return Inputs(self.book, ts, market, book, machinery, self.models(ts), before)

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        """Do what was decided."""
        self.act(answer, inputs)

    def _market(self, ts: int, wanted: Iterable[str]) -> Market:
        listings: Mapping[str, Listing] | None = self._ask(ts, self.venue.markets)
        tickers: Mapping[str, Ticker] = self._ask(ts, self.venue.tickers) or {}
        funding: Mapping[str, float] = self._ask(ts, self.venue.funding) or {}
        newest = max((t.at for t in tickers.values()), default=None)
        depths: dict[str, Depth] = {}
        for symbol in sorted(wanted):
            depth = self._ask(ts, partial(self.venue.depth, symbol))
            if depth is not None:
                depths[symbol] = depth
        return Market(self.candles(ts), listings or None, tickers, depths, funding, newest)

    def _book(self, ts: int, requests: Mapping[str, Request]) -> Book:
        account: Account | None = self._ask(ts, self.venue.account)
        positions: Mapping[str, Position] | None = self._ask(ts, self.venue.positions)
        orders = self._ask(ts, self.venue.open_orders)
        while self._asked and ts - self._asked[0].at >= A_MINUTE_MS:
            self._asked.popleft()
        known = None
        if account is not None and positions is not None:
            ended, self._unseen = self._unseen, []
            purposes = {order.client_id: purpose for order, purpose in ended}
            self.ledger.observe(ts, account, positions, [order for order, _ in ended], purposes)
            known = self.ledger.account(account, positions)
        return Book(
            known,
            None if positions is None else self.ledger.positions(positions),
            None if orders is None else {o.client_id: o.as_order() for o in orders},
            None if known is None else tuple(self.ledger.trades),
            requests,
            tuple(self._asked),
        )

    def _machinery(self, ts: int, ended: Iterable[tuple[OrderState, Purpose]]) -> Machinery:
        while self._calls and ts - self._calls[0][0] > REMEMBERED_MS:
            self._calls.popleft()
        failed = [(at, kind) for at, kind in self._calls if kind is not None]
        latest = [kind for at, kind in self._calls if at == ts]
        service = Service(
            affects_trading=True,
            seen=self._seen,
            answers=any(kind is None for kind in latest) if latest else None,
            requests=len(self._calls),
            failures=len(failed),
            is_degraded=any(kind is not None for kind in latest),
        )
        ends = [
            OrderEnd(o.updated, o.symbol, o.as_order().side, o.quantity * (o.average or o.price or 0.0), str(o.status))
            for o, _ in ended
        ]
        failures = [Failure(at, VENUE, kind) for at, kind in failed]
        return Machinery({VENUE: service}, failures, ends, operator=self.controls.shown())

    def _ask(self, ts: int, call: Callable[[], _T]) -> _T | None:
        """What the venue answers; None, and a failure on record, where it does not."""
        try:
            found = call()
        except VenueError as error:
            self._calls.append((ts, type(error).__name__))
            log.warning("the venue did not answer", kind=type(error).__name__, error=str(error), ts=ts)
            return None
        self._calls.append((ts, None))
        self._seen = ts
        return found
