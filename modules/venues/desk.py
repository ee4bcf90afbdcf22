"""Works a request to trade at a venue: looks before it sends, and knows of every order what became of it.

Each round looks at the order book, sends one order that no fill of which can be worse than the terms let it be, and
waits for its end; what a limit order has not filled in time is cancelled, and the venue asked what it filled. An order
is sent once. Where the answer is lost the venue is asked by the client id; that there is no such order counts only
once it can no longer arrive. What the desk cannot find out stays in the log, and `recover` asks again.

No order goes without a price. LIMIT joins the best price of its own side. IOC and MARKET take at once what there is up
to the worst price by the mid at arrival; a MARKET exit follows the mid from round to round, since it cannot wait. What
adds risk does not, or it would follow the price that it moves itself; it is no larger than what the book shows, and
needs a sound one. An exit is sent whole, and without a book by the mark price.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from modules.estimates.depth import collar, held, is_sound, middle, opposite, within
from modules.inputs import Depth, Listing
from modules.venues.amounts import ceiled, floored
from modules.venues.intents import Execution, Intents, Sent, Ticket, Worked, stem
from modules.venues.venue import (
    DuplicateClientId,
    Kind,
    NewOrder,
    OrderState,
    OutOfTime,
    Rejected,
    Status,
    UnknownOrder,
    Venue,
    VenueError,
)

STOPPED = "a person has asked for the emergency stop"

SAME = 1e-9
"""Two quantities whose ratio is off by no more than this are one: what sums of floats leave."""


class Unsettled(Exception):  # noqa: N818 -- named after what it is, as the errors of venues are
    """Nobody knows what became of an order. It stays in the log until the venue tells."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the rules say of a request: how it trades, and two ratios.

    No fill may be worse than `max_slippage` away from the mid. What adds risk may be no more than `max_participation`
    of what trades in five minutes.
    """

    kind: Kind
    max_slippage: float
    max_participation: float


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request is worked: `rounds` orders at most, a limit order rests `rest` seconds.

    The venue is asked up to `asks` times, `pause` seconds apart, what became of an order.
    """

    rounds: int = 3
    rest: float = 5.0
    asks: int = 20
    pause: float = 0.5


def _never() -> bool:
    return False


