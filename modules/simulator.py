"""A trading day from a seed: a paper fund that trades all day, an outage of its feed, a storm of errors, a crash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from modules.fund_state import OnProgress, Surroundings, fund_state, quiet
from modules.operations import Operations, Troubles, operations
from modules.paper_holding import Style
from modules.simulated_market import MINUTE_MS, Crash, simulated_candles, simulated_spreads
from modules.simulated_models import model_rows, proposals
from modules.state_columns import StateColumns
from policy_dsl.quantities import MS_PER_DAY

DAY = 1440
BOOK = "simulated"
STYLE = Style(slots=6, most=0.125, risk=0.01, rest=10, pace=1, enter=-99, leave=99, stop_days=1.5, target_r=0.06)
"""Always invested and soon content, so that something is asked for at all hours and the crash finds it invested."""


RESET_AFTER = 15
"""Minutes after the outage and the storm at which a person re-arms the emergency stop."""

RESET_AFTER_CRASH = 60
"""Minutes after the crash at which a person tries the same."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Minutes of the day `[start, end)`, as times in ms since 1970 UTC."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulated day: its state, one snapshot a minute, when what went wrong, and the resets (ms) of its operator."""

    seed: int
    state: StateColumns
    outage: Spell
    storm: Spell
    crash: Spell
    resets: tuple[int, ...]


def simulate(seed: int, *, day: date = date(2026, 1, 7), on_progress: OnProgress = quiet) -> Simulation:
    """Ten correlated symbols over the 24 hours of `day`; the same seed and day make the same state, bit for bit.

    The day before is simulated too, as history, and not recorded. Between 03:00 and 06:00 the feed stops for 15
    minutes, between 08:00 and 11:00 orders fail for 8 minutes, between 13:00 and 18:00 the market falls by 28 % in 3
    minutes and wins a third of it back. Four models propose trades all day, which the paper book does not act on; one
    of them degrades from noon. An operator asks for a reset of the emergency stop a quarter of an hour after the outage
    and the storm, and an hour after the crash.
    """
    rng = np.random.default_rng(seed)
    midnight = (day.toordinal() - date(1970, 1, 1).toordinal()) * MS_PER_DAY
    outage, storm = _place(rng, 3, 6, 15), _place(rng, 8, 11, 8)
    crash = Crash(DAY + _place(rng, 13, 18, 3).start, 3, 0.28)
    candles = simulated_candles(rng, midnight - MS_PER_DAY, 2 * DAY, crash, BOOK)
    seen = np.arange(2 * DAY)
    seen[DAY + outage.start : DAY + outage.end] = DAY + outage.start - 1
    funding = 1e-4 + 5e-5 * rng.standard_normal(candles.close.shape[1])
    pressed = (outage.end + RESET_AFTER, storm.end + RESET_AFTER, crash.start + crash.minutes - DAY + RESET_AFTER_CRASH)
    resets = tuple(midnight + MINUTE_MS * minute for minute in pressed)
    ran = _machinery(rng, candles.closed, outage, storm, resets)
    models = model_rows(rng, candles.closed, midnight + 12 * MS_PER_DAY // 24)
    around = Surroundings(
        machinery=Operations(ran.single, {**ran.entities, "model": models}),
        seen=seen,
        panels={
            "spread": simulated_spreads(rng, candles),
            "funding_rate": np.broadcast_to(funding, candles.close.shape),
        },
        proposals=proposals(rng, range(DAY, 2 * DAY), candles.close.shape[1]),
    )
    state = fund_state(candles, style=STYLE, around=around, first=DAY, on_progress=on_progress)

    def at(spell: Spell) -> Spell:
        return Spell(midnight + MINUTE_MS * spell.start, midnight + MINUTE_MS * spell.end)

    fall = Spell(crash.start - DAY, crash.start - DAY + crash.minutes)
    return Simulation(seed, state, at(outage), at(storm), at(fall), resets)


def _place(rng: np.random.Generator, from_hour: int, to_hour: int, minutes: int) -> Spell:
    """Some minutes in a row between two hours of the day."""
    start = int(rng.integers(from_hour * 60, to_hour * 60 - minutes))
    return Spell(start, start + minutes)


def _machinery(
    rng: np.random.Generator, closed: NDArray[np.int64], outage: Spell, storm: Spell, resets: Iterable[int]
) -> Operations:
    bars = np.arange(len(closed)) - DAY
    in_outage = (bars >= outage.start) & (bars < outage.end)
    in_storm = (bars >= storm.start) & (bars < storm.end)
    troubles = {
        "execution": Troubles(failures=np.where(in_storm, rng.integers(12, 40, len(bars)), 0)),
        "feed": Troubles(failures=np.where(in_outage, 4, 0), down=in_outage, kind="disconnected"),
    }
    ran = operations(closed, troubles, resets)
    load = np.clip(0.2 + 0.05 * rng.standard_normal(len(bars)) + 0.3 * in_storm, 0, 1)
    memory = np.clip(0.35 + 0.0001 * np.maximum(bars, 0), 0, 1)
    return Operations({**ran.single, "system.cpu": load, "system.memory": memory}, ran.entities)
