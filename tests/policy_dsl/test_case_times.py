"""The time of a test: when a snapshot is taken, and what time it is then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_dsl.case_times import START, Clock, number_of_snapshots, snapshots
from policy_dsl.cases import Assignment, Moment

TIMES = [
    ([0], 60, [0]),
    ([120], 60, [0, 60, 120]),
    ([0, 90, 180], 60, [0, 60, 90, 120, 180]),
    ([30, 45], 60, [0, 30, 45]),
    ([59, 61], 60, [0, 59, 60, 61]),
    ([5], 1000, [0, 5]),
    ([], 60, []),
]


@pytest.mark.parametrize(("moments", "cadence", "times"), TIMES)
def test_a_snapshot_is_taken_every_cadence_and_at_every_moment(
    moments: list[int], cadence: int, times: list[int]
) -> None:
    assert [m.at for m in snapshots(map(Moment, moments), cadence)] == times


@given(st.sets(st.integers(0, 500), min_size=1), st.integers(1, 100))
def test_snapshots_are_in_order_once_and_as_many_as_are_counted(moments: set[int], cadence: int) -> None:
    given = [Moment(at) for at in sorted(moments)]
    times = [m.at for m in snapshots(given, cadence)]
    assert times == sorted(moments | set(range(0, max(moments) + 1, cadence)))
    assert number_of_snapshots(given, cadence) == len(times)


def test_what_a_moment_says_is_in_its_snapshot() -> None:
    said = Moment(60, (Assignment("account", None, "drawdown", 0),))
    assert list(snapshots([said], 60)) == [Moment(0), said]


def clock(value: int | None, at: int) -> Moment:
    return Moment(at, (Assignment("clock", None, "now", value),))


def test_the_clock_starts_with_2026_and_goes_by_itself() -> None:
    assert Clock().time(90_000) == START + 90_000
    assert Clock().after(Moment(5)).after(clock(None, 9)).time(10) == START + 10


def test_a_moment_may_set_the_clock() -> None:
    assert Clock().after(clock(5_000, 0)).time(60) == 5_060
    later = Clock().after(clock(5_000, 0)).after(clock(9_000, 60))
    assert (later.time(60), later.time(80)) == (9_000, 9_020)


def test_the_last_time_that_a_moment_gives_counts() -> None:
    assert Clock().after(Moment(0, clock(1, 0).given + clock(2, 0).given)).time(0) == 2