@dataclass(slots=True)
class Desk:
    """The way of orders to one venue. `clock` tells ms since 1970 UTC, `wait` lets seconds pass."""

    venue: Venue
    intents: Intents
    clock: Callable[[], int]
    wait: Callable[[float], None]
    patience: Patience = field(default_factory=Patience)

    def work(
        self, ticket: Ticket, terms: Terms, listing: Listing, is_stopped: Callable[[], bool] = _never
    ) -> Execution:
        """Works a request to its end. Raises Unsettled. One that was worked before is not worked again: it is told.

        Once `is_stopped` says so no order goes that adds risk, and what rests of one is cancelled.
        """
        told = self.told(ticket.request)
        if told is not None:
            return told
        self._clear(ticket)
        self.intents.begin(ticket)
        left, mid, why = ticket.quantity, None, ""
        for number in range(self.patience.rounds):
            look = self._look(ticket)
            mid = look.mid if mid is None else mid
            follows = terms.kind is Kind.MARKET and not ticket.adds_risk
            order, why = _next(ticket, terms, listing, _Round(number, left, look.mid if follows else mid, look.depth))
            if order is None:
                why = look.why or why
                break
            if ticket.adds_risk and is_stopped():
                why = STOPPED
                break
            sent = self._send(ticket.request, order, is_stopped if ticket.adds_risk else _never)
            if sent.state is None:
                why = sent.why
                break
            left = floored(left - sent.state.filled, listing.step)
            why = f"{self.patience.rounds} orders did not fill it"
            if left <= 0:
                break
        return self._finish(ticket, mid, why if left > 0 else "")

    def at_any_price(self, ticket: Ticket) -> Execution:
        """Sends what only reduces as one market order, once: for what cannot wait. Raises and tells as `work`."""
        told = self.told(ticket.request)
        if told is not None:
            return told
        self.intents.begin(ticket)
        order = NewOrder(
            f"{stem(ticket.request)}0", ticket.symbol, ticket.side, ticket.quantity, Kind.MARKET, reduce_only=True
        )
        sent = self._send(ticket.request, order)
        return self._finish(ticket, None, sent.why)

    def leave(self, ticket: Ticket, why: str) -> Execution:
        """Ends a request without an order, and writes down why. Raises and tells as `work`."""
        told = self.told(ticket.request)
        if told is not None:
            return told
        self.intents.begin(ticket)
        return self._finish(ticket, None, why)

    def told(self, request: str) -> Execution | None:
        """What came of a request that was worked before, None for another. Raises Unsettled while nobody knows."""
        known = self.intents.worked.get(request)
        return None if known is None else known.end or self._resume(known)

    def _look(self, ticket: Ticket) -> _Look:
        """The book as it is, or why there is none to go by."""
        try:
            depth = self.venue.depth(ticket.symbol)
        except VenueError as error:
            return _Look(None, ticket.mark, f"there is no order book: {error}")
        if not is_sound(depth):
            return _Look(None, ticket.mark, "the order book is empty on a side, unsorted or crossed")
        return _Look(depth, middle(depth))

    def recover(self) -> list[Execution]:
        """Settles what an earlier process left behind, and ends its requests: what they ended as.

        What the venue does not tell stays unsettled, in `intents.unsettled()`.
        """
        ended = []
        for work in list(self.intents.worked.values()):
            if work.end is None:
                with suppress(Unsettled):
                    ended.append(self._resume(work))
        return ended

    def _resume(self, work: Worked) -> Execution:
        """Ends a request that was interrupted; what it has not sent by now it does not send."""
        for sent in [s for s in work.orders if not s.is_settled]:
            self._settle(work.ticket.request, sent)
        return self._finish(work.ticket, None, "it was interrupted")

    def _clear(self, ticket: Ticket) -> None:
        """Orders whose fate is unknown could add to this one: they are settled first. What only reduces cannot grow."""
        for request, sent in self.intents.unsettled(ticket.symbol):
            try:
                self._settle(request, sent)
            except Unsettled:
                if not ticket.reduce_only:
                    raise

    def _send(self, request: str, order: NewOrder, is_stopped: Callable[[], bool] = _never) -> Sent:
        """Writes down, sends, and finds out."""
        self.intents.intend(request, order, self.clock())
        sent = self._find(request, order.client_id)
        try:
            state = self.venue.place(order)
        except VenueError as error:
            if error.is_certain and not isinstance(error, DuplicateClientId):
                outcome = "REJECTED" if isinstance(error, Rejected) else "FAILED"
                self.intents.never(request, order.client_id, outcome, str(error))
                return self._find(request, order.client_id)
            return self._settle(request, sent)
        if state.is_open:
            self._rest(self.patience.rest if order.kind is Kind.LIMIT else self.patience.pause, is_stopped)
            state = self._closed(order)
        self.intents.settle(request, state)
        return self._find(request, order.client_id)

    def _rest(self, seconds: float, is_stopped: Callable[[], bool]) -> None:
        """Lets so many seconds pass, and no more than a pause once there is a stop."""
        left = seconds
        while left > 0 and not is_stopped():
            part = min(left, self.patience.pause) if self.patience.pause > 0 else left
            self.wait(part)
            left -= part

    def _settle(self, request: str, sent: Sent) -> Sent:
        """Finds out about an order whose answer is not at hand, ends it, and writes it down. Raises Unsettled."""
        order, state = sent.order, self._ask(sent)
        if state is None:
            self.intents.never(request, order.client_id, "FAILED", "it never arrived at the venue")
        else:
            self.intents.settle(request, self._closed(order) if state.is_open else state)
        return self._find(request, order.client_id)

    def _ask(self, sent: Sent) -> OrderState | None:
        """The order as the venue knows it; None once it is certain that there is none."""
        order, window = sent.order, self.venue.arrival_ms
        why = "the venue does not tell"
        for _ in range(self.patience.asks):
            asked = self.clock()
            try:
                return self.venue.order(order.symbol, order.client_id)
            except UnknownOrder:
                late = asked - sent.at - window
                if late > 0:
                    return None
                self.wait(max(self.patience.pause, -late / 1000))
            except OutOfTime as error:
                raise Unsettled(f"`{order.client_id}`: {error}") from error
            except VenueError as error:
                why = str(error)
                self.wait(self.patience.pause)
        raise Unsettled(f"`{order.client_id}`: {why}")

    def _closed(self, order: NewOrder) -> OrderState:
        """The order after its end: cancelled if it still rests, and then asked for."""
        why = "it is still open"
        for attempt in range(self.patience.asks):
            if attempt > 1:
                self.wait(self.patience.pause)
            try:
                state = self.venue.order(order.symbol, order.client_id)
                if not state.is_open:
                    return state
                self.venue.cancel(order.symbol, order.client_id)
            except UnknownOrder:
                continue  # it ended between the two questions
            except OutOfTime as error:
                raise Unsettled(f"`{order.client_id}`: {error}") from error
            except VenueError as error:
                why = str(error)
        raise Unsettled(f"`{order.client_id}`: {why}")

    def _find(self, request: str, client_id: str) -> Sent:
        return next(s for s in self.intents.worked[request].orders if s.order.client_id == client_id)

    def _finish(self, ticket: Ticket, mid: float | None, why: str) -> Execution:
        sent = self.intents.worked[ticket.request].orders
        if any(not s.is_settled for s in sent):
            raise Unsettled(f"`{ticket.request}` has orders of which nobody knows what became")
        execution = ended(ticket, sent, mid, why)
        self.intents.end(execution, self.clock())
        return execution


