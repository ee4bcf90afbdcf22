"""Connections that ask or read nothing: given up after a while, and the oldest at once where there are too many.

Each takes one of the files that the process may have open. A program that opens them and forgets them would leave none,
neither for whoever pulls the stop nor for the fund itself, which could decide nothing any more.
"""

from __future__ import annotations

import asyncio
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE_SECONDS = 30.0
"""How long a request may take to arrive, a connection to ask for anything at all, and a caller to read on."""

MOST = 400
"""Connections at once, if the system permits twice as many files. Of more, those that wait longest are given up."""


class Connection(H11Protocol):
    """A connection as uvicorn has it, which is not kept for a caller that asks nothing, or reads no answer."""

    since: float = 0.0
    """When (s, of the loop) it came, or was answered last."""

    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    """When it is given up because its caller does not read."""

    @property
    def waits(self) -> bool:
        """Whether it has nothing to answer: no request is there, or not all of one; or an answer that nobody reads."""
        cycle: Any = self.cycle
        return self._unread is not None or cycle is None or cycle.response_complete or cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # because uvicorn's is so
        """Somebody has connected."""
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
        self._let_be()
        self._is_read()
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
        self._is_to_read()

    def resume_writing(self) -> None:
        """Whoever asked has read on."""
        super().resume_writing()
        self._is_read()

    def give_up(self) -> None:
        """Close it, whatever is under way."""
        self._let_be()
        self._is_read()
        self.transport.abort()  # one that is closing, too: it would wait for whoever does not read

    def _watch_end(self) -> None:
        """One that closes is open until all that was answered is read."""
        if self.transport.is_closing():
            self._is_to_read()

    def _is_to_read(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(PATIENCE_SECONDS, self.give_up)

    def _is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _watch(self) -> None:
        if not self.waits:
            self._let_be()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(PATIENCE_SECONDS, self.give_up)

    def _let_be(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

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
