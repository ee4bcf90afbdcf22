"""Stops that wait at the venue: where it takes them, a position is guarded even while the fund is not there.

A guard is an order that may only reduce, sized like the position and triggered at its stop. Its name follows from
these, so that a process that died between sending and writing down finds its guard again. The new one is placed before
the old one is cancelled: in between there are two, of which the second finds nothing to reduce.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TypeVar

import structlog

from modules.inputs import Listing, Position
from modules.runtime.ledger import Ledger, Lot, Purpose
from modules.venues.amounts import ceiled, floored
from modules.venues.intents import stem
from modules.venues.venue import DuplicateClientId, Kind, NewOrder, OrderState, UnknownOrder, Venue, VenueError

log = structlog.get_logger()

_T = TypeVar("_T")

MARK = stem("")[:3]
"""What the client ids of the fund begin with: orders of anybody else are left alone."""


@dataclass(slots=True)
class Guards:
    """The guards of the positions in `ledger`, at a venue that takes stops; at any other there are none."""

    venue: Venue
    ledger: Ledger

    def ended(self) -> list[tuple[OrderState, Purpose]]:
        """The guards that are open no longer, with why; each is told until the ledger has counted it."""
        guarded = {s: lot for s, lot in sorted(self.ledger.lots.items()) if lot.guard is not None}
        if not guarded:
            return []
        there = _tried("the open orders", self.venue.open_orders)
        if there is None:
            return []
        ids = {order.client_id for order in there}
        found = []
        for symbol, lot in guarded.items():
            if lot.guard in ids or lot.guard is None:
                continue
            order = _tried(f"the guard of {symbol}", partial(self.venue.order, symbol, lot.guard))
            if order is not None and not order.is_open and order.filled > 0:
                found.append((order, Purpose(why=why_stopped(lot.stop, lot.first_stop))))
        return found

    def renew(self, positions: Mapping[str, Position], listings: Mapping[str, Listing]) -> None:
        """Let every position with a stop have its guard, and nothing else one."""
        if not self.venue.takes_stops:
            return
        orders = _tried("the open orders", self.venue.open_orders)
        if orders is None:
            return
        there = {o.client_id: o for o in orders if o.is_guard and o.client_id.startswith(MARK)}
        for _, position in sorted(positions.items()):
            lot = self.ledger.lots.get(position.symbol)
            if lot is not None and lot.stop is not None and position.quantity > 0:
                self._guard(position, lot, lot.stop, listings.get(position.symbol), there)
        kept = {lot.guard for lot in self.ledger.lots.values()}
        for client_id, order in sorted(there.items()):
            if client_id not in kept or order.symbol not in {p.symbol for p in positions.values()}:
                _tried(f"cancelling {client_id}", partial(self.venue.cancel, order.symbol, client_id))

    def _guard(
        self, position: Position, lot: Lot, stop: float, listing: Listing | None, there: Mapping[str, OrderState]
    ) -> None:
        tick = None if listing is None else listing.tick
        trigger = ceiled(stop, tick) if position.sign > 0 else floored(stop, tick)
        against = "SHORT" if position.sign > 0 else "LONG"
        start = stem(f"guard:{position.symbol}:{lot.opened}:{trigger!r}:{position.quantity!r}")
        if lot.guard is not None and lot.guard.startswith(start) and lot.guard in there:
            return
        for attempt in count():
            client_id = f"{start}{attempt}"
            order = NewOrder(
                client_id, position.symbol, against, position.quantity, Kind.STOP, reduce_only=True, trigger=trigger
            )
            try:
                self.venue.place(order)
            except DuplicateClientId:
                known = _tried(f"the guard of {position.symbol}", partial(self.venue.order, order.symbol, client_id))
                if known is None:
                    return
                if not known.is_open:
                    continue  # it was cancelled by somebody: the next one has another name
            except VenueError as error:
                log.warning("a stop is watched, and not at the venue", symbol=position.symbol, error=str(error))
                return
            self.ledger.set_guard(position.symbol, client_id)
            return


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
