"""The time of a test: when a snapshot is taken, and what time it is then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policy_dsl.cases import Moment

START = 1_767_225_600_000
"""When every test starts (ms since 1970: 2026-01-01), unless it gives `clock.now`."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of a test: at `at` (ms after the start) it is `ts` (ms since 1970 UTC), and it goes on from there."""

    at: int = 0
    ts: int = START

    def time(self, at: int) -> int:
        """What time it is at `at`, later or earlier."""
        return self.ts + at - self.at

    def after(self, moment: Moment) -> Clock:
        """The clock from a moment on, which may set it."""
        said = [int(a.value) for a in moment.given if a.sets_clock and a.value is not None]
        return Clock(moment.at, said[-1]) if said else self


def snapshots(moments: Iterable[Moment], cadence: int) -> Iterator[Moment]:
    """The moments at which a snapshot is taken: every `cadence` ms from 0 on, and those of the test, up to the last."""
    due = 0
    for moment in moments:
        while due < moment.at:
            yield Moment(due)
            due += cadence
        yield moment
        due = max(due, moment.at // cadence * cadence + cadence)


def number_of_snapshots(moments: Iterable[Moment], cadence: int) -> int:
    """How many `snapshots` there are, counted without taking them."""
    times = [moment.at for moment in moments]
    return max(times, default=0) // cadence + 1 + sum(at % cadence > 0 for at in times)
