"""Does what was decided: first what stops, then what takes risk off, and only then what adds any.

Every order is written down before it is sent, under a name that follows from what it is for. A snapshot that comes
again, or a restart, finds the name there and does nothing twice. What closes a position is tried anew with every
snapshot that still asks for it, for an exit is never to be locked; it may only reduce, so that trying again cannot
turn a position over.

What is to be added to a position is not ordered but asked for: it is a request of the next snapshot, and judged by
every rule there is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import TypeVar

import structlog

from evaluators.timelines import DEFAULT_MAX_GAP
from modules.assembly import Supplied
from modules.emergency_stop_system import CANCEL, FLATTEN
from modules.estimates.progress import is_known
from modules.grounds import Grounds
from modules.inputs import Inputs, OrderEnd, Position, Request, Ticker
from modules.judge import Answer, Judge, packaged_bundle
from modules.profit_amplification import ProfitAmplificationLayer
from modules.runtime.guards import Guards, why_stopped
from modules.runtime.ledger import Ledger, Lot, Purpose
from modules.runtime.outcomes import Outcome
from modules.runtime.position_actions import (
    Exit,
    addition,
    exits,
    lower_leverage,
    moved_stop,
    name_of,
    positions_of,
)
from modules.self_healing import ACTIONS as REPAIRS
from modules.smart_execution import SmartExecution, terms_of
from modules.smart_execution import name_of as request_name
from modules.sources import BookSource
from modules.sources.effects import EXITS
from modules.supply import Supply
from modules.venues.amounts import floored
from modules.venues.desk import Terms, Unsettled, outcome_of
from modules.venues.intents import NamedAfter, Ticket
from modules.venues.venue import OrderState, Rejected, UnknownOrder, Venue, VenueError
from policy_dsl.bundle import Bundle

log = structlog.get_logger()

_T = TypeVar("_T")

VERDICT, ALLOW = "verdict", "ALLOW"
VENUE_SERVICE = "venue"
"""The service that stands for the way to the venue."""

ADDS_EVERY_MS = int(ProfitAmplificationLayer.adds_every * 1000)
"""What may be added is asked for in the rhythm of the module whose policy grants it."""


@dataclass(slots=True)
class Actions:
    """The hands of a fund at `venue`. `ledger` knows how positions began, `bundle` gives the rules in force.

    New risk that was allowed longer than `max_gap` (ms) ago is not taken: no snapshot counts for as long as that.

    A failure of one action is no reason to leave out the next one; what could not be done is logged, and is decided
    anew with the next snapshot.
    """

    venue: Venue
    execution: SmartExecution
    ledger: Ledger = field(default_factory=Ledger)
    bundle: Callable[[], Bundle] = packaged_bundle
    max_gap: int = DEFAULT_MAX_GAP
    _ended: deque[tuple[OrderState, Purpose]] = field(default_factory=deque)
    _refused: list[OrderEnd] = field(default_factory=list)
    _wanted: dict[str, Request] = field(default_factory=dict)
    _asked_at: dict[str, int] = field(default_factory=dict)
    _outcomes: tuple[int, dict[str, Outcome]] = (0, {})
    _has_no_stops: bool = False
    """Whether the emergency stop that holds has seen that no stop is left but guards."""

    _judge: Judge | None = None
    _guards: Guards = field(init=False)

    def __post_init__(self) -> None:
        self._guards = Guards(self.venue, self.ledger, self.execution.clock)
        if not self.venue.takes_stops:
            log.warning("stops are watched by the fund alone: the venue is given none", venue=self.venue.name)

    # --- what came of it -------------------------------------------------------------------------------------------

    def ended(self) -> list[tuple[OrderState, Purpose]]:
        """The orders that ended since this was asked last, with why each was sent; the ledger has counted them."""
        self._count()
        for order, why in self._guards.ended():
            self._keep(order, why)
        found = list(self._ended)
        self._ended.clear()
        return found

    def unsure(self) -> frozenset[str]:
        """The symbols in which a stop may have filled, by the last time `ended` was asked, and nobody knows yet."""
        return self._guards.unsure

    def refused(self) -> list[OrderEnd]:
        """The orders that never were at the venue, of those that came to an end by the last time `ended` was asked."""
        found, self._refused = self._refused, []
        return found

    def _count(self) -> None:
        """Let the ledger know of every order that ended, as soon as it has."""
        at = self.execution.clock()
        for ticket, sent in self.execution.intents.news():
            if sent.state is not None:
                self._keep(sent.state, purpose_of(ticket))
                continue
            notional = sent.order.quantity * ticket.mark
            self._refused.append(OrderEnd(at, ticket.symbol, ticket.acts_on, notional, outcome_of(sent)))

    def _keep(self, order: OrderState, why: Purpose) -> None:
        """An order that ended; one that the ledger has counted was told before."""
        if order.client_id not in self.ledger.told:
            self.ledger.count(self.execution.clock(), order, why)
            self._ended.append((order, why))

    def outcomes(self, ts: int) -> Mapping[str, Outcome]:
        """What came of the requests that were allowed at `ts` (ms), by key; none where that is not the newest time."""
        at, found = self._outcomes
        return found if at == ts else {}

    def wanted(self, ts: int) -> Mapping[str, Request]:
        """What the fund itself asks for at the snapshot of `ts` (ms since 1970 UTC), by key; asked for once."""
        found, self._wanted = self._wanted, {}
        return {key: replace(request, at=ts) for key, request in found.items()}

    # --- what is done ----------------------------------------------------------------------------------------------

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        """Stop, take off, trade and protect as the rules say: orders are gone before positions are closed."""
        self._wanted, self._outcomes = {}, (inputs.ts, {})
        stops = answer.outputs.get("ess.actions", {})  # rules need not have a stop
        self._has_no_stops = self._has_no_stops and CANCEL in stops
        if CANCEL in stops:
            self._cancel_all("the open orders", self.venue.open_orders)
        flattened = FLATTEN in stops
        if flattened:
            self._flatten(inputs)
        if CANCEL in stops and self.venue.takes_stops and not self._has_no_stops:
            # All stops are slow to ask for: that holds up no exit, and is done until none is left that may add risk.
            self._has_no_stops = self._cancel_all("the stops", self.venue.stops)
        self._repair(answer)
        leaving = [] if flattened else exits(answer, positions_of(inputs))
        self._take_off(leaving, inputs)
        grounds = Grounds(inputs.book.positions, inputs.ts + self.max_gap, inputs.machinery.operator.stop_requested)
        for key in _in_turn(answer, inputs, grounds):
            self._trade(key, answer, inputs, grounds)
        self._count()
        if not flattened:
            gone = {part.key for part in leaving}
            self._look_after({k: p for k, p in sorted(positions_of(inputs).items()) if k not in gone}, answer, inputs)
        self._guard(inputs)

    def _cancel_all(self, what: str, ask: Callable[[], Iterable[OrderState]]) -> bool:
        """Cancel what rests or waits; whether there was nothing to cancel.

        Guards stay: they are what closes a position when nobody is there to.
        """
        there = self._try(what, ask)
        orders = [order for order in there or () if not order.is_guard]
        for order in orders:
            named = (order.symbol, order.client_id, order.kind)
            self._try(f"cancelling {order.client_id}", partial(self.venue.cancel, *named))
            ended = self._try(f"asking for {order.client_id}", partial(self.venue.order, *named))
            if ended is not None and not ended.is_open:
                self._keep(ended, Purpose(why="FORCED"))
        return there is not None and not orders

    def _flatten(self, inputs: Inputs) -> None:
        """Close every position that the venue has now; the next snapshot shows whether any is left."""
        for symbol, held in sorted((self._try("the positions", self.venue.positions) or {}).items()):
            name = self._next(f"FLATTEN:{symbol}@{inputs.ts}")
            if name is not None:
                ticket = _ticket(name, held, held.quantity, inputs.ts, "FORCED", NamedAfter.MOMENT)
                self._try(f"closing {symbol}", partial(self.execution.take_off, ticket, None))

    def _repair(self, answer: Answer) -> None:
        """What the rules permit for the way to the venue: no connection is kept, but what it told may be forgotten."""
        permitted = (answer.outputs.get(REPAIRS) or {}).get(VENUE_SERVICE) or {}
        if {"RECONNECT", "CLEAR_CACHE"} & set(permitted):
            self.execution.listings.forget()

    def _take_off(self, leaving: Iterable[Exit], inputs: Inputs) -> None:
        """Carry exits out, those that cannot wait first."""
        in_turn = sorted(leaving, key=lambda part: (part.urgency != "HIGH", part.key))
        terms = self._terms(in_turn, inputs.ts)
        for part in in_turn:
            ticket = self._exit_ticket(part, inputs.ts)
            if ticket is not None:
                self._try(f"{part.act} of {part.key}", partial(self.execution.take_off, ticket, terms.get(part.key)))

    def _exit_ticket(self, part: Exit, ts: int) -> Ticket | None:
        """The exit as it is worked; None where it has been done."""
        position = part.position
        name = self._next(name_of(part.act, position) + (f"@{ts}" if part.again else ""))
        quantity = position.quantity
        if part.share < 1:
            listing = self.execution.listings.known(position.symbol)
            quantity = floored(quantity * part.share, None if listing is None else listing.step)
        after = NamedAfter.MOMENT if part.again else NamedAfter.POSITION
        return None if name is None or quantity <= 0 else _ticket(name, position, quantity, ts, part.why, after)

    def _next(self, name: str) -> str | None:
        """The name under which an act is tried now, None where it was done.

        One of which nobody knows yet what came of it keeps its name: under that it is asked for, and not sent again.
        """
        tries = (f"{name}#{attempt}" for attempt in count())
        worked = self.execution.intents.worked
        last = next(t for t in tries if t not in worked or (end := worked[t].end) is None or end.filled > 0)
        return None if last in worked and worked[last].end is not None else last

    def _terms(self, leaving: list[Exit], ts: int) -> Mapping[str, Terms]:
        """How exits trade by the rules, which leave exits out of nearly everything; none where they do not say.

        Nor is there a price to go by for a position without a mark.
        """
        leaving = [part for part in leaving if is_known(part.position.mark) and part.position.mark > 0]
        if not leaving:
            return {}
        rows = {
            part.key: {
                "symbol": part.position.symbol,
                "side": part.position.side,
                "effect": "CLOSE" if part.share >= 1 else "REDUCE",
                "urgency": part.urgency,
                "notional": part.position.notional * part.share,
            }
            for part in leaving
        }
        bundle = self.bundle()
        if self._judge is None or self._judge.bundle.program.hash != bundle.program.hash:
            self._judge = Judge(bundle)
        asked = Supplied("hands", BookSource.owners, ts, Supply(rows={"request": rows}))
        answer = self._judge.answer(ts, [asked], why=False)
        found: dict[str, Terms] = {}
        for key in rows:
            try:
                found[key] = terms_of(key, answer)
            except ValueError as error:
                log.warning("an exit goes at any price", position=key, error=str(error))
        return found

    def _look_after(self, staying: Mapping[str, Position], answer: Answer, inputs: Inputs) -> None:
        """Move stops, lower leverage, and ask for what may be added."""
        for key, position in staying.items():
            stop = moved_stop(answer, key, position)
            if stop is not None and self._lot_of(position) is not None:
                self.ledger.set_stop(position.symbol, stop)
                log.info("a stop was moved", position=key, stop=stop)
            leverage = lower_leverage(answer, key, position)
            if leverage is not None:
                self._try(f"leverage of {key}", partial(self.venue.set_leverage, position.symbol, leverage))
            self._ask_for(key, position, answer, inputs.ts)

    def _lot_of(self, position: Position) -> Lot | None:
        """What the ledger knows of a position; None where it was closed or turned over since it was looked at."""
        lot = self.ledger.lots.get(position.symbol)
        same = lot is not None and (lot.side, lot.opened) == (position.side, position.opened) and not lot.is_over
        return lot if same else None

    def _guard(self, inputs: Inputs) -> None:
        """Guards for the positions as they are now, after all that was done to them.

        A stop that the price has reached meanwhile cannot be placed: its position is closed, and what is left of it
        guarded.
        """
        if not self.venue.takes_stops:
            return
        held, reached = self._renewed()
        if reached:
            log.warning("the price has reached stops that were to be placed", symbols=reached)
            known = self.ledger.positions({key: p for key, p in held.items() if p.symbol in reached})
            self._take_off([_stopped(key, position) for key, position in sorted(known.items())], inputs)
            self._count()
            self._renewed()

    def _renewed(self) -> tuple[Mapping[str, Position], tuple[str, ...]]:
        """The positions as they are, and in which of them the price has reached the stop."""
        held: Mapping[str, Position] = self._try("the positions", self.venue.positions) or {}
        listed = {p.symbol: self.execution.listings.known(p.symbol) for p in held.values()}
        return held, self._guards.renew(held, {s: listing for s, listing in listed.items() if listing is not None})

    def _ask_for(self, key: str, position: Position, answer: Answer, ts: int) -> None:
        """Ask at the next snapshot for what may be added to a position, unless that was asked for a moment ago."""
        asked = self._asked_at.get(key)
        if asked is not None and 0 <= ts - asked < ADDS_EVERY_MS:
            return
        name = self._next(name_of("ADD_SIZE", position))
        if name is None:
            return
        if name in self.execution.intents.worked:
            # What came of it decides whether any more is asked for.
            self._try(f"asking for {name}", partial(self.execution.told, name))
            return
        request = addition(answer, key, position, self._lot_of(position), name)
        if request is not None:
            self._asked_at[key] = ts
            self._wanted[f"add-{key}"] = request

    def _trade(self, key: str, answer: Answer, inputs: Inputs, grounds: Grounds) -> None:
        request = inputs.book.requests[key]
        ticker: Ticker | None = inputs.market.tickers.get(request.symbol)
        work = self.execution.intents.worked.get(request_name(key, request))
        before = work is not None and work.end is not None
        try:
            end = self.execution.execute(key, request, answer, grounds, ticker)
        except (Rejected, ValueError, Unsettled, VenueError) as error:
            log.warning("a request was not carried out", request=key, error=str(error))
            self._outcomes[1][key] = Outcome(None, str(error))
            return
        self._outcomes[1][key] = Outcome(end, end.why, before)
        if before:
            log.warning("a request was carried out before, and is not again", request=key, id=end.request)

    def _try(self, what: str, call: Callable[[], _T]) -> _T | None:
        try:
            return call()
        except UnknownOrder:
            return None
        except (VenueError, Unsettled) as error:
            log.warning("the venue did not do it", what=what, error=str(error))
            return None


def purpose_of(ticket: Ticket) -> Purpose:
    """Why the orders of a request were sent, as the ledger keeps it."""
    return Purpose(ticket.stop, ticket.model, ticket.why, ticket.target, ticket.confidence, ticket.votes)


def _stopped(key: str, position: Position) -> Exit:
    return Exit(key, position, "STOP", 1.0, why_stopped(position.stop, position.first_stop), "HIGH", again=True)


def _in_turn(answer: Answer, inputs: Inputs, grounds: Grounds) -> list[str]:
    """The requests that are allowed: those that take risk off before those that add any."""
    allowed = [key for key, verdict in answer.outputs.get(VERDICT, {}).items() if verdict == ALLOW]
    return sorted(allowed, key=lambda key: (grounds.effect(inputs.book.requests[key]) not in EXITS, key))


def _ticket(name: str, held: Position, quantity: float, ts: int, why: str, after: NamedAfter) -> Ticket:
    against = "SHORT" if held.side == "LONG" else "LONG"
    mark = next((price for price in (held.mark, held.entry) if is_known(price) and price > 0), 0.0)
    return Ticket(
        name, held.symbol, against, quantity, mark, ts, held.side, adds_risk=False, reduce_only=True, why=why,
        named_after=after,
    )  # fmt: skip
