"""What is written down of a day while a fund lives through it. Times are ms since 1970 UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from modules.trading_day.arms import Arm
from modules.trading_day.limits import Looks
from modules.trading_day.mishaps import Mishaps
from modules.trading_day.services import Recovery


@dataclass(frozen=True, slots=True)
class Moment:
    """The fund after one snapshot: `equity` by the market, shares of it, and `bound`, the rules that bind or alert.

    `sure` are those of them that do so on what is known, and not only because something is not.
    Shares are None where the fund did not know them. `faults` are modules that failed; `positions` are those that the
    fund knew of, `classified` those of them that have a category.
    """

    ts: int
    equity: float
    risk_mode: str
    is_halted: bool
    allows_trades: bool
    bound: tuple[str, ...]
    sure: tuple[str, ...]
    gross: float | None
    sector: float | None
    faults: tuple[str, ...] = ()
    positions: int = 0
    classified: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A proposal that was put to the fund: what it did with it, and by which rules.

    `sure` are those of the rules that deny it on what is known, and not only because something is not. `slippage` is
    (average price - mid) / mid against the fund, None where nothing was filled.
    """

    signal: str
    at: int
    symbol: str
    verdict: str
    denied_by: tuple[str, ...] = ()
    filled: float = 0.0
    slippage: float | None = None
    sure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade on a proposal, from its opening to its close; `profit` after fees, None where it is not known.

    `added` says whether the position was added to.
    """

    signal: str
    symbol: str
    side: str
    opened: int
    closed: int
    profit: float | None
    r_multiple: float | None
    added: bool = False


class Stage(StrEnum):
    """How far a position has come on the way to being added to."""

    WINNER = "a winner"
    FAR = "over the R that an add takes"
    STRONG = "that far in a strong trend"
    GRANTED = "an add was granted"
    ASKED = "asked for"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class Lived:
    """One run of a day. `curve` is the equity by the market, minute for minute, whatever the fund looked at."""

    arm: Arm
    seed: int
    midnight: int
    troubles: Mishaps
    moments: tuple[Moment, ...]
    curve: tuple[float, ...]
    asked: tuple[Asked, ...]
    trades: tuple[Trade, ...]
    recoveries: tuple[Recovery, ...]
    liquidations: tuple[tuple[int, str], ...]
    resets: tuple[int, ...]
    still_open: int
    stored: int
    universe_gap: int
    """The longest time between two runs of Universe OS, seconds."""
    every: int = 1
    """How many minutes lie between two looks where nothing is wrong."""
    stages: Mapping[Stage, int] = field(default_factory=dict)
    """How many positions came so far; none where the rules do not add to any."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A proposal as the run with all policies answered it, and what it would have come to by itself.

    `alone` says whether PBA was the only one that denied it, and `for_room` whether one of its rules did so that looks
    at the whole book, and would have denied as much in any other symbol. `profit` (after fees) and `r_multiple` are
    None where it could not be traded, or was open at the end; `breaches` says whether the fund with it would have lost
    more, while it was open, than its rules bear.
    """

    signal: str
    verdict: str
    alone: bool
    profit: float | None = None
    r_multiple: float | None = None
    breaches: bool = False
    for_room: bool = False

    @property
    def is_harmless(self) -> bool | None:
        """Whether it would have closed without a loss, and the fund borne it; None where that cannot be told."""
        return None if self.profit is None else self.profit >= 0 and not self.breaches


@dataclass(frozen=True, slots=True)
class LivedDay:
    """A day in every run, and each of its proposals by itself."""

    runs: Mapping[Arm, Lived]
    replayed: tuple[Replayed, ...]
    limits: Mapping[str, Looks] = field(default_factory=dict)
    """What each rule of the balancer that judges requests looks at."""


Days = tuple[LivedDay, ...]
