"""The state of a fund at a venue: what the venue tells, what the ledger remembers, what people ask.

Whatever the venue does not answer is left out of the snapshot, and is a failure of the service `venue` that rules can
count; nothing is carried over from an answer that is not there. All questions of a snapshot have one time together, and
those that do not wait for each other are asked at once where the venue is remote.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import Any, TypeVar

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
    Operator,
    Order,
    OrderEnd,
    Position,
    Request,
    Service,
    Ticker,
)
from modules.judge import Answer
from modules.runtime.controls import Controls
from modules.runtime.ledger import Ledger, Purpose
from modules.sources.feed import age_ms
from modules.universe_os import UniverseOS
from modules.venues.allowance import Allowance, allowing, asked_together
from modules.venues.desk import outcome_of_state
from modules.venues.intents import Ticket
from modules.venues.venue import OrderState, Venue, VenueError

log = structlog.get_logger()

VENUE = "venue"
"""The service that stands for the way to the venue."""

REMEMBERED_MS = 5 * 60_000
"""How long calls and failures are counted: error rates are of the last five minutes."""

A_MINUTE_MS = 60_000
LISTED_EVERY_MS = int(UniverseOS.interval * 1000)

LONGEST = 10.0
"""The most seconds that the questions of a snapshot may take. Those of one account at Binance wait about five for its
rate limit alone."""

SHARE_OF_GAP = 0.5
"""Of the longest gap between two snapshots. What is known then has as long again to be decided and carried out, before
it counts no longer."""

SHARE_OF_ONE = 0.5
"""Of that time, for one question of the hands: orders go out in between, and the next snapshot has questions too."""

ONE_SECOND = 1.0
"""What ran out of time is not asked again for so long after its step. Whoever waited for that step, to pull the stop
above all, is not to wait for the same silence once more."""

SHARE_OF_MARKET = 0.5
"""Of that time, for the market and for what became of orders, which are asked first: the account and the positions must
not go without an answer for them."""

_T = TypeVar("_T")

Act = Callable[[Answer, Inputs], None]
"""Does at the venue what was decided."""


def nothing(answer: Answer, inputs: Inputs) -> None:
    """Does nothing: the fund only watches."""
    del answer, inputs


@dataclass(slots=True)
class VenueWorld:
    """The world of one book at `venue`. `candles` gives the bars closed by a time, None where there are none.

    `ended` gives the orders that reached their end since it was asked last, with why each was sent, and `refused` those
    that never were at the venue. `wanted` gives what the fund itself asks for at a time, and `ticket_of` what an order
    is for, by its client id. `unsure` gives the symbols in which an order may have filled and nobody knows yet.
    `asked_before` gives what an earlier process was asked from one time on and before another, None if nobody knows.

    `budget` is how many seconds the questions of a snapshot have. What is asked to carry out a decision has a part of
    that for each. Orders have their own time (`modules.venues.ccxt_asking.Manners`), whatever the questions took.
    """

    venue: Venue
    ledger: Ledger
    controls: Controls
    book: str = "main"
    candles: Callable[[int], Candles | None] = lambda _: None
    ended: Callable[[], Iterable[tuple[OrderState, Purpose]]] = tuple
    models: Callable[[int], Mapping[str, ModelRecord]] = lambda _: {}
    act: Act = nothing
    refused: Callable[[], Iterable[OrderEnd]] = tuple
    wanted: Callable[[int], Mapping[str, Request]] = lambda _: {}
    ticket_of: Callable[[str], Ticket | None] = lambda _: None
    unsure: Callable[[], frozenset[str]] = frozenset
    asked_before: Callable[[int, int], Sequence[Request] | None] = lambda _since, _until: ()
    budget: float = LONGEST
    _silent: tuple[float, frozenset[str]] = (-math.inf, frozenset())
    """When (s, monotonic) the step ended in which questions ran out of time last, and which."""

    _known_silent: frozenset[str] = frozenset()
    """Those of them that the newest snapshot did not ask again."""

    _time: Allowance = field(default_factory=Allowance)
    """What the questions of the newest snapshot had."""

    _calls: deque[tuple[int, str | None]] = field(default_factory=deque)
    _asked: deque[Request] = field(default_factory=deque)
    _knows_requests_from: int | None = None
    """The time (ms) from which on all requests are remembered, None before the first look."""

    _seen: int | None = None
    _listings: tuple[int, Mapping[str, Listing]] | None = None
    _unseen: list[tuple[OrderState, Purpose]] = field(default_factory=list)
    """Orders that ended and that the ledger has not taken note of: the venue did not answer meanwhile."""

    def inputs(self, ts: int, before: Snapshot | None, requests: Mapping[str, Request]) -> Inputs:
        """Everything that the venue, the ledger and people tell at `ts` (ms since 1970 UTC).

        What the fund itself asks for comes to the requests; a caller who uses its key has the word.
        """
        asked = {**self.wanted(ts), **requests}
        candles = self.candles(ts)
        with self._asking() as whole:
            # A venue that fills on paper values what is held at the prices that it was asked for last.
            with allowing(whole.part(SHARE_OF_MARKET)):
                (listings, depths), funding, tickers, ended = self._together(
                    partial(self._in_symbols, ts, {request.symbol for request in asked.values()}),
                    partial(self._ask, ts, self.venue.funding),
                    partial(self._ask, ts, self.venue.tickers),
                    lambda: list(self.ended()),
                )
            account, positions, orders, late = self._held(ts)
        ended += late
        market = _market(candles, listings, tickers or {}, depths, funding or {}, ts)
        # What people ask while the venue is asked counts for this snapshot already.
        operator = self.controls.shown()
        self._unseen += ended
        book = self._book(ts, asked, operator.peak_from, (account, positions, orders))
        machinery = self._machinery(ts, [*_ends(ended, market.tickers), *self.refused()], operator)
        self._asked.extend(asked.values())
        return Inputs(self.book, ts, market, book, machinery, self.models(ts), before)

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        """Do what was decided. What the snapshot was not told in time is not asked for once more.

        A venue that has told it nothing at all has a second for each of the other questions.
        """
        has_answered = any(kind is None for at, kind in self._calls if at == inputs.ts)
        each = max(ONE_SECOND, SHARE_OF_ONE * self.budget) if has_answered else ONE_SECOND
        silent = self._time.unanswered
        try:
            with allowing(Allowance(each=each, urgent=True, unanswered=silent)):
                self.act(answer, inputs)
        finally:
            if silent - self._known_silent:
                self._silent = monotonic(), frozenset(silent)

    @contextmanager
    def _asking(self) -> Iterator[Allowance]:
        """The time for the questions of a snapshot."""
        at, silent = self._silent
        self._known_silent = silent if monotonic() - at < ONE_SECOND else frozenset()
        now = Allowance(monotonic() + self.budget, unanswered=set(self._known_silent))
        with allowing(now) as self._time:
            yield self._time

    def _together(self, *calls: Callable[[], Any]) -> list[Any]:
        return asked_together(calls, at_once=self.venue.is_remote)

    def _in_symbols(self, ts: int, wanted: set[str]) -> tuple[Mapping[str, Listing] | None, Mapping[str, Depth]]:
        """What the venue lists, and the order books of the symbols that are wanted."""
        listings = self._listed(ts)
        # What the venue does not list is a mistake of whoever asks, and no failure of the venue.
        symbols = sorted(wanted if listings is None else wanted & set(listings))
        found = self._together(*(partial(self._ask, ts, partial(self.venue.depth, symbol)) for symbol in symbols))
        return listings, {symbol: depth for symbol, depth in zip(symbols, found, strict=True) if depth is not None}

    def _listed(self, ts: int) -> Mapping[str, Listing] | None:
        """What the venue lists: a long answer that rarely changes, asked for again once the universe looks again."""
        known = self._listings
        if known is not None and 0 <= ts - known[0] < LISTED_EVERY_MS:
            return known[1]
        found: Mapping[str, Listing] | None = self._ask(ts, self.venue.markets)
        self._listings = None if found is None else (ts, found)
        return found

    def _held(
        self, ts: int
    ) -> tuple[
        Account | None,
        Mapping[str, Position] | None,
        Sequence[OrderState] | None,
        list[tuple[OrderState, Purpose]],
    ]:
        """The account, the positions, the open orders, and the orders that ended while they were asked for.

        A stop trades when it will: where the positions are others than the ledger has, its orders are asked for once
        more, and then the positions of after them.
        """
        late: list[tuple[OrderState, Purpose]] = []
        held: list[Callable[[], Any]] = [
            partial(self._ask, ts, self.venue.account),
            partial(self._ask, ts, self.venue.positions),
        ]
        account, positions, orders = self._together(*held, partial(self._ask, ts, self.venue.open_orders))
        while positions is not None and self.ledger.differs(positions):
            newest = list(self.ended())
            if not newest:
                break
            late += newest
            account, positions = self._together(*held)
        return account, positions, orders, late

    def _book(
        self,
        ts: int,
        requests: Mapping[str, Request],
        peak_from: int | None,
        told: tuple[Account | None, Mapping[str, Position] | None, Sequence[OrderState] | None],
    ) -> Book:
        account, positions, orders = told
        recent = self._recent(ts)
        known = None
        if account is not None and positions is not None:
            ended, self._unseen = self._unseen, []
            purposes = {order.client_id: purpose for order, purpose in ended}
            unsure = self.unsure()
            orders_ended = [order for order, _ in ended]
            self.ledger.observe(ts, account, positions, orders_ended, purposes, peak_from, unsure=unsure)
            known = self.ledger.account(account, positions, unsure)
        return Book(
            known,
            None if positions is None else self.ledger.positions(positions),
            None if orders is None else {o.client_id: self._order(o) for o in orders if not o.is_guard},
            None if known is None else tuple(self.ledger.trades),
            requests,
            recent,
        )

    def _recent(self, ts: int) -> Sequence[Request] | None:
        """The requests of the last minute; None while it is not over and an earlier process's are not known."""
        since = ts - A_MINUTE_MS + 1
        if self._knows_requests_from is None:
            earlier = self.asked_before(since, ts)
            self._asked.extend(earlier or ())
            self._knows_requests_from = ts if earlier is None else since
        while self._asked and self._asked[0].at < since:
            self._asked.popleft()
        return tuple(self._asked) if self._knows_requests_from <= since else None

    def _order(self, order: OrderState) -> Order:
        """An open order, with the leverage and the stop of the request that it came from."""
        ticket = self.ticket_of(order.client_id)
        found = order.as_order()
        return found if ticket is None else replace(found, leverage=ticket.leverage, stop=ticket.stop)

    def _machinery(self, ts: int, ends: Sequence[OrderEnd], operator: Operator) -> Machinery:
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
        failures = [Failure(at, VENUE, kind) for at, kind in failed]
        return Machinery({VENUE: service}, failures, ends, operator=operator)

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


