"""Time held: how long each snapshot stands, and unbroken runs of one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

Value = TypeVar("Value")


def standing(times: Sequence[int], cadence_ms: int, max_gap_ms: int) -> list[int]:
    """Until when (ms, exclusive) each snapshot stands: until the next one, at most `max_gap_ms`; the last a cadence."""
    until = [min(later, at + max_gap_ms) for at, later in pairwise(times)]
    return until + ([times[-1] + cadence_ms] if times else [])


@dataclass(frozen=True, slots=True)
class Held(Generic[Value]):
    """A value that held from `since` until `until` (ms, exclusive), over so many snapshots in a row."""

    value: Value
    since: int
    until: int
    snapshots: int

    @property
    def duration(self) -> int:
        """Milliseconds."""
        return self.until - self.since


class Runs(Generic[Value]):
    """Collects the runs of one value in time; a gap in the snapshots ends a run, for nobody knows what held in it."""

    def __init__(self) -> None:
        self._done: list[Held[Value]] = []
        self._open: Held[Value] | None = None

    def see(self, value: Value, since: int, until: int) -> Value | None:
        """Take note of the value at one snapshot; gives the value before where it changed without a gap."""
        before = self._open
        if before is not None and before.until == since and before.value == value:
            self._open = Held(value, before.since, until, before.snapshots + 1)
            return None
        self.close()
        self._open = Held(value, since, until, 1)
        return before.value if before is not None and before.until == since else None

    def close(self) -> None:
        """The value holds no longer."""
        if self._open is not None:
            self._done.append(self._open)
        self._open = None

    def all(self) -> tuple[Held[Value], ...]:
        """Every run, in order of time."""
        return (*self._done, *([] if self._open is None else [self._open]))
