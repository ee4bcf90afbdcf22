"""The event loop on which a venue is asked, in a thread of its own: whoever waits for an answer can stop waiting."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import nullcontext, suppress
from threading import Lock, Thread, current_thread
from time import monotonic
from typing import Any, TypeVar

from modules.venues.allowance import Allowance
from modules.venues.venue import HungUp, Unreachable

T = TypeVar("T")

SLACK = 1.0
"""Seconds beyond its time for the loop to say that an answer is late; after that nobody waits for the loop either."""

PARTING = 1.0
"""Seconds for connections to be closed in order."""


class _Loop(asyncio.SelectorEventLoop):
    """A loop that looks names up in threads which the process does not wait for: a lookup cannot be broken off."""

    async def getaddrinfo(self, host: Any, port: Any, **how: int) -> Any:
        """As `socket.getaddrinfo`."""
        found: Future[Any] = Future()
        Thread(target=_look_up, args=(found, host, port, how), name="lookup", daemon=True).start()
        return await asyncio.wrap_future(found, loop=self)


def _look_up(found: Future[Any], host: Any, port: Any, how: Mapping[str, int]) -> None:
    try:
        told = socket.getaddrinfo(host, port, **how)
    except (OSError, UnicodeError) as error:
        if found.set_running_or_notify_cancel():
            found.set_exception(error)
    else:
        if found.set_running_or_notify_cancel():
            found.set_result(told)


class Line:
    """Runs coroutines for other threads. It begins with the first one; `parting` is awaited on the loop at its end."""

    def __init__(self, parting: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._parting = parting
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._is_closed = False
        self._owed_since: float | None = None
        self._under_way = 0
        self._lock = Lock()

    def run(self, what: str, make: Callable[[], Awaitable[T]], time: Allowance | None) -> T:
        """What the coroutine gives, for which the calling thread waits.

        Raises TimeoutError where it takes longer than it is allowed, and HungUp where it was broken off: then it is
        cancelled, and what was sent may have arrived.
        """
        seconds = None if time is None else time.left(what)
        if seconds == float("inf"):
            seconds = None
        future = self._begun(what, make, seconds)
        try:
            with nullcontext() if time is None else time.waiting(future):
                return future.result(None if seconds is None else seconds + SLACK)
        except CancelledError:
            raise HungUp(f"{what}: asking was broken off") from None
        finally:
            future.cancel()  # where whoever waited was interrupted; else it is over
            self._over(future)

    def silence(self) -> float:
        """The seconds since the first of the requests that came after the last answer; 0 where there was none."""
        since = self._owed_since
        return 0.0 if since is None else monotonic() - since

    def _over(self, future: Future[Any]) -> None:
        """A request is over: one that was answered, if only by an error of the venue, breaks the silence."""
        with self._lock:
            self._under_way -= 1
            if not future.cancelled() and not isinstance(future.exception(), TimeoutError | Unreachable):
                self._owed_since = monotonic() if self._under_way else None

    def _begun(self, what: str, make: Callable[[], Awaitable[T]], seconds: float | None) -> Future[T]:
        with self._lock:
            # What is begun before `close` is cancelled by it; nothing may be begun that nobody would end.
            if self._is_closed:
                raise HungUp(f"{what}: asking is over")
            if self._loop is None:
                self._loop = _Loop()
                # The process may end without it, as when a venue was never told to hang up.
                self._thread = Thread(target=self._live, args=(self._loop,), name="venue", daemon=True)
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(_within(make, seconds), self._loop)
            self._under_way += 1
            if self._owed_since is None:
                self._owed_since = monotonic()
            return future

    def close(self) -> None:
        """Cancel everything, and end the thread. Whoever waits is told that it was broken off."""
        with self._lock:
            self._is_closed = True
            loop, thread = self._loop, self._thread
            self._loop = None
            if loop is not None:
                loop.call_soon_threadsafe(loop.stop)
        if thread is not None and thread is not current_thread():  # where a venue is collected on its own loop
            thread.join(PARTING + SLACK)

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_forever()
            loop.run_until_complete(_ended(self._parting))
        finally:
            loop.close()


async def _within(make: Callable[[], Awaitable[T]], seconds: float | None) -> T:
    async with asyncio.timeout(seconds):
        return await make()


async def _ended(parting: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Cancel everything else on the loop, and part."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    with suppress(TimeoutError):
        await _within(parting, PARTING)