def budget(max_gap: int) -> float:
    """The seconds that the questions of a snapshot have where two of them may lie `max_gap` (ms) apart."""
    return min(LONGEST, SHARE_OF_GAP * max_gap / 1000)


def _market(
    candles: Candles | None,
    listings: Mapping[str, Listing] | None,
    tickers: Mapping[str, Ticker],
    depths: Mapping[str, Depth],
    funding: Mapping[str, float],
    ts: int,
) -> Market:
    # One price of a wrong clock must not hide that all the others have gone quiet.
    dated = [t.at for t in tickers.values() if age_ms(t.at, ts) is not None]
    newest = max(dated, default=min((t.at for t in tickers.values()), default=None))
    return Market(candles, listings or None, tickers, depths, funding, newest)


def _ends(ended: Iterable[tuple[OrderState, Purpose]], tickers: Mapping[str, Ticker]) -> list[OrderEnd]:
    """How orders ended; one of which no price is known is notional at the price of now."""
    found = []
    for order, _ in ended:
        ticker = tickers.get(order.symbol)
        price = order.average or order.price or (0.0 if ticker is None else ticker.price)
        side, outcome = order.as_order().side, outcome_of_state(order)
        found.append(OrderEnd(order.updated, order.symbol, side, order.quantity * price, outcome))
    return found
