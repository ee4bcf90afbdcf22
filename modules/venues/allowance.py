"""How long whoever asks a venue waits: one time for all the questions of a snapshot, one of its own for each order.

It goes with the thread, as a context variable, so that it holds through every venue on the way. Without any, a venue is
asked as patiently as its own manners say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from modules.venues.venue import HungUp, OutOfTime

MOST_AT_ONCE = 8
"""Questions of one snapshot that are under way at the same time."""

_CURRENT: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


@dataclass(slots=True)
class Allowance:
    """Time to answer `until` a moment of the monotonic clock, and no longer than `each` seconds for one question.

    What ran out of time is among `unanswered`, by what was asked: it is not asked again, for it would only take the
    time of the others. What is `urgent` goes ahead of other requests where those queue for the venue's rate limit.
    """

    until: float = math.inf
    each: float = math.inf
    urgent: bool = False
    unanswered: set[str] = field(default_factory=set)
    _pending: set[Future[Any]] = field(default_factory=set)
    _is_over: bool = False

    def left(self, what: str) -> float:
        """The seconds that a question has. Raises OutOfTime where it has none, and HungUp after `break_off`."""
        if self._is_over:
            raise HungUp(f"{what}: asking was broken off")
        if what in self.unanswered:
            raise OutOfTime(f"{what}: not asked again, for it had no answer a moment ago")
        left = min(self.until - monotonic(), self.each)
        if left <= 0:
            raise OutOfTime(f"{what}: not asked, for the time for questions is over")
        return left

    def part(self, share: float) -> Allowance:
        """A share of what is left, for questions that others wait for."""
        now = monotonic()
        return Allowance(now + (self.until - now) * share, self.each, self.urgent, self.unanswered)

    @contextmanager
    def waiting(self, future: Future[Any]) -> Iterator[None]:
        """Within the block the future is cancelled by `break_off`."""
        self._pending.add(future)
        try:
            if self._is_over:
                future.cancel()
            yield
        finally:
            self._pending.discard(future)

    def break_off(self) -> None:
        """Cancel what is being asked, and let nothing be asked after it. From any thread."""
        self._is_over = True
        for future in list(self._pending):
            future.cancel()


def allowance() -> Allowance | None:
    """The time that questions of this thread have; None where nobody has set any."""
    return _CURRENT.get()


@contextmanager
def allowing(time: Allowance) -> Iterator[Allowance]:
    """Let questions within the block have this time."""
    token = _CURRENT.set(time)
    try:
        yield time
    finally:
        _CURRENT.reset(token)


def asked_together(calls: Sequence[Callable[[], Any]], *, at_once: bool) -> list[Any]:
    """What the calls give, in their order: each in a thread of its own where they are made at once.

    All of them have ended by then. Raises what the first one of them raises.
    """
    if not at_once or len(calls) < 2:  # noqa: PLR2004 -- one alone has nobody to go with
        return [call() for call in calls]
    with ThreadPoolExecutor(min(len(calls), MOST_AT_ONCE), thread_name_prefix="questions") as pool:
        futures = [pool.submit(copy_context().run, call) for call in calls]
    return [future.result() for future in futures]
