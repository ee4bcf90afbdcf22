"""What the fund means to order, on the disk before it is sent, and what came of it.

A request to trade is worked by one or more orders. Each order is written down as an intent, sent, and written down
again as the venue tells it at its end; or as one that the venue certainly does not have. An intent without an end is
unsettled: only the venue knows what became of it.

When it is opened the log may be made smaller. What ended more than a day before its newest line is kept in full only
while it is unsettled or filled something that the ledger has not counted; of the rest stays what the request was and
how it ended, so that it is told and not done again, and nothing at all where its name cannot come up again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from threading import RLock
from typing import Any

from modules.venues.journal import journal_at
from modules.venues.venue import Kind, NewOrder, OrderState, Status

DIGITS = 24
"""Hexadecimal digits of a request's digest in a client id: 96 bits, and short enough for the 36 that venues take."""


WHOLE_MS = 86_400_000
"""How long what has ended is kept in full: nothing looks back further than that at single orders."""


class NamedAfter(StrEnum):
    """What the name of a request was made of, so whether it can come up again."""

    CALLER = "CALLER"
    """Somebody has chosen it, and may send it again at any time."""

    POSITION = "POSITION"
    """A position as it was: it may come up as long as that is held."""

    MOMENT = "MOMENT"
    """A time, which does not come again."""


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
    `named_after` is for the log.
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
    named_after: NamedAfter = NamedAfter.CALLER

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
        self._is_as_opened = True
        self._news: list[tuple[Ticket, Sent]] = []
        self._read()

    def _read(self) -> None:
        self.worked, self._requests, self._news = {}, {}, []
        self._journal.replay(self._take)
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

    @property
    def client_ids(self) -> frozenset[str]:
        """The orders of which the log tells."""
        with self._lock:
            return frozenset(self._requests)

    def compact(self, counted: Container[str], held: Mapping[str, int]) -> None:
        """Make the log smaller, if at least half of its lines can go; to be called before anything else is done.

        `counted` are the client ids of the orders that the ledger has counted, `held` the symbols of its positions with
        when they were opened (ms). Raises OSError where the disk refuses it; the log is then as it was.
        """
        with self._lock:
            if not self._is_as_opened:
                return
            works = self.worked.values()
            newest = max((max(work.ended_at, work.ticket.at) for work in works), default=0)
            over = {r for r, work in self.worked.items() if _is_over(work, counted, newest - WHOLE_MS)}
            kept = {r for r in over if _may_come_again(self.worked[r].ticket, held)}
            lines = [line for record in self._journal.records if (line := self._shortened(record, over, kept))]
            if 2 * len(lines) <= len(self._journal.records):
                self._journal.rewrite(lines)
                self._read()

    def _shortened(
        self, record: Mapping[str, Any], over: Container[str], kept: Container[str]
    ) -> Mapping[str, Any] | None:
        """A line as it is to be from now on; None for one that is to go."""
        request = _request_of(record)
        if request not in over:
            return record
        if request not in kept or record["is"] not in {"end", "done"}:
            return None
        ticket = {name: value for name, value in asdict(self.worked[request].ticket).items() if value is not None}
        return {**record, "is": "done", "ticket": ticket}

    def close(self) -> None:
        """Lets go of the file."""
        self._journal.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        with self._lock:
            self._is_as_opened = False
            self._journal.append(record)
            self._take(record)

    def _take(self, record: Mapping[str, Any]) -> None:
        match record["is"]:
            case "request":
                ticket = _ticket(record["ticket"])
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
            case "done":
                ended = Execution(**{**record["execution"], "orders": ()})
                self.worked[ended.request] = Worked(_ticket(record["ticket"]), [], ended, record["at"])
            case other:
                raise ValueError(f"nobody knows what `{other}` is")

    def _replace(self, request: str, client_id: str, **found: Any) -> None:
        work = self.worked[request]
        for place, sent in enumerate(work.orders):
            if sent.order.client_id == client_id:
                work.orders[place] = replace(sent, **found)
                if work.orders[place].is_settled and not sent.is_settled:
                    self._news.append((work.ticket, work.orders[place]))


def _request_of(record: Mapping[str, Any]) -> str:
    match record["is"]:
        case "request":
            return str(record["ticket"]["request"])
        case "end" | "done":
            return str(record["execution"]["request"])
    return str(record["request"])


def _is_over(work: Worked, counted: Container[str], before: int) -> bool:
    """Whether a request ended before that time (ms), and every fill of it has been counted."""
    if work.end is None or max(work.ended_at, work.ticket.at) >= before:
        return False
    return all(
        sent.is_settled and (sent.state is None or sent.state.filled == 0 or sent.order.client_id in counted)
        for sent in work.orders
    )


def _may_come_again(ticket: Ticket, held: Mapping[str, int]) -> bool:
    match ticket.named_after:
        case NamedAfter.MOMENT:
            return False
        case NamedAfter.POSITION:
            return ticket.symbol in held and held[ticket.symbol] <= ticket.at
    return True


def _ticket(fields: Mapping[str, Any]) -> Ticket:
    return Ticket(**{**fields, "named_after": NamedAfter(fields.get("named_after", NamedAfter.CALLER))})


def _order(fields: Mapping[str, Any]) -> NewOrder:
    return NewOrder(**{**fields, "kind": Kind(fields["kind"])})


def _state(fields: Mapping[str, Any]) -> OrderState:
    return OrderState(**{**fields, "kind": Kind(fields["kind"]), "status": Status(fields["status"])})
