"""A simulated day: the same for a seed, with what went wrong where it says, and a fund that trades all day."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray

from modules.facts.levels import HEALTH, SERVICE_STATUS, VOLATILITY
from modules.simulated_market import Crash, simulated_candles
from modules.simulator import Simulation, Spell, simulate

QUANTA = 10**9


@pytest.fixture(scope="module")
def day() -> Simulation:
    return simulate(1)


def values(day: Simulation, path: str) -> NDArray[np.float64]:
    """The values of a single-row fact as recorded, NaN where missing."""
    return np.ma.masked_array(day.state.single[path], dtype=np.float64).filled(np.nan)


def within(day: Simulation, spell: Spell) -> slice:
    """The snapshots of the minutes that begin in a spell."""
    return slice(
        int(np.searchsorted(day.state.ts, spell.start, "right")), int(np.searchsorted(day.state.ts, spell.end)) + 1
    )


def test_it_is_one_day_of_minutes(day: Simulation) -> None:
    midnight = 1_767_744_000_000
    assert day.state.ts.tolist() == [midnight + 60_000 * (i + 1) for i in range(1440)]
    assert day.state.cadence_ms == 60_000
    assert len(set(day.state.entities["symbol"].keys)) == 10


def test_a_seed_makes_the_same_day_again(day: Simulation) -> None:
    again = simulate(day.seed, day=date(2026, 1, 8))
    assert again.crash.start == day.crash.start + 86_400_000
    assert np.array_equal(again.state.ts, day.state.ts + 86_400_000)
    for path in day.state.single.keys() - {"clock.now", "clock.weekday"}:
        assert np.array_equal(values(again, path), values(day, path), equal_nan=True), path
    for name, rows in day.state.entities.items():
        assert list(again.state.entities[name].keys) == list(rows.keys)


def test_another_seed_makes_another_day(day: Simulation) -> None:
    assert not np.array_equal(values(day, "account.equity"), values(simulate(9), "account.equity"), equal_nan=True)


def test_ordinary_hours_are_calm_and_the_crash_is_not(day: Simulation) -> None:
    assert_calm_then_crash(day)


def assert_calm_then_crash(day: Simulation) -> None:
    before, crash = slice(0, within(day, day.crash).start), within(day, day.crash)
    drawdown, level = values(day, "account.drawdown") / QUANTA, values(day, "market.volatility")
    assert np.nanmax(drawdown[before]) < 0.03
    assert np.nanmax(drawdown[crash]) > 0.05
    assert np.nanmax(level[crash]) == VOLATILITY.rank("EXTREME")
    assert np.mean(level[before] <= VOLATILITY.rank("NORMAL")) > 0.4
    assert np.isfinite(level[before]).all()


def test_the_outage_makes_facts_stale_and_missing(day: Simulation) -> None:
    outage = within(day, day.outage)
    assert outage.stop - outage.start == 15
    age, equity = values(day, "market.data_age"), values(day, "account.equity")
    assert age[outage].tolist() == [60_000.0 * (i + 1) for i in range(15)]
    assert np.isnan(equity[outage]).tolist() == [False, False] + [True] * 13
    outside = np.ones(1440, dtype=np.bool_)
    outside[outage] = False
    assert (age[outside] == 0).all()
    assert np.isfinite(equity[outside]).all()
    services = day.state.entities["service"]
    feed = [s for s, key in zip(services.fields["status"], services.keys, strict=True) if key == "feed"]
    assert {feed[i] for i in range(outage.start, outage.stop)} == {SERVICE_STATUS.members[0]}


def test_the_storm_is_a_storm_of_errors(day: Simulation) -> None:
    storm = within(day, day.storm)
    a_minute = values(day, "system.errors_per_minute")
    assert (a_minute[storm] >= 12).all()
    assert (values(day, "system.error_rate")[storm] > 0).all()
    quiet = np.ones(1440, dtype=np.bool_)
    quiet[storm] = quiet[within(day, day.outage)] = False
    assert (a_minute[quiet] == 0).all()
    errors = day.state.entities["error"]
    in_storm = (errors.ts > day.storm.start) & (errors.ts <= day.storm.end)
    assert in_storm.sum() == a_minute[storm].sum()


def test_a_person_asks_for_a_reset_after_each_spell(day: Simulation) -> None:
    pressed = day.state.ts[values(day, "operator.reset_requested") == 1].tolist()
    assert pressed == list(day.resets)
    ends = (day.outage.end, day.storm.end, day.crash.end)
    assert [(at - end) // 60_000 for at, end in zip(pressed, ends, strict=True)] == [15, 15, 60]


def test_what_happens_is_told_with_its_time(day: Simulation) -> None:
    trades, orders = day.state.entities["trade"], day.state.entities["order"]
    assert len(trades.ts) > 20
    assert len(orders.ts) >= len(trades.ts)
    assert [round(1000 * at) for at in trades.fields["closed_at"]] == trades.ts.tolist()
    crash = within(day, day.crash)
    in_crash = (trades.ts >= day.state.ts[crash.start]) & (trades.ts < day.state.ts[crash.stop])
    assert {why for why, here in zip(trades.fields["exit"], in_crash, strict=True) if here} & {
        "STOP_LOSS",
        "LIQUIDATION",
    }


def test_something_is_asked_for_at_all_hours(day: Simulation) -> None:
    requests = day.state.entities["request"]
    hours = np.unique((requests.ts - 1) // 3_600_000)
    assert len(hours) == 24
    assert len(set(requests.fields["model"])) == 5
    assert {"OPEN"} <= set(requests.fields["effect"])
    assert True in requests.fields["duplicate"]


def test_returns_have_fat_tails_and_move_together() -> None:
    candles = simulated_candles(np.random.default_rng(1), 0, 1440, Crash(0, 1, 0.0), "calm")
    returns = np.diff(np.log(candles.close), axis=0)
    correlations = np.corrcoef(returns.T)[~np.eye(returns.shape[1], dtype=bool)]
    assert 0.15 < correlations.min() <= correlations.max() < 0.95
    assert (((returns / returns.std(axis=0)) ** 4).mean(axis=0) > 3.5).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 22))
def test_every_day_has_calm_hours_and_a_crash(seed: int) -> None:
    assert_calm_then_crash(simulate(seed))


def test_a_model_degrades_from_noon(day: Simulation) -> None:
    rows = day.state.entities["model"]
    health = [
        (at, h) for at, key, h in zip(rows.ts.tolist(), rows.keys, rows.fields["health"], strict=True)
        if key == "patchtst"
    ]  # fmt: skip
    noon = int(day.state.ts[0]) - 60_000 + 12 * 3_600_000
    assert {h for at, h in health if at < noon} == {HEALTH.members[2]}
    assert {h for at, h in health if at >= noon} == {HEALTH.members[1]}
