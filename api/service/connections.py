"""Connections that ask or read nothing: given up after a while, and the oldest at once where there are too many.

Each takes one of the files that the process may have open. A program that opens them and forgets them would leave none,
neither for whoever pulls the stop nor for the fund itself, which could decide nothing any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE_SECONDS = 30.0
"""How long a request may take to arrive, a connection to ask for anything at all, and a caller to read on."""

MOST = 400
"""Connections at once, if the system permits twice as many files. Of more, those that wait longest are given up."""


class Patience:
    """A time within which something is to happen, or `then` is called; it runs from the first `begin` to an `end`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
        self._loop, self._then = loop, then
        self._timer: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        """Whether something is waited for."""
        return self._timer is not None

    def begin(self) -> None:
        """Wait from now on; from then on where that was begun before."""
        if self._timer is None:
            self._timer = self._loop.call_later(PATIENCE_SECONDS, self._then)

    def end(self) -> None:
        """It has happened, or is not waited for any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Connection(H11Protocol):
    """A connection as uvicorn has it, which is not kept for a caller that asks nothing, or reads no answer."""

    since: float = 0.0
    """When (s, of the loop) it came, or was answered last."""

    _to_ask: Patience
    _to_read: Patience

    @property
    def waits(self) -> bool:
        """Whether it has nothing to answer: no request is there, or not all of one; or an answer that nobody reads."""
        cycle: Any = self.cycle
        return self._to_read.runs or cycle is None or cycle.response_complete or cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # because uvicorn's is so
        """Somebody has connected."""
        self._to_ask, self._to_read = Patience(self.loop, self.give_up), Patience(self.loop, self.give_up)
        super().connection_made(transport)
        self.since = self.loop.time()
        self._make_room()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Something of a request has come."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._to_ask.end()
        self._to_read.end()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Somebody was answered; uvicorn gives up by itself what asks nothing after that."""
        self.since = self.loop.time()
        super().on_response_complete()
        self._watch_end()

    def timeout_keep_alive_handler(self) -> None:
        """It asked nothing after an answer."""
        super().timeout_keep_alive_handler()
        self._watch_end()

    def pause_writing(self) -> None:
        """More is to be read than whoever asked has read."""
        super().pause_writing()
        self._to_read.begin()

    def resume_writing(self) -> None:
        """Whoever asked has read on."""
        super().resume_writing()
        self._to_read.end()

    def give_up(self) -> None:
        """Close it, whatever is under way."""
        self._to_ask.end()
        self._to_read.end()
        self.transport.abort()  # one that is closing, too: it would wait for whoever does not read

    def _watch_end(self) -> None:
        """One that closes is open until all that was answered is read."""
        if self.transport.is_closing():
            self._to_read.begin()

    def _watch(self) -> None:
        if self.waits:
            self._to_ask.begin()
        else:
            self._to_ask.end()

    def _make_room(self) -> None:
        most = most_connections()
        if len(self.connections) <= most:
            return
        idle = [c for c in self.connections if isinstance(c, Connection) and c is not self and c.waits]
        for one in sorted(idle, key=lambda c: c.since)[: len(self.connections) - most]:
            one.give_up()


def most_connections() -> int:
    """How many connections there may be: half of the files that the process may have open are left to the fund."""
    soft, _ = getrlimit(RLIMIT_NOFILE)
    return MOST if soft == RLIM_INFINITY else min(MOST, soft // 2)
