"""What the fund means to order, on the disk before it is sent, and what came of it.

A request to trade is worked by one or more orders. Each order is written down as an intent, sent, and written down
again as the venue tells it at its end; or as one that the venue certainly does not have. An intent without an end is
unsettled: only the venue knows what became of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import RLock
from typing import Any

from modules.venues.journal import journal_at
from modules.venues.venue import Kind, NewOrder, OrderState, Status

DIGITS = 24
"""Hexadecimal digits of a request's digest in a client id: 96 bits, and short enough for the 36 that venues take."""


def stem(request: str) -> str:
    """What the client ids of all orders of a request begin with; the same request gives the same ids, always."""
    return f"rf-{hashlib.sha256(request.encode()).hexdigest()[:DIGITS]}-"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request to trade as it is worked. `side` is LONG to buy, SHORT to sell; `quantity` in base units.

    `acts_on` is the side of the position that it acts on, `adds_risk` whether it opens or increases one. `mark` is the
    mark price as it is asked for, `worst` the worst price that the caller takes (None: the rules' cap alone), `traded`
    what trades in five minutes in quote currency (None: not known).

    The rest is for the book to remember of the position that it opens: the prices of its stop and target, its leverage,
    the model that proposes it with its confidence and votes, and `why` it is closed, a name of `trade_exit`.
    """

    request: str
    symbol: str
    side: str
    quantity: float
    mark: float
    at: int
    acts_on: str
    adds_risk: bool = True
    reduce_only: bool = False
    worst: float | None = None
    traded: float | None = None
    stop: float | None = None
    target: float | None = None
    leverage: float | None = None
    model: str | None = None
    confidence: float | None = None
    votes: int | None = None
    why: str = "SIGNAL"

    @property
    def buys(self) -> bool:
        """Whether it buys."""
        return self.side == "LONG"


@dataclass(frozen=True, slots=True)
class Sent:
    """An order: as it was meant at `at`, and its end as the venue told it.

    `failed` is the name of `order_outcome` of one that the venue does not have, and `why` why it has not.
    """

    order: NewOrder
    at: int
    state: OrderState | None = None
    failed: str | None = None
    why: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether it is known what became of it."""
        return self.failed is not None or (self.state is not None and not self.state.is_open)


@dataclass(frozen=True, slots=True)
class Execution:
    """What came of a request: `filled` of `asked` base units at `average` (None for nothing).

    `outcome` is a name of `order_outcome`; `slippage` is (average - mid at arrival) / mid against the trader, None
    where nothing was filled or the mid is not known. `why` says why no more was filled. `orders` are those that the
    venue has or had.
    """

    request: str
    symbol: str
    side: str
    asked: float
    filled: float
    average: float | None
    outcome: str
    slippage: float | None = None
    why: str = ""
    orders: tuple[OrderState, ...] = ()


@dataclass(slots=True)
class Worked:
    """A request, the orders that it came to, and its end."""

    ticket: Ticket
    orders: list[Sent] = field(default_factory=list)
    end: Execution | None = None
    ended_at: int = 0


class Intents:
    """The log at `path`; without one it is kept in memory, and lost with the process."""

    def __init__(self, path: Path | None = None) -> None:
        self.is_durable = path is not None
        self.worked: dict[str, Worked] = {}
        self._requests: dict[str, str] = {}
        self._lock = RLock()
        self._journal = journal_at(path)
        self._news: list[tuple[Ticket, Sent]] = []
        for record in self._journal.records:
            self._take(record)
        self._news = [(ticket, sent) for ticket, sent in self._news if sent.state is not None and sent.state.filled > 0]

    def begin(self, ticket: Ticket) -> None:
        """A request is being worked."""
        self._write({"is": "request", "ticket": asdict(ticket)})

    def intend(self, request: str, order: NewOrder, at: int) -> None:
        """An order is about to be sent. Once this returns it is on the disk."""
        self._write({"is": "intent", "request": request, "order": asdict(order), "at": at})

    def settle(self, request: str, state: OrderState) -> None:
        """The venue has told how an order stands."""
        self._write({"is": "state", "request": request, "state": asdict(state)})

    def never(self, request: str, client_id: str, outcome: str, why: str) -> None:
        """The venue certainly has no such order: it was REJECTED, or has FAILED to get there."""
        self._write({"is": "never", "request": request, "client_id": client_id, "outcome": outcome, "why": why})

    def end(self, execution: Execution, at: int) -> None:
        """A request is done with."""
        self._write({"is": "end", "execution": {**asdict(execution), "orders": []}, "at": at})

    def unsettled(self, symbol: str | None = None) -> list[tuple[str, Sent]]:
        """Requests and their orders of which nobody knows what became; of one symbol, or of all."""
        with self._lock:
            return [
                (request, sent)
                for request, work in self.worked.items()
                if symbol is None or work.ticket.symbol == symbol
                for sent in work.orders
                if not sent.is_settled
            ]

    def news(self) -> list[tuple[Ticket, Sent]]:
        """Orders of which it became known since this was asked last how they ended, oldest first.

        The first time in a process these are all that ever filled: whoever was told of them before knows which.
        """
        with self._lock:
            found, self._news = self._news, []
        return found

    def ticket_of(self, client_id: str) -> Ticket | None:
        """The request that an order belongs to; None for an order that is not the fund's."""
        with self._lock:
            request = self._requests.get(client_id)
            return None if request is None else self.worked[request].ticket

    def close(self) -> None:
        """Lets go of the file."""
        self._journal.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        with self._lock:
            self._journal.append(record)
            self._take(record)

    def _take(self, record: Mapping[str, Any]) -> None:
        match record["is"]:
            case "request":
                ticket = Ticket(**record["ticket"])
                self.worked[ticket.request] = Worked(ticket)
            case "intent":
                order = _order(record["order"])
                self.worked[record["request"]].orders.append(Sent(order, record["at"]))
                self._requests[order.client_id] = record["request"]
            case "state":
                state = _state(record["state"])
                self._replace(record["request"], state.client_id, state=state)
            case "never":
                self._replace(record["request"], record["client_id"], failed=record["outcome"], why=record["why"])
            case "end":
                work = self.worked[record["execution"]["request"]]
                known = tuple(sent.state for sent in work.orders if sent.state is not None)
                work.end = Execution(**{**record["execution"], "orders": known})
                work.ended_at = record["at"]

    def _replace(self, request: str, client_id: str, **found: Any) -> None:
        work = self.worked[request]
        for place, sent in enumerate(work.orders):
            if sent.order.client_id == client_id:
                work.orders[place] = replace(sent, **found)
                if work.orders[place].is_settled and not sent.is_settled:
                    self._news.append((work.ticket, work.orders[place]))


def _order(fields: Mapping[str, Any]) -> NewOrder:
    return NewOrder(**{**fields, "kind": Kind(fields["kind"])})


def _state(fields: Mapping[str, Any]) -> OrderState:
    return OrderState(**{**fields, "kind": Kind(fields["kind"]), "status": Status(fields["status"])})
