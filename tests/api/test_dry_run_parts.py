from __future__ import annotations

import pytest

from api.dry_runs.binding import Binding, Outputs
from api.dry_runs.changes import direction
from api.dry_runs.chart import Axis, _seen_apart, _thinned
from api.dry_runs.result import Episode
from api.dry_runs.spans import Held, Runs, standing
from api.values import duration, percent
from evaluators.decision import Firing, OutputValue
from modules.facts import CATALOGUE
from policy_dsl.bundle import load_text
from policy_dsl.program import Output, Program


def test_a_snapshot_stands_until_the_next_or_the_longest_gap() -> None:
    assert standing([0, 60, 600], cadence_ms=60, max_gap_ms=180) == [60, 240, 660]
    assert standing([], cadence_ms=60, max_gap_ms=180) == []


def test_a_gap_ends_a_run() -> None:
    runs: Runs[str] = Runs()
    assert runs.see("a", 0, 60) is None
    assert runs.see("a", 60, 120) is None
    assert runs.see("b", 120, 180) == "a"
    assert runs.see("a", 500, 560) is None
    assert runs.all() == (Held("a", 0, 120, 2), Held("b", 120, 180, 1), Held("a", 500, 560, 1))


RULES = """\
policy p version 1.0.0
output mode: SAFE < CAREFUL < FREE
  starts FREE
  tightens down
output floor: ratio in 0% to 100%
  starts 10%
  tightens up
output actions for each position: set of ADD, HOLD
rule safe
  when account.drawdown > 5%
  tighten mode to SAFE
rule careful
  when account.drawdown > 1%
  tighten mode to CAREFUL
rule raise
  when account.drawdown > 1%
  tighten floor by 5%
rule grant for each position
  when position.r_multiple > 1R
  permit ADD(10%) in actions
rule take
  when account.drawdown > 5%
  forbid ADD in actions
"""


@pytest.fixture(scope="module")
def program() -> Program:
    """A program with every kind of effect."""
    return load_text({"p.rules": RULES}, CATALOGUE).program


def bound(program: Program, fired: dict[str, str], outputs: Outputs) -> set[str]:
    """The rules that bind, of those that fired on a row each."""
    firings = [Firing(rule, key, definite=True) for rule, key in fired.items()]
    return {f.rule for f in Binding(program).binding(firings, outputs)}


def test_a_bound_binds_where_it_is_the_value(program: Program) -> None:
    outputs: Outputs = {"p.mode": 0, "p.floor": 100_000_000, "p.actions": {}}
    assert bound(program, {"p.safe": "", "p.careful": ""}, outputs) == {"p.safe"}


def test_a_shift_binds_where_the_output_has_moved(program: Program) -> None:
    moved: Outputs = {"p.mode": 2, "p.floor": 150_000_000}
    start: Outputs = {"p.mode": 2, "p.floor": 100_000_000}
    assert bound(program, {"p.raise": ""}, moved) == {"p.raise"}
    assert bound(program, {"p.raise": ""}, start) == set()


def test_a_forbid_binds_where_something_was_permitted(program: Program) -> None:
    nothing: Outputs = {"p.actions": {"p1": ()}}
    assert bound(program, {"p.take": ""}, nothing) == set()
    assert bound(program, {"p.take": "", "p.grant": "p1"}, nothing) == {"p.take"}
    assert bound(program, {"p.grant": "p1"}, {"p.actions": {"p1": (("ADD", (1,)),)}}) == {"p.grant"}


@pytest.mark.parametrize(
    ("output", "before", "after", "expected"),
    [
        ("p.mode", 2, 0, "tighter"),
        ("p.mode", 0, 2, "looser"),
        ("p.floor", 100, 200, "tighter"),
        ("p.floor", 200, 100, "looser"),
        ("p.actions", (("ADD", (5,)),), (("ADD", (4,)),), "tighter"),
        ("p.actions", (), (("HOLD", ()),), "looser"),
        ("p.actions", (("ADD", (5,)),), (("HOLD", ()),), "both"),
        ("p.actions", (("ADD", (5,)),), (("ADD", ()),), "both"),
    ],
)
def test_which_way_a_value_changed(
    program: Program, output: str, before: OutputValue, after: OutputValue, expected: str
) -> None:
    declared: Output = program.output(output)
    assert direction(declared, before, after) == expected


def test_thinning_keeps_every_spike() -> None:
    points = [(i, 0.0) for i in range(10_000)]
    points[4_321] = (4_321, 9.0)
    points[8_765] = (8_765, -9.0)
    kept = _thinned(points, len(points))
    assert len(kept) < 2_500
    assert {(4_321, 9.0), (8_765, -9.0), points[0], points[-1]} <= set(kept)


def test_episodes_that_the_eye_cannot_tell_apart_are_one() -> None:
    day = 86_400_000
    flicker = [Episode("p.safe", at, at + 1_000, 1, 1) for at in range(0, 60_000, 5_000)]
    later = Episode("p.safe", day // 2, day // 2 + 1_000, 1, 1)
    assert list(_seen_apart([*flicker, later], Axis(0, day))) == [flicker, [later]]


def test_ticks_are_round_times() -> None:
    day = 86_400_000
    labels = [text for _, text in Axis(0, day).ticks()]
    assert labels[:3] == ["01-01", "02:00", "04:00"]
    assert len(labels) <= 14


@pytest.mark.parametrize(
    ("ms", "expected"),
    [(0, "0s"), (900, "900ms"), (30_000, "30s"), (90_000, "1m 30s"), (7_500_000, "2h 05m"), (90_000_000, "1d 1h")],
)
def test_durations(ms: int, expected: str) -> None:
    assert duration(ms) == expected


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (0, 0, "0%"),
        (0, 9, "0%"),
        (1, 3, "33.3%"),
        (1, 2, "50%"),
        (9, 9, "100%"),
        (1, 9999, "<0.1%"),
        (9998, 9999, ">99.9%"),
    ],
)
def test_shares_of_something_never_read_as_nothing_or_all(part: int, whole: int, expected: str) -> None:
    assert percent(part, whole) == expected
