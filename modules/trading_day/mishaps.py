"""What goes wrong in a day, and when: a crash, an outage of the venue, a storm of errors, and services that die."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modules.simulated_market import MINUTE_MS
from modules.trading_day.market import DAY, Fall

OUTAGE, STORM, CRASH = "outage", "storm", "crash"
OUTAGE_MINUTES, STORM_MINUTES, CRASH_MINUTES = 12, 8, 20
EDGE = 5
"""Minutes at both ends of a part of the day in which no service is killed."""

CRASH_DEPTH = (0.12, 0.2)
"""How much of its price the market loses, at least and at most."""

SERVICES = ("ledger-export", "price-feed", "signals")
"""Processes beside the fund. The last two are such that trading depends on them."""

KILLS = 4
"""Services that are killed in a day, one in each part of it."""

WINDOWS: Mapping[str, tuple[float, float]] = {
    OUTAGE: (3 / 24, 6 / 24),
    STORM: (8 / 24, 11 / 24),
    CRASH: (13 / 24, 18 / 24),
}
"""The parts of the day in which each of the others falls."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch of time, ms since 1970 UTC; the end is not part of it."""

    start: int
    end: int

    def holds(self, ts: int) -> bool:
        """Whether a time lies in it."""
        return self.start <= ts < self.end


@dataclass(frozen=True, slots=True)
class Kill:
    """A service that is killed at a time, ms since 1970 UTC."""

    at: int
    service: str


@dataclass(frozen=True, slots=True)
class Mishaps:
    """The mishaps of one day; the crash ends when a third of it is won back."""

    outage: Spell
    storm: Spell
    crash: Spell
    fall: Fall
    kills: tuple[Kill, ...]

    @property
    def spells(self) -> dict[str, Spell]:
        """The outage, the storm and the crash by name, in the order of the day."""
        return {OUTAGE: self.outage, STORM: self.storm, CRASH: self.crash}


def mishaps(seed: int, midnight: int, minutes: int = DAY) -> Mishaps:
    """An outage between 03:00 and 06:00, a storm between 08:00 and 11:00, a crash between 13:00 and 18:00 UTC.

    In each quarter of the day a service is killed, though not while one of the others lasts. A day of fewer `minutes`
    has the same mishaps, closer together.
    """
    rng = np.random.default_rng([seed, 2])
    outage = _placed(rng, WINDOWS[OUTAGE], OUTAGE_MINUTES, minutes)
    storm = _placed(rng, WINDOWS[STORM], STORM_MINUTES, minutes)
    crash = _placed(rng, WINDOWS[CRASH], 2 * CRASH_MINUTES, minutes)
    fall = Fall(crash[0], CRASH_MINUTES, float(rng.uniform(*CRASH_DEPTH)))
    busy = {minute for start, end in (outage, storm, crash) for minute in range(start - 2, end + 2)}
    kills = []
    for part in range(KILLS):
        first, last = part * minutes // KILLS, (part + 1) * minutes // KILLS
        free = [minute for minute in range(first + EDGE, last - EDGE) if minute not in busy]
        minute, seconds, service = int(rng.choice(free)), float(rng.uniform(0, 60)), str(rng.choice(SERVICES))
        kills.append(Kill(midnight + minute * MINUTE_MS + round(seconds * 1000), service))

    def spell(placed: tuple[int, int]) -> Spell:
        return Spell(midnight + placed[0] * MINUTE_MS, midnight + placed[1] * MINUTE_MS)

    return Mishaps(spell(outage), spell(storm), spell(crash), fall, tuple(kills))


def _placed(rng: np.random.Generator, window: tuple[float, float], takes: int, minutes: int) -> tuple[int, int]:
    """So many minutes in a row that begin and, where there is room for them, end in a window of the day."""
    first, last = round(window[0] * minutes), round(window[1] * minutes) - takes
    start = int(rng.integers(first, max(first + 1, last)))
    return start, start + takes
