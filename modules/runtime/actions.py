"""Does what was decided: first what stops, then what may trade."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog

from modules.emergency_stop_system import CANCEL, FLATTEN
from modules.inputs import Inputs, Position, Request
from modules.judge import Answer
from modules.runtime.ledger import Purpose
from modules.smart_execution import SmartExecution
from modules.venues.desk import Unsettled
from modules.venues.venue import Kind, NewOrder, OrderState, Rejected, UnknownOrder, Venue, VenueError

log = structlog.get_logger()

_T = TypeVar("_T")

VERDICT, ALLOW = "verdict", "ALLOW"


@dataclass(slots=True)
class Actions:
    """The hands of a fund at `venue`. `ended` collects orders that reached their end, with why each was sent.

    A failure of one action is no reason to leave out the next one; what could not be done is logged, and is decided
    anew with the next snapshot.
    """

    venue: Venue
    execution: SmartExecution
    _ended: deque[tuple[OrderState, Purpose]] = field(default_factory=deque)

    def ended(self) -> list[tuple[OrderState, Purpose]]:
        """The orders that ended since this was asked last."""
        found = list(self._ended)
        self._ended.clear()
        return found

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        """Cancel, flatten and trade as the rules say: orders are gone before positions are closed."""
        stops = answer.of("ess.actions")
        if CANCEL in stops:
            self._cancel_all()
        if FLATTEN in stops:
            self._flatten(inputs)
        for key, verdict in sorted(answer.outputs.get(VERDICT, {}).items()):
            if verdict == ALLOW:
                self._trade(key, inputs.book.requests[key], answer)

    def _cancel_all(self) -> None:
        for order in self._try("the open orders", self.venue.open_orders) or ():
            self._try(f"cancelling {order.client_id}", partial(self.venue.cancel, order.symbol, order.client_id))
            ended = self._try(f"asking for {order.client_id}", partial(self.venue.order, order.symbol, order.client_id))
            if ended is not None and not ended.is_open:
                self._ended.append((ended, Purpose(why="FORCED")))

    def _flatten(self, inputs: Inputs) -> None:
        """Close every position that the venue has now; the next snapshot shows whether any is left."""
        for symbol, held in sorted((self._try("the positions", self.venue.positions) or {}).items()):
            order = _closing(symbol, held, inputs.ts)
            ended = self._try(f"closing {symbol}", partial(self.venue.place, order))
            if ended is not None and not ended.is_open:
                self._ended.append((ended, Purpose(why="FORCED")))

    def _trade(self, key: str, request: Request, answer: Answer) -> None:
        try:
            done = self.execution.execute(key, request, answer)
        except (Rejected, ValueError, Unsettled, VenueError) as error:
            log.warning("a request was not carried out", request=key, error=str(error))
            return
        purpose = Purpose(request.stop, request.model, "SIGNAL")
        self._ended.extend((order, purpose) for order in done.orders if not order.is_open)

    def _try(self, what: str, call: Callable[[], _T]) -> _T | None:
        try:
            return call()
        except UnknownOrder:
            return None
        except VenueError as error:
            log.warning("the venue did not do it", what=what, error=str(error))
            return None


def _closing(symbol: str, held: Position, ts: int) -> NewOrder:
    against = "SHORT" if held.side == "LONG" else "LONG"
    return NewOrder(f"flat-{symbol}-{ts}", symbol, against, held.quantity, Kind.MARKET, reduce_only=True)
