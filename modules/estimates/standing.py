"""The words for a symbol's standing in the universe: what CORE, EXPANSION, CONDITIONAL and BLACKLIST mean.

Each of four things that are known of a symbol says how high it may stand: what it trades, its spread, its age, and the
fund's own record in it. It stands where the lowest of them puts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.estimates.liquidity import CUTS
from modules.estimates.proportions import interval, mean_interval
from modules.estimates.records import BAD_WIN_RATE
from modules.estimates.stored import as_stored
from modules.facts.levels import TIER
from policy_dsl.quantities import Unit

BLACKLIST, CONDITIONAL, EXPANSION, CORE = range(4)
"""Ranks of `tier`."""

SPREADS = (0.005, 0.002, 0.0005)
"""Widest spread of CONDITIONAL, EXPANSION and CORE. The predecessor called 0.05 % perfect, 0.2 % poor, and 0.5 % an
emergency."""

AGES = (30.0, 180.0)
"""Least days of EXPANSION and CORE: a month and half a year; chosen. No age is too young for CONDITIONAL."""

SHARE_BAND, SPREAD_BAND = 0.05, 0.8
"""Who has stood lower rises only where it is clear of a cut: this much above a share, below this part of a spread."""

WIDEST = {
    strict: tuple(as_stored(cut * part, Unit.RATIO) for cut in SPREADS)
    for strict, part in ((False, 1.0), (True, SPREAD_BAND))
}
"""`SPREADS` as they are stored, and what is clear of them."""

LEAST_RECORD = 20
"""Trades that say something of a symbol; the predecessor trusted its Kelly figures from as many."""

RECORD_DAYS = 180
"""Trades that closed longer ago count no more: the market that they were made in has gone, and so nobody stands on the
blacklist for ever."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The highest rank of `tier` that one thing allows, and why; `why` is empty where it allows all."""

    rank: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """The fund's recent trades in a symbol: how many have a known result, how many won, and R where it is known."""

    trades: int = 0
    wins: int = 0
    r_multiples: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """The rank of `tier` of a symbol, and the reasons why it is no higher."""

    rank: int
    why: tuple[str, ...] = ()

    @property
    def tier(self) -> str:
        """The name of the rank."""
        return TIER.members[self.rank]


def standing(
    *, share: float, traded: float, spread: float, age_days: float, record: Record, before: int | None = None
) -> Standing:
    """Where a symbol stands. `share` is the part of the universe that trades no more, `traded` quote currency a day.

    Falling is at once; a symbol that stood lower `before` (a rank of `tier`) rises where it is clear of the cuts.
    """
    now = _lowest(share, traded, spread, age_days, record, strict=False)
    if before is None or now.rank <= before:
        return now
    clear = _lowest(share, traded, spread, age_days, record, strict=True)
    if clear.rank >= now.rank:
        return now
    return Standing(max(before, clear.rank), clear.why)


def by_record(record: Record) -> Ceiling:
    """BLACKLIST where the mean R is clearly below zero, CONDITIONAL where few are won and R does not make up for it.

    Clearly: the upper end of the mean's 95 % interval (Student's t). A mean below zero that may be chance is not the
    core. Fewer than twenty trades say nothing; a record without variation says what its mean says.
    """
    r = np.array(record.r_multiples)
    pays = False
    if len(r) >= LEAST_RECORD:
        mean = float(r.mean())
        pays = mean > 0
        if mean_interval(len(r), mean, float(r.std(ddof=1)))[1] < 0:
            return Ceiling(BLACKLIST, f"loses {-mean:.2f} R a trade, clearly so in {len(r)} trades")
    if record.trades >= LEAST_RECORD and not pays and interval(record.wins, record.trades)[1] < BAD_WIN_RATE:
        return Ceiling(CONDITIONAL, f"won {record.wins} of {record.trades} trades")
    if len(r) >= LEAST_RECORD and not pays and float(r.mean()) < 0:
        return Ceiling(EXPANSION, f"loses {-float(r.mean()):.2f} R a trade in {len(r)} trades, which may be chance")
    return Ceiling(CORE)


def _lowest(share: float, traded: float, spread: float, age: float, record: Record, *, strict: bool) -> Standing:
    by_value = Ceiling(BLACKLIST, "trades nothing") if traded <= 0 else _by_share(share, SHARE_BAND if strict else 0.0)
    stored = as_stored(spread, Unit.RATIO)
    width = sum(stored <= cut for cut in WIDEST[strict])
    by_spread = Ceiling(width, "" if width == CORE else f"spread of {spread:.3%}")
    seasoned = CONDITIONAL + sum(age >= cut for cut in AGES)
    by_age = Ceiling(seasoned, "" if seasoned == CORE else f"known for {max(age, 0):.0f} days")
    return lowest((by_value, by_spread, by_age, by_record(record)))


def _by_share(share: float, band: float) -> Ceiling:
    rank = CONDITIONAL + sum(share > cut + band for cut in CUTS)
    return Ceiling(rank, "" if rank == CORE else f"{1 - share:.0%} of the universe trade more")


def lowest(ceilings: Sequence[Ceiling]) -> Standing:
    """The lowest of the ceilings, with the reasons of all that are below the top."""
    return Standing(min(c.rank for c in ceilings), tuple(c.why for c in ceilings if c.why))
