"""Stops that wait at the venue: where it takes them, a position is guarded even while the fund is not there.

A guard is an order that may only reduce, sized like the position and triggered at its stop. Its name follows from
these, and is written down before it is sent, so that whatever becomes of the guard and of this process, its fill is
found again. The new one is placed before the old one is cancelled: in between there are two, of which the second finds
nothing to reduce. A name is used anew only once the venue has said that its order ended: one that it does not find may
be there all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import TypeVar

import structlog

from modules.inputs import Listing, Position
from modules.runtime.ledger import Ledger, Lot, Purpose
from modules.venues.amounts import ceiled, floored
from modules.venues.intents import stem
from modules.venues.venue import (
    DuplicateClientId,
    Kind,
    NewOrder,
    OrderState,
    UnknownOrder,
    Venue,
    VenueError,
    WouldTrigger,
)

log = structlog.get_logger()

_T = TypeVar("_T")

MARK = stem("")[:3]
"""What the client ids of the fund begin with: orders of anybody else are left alone."""


@dataclass(slots=True)
class Guards:
    """The guards of the positions in `ledger`, at a venue that takes stops; at any other there are none.

    `clock` tells ms since 1970 UTC. `unsure` are the symbols of guards of which nobody knew, when `ended` was asked
    last, whether they have filled.
    """

    venue: Venue
    ledger: Ledger
    clock: Callable[[], int]
    unsure: frozenset[str] = frozenset()
    _guarded: set[str] = field(default_factory=set)
    """Where the fund may have stops, of the contracts that it has looked at."""

    _has_seen_all: bool = False

    def ended(self) -> list[tuple[OrderState, Purpose]]:
        """The guards that have filled, with why; each is told until the ledger has counted it."""
        found, unsure = [], set()
        for symbol, lot in sorted(self.ledger.lots.items()):
            for client_id in (c for c in lot.guards if c not in self.ledger.told):
                try:
                    order = self.venue.order(symbol, client_id, Kind.STOP)
                except UnknownOrder:
                    continue
                except VenueError as error:
                    log.warning("nobody knows whether a stop has filled", symbol=symbol, error=str(error))
                    unsure.add(symbol)
                    continue
                if self._is_on_its_way(order):
                    unsure.add(symbol)
                elif not order.is_open and order.filled > 0:
                    found.append((order, Purpose(why=why_stopped(lot.stop, lot.first_stop))))
                elif not order.is_open and client_id != lot.guard:
                    self.ledger.forget_guard(symbol, client_id)
        self.unsure = frozenset(unsure)
        return found

    def _is_on_its_way(self, order: OrderState) -> bool:
        """Whether a stop that was triggered may still arrive at the market; one that did not is lost."""
        if not (order.is_open and order.triggered):
            return False
        if order.filled > 0 or self.clock() - order.updated <= self.venue.arrival_ms:
            return True
        log.error("a stop was triggered and never traded", symbol=order.symbol, client_id=order.client_id)
        return False

    def renew(self, positions: Mapping[str, Position], listings: Mapping[str, Listing]) -> tuple[str, ...]:
        """Let every position with a stop have its guard, and nothing else one.

        Gives the symbols of the positions whose stop the price has reached: they are to be closed, for there is
        nothing to wait for.
        """
        if not self.venue.takes_stops:
            return ()
        waiting, reached = self._waiting(positions), []
        for _, position in sorted(positions.items()):
            lot = self.ledger.lots.get(position.symbol)
            if lot is None or lot.stop is None or lot.side != position.side or not position.quantity > 0:
                continue
            if self._guard(_order(position, lot, lot.stop, listings.get(position.symbol)), lot, waiting):
                reached.append(position.symbol)
        held = {p.symbol for p in positions.values()}
        for client_id, order in sorted(waiting.items()):
            lot = self.ledger.lots.get(order.symbol)
            guard = None if lot is None else lot.guard
            # One that stands in for a guard of which nobody is sure is better than none.
            if order.symbol not in held or guard not in {None, client_id}:
                _tried(f"cancelling {client_id}", partial(self.venue.cancel, order.symbol, client_id, Kind.STOP))
        return tuple(reached)

    def _waiting(self, positions: Mapping[str, Position]) -> dict[str, OrderState]:
        """The fund's own stops that wait: the first time of all contracts, then of those where there may be one.

        What the venue does not list may be there: a guard is known by its name all the same.
        """
        found, untold = None, set()
        if not self._has_seen_all:
            found = _tried("the stops of all contracts", self.venue.stops)
            self._has_seen_all = found is not None
        if found is None:
            there = {p.symbol for p in positions.values()} | set(self.ledger.lots) | self._guarded
            by_symbol = {s: _tried(f"the stops of {s}", partial(self.venue.stops, s)) for s in sorted(there)}
            untold = {symbol for symbol, orders in by_symbol.items() if orders is None}
            found = [order for orders in by_symbol.values() for order in orders or ()]
        mine = {o.client_id: o for o in found if o.waits and o.client_id.startswith(MARK)}
        self._guarded = {o.symbol for o in mine.values()} | untold
        return mine

    def _guard(self, order: NewOrder, lot: Lot, waiting: Mapping[str, OrderState]) -> bool:
        """Let the guard be there whose name begins as that of `order`; whether the price has reached its trigger."""
        start, symbol = order.client_id, order.symbol
        there = next((c for c, o in sorted(waiting.items()) if c.startswith(start) and o.symbol == symbol), None)
        if there is not None:
            self._keep(symbol, there)
            return False
        for attempt in count():
            named = replace(order, client_id=f"{start}{attempt}")
            known = self._known(symbol, named.client_id)
            if known is _ENDED:
                continue  # of this one there is an end already: the next one has another name
            if known is _WAITS or (known is _UNTOLD and named.client_id in lot.guards):
                return False
            self.ledger.send_guard(symbol, named.client_id)
            try:
                self.venue.place(named)
            except WouldTrigger:
                self.ledger.forget_guard(symbol, named.client_id)
                return True
            except DuplicateClientId:
                known = self._known(symbol, named.client_id)
                if known is _ENDED:
                    continue
                if known is _UNKNOWN:
                    self._keep(symbol, named.client_id)
                return False
            except VenueError as error:
                self._not_placed(named, error)
                return False
            self._keep(symbol, named.client_id)
            return False
        return False

    def _not_placed(self, order: NewOrder, error: VenueError) -> None:
        """A stop was refused, or its answer was lost: then it is there if the venue says so."""
        if error.is_certain:
            self.ledger.forget_guard(order.symbol, order.client_id)
        elif self._known(order.symbol, order.client_id) is _WAITS:
            return
        log.warning("a stop is watched, and not at the venue", symbol=order.symbol, error=str(error))

    def _known(self, symbol: str, client_id: str) -> str:
        """How a guard stands that was sent. One that waits is kept as the guard of its position."""
        try:
            order = self.venue.order(symbol, client_id, Kind.STOP)
        except UnknownOrder:
            return _UNKNOWN
        except VenueError as error:
            log.warning("the venue does not tell of a stop", symbol=symbol, error=str(error))
            return _UNTOLD
        if not order.waits:
            return _ENDED
        self._keep(symbol, client_id)
        return _WAITS

    def _keep(self, symbol: str, client_id: str) -> None:
        self._guarded.add(symbol)
        if self.ledger.lots[symbol].guard != client_id:
            self.ledger.set_guard(symbol, client_id)


_WAITS, _ENDED, _UNKNOWN, _UNTOLD = "waits", "ended", "unknown", "untold"
"""How a guard stands: one that is triggered guards no longer, and counts as ended."""


def _order(position: Position, lot: Lot, stop: float, listing: Listing | None) -> NewOrder:
    """The guard of a position, its name without the number of the attempt."""
    tick, step = (None, None) if listing is None else (listing.tick, listing.step)
    trigger = ceiled(stop, tick) if position.sign > 0 else floored(stop, tick)
    against = "SHORT" if position.sign > 0 else "LONG"
    quantity = floored(position.quantity, step)
    start = stem(f"guard:{position.symbol}:{lot.opened}:{trigger!r}:{quantity!r}")
    return NewOrder(start, position.symbol, against, quantity, Kind.STOP, reduce_only=True, trigger=trigger)


def why_stopped(stop: float | None, first: float | None) -> str:
    """The name of `trade_exit` for a position closed at its stop: one that was moved has trailed the price."""
    return "STOP_LOSS" if stop == first else "TRAILING_STOP"


def _tried(what: str, call: Callable[[], _T]) -> _T | None:
    try:
        return call()
    except UnknownOrder:
        return None
    except VenueError as error:
        log.warning("the venue did not do it", what=what, error=str(error))
        return None
