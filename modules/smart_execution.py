"""AELM: what an order would do to the market and to the fund's own orders, and the way of an order to the venue.

How an order trades, how much it may slip and how much of the book it may take are outputs of the rules. Here they are
carried out: nothing is sent before the book has been looked at, and nothing counts as filled that the venue has not
told. What was judged as an exit never adds risk, whatever has become of its position meanwhile. The predecessor judged
slippage after the fill, and made fills up where it had no exchange.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar, TypeVar

import structlog

from modules.assembly import Supplied
from modules.estimates.depth import collar
from modules.facts.levels import URGENCY
from modules.grounds import Grounds, taking_off
from modules.inputs import Book, Inputs, Listing, Market, OrderEnd, Position, Request, Ticker
from modules.judge import Answer, Judge
from modules.request_facts import request_facts
from modules.sources.book import BookSource
from modules.sources.effects import EXITS, effect_of
from modules.sources.feed import FeedSource
from modules.supply import Supply
from modules.venues.amounts import floored
from modules.venues.desk import STOPPED, Desk, Patience, Terms, outcome_of
from modules.venues.intents import Execution, Intents, NamedAfter, Ticket
from modules.venues.listings import Listings
from modules.venues.paper import PaperExchange
from modules.venues.venue import Kind, NotPermitted, Rejected, Venue, VenueError

log = structlog.get_logger()

MINUTE_MS = 60_000
FIVE_MINUTES_A_DAY = 288
SIDES: Mapping[str, str] = {"BUY": "LONG", "LONG": "LONG", "SELL": "SHORT", "SHORT": "SHORT"}
"""The words for a direction, in any case, as the fund says them."""

T = TypeVar("T")
Decide = Callable[[str, Request], Answer]
"""What the fund's rules say of a request, by its id, in the whole of the fund's state."""

VERDICT, ORDER_TYPE, SLIPPAGE, PARTICIPATION = (
    "verdict",
    "aelm.order_type",
    "aelm.max_slippage",
    "aelm.max_participation",
)


class SmartExecution:
    """Supplies facts of requests and ended orders, and executes requests.

    Without arguments it trades on a paper exchange with a made-up market, and remembers for as long as it lives. A
    live venue needs a log at `intents`, so that every order ends in a known state whatever happens, and `decide`, so
    that none is sent that the fund's rules do not allow. `judge` says what the rules say where there is no `decide`:
    how an order trades, not whether. `clock` tells ms since 1970 UTC and `wait` lets seconds pass; both are the
    exchange's own on paper. `stop_requested` tells whether a person asks for the emergency stop: what was allowed
    before that adds no risk after it.
    """

    name: ClassVar[str] = "aelm"
    policy: ClassVar[str | None] = "aelm"
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("AELM",)

    def __init__(
        self,
        venue: Venue | None = None,
        judge: Judge | None = None,
        *,
        decide: Decide | None = None,
        intents: Path | None = None,
        clock: Callable[[], int] | None = None,
        wait: Callable[[float], None] | None = None,
        patience: Patience | None = None,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> None:
        self.venue = venue if venue is not None else PaperExchange()
        if self.venue.is_live and (intents is None or decide is None):
            raise NotPermitted("a live venue needs a log of intents, and the fund's decision on every request")
        self._judge, self._decide, self._stop_requested = judge, decide, stop_requested
        self.intents = Intents(intents)
        on_paper = self.venue if isinstance(self.venue, PaperExchange) else None
        self.clock = clock or (on_paper.time if on_paper is not None else _wall_clock)
        passes = wait or (_passes_on(on_paper) if on_paper is not None else time.sleep)
        self.listings = Listings(self.venue, self.clock)
        self._desk = Desk(self.venue, self.intents, self.clock, passes, patience or Patience())
        self._locks: defaultdict[str, RLock] = defaultdict(RLock)
        self._numbers = count()

    # --- facts -----------------------------------------------------------------------------------------------------

    def compute(self, inputs: Inputs) -> Supply:
        """Facts of every request, and an `order` event for each order that has ended since the snapshot before."""
        reasons: dict[str, str] = {}
        rows = {key: request_facts(key, inputs, reasons, self.intents.worked) for key in sorted(inputs.book.requests)}
        ends = sorted(inputs.machinery.orders_ended, key=lambda e: (e.at, e.symbol, e.side, e.outcome, e.notional))
        events = tuple(
            {"symbol": e.symbol, "side": e.side, "notional": e.notional, "outcome": e.outcome} for e in ends
        )  # fmt: skip
        return Supply(rows={"request": rows}, events={"order": events}, reasons=reasons)

    # --- execution -------------------------------------------------------------------------------------------------

    def execute_order(
        self,
        *,
        symbol: str,
        side: str,
        size: float,
        urgency: str = "normal",
        price: float | None = None,
        reduce_only: bool = False,
        client_id: str | None = None,
    ) -> Execution:
        """Buys or sells `size` base units of a symbol, as far as the rules and the book let it.

        `side` is buy, long, sell or short; `urgency` low, normal or high; `price` the worst one the caller takes. A
        `client_id` that was executed before is not executed again: what came of it is told. Raises ValueError for
        words and figures that mean nothing, Rejected for what the venue does not list or the rules deny, and Unsettled
        where the venue does not tell what became of an order.
        """
        direction, soon = _word(side, SIDES, "side"), _word(urgency, {u: u for u in URGENCY.members}, "urgency")
        if not (math.isfinite(size) and size > 0) or (price is not None and not (math.isfinite(price) and price > 0)):
            raise ValueError(f"the size {size} and the price {price} must be positive numbers")
        listing = self.listings.trading(symbol)
        quantity = floored(size, listing.step)
        if quantity <= 0:
            raise ValueError(f"the size {size} is smaller than {listing.step}, the smallest quantity of `{symbol}`")
        at = self.clock()
        name = client_id or self._new_name(f"{symbol}-{direction}-{at}")
        told = self.told(name)
        if told is not None:
            return told
        ticker, tickers = self._priced(symbol)
        request = Request(
            symbol, direction, at, notional=quantity * ticker.price, urgency=soon, price=price, reduce_only=reduce_only,
            client_id=name,
        )  # fmt: skip
        grounds = Grounds(_known(self.venue.positions), stop_requested=self._stop_requested())
        answer = self._answer(request, tickers, grounds.positions)
        if self._decide is not None:
            _check_verdict(name, answer)
        after = NamedAfter.MOMENT if client_id is None else NamedAfter.CALLER
        ticket = self._ticket(name, request, quantity, ticker, after)
        return self._carry_out(ticket, request, terms_of(name, answer), grounds)

    def execute(
        self, key: str, request: Request, answer: Answer, grounds: Grounds, ticker: Ticker | None = None
    ) -> Execution:
        """Executes the request `key` as the fund's rules answered it on these grounds. Raises as `execute_order`.

        Its quantity is its notional at the mark price, that of `ticker` where one comes along. What increases a
        position is counted at the worst price that it may trade at, so that no more is added than was judged. An exit
        is of what is left by then. New risk that has become another than was judged, and an exit of which nothing is
        left, ends without an order, and its end says why. An exit waits neither for listings nor for tickers: without
        one its price is the mark of the position that it was judged on. Executed again it is told, not done again.
        """
        if request.notional is None or not (math.isfinite(request.notional) and request.notional > 0):
            raise ValueError(f"the request `{key}` does not say how much to trade")
        _check_verdict(key, answer)
        name = name_of(key, request)
        told = self.told(name)
        if told is not None:
            return told
        terms, effect = terms_of(key, answer), grounds.effect(request)
        priced = self._price_of(request, grounds) if ticker is None else ticker
        price = priced.price
        if effect == "INCREASE":
            price = max(price, collar(price, request.side == "LONG", terms.max_slippage))
        listing = self.listings.of_exit(request.symbol) if effect in EXITS else self.listings.trading(request.symbol)
        quantity = floored(request.notional / price, listing.step)
        if quantity <= 0:
            raise ValueError(f"{request.notional} is less than the smallest quantity of `{request.symbol}`")
        after = NamedAfter.MOMENT if request.client_id is None else NamedAfter.CALLER
        return self._carry_out(self._ticket(name, request, quantity, priced, after), request, terms, grounds)

    def take_off(self, ticket: Ticket, terms: Terms | None) -> Execution:
        """Works an exit of what is left, on terms or at any price. Raises Rejected and Unsettled as `execute_order`.

        What the venue lists and holds need not be known for it: an exit is not to wait for that.
        """
        with self._locks[ticket.symbol]:
            told = self._desk.told(ticket.request)
            return told or self._take_off(ticket, terms, _known(self.venue.positions))

    def told(self, name: str) -> Execution | None:
        """What came of a request that was worked before, None for another. Raises Unsettled while nobody knows."""
        work = self.intents.worked.get(name)
        if work is None or work.end is not None:
            return None if work is None else work.end
        with self._locks[work.ticket.symbol]:
            return self._desk.told(name)

    def recover(self) -> list[Execution]:
        """Asks the venue what became of orders that an earlier process left behind, and ends their requests.

        To be called before anything else is executed, and again while `intents.unsettled()` holds any.
        """
        return self._desk.recover()

    def ended_since(self, since: int) -> list[OrderEnd]:
        """Orders, refused ones too, of requests that ended after `since` (ms). One is notional at the mark price."""
        return [
            OrderEnd(w.ended_at, w.ticket.symbol, w.ticket.acts_on, s.order.quantity * w.ticket.mark, outcome_of(s))
            for w in list(self.intents.worked.values())
            if w.end is not None and w.ended_at > since
            for s in w.orders
        ]

    def _ticket(self, name: str, request: Request, quantity: float, ticker: Ticker, after: NamedAfter) -> Ticket:
        """A request as new risk: whether it is an exit shows when its order is to go."""
        return Ticket(
            name, request.symbol, request.side, quantity, ticker.price, self.clock(), request.side,
            reduce_only=request.reduce_only, worst=request.price,
            traded=ticker.volume_24h / FIVE_MINUTES_A_DAY if math.isfinite(ticker.volume_24h) else None,
            stop=_finite(request.stop), target=_finite(request.target), leverage=_finite(request.leverage),
            model=request.model, confidence=_finite(request.confidence), votes=request.votes, named_after=after,
        )  # fmt: skip

    def _carry_out(self, ticket: Ticket, request: Request, terms: Terms, grounds: Grounds) -> Execution:
        """Works a request as it was judged, on the positions as they are by now."""
        with self._locks[ticket.symbol]:
            told = self._desk.told(ticket.request)
            if told is not None:
                return told
            held = _known(self.venue.positions)
            if {grounds.effect(request), effect_of(request, held).effect} & EXITS:
                return self._take_off(ticket, terms, held)
            if held is None:
                raise VenueError(f"nobody knows what is held of `{ticket.symbol}`, so nothing is added to it")
            is_stopped = self._stopped_since(grounds)
            why = STOPPED if is_stopped() else grounds.refusal(request, held, self.clock())
            if why is not None:
                return self._left_alone(ticket, why)
            if ticket.leverage is not None:
                self._set_leverage(ticket.symbol, ticket.leverage, held)
            return self._desk.work(ticket, terms, self.listings.trading(ticket.symbol), is_stopped)

    def _stopped_since(self, grounds: Grounds) -> Callable[[], bool]:
        """Tells whether a person asks for the stop, and did not when the rules answered."""
        return lambda: not grounds.stop_requested and self._stop_requested()

    def _take_off(self, ticket: Ticket, terms: Terms | None, held: Mapping[str, Position] | None) -> Execution:
        kept, unknown = self.listings.kept, Listing(ticket.symbol)
        listing = kept.get(ticket.symbol, unknown) if terms is None else self.listings.of_exit(ticket.symbol)
        sized = taking_off(ticket, held, listing.step)
        if sized.quantity <= 0:
            return self._left_alone(replace(sized, quantity=ticket.quantity), "nothing is left to take off")
        return self._desk.at_any_price(sized) if terms is None else self._desk.work(sized, terms, listing)

    def _left_alone(self, ticket: Ticket, why: str) -> Execution:
        """Ends a request for which nothing is sent; that is on record, and told."""
        log.warning("a request was left alone", request=ticket.request, symbol=ticket.symbol, why=why)
        return self._desk.leave(ticket, why)

    def _set_leverage(self, symbol: str, judged: float, positions: Mapping[str, Position]) -> None:
        """Let the venue trade with the leverage that was judged, or with less: that of a position is not raised.

        Raises VenueError where the venue does not: new risk does not begin with a leverage that nobody has judged.
        """
        held = [_finite(p.leverage) for p in positions.values() if p.symbol == symbol and p.quantity > 0]
        known = [leverage for leverage in held if leverage is not None]
        if not known or judged < min(known):
            self.venue.set_leverage(symbol, judged)

    def _price_of(self, request: Request, grounds: Grounds) -> Ticker:
        """What the venue tells of the price, or the mark of what an exit takes off. Raises VenueError without both."""
        try:
            return self._priced(request.symbol)[0]
        except VenueError:
            mark = grounds.mark(request)
            if mark is None:
                raise
            return Ticker(self.clock(), mark)

    def _priced(self, symbol: str) -> tuple[Ticker, Mapping[str, Ticker]]:
        """The ticker of a symbol, and all of them. Raises Rejected where it has no price."""
        tickers = self.venue.tickers()
        found = tickers.get(symbol)
        if found is None or not (math.isfinite(found.price) and found.price > 0):
            raise Rejected(f"`{symbol}` has no price")
        return found, tickers

    def _answer(
        self, request: Request, tickers: Mapping[str, Ticker], positions: Mapping[str, Position] | None
    ) -> Answer:
        key = request.client_id or ""
        if self._decide is not None:
            return self._decide(key, request)
        if self._judge is None:
            self._judge = Judge()
        depth, orders = _known(lambda: self.venue.depth(request.symbol)), _known(self.venue.open_orders)
        depths = {} if depth is None else {request.symbol: depth}
        market = Market(tickers=tickers, depths=depths, listings=self.listings.kept)
        book = Book(
            account=_known(self.venue.account),
            positions=positions,
            orders=None if orders is None else {o.client_id: o.as_order() for o in orders if not o.is_guard},
            requests={key: request},
            recent=self._recent(request.at),
        )
        inputs = Inputs("main", request.at, market, book)
        parts = [(m.name, m.owners, m.compute(inputs)) for m in (FeedSource(), BookSource(), self)]
        return self._judge.answer(request.at, [Supplied(by, owners, request.at, s) for by, owners, s in parts])

    def _new_name(self, start: str) -> str:
        """A name that no request has, of this process or of one before it."""
        names = (f"{start}-{number}" for number in self._numbers)
        return next(name for name in names if name not in self.intents.worked)

    def _recent(self, ts: int) -> list[Request]:
        tickets = [work.ticket for work in list(self.intents.worked.values()) if ts - MINUTE_MS < work.ticket.at <= ts]
        return [
            Request(
                t.symbol, t.side, t.at, notional=t.quantity * t.mark, price=t.worst, reduce_only=t.reduce_only,
                client_id=t.request,
            )
            for t in tickets
        ]  # fmt: skip


def terms_of(key: str, answer: Answer) -> Terms:
    """What the rules say of how a request is executed. Raises ValueError for rules that say nothing of it."""
    missing = [name for name in (ORDER_TYPE, SLIPPAGE, PARTICIPATION) if name not in answer.outputs]
    if missing:
        raise ValueError(f"the rules have no output {', '.join(f'`{name}`' for name in missing)}")
    return Terms(Kind(_of(ORDER_TYPE, key, answer)), _of(SLIPPAGE, key, answer), _of(PARTICIPATION, key, answer))


def _of(output: str, key: str, answer: Answer) -> Any:
    """An output, that of the request where there is one for each. Raises ValueError where it has no value."""
    value = answer.outputs[output]
    if isinstance(value, Mapping):
        value = value.get(key)
    if value is None:
        raise ValueError(f"the rules do not say `{output}` of the request `{key}`")
    return value


def _check_verdict(key: str, answer: Answer) -> None:
    if answer.of(VERDICT, key) != "ALLOW":
        raise Rejected(f"the rules deny the request `{key}`: {'; '.join(answer.because.values())}")


def _word(said: str, words: Mapping[str, str], what: str) -> str:
    found = words.get(said.upper())
    if found is None:
        known = ", ".join(f"`{word.lower()}`" for word in words)
        raise ValueError(f"the {what} `{said}` is none of {known}")
    return found


def _known(ask: Callable[[], T]) -> T | None:
    """What the venue tells; None where it does not."""
    try:
        return ask()
    except VenueError:
        return None


def name_of(key: str, request: Request) -> str:
    """Under what a request is worked, and known again."""
    return request.client_id or f"{key}@{request.at}"


def _finite(value: float | None) -> float | None:
    """A figure to be kept; what is no number is not known, and costs no order its way."""
    return value if value is not None and math.isfinite(value) else None


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


def _passes_on(paper: PaperExchange) -> Callable[[float], None]:
    """Waiting that moves the clock of a paper exchange and nothing else."""
    return lambda seconds: paper.advance(paper.time() + math.ceil(seconds * 1000))
