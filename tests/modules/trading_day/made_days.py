"""Days made for tests: runs as they are told, everything in them quiet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modules.trading_day.arms import Arm
from modules.trading_day.lived import Asked, Days, Lived, LivedDay, Moment, Replayed, Trade
from modules.trading_day.market import Fall
from modules.trading_day.mishaps import Kill, Mishaps, Spell
from modules.trading_day.services import Recovery

MIDNIGHT = 1_767_744_000_000
MINUTE = 60_000
MINUTES = 60


def at(minute: float) -> int:
    """A time of the day."""
    return MIDNIGHT + round(minute * MINUTE)


TROUBLES = Mishaps(
    outage=Spell(at(10), at(12)),
    storm=Spell(at(20), at(22)),
    crash=Spell(at(30), at(40)),
    fall=Fall(30, 5, 0.15),
    kills=(Kill(at(5), "signals"),),
)


def moment(minute: float, *, mode: str = "NORMAL", halted: bool = False, bound: Sequence[str] = ()) -> Moment:
    """A look at a fund that holds one position of a third of its equity."""
    return Moment(at(minute), 100.0, mode, halted, not halted, tuple(bound), tuple(bound), 0.33, 0.33, (), 1, 1)


def run(
    arm: Arm = Arm.ALL,
    *,
    curve: Sequence[float] = (100.0,) * MINUTES,
    moments: Sequence[Moment] | None = None,
    trades: Sequence[Trade] = (),
    asked: Sequence[Asked] = (),
    back: float | None = 5.1,
) -> Lived:
    """One run; its service is back at minute `back`, None: never."""
    recovery = Recovery("signals", at(5), None if back is None else at(back))
    seen = [moment(minute) for minute in range(MINUTES)] if moments is None else moments
    return Lived(
        arm, 0, MIDNIGHT, TROUBLES, tuple(seen), tuple(curve), tuple(asked), tuple(trades), (recovery,), (), (), 0,
        len(seen), 900, 1,
    )  # fmt: skip


def trade(signal: str, r: float, *, added: bool = False) -> Trade:
    """A trade of some minutes."""
    return Trade(signal, "BTCUSDT", "LONG", at(1), at(9), 100 * r, r, added)


def day(*runs: Lived, replayed: Sequence[Replayed] = ()) -> LivedDay:
    """A day with these runs, and of the others quiet ones."""
    told = {made.arm: made for made in runs}
    return LivedDay({arm: told.get(arm, replace(run(), arm=arm)) for arm in Arm}, tuple(replayed))


def days(*made: LivedDay) -> Days:
    """Several days."""
    return made
