"""What a request was judged on, and whether that still holds when its order is to go.

Between the decision and the order the book may have become another: an exit before it, a stop at the venue or somebody
else has traded. What was judged as an exit stays one, whatever there is to take off by then. New risk is what was
judged, or it is not taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from modules.inputs import Position, Request
from modules.sources.effects import EXITS, SAME, effect_of, held_against
from modules.venues.amounts import floored
from modules.venues.intents import Ticket


@dataclass(frozen=True, slots=True)
class Grounds:
    """What the rules saw when they answered a request.

    `positions` is None where nobody knew them. New risk may be taken `until` then (ms since 1970 UTC), None for always.
    `stop_requested` says whether a person's stop was among what the rules saw.
    """

    positions: Mapping[str, Position] | None
    until: int | None = None
    stop_requested: bool = False

    def effect(self, request: Request) -> str | None:
        """What the request was to do to the book, a name of `effect`; None where it could not be known."""
        return effect_of(request, self.positions).effect

    def mark(self, request: Request) -> float | None:
        """The mark price of the position that the request was to take off; None where it is no exit, or has none."""
        held = (self.positions or {}).values() if self.effect(request) in EXITS else ()
        marks = (p.mark for p in held if p.symbol == request.symbol and p.side != request.side and p.quantity > 0)
        return next((mark for mark in marks if math.isfinite(mark) and mark > 0), None)

    def refusal(self, request: Request, positions: Mapping[str, Position], at: int) -> str | None:
        """Why the new risk of a request is not taken at `at` (ms) from `positions`; None where it is what was judged.

        An order that turns a position over adds more than was judged where less of that is left.
        """
        if self.until is not None and at > self.until:
            return "it was allowed too long ago"
        judged, does = self.effect(request), effect_of(request, positions).effect
        if judged != does:
            return f"it was judged as {judged or 'nothing that is known'}, and is {does or 'not known'} by now"
        before, now = (held_against(request.symbol, request.side, held) for held in (self.positions or {}, positions))
        if now < before * (1 - SAME):
            return f"it was to turn over a position of {before:g}, of which {now:g} is left"
        return None


def taking_off(ticket: Ticket, positions: Mapping[str, Position] | None, step: float | None) -> Ticket:
    """The ticket as an exit: it may only reduce, and is of what is left; of all of it where nobody knows what is.

    Its quantity is a multiple of `step`, as far as that is known; 0 where nothing is left.
    """
    left = ticket.quantity if positions is None else held_against(ticket.symbol, ticket.side, positions)
    against = "SHORT" if ticket.buys else "LONG"
    quantity = floored(min(ticket.quantity, left), step)
    return replace(ticket, quantity=quantity, acts_on=against, adds_risk=False, reduce_only=True)
