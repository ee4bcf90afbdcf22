"""How an exchange of ccxt is asked: in the time that there is, again where that is safe, not while it wants silence."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import ccxt.async_support as ccxt
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from modules.venues import ccxt_records as records
from modules.venues.allowance import Allowance, allowance, allowing
from modules.venues.ccxt_client import UNREADABLE, Heard, heard, listening, translated
from modules.venues.ccxt_line import Line
from modules.venues.venue import ClockSkew, Malformed, OutOfTime, RateLimited, Unreachable, VenueError

SKEW_HOLDS_MS = 300_000
FIRST_DELAY, MOST_DELAY = 0.5, 10.0
T = TypeVar("T")

Ask = Callable[[], Awaitable[T]]
"""Asks the exchange, on the loop."""


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Manners:
    """How a venue is asked. `timeout` is in seconds; `attempts` counts the first one.

    Delays between attempts double from half a second to ten, times `jitter()` in 0..1. Whatever time there is for
    questions, an order, a cancel and a change of leverage have `order_timeout` seconds each, with what they need to
    know. `most_skew_ms` is how far the clocks may be apart for an order to be sent. `clock` tells ms since 1970 UTC.
    """

    timeout: float = 10.0
    attempts: int = 4
    order_timeout: float = 10.0
    most_skew_ms: int = 1_000
    jitter: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], int] = _wall_clock


class Asking:
    """Requests to the exchange called `name`, through ccxt's `client`. Errors of a venue say what was asked for.

    Every call waits for its answer, from any thread, and takes no longer than `modules.venues.allowance` says.
    """

    def __init__(self, name: str, client: Any, manners: Manners) -> None:
        self._name, self._client, self._manners = name, client, manners
        self.clock = manners.clock
        self.line = Line(client.close)
        self._quiet_until = 0
        self._skew_at: int | None = None

    def time(self) -> int:
        """The venue's clock."""
        return records.moment(self.read("the time", self._client.fetch_time), "the venue's time")

    def read(self, what: str, ask: Ask[T]) -> T:
        """Asks, again where the venue cannot be reached."""
        return self._answered(what, partial(self._patiently, what, ask))

    def reads(self, what: str, asks: Sequence[Ask[Any]]) -> list[Any]:
        """Asks several things at once; what goes wrong with one of them goes wrong with `what`."""

        async def together() -> list[Any]:
            return await asyncio.gather(*(self._patiently(what, ask) for ask in asks))

        return self._answered(what, together)

    def rows(self, kind: str, ask: Ask[Sequence[Any]]) -> Sequence[Any]:
        """Rows as ccxt reads them, all that the venue told."""

        async def with_body() -> tuple[Sequence[Any], Any]:
            return await ask(), heard().body

        told, body = self.read(f"the {kind}s", with_body)
        understood(f"the {kind}s", lambda: records.check_rows(self._name, kind, told, body))
        return told

    def once(self, what: str, ask: Ask[T]) -> T:
        """Asks, once."""
        return self._answered(what, partial(self._once, what, ask))

    def reckoned(self, what: str, reckon: Callable[[], T]) -> T:
        """What ccxt works out by itself, of what the venue has told."""
        try:
            return reckon()
        except (ccxt.BaseError, *UNREADABLE) as error:
            raise translated(self._name, error, what, Heard()) from None

    @contextmanager
    def ordering(self) -> Iterator[None]:
        """The time for an order, which is not that for questions, and does not queue behind them.

        Where it runs out the order may have arrived all the same, and there may be time to ask for it.
        """
        with allowing(Allowance(monotonic() + self._manners.order_timeout, urgent=True)):
            try:
                yield
            except OutOfTime as error:
                raise Unreachable(str(error)) from error

    def check_clock(self) -> None:
        """Raises ClockSkew where the clocks are surely too far apart; half the way there and back is uncertain."""
        before = self.clock()
        if self._skew_at is not None and before - self._skew_at < SKEW_HOLDS_MS:
            return
        theirs, after = self.time(), self.clock()
        skew = abs(theirs - (before + after) / 2)
        if skew - (after - before) / 2 > self._manners.most_skew_ms:
            raise ClockSkew(f"the venue's clock and ours are {skew / 1000:.3f} s apart")
        self._skew_at = after

    # --- on the loop -----------------------------------------------------------------------------------------------

    def _answered(self, what: str, make: Callable[[], Awaitable[T]]) -> T:
        """What comes of a question in the time that it has. Raises OutOfTime where nothing does."""
        time = allowance()
        began = monotonic()
        try:
            return self.line.run(what, make, time)
        except TimeoutError:
            if time is not None:
                time.unanswered.add(what)
            raise OutOfTime(f"{what}: no answer within {monotonic() - began:.1f} s") from None

    async def _patiently(self, what: str, ask: Ask[T]) -> T:
        again = AsyncRetrying(
            retry=retry_if_exception_type(Unreachable),
            stop=stop_after_attempt(self._manners.attempts),
            wait=self._delay,
            sleep=self._manners.sleep,
            reraise=True,
        )
        found: T = await again(self._once, what, ask)
        return found

    async def _once(self, what: str, ask: Ask[T]) -> T:
        quiet = self._quiet_until - self.clock()
        if quiet > 0:
            raise RateLimited(f"{what}: the venue has asked for {quiet / 1000:.1f} s of silence", quiet / 1000)
        answer = listening()
        try:
            return await ask()
        except VenueError:
            raise
        except (ccxt.BaseError, *UNREADABLE) as error:
            raised = translated(self._name, error, what, answer)
        if isinstance(raised, RateLimited) and raised.retry_after is not None:
            self._quiet_until = self.clock() + int(raised.retry_after * 1000)
        if isinstance(raised, ClockSkew):
            self._skew_at = None
        raise raised

    def _delay(self, state: RetryCallState) -> float:
        return min(MOST_DELAY, FIRST_DELAY * 2.0 ** (state.attempt_number - 1)) * self._manners.jitter()


def understood(what: str, make: Callable[[], T]) -> T:
    """What is made of an answer; one of another shape than expected is malformed."""
    try:
        return make()
    except UNREADABLE as error:
        raise Malformed(f"{what}: the answer is of another shape than expected") from error