@dataclass(frozen=True, slots=True)
class _Look:
    """A sound book and its mid; without one the mark price, and why."""

    depth: Depth | None
    mid: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Round:
    number: int
    left: float
    mid: float
    depth: Depth | None


def _next(ticket: Ticket, terms: Terms, listing: Listing, at: _Round) -> tuple[NewOrder | None, str]:
    """The order of this round; None, with the reason, where there is to be none."""
    worst = collar(at.mid, ticket.buys, terms.max_slippage)
    if ticket.worst is not None:
        worst = min(worst, ticket.worst) if ticket.buys else max(worst, ticket.worst)
    quantity, why = (_most(ticket, terms, listing, at, worst)) if ticket.adds_risk else (at.left, "")
    if quantity <= 0:
        return None, why
    if not ticket.reduce_only and quantity * at.mid < (listing.least_notional or 0.0):
        return None, f"{quantity:g} is less than the venue takes"
    kind, price = _price(terms.kind, at.depth, ticket.buys, worst, listing.tick)
    client_id = f"{stem(ticket.request)}{at.number}"
    return NewOrder(client_id, ticket.symbol, ticket.side, quantity, kind, price, ticket.reduce_only), ""


def _most(ticket: Ticket, terms: Terms, listing: Listing, at: _Round, worst: float) -> tuple[float, str]:
    """How much of what is left may be sent at once where it adds risk, base units; nothing, with the reason."""
    if at.depth is None:
        return 0.0, "nothing that adds risk is sent without an order book"
    if ticket.traded is None:
        return 0.0, "what trades in five minutes is not known"
    share = floored(terms.max_participation * ticket.traded / ticket.mark, listing.step)
    left = min(at.left, floored(share - (ticket.quantity - at.left), listing.step))
    if left <= 0:
        return 0.0, f"it may be {share:g} at most, {terms.max_participation:.1%} of what trades in five minutes"
    if terms.kind is Kind.LIMIT:
        return left, ""
    reachable = floored(held(within(opposite(at.depth, ticket.buys), ticket.buys, worst)), listing.step)
    return min(left, reachable), f"the book shows nothing up to the price {worst:g}"


def _price(kind: Kind, depth: Depth | None, buys: bool, worst: float, tick: float | None) -> tuple[Kind, float]:
    """How an order is sent, and at what price: a multiple of the tick no worse than `worst`."""
    if kind is Kind.LIMIT and depth is not None:
        joined = min(depth.bids[0][0], worst) if buys else max(depth.asks[0][0], worst)
        return Kind.LIMIT, floored(joined, tick) if buys else ceiled(joined, tick)
    sent_as = Kind.LIMIT if kind is Kind.LIMIT else Kind.IOC
    return sent_as, floored(worst, tick) if buys else ceiled(worst, tick)


def ended(ticket: Ticket, sent: Sequence[Sent], mid: float | None, why: str) -> Execution:
    """What the settled orders of a request come to."""
    known = tuple(s.state for s in sent if s.state is not None)
    filled = math.fsum(s.filled for s in known)
    cost = math.fsum(s.filled * s.average for s in known if s.average is not None)
    average = cost / filled if filled > 0 else None
    slippage = None
    if average is not None and mid is not None:
        slippage = (average - mid if ticket.buys else mid - average) / mid
    outcome = _outcome(ticket, sent, filled)
    return Execution(
        ticket.request, ticket.symbol, ticket.side, ticket.quantity, filled, average, outcome, slippage, why, known
    )


def outcome_of(sent: Sent) -> str:
    """The name of `order_outcome` for a settled order."""
    return sent.failed or "FAILED" if sent.state is None else outcome_of_state(sent.state)


def outcome_of_state(state: OrderState) -> str:
    """The name of `order_outcome` for an order as the venue tells its end."""
    if state.status is Status.FILLED:
        return "FILLED"
    return "PARTLY_FILLED" if state.filled > 0 else state.status.value


def _outcome(ticket: Ticket, sent: Sequence[Sent], filled: float) -> str:
    if filled >= ticket.quantity * (1 - SAME):
        return "FILLED"
    if filled > 0:
        return "PARTLY_FILLED"
    return outcome_of(sent[-1]) if sent else "FAILED"
