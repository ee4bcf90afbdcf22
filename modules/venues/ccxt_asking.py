"""How an exchange of ccxt is asked: one request at a time, again where that is safe, not while it wants silence."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any, TypeVar

import ccxt
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from modules.venues import ccxt_records as records
from modules.venues.ccxt_client import UNREADABLE, translated
from modules.venues.venue import ClockSkew, Malformed, RateLimited, Unreachable, VenueError

SKEW_HOLDS_MS = 300_000
FIRST_DELAY, MOST_DELAY = 0.5, 10.0
T = TypeVar("T")


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Manners:
    """How a venue is asked. `timeout` is in seconds; `attempts` counts the first one.

    Delays between attempts double from half a second to ten, times `jitter()` in 0..1. `most_skew_ms` is how far the
    clocks may be apart for an order to be sent. `clock` tells ms since 1970 UTC.
    """

    timeout: float = 10.0
    attempts: int = 4
    most_skew_ms: int = 1_000
    jitter: Callable[[], float] = random.random
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], int] = _wall_clock


class Asking:
    """Requests to the exchange called `name`, through ccxt's `client`. Errors of a venue say what was asked for."""

    def __init__(self, name: str, client: Any, manners: Manners) -> None:
        self._name, self._client, self._manners = name, client, manners
        self.clock = manners.clock
        self._lock = RLock()
        self._quiet_until = 0
        self._skew_at: int | None = None

    def time(self) -> int:
        """The venue's clock."""
        return records.moment(self.read("the time", self._client.fetch_time), "the venue's time")

    def read(self, what: str, ask: Callable[[], T]) -> T:
        """Asks, again where the venue cannot be reached."""
        again = Retrying(
            retry=retry_if_exception_type(Unreachable),
            stop=stop_after_attempt(self._manners.attempts),
            wait=self._delay,
            sleep=self._manners.sleep,
            reraise=True,
        )
        found: T = again(self.once, what, ask)
        return found

    def rows(self, kind: str, ask: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        """Rows as ccxt reads them, all that the venue told."""
        told, body = self.read(f"the {kind}s", lambda: (ask(), self._client.last_body))
        understood(f"the {kind}s", lambda: records.check_rows(self._name, kind, told, body))
        return told

    def once(self, what: str, ask: Callable[[], T]) -> T:
        """Asks, once. One thread at a time: ccxt counts requests without a lock."""
        with self._lock:
            quiet = self._quiet_until - self.clock()
            if quiet > 0:
                raise RateLimited(f"{what}: the venue has asked for {quiet / 1000:.1f} s of silence", quiet / 1000)
            self._client.last_status, self._client.retry_after = 0, None
            try:
                return ask()
            except VenueError:
                raise
            except (ccxt.BaseError, *UNREADABLE) as error:
                raised = translated(self._client, error, what)
        if isinstance(raised, RateLimited) and raised.retry_after is not None:
            self._quiet_until = self.clock() + int(raised.retry_after * 1000)
        if isinstance(raised, ClockSkew):
            self._skew_at = None
        raise raised

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

    def _delay(self, state: RetryCallState) -> float:
        return min(MOST_DELAY, FIRST_DELAY * 2.0 ** (state.attempt_number - 1)) * self._manners.jitter()


def understood(what: str, make: Callable[[], T]) -> T:
    """What is made of an answer; one of another shape than expected is malformed."""
    try:
        return make()
    except UNREADABLE as error:
        raise Malformed(f"{what}: the answer is of another shape than expected") from error
