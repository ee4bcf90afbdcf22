"""The event loop on which a venue is asked, in a thread of its own: whoever waits for an answer can stop waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import nullcontext, suppress
from threading import Lock, Thread, current_thread
from typing import Any, TypeVar

from modules.venues.allowance import Allowance
from modules.venues.venue import HungUp

T = TypeVar("T")

SLACK = 1.0
"""Seconds beyond its time for the loop to say that an answer is late; after that nobody waits for the loop either."""

PARTING = 1.0
"""Seconds for connections to be closed in order."""


class Line:
    """Runs coroutines for other threads. It begins with the first one; `parting` is awaited on the loop at its end."""

    def __init__(self, parting: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._parting = parting
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._is_closed = False
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

    def _begun(self, what: str, make: Callable[[], Awaitable[T]], seconds: float | None) -> Future[T]:
        with self._lock:
            # What is begun before `close` is cancelled by it; nothing may be begun that nobody would end.
            if self._is_closed:
                raise HungUp(f"{what}: asking is over")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # The process may end without it, as when a venue was never told to hang up.
                self._thread = Thread(target=self._live, args=(self._loop,), name="venue", daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(_within(make, seconds), self._loop)

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
