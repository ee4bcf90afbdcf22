"""What is shown and what is not: a target counts only where the whole interval is beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from modules.trading_day.arms import Arm
from modules.trading_day.denials import Denier, deniers
from modules.trading_day.kpis import kpis
from modules.trading_day.limits import Looks
from modules.trading_day.lived import Asked, Days, LivedDay, Moment, Replayed, Stage
from modules.trading_day.verdicts import Kpi, Verdict
from tests.modules.trading_day.made_days import MINUTES, at, day, days, moment, run, trade

FLAT = (100.0,) * MINUTES


def found(lived: Days, name: str) -> Kpi:
    (kpi,) = (k for k in kpis(lived) if k.name == name and k.phase != 0)
    return kpi


def overall(lived: Days, name: str) -> Kpi:
    (kpi,) = (k for k in kpis(lived) if k.name == name and k.phase == 0)
    return kpi


def fall(share: float) -> tuple[float, ...]:
    return (*FLAT[:-1], 100 * (1 - share))


def of_r(with_pal: Sequence[float], without: Sequence[float]) -> Days:
    """A day for each pair of mean R."""
    return days(
        *(
            day(run(trades=[trade("a", r, added=True)]), run(Arm.NO_PAL, trades=[trade("a", base)]))
            for r, base in zip(with_pal, without, strict=True)
        )
    )


def test_every_phase_has_its_figures() -> None:
    assert {k.phase for k in kpis(days(day()))} == {0, 1, 2, 3, 4, 5}
    names = [(k.phase, k.name) for k in kpis(days(day()))]
    assert len(set(names)) == len(names)


def test_with_two_days_no_mean_is_claimed() -> None:
    few = days(*(day(run(curve=fall(0.01)), run(Arm.NONE, curve=fall(0.1))) for _ in range(2)))
    assert overall(few, "largest drawdown of a day").verdict is Verdict.TOO_FEW


@pytest.mark.parametrize(
    ("mine", "verdict"),
    [
        ((0.01, 0.012, 0.011), Verdict.SHOWN),
        ((0.065, 0.07, 0.075), Verdict.NOT_SHOWN),
        ((0.099, 0.1, 0.101), Verdict.MISSED),
    ],
)
def test_a_smaller_drawdown_is_shown_where_the_whole_interval_is(mine: tuple[float, ...], verdict: Verdict) -> None:
    lived = days(*(day(run(curve=fall(d)), run(Arm.NONE, curve=fall(0.1))) for d in mine))
    assert overall(lived, "largest drawdown of a day").verdict is verdict


@pytest.mark.parametrize(
    ("with_pal", "without", "verdict"),
    [
        ((1.5, 1.52, 1.48, 1.5), (1.0, 1.01, 0.99, 1.0), Verdict.SHOWN),
        ((1.1, 1.12, 1.08, 1.1), (1.0, 1.01, 0.99, 1.0), Verdict.MISSED),
        ((1.5, 0.5, 2.5, 1.0), (1.0, 1.01, 0.99, 1.0), Verdict.NOT_SHOWN),
        # Three times as much of nothing: the R without PAL may be zero.
        ((0.9, 0.6, 0.3, 0.3), (0.9, -0.4, -0.7, 0.6), Verdict.NOT_SHOWN),
        # A smaller loss is no gain of a fifth.
        ((-0.1, -0.11, -0.09, -0.1), (-1.0, -1.01, -0.99, -1.0), Verdict.NOT_SHOWN),
        ((1.0, 1.01, 0.99, 1.0), (1.0, 1.01, 0.99, 1.0), Verdict.MISSED),
    ],
)
def test_a_fifth_more_r(with_pal: tuple[float, ...], without: tuple[float, ...], verdict: Verdict) -> None:
    assert found(of_r(with_pal, without), "mean R of a trade").verdict is verdict


def test_losses_that_only_an_add_made_are_counted() -> None:
    made = [
        day(
            run(trades=[trade(f"s{i}", -0.1, added=True) for i in range(10)]),
            run(Arm.NO_PAL, trades=[trade(f"s{i}", 0.2 if i == 0 else -0.2) for i in range(10)]),
        )
        for _ in range(3)
    ]
    kpi = found(days(*made), "losses that only PAL made")
    assert kpi.verdict is Verdict.BROKEN
    assert kpi.estimates[0][1].value == pytest.approx(0.1)


def replays(alone: int, others: int, *, harmless: bool) -> list[Replayed]:
    profit = 1.0 if harmless else -1.0
    return [Replayed(f"d{i}", "DENY", True, profit, 1.0) for i in range(alone)] + [
        Replayed(f"a{i}", "ALLOW", False, profit, 1.0) for i in range(others)
    ]


def test_false_positives_are_harmless_proposals_that_pba_alone_denied() -> None:
    one = [*replays(1, 99, harmless=True), *replays(50, 0, harmless=False)]
    # A breach is harm, whatever the trade made; what has no fate, or was denied by others too, does not count.
    one += [Replayed("b", "DENY", True, 5.0, 1.0, breaches=True), Replayed("o", "DENY", True)]
    one += [Replayed("m", "DENY", False, 5.0, 1.0)]
    lived = days(*(day(replayed=one) for _ in range(4)))
    kpi = found(lived, "false positives of PBA: harmless, and denied by it alone")
    assert kpi.estimates[0][1].value == 0.01
    assert kpi.estimates[0][1].n == 400
    assert kpi.verdict is Verdict.SHOWN
    other = found(lived, "of what PBA alone denied, harmless")
    assert other.estimates[0][1].value == pytest.approx(4 / 208)
    assert other.note.startswith("4 more")


def test_what_there_was_no_room_for_is_told_apart_and_stays_in_the_whole() -> None:
    full = [replace(r, for_room=True) for r in replays(30, 0, harmless=True)]
    lived = days(*(day(replayed=[*full, *replays(1, 99, harmless=True)]) for _ in range(4)))
    whole = found(lived, "false positives of PBA: harmless, and denied by it alone")
    assert whole.estimates[0][1].value == pytest.approx(31 / 130)
    assert whole.verdict is Verdict.MISSED
    judged = found(lived, "false positives of PBA where the whole book had room")
    assert judged.estimates[0][1].value == 0.01
    assert judged.verdict is Verdict.SHOWN
    assert judged.note == "120 of 124 that PBA alone denied had no room"


def test_a_denial_without_a_limit_that_is_known_to_be_passed_is_a_false_alarm() -> None:
    rules = ("pba.correlation", "pba.total_exposure")
    asked = [
        *(Asked(f"a{i}", at(1), "BTCUSDT", "ALLOW") for i in range(98)),
        Asked("sure", at(1), "BTCUSDT", "DENY", rules, sure=rules[:1]),
        Asked("unsure", at(1), "BTCUSDT", "DENY", rules),
        Asked("others too", at(1), "BTCUSDT", "DENY", (*rules, "ess.halted")),
    ]
    lived = days(*(day(run(asked=asked)) for _ in range(3)))
    kpi = found(lived, "false alarms of PBA: denied by it alone, and no limit known to be passed")
    assert kpi.estimates[0][1].value == pytest.approx(1 / 99)
    assert kpi.estimates[0][1].n == 3 * 99
    assert kpi.verdict is Verdict.SHOWN


def test_of_each_rule_is_told_what_it_cost() -> None:
    correlation, exposure, quiet = "pba.correlation", "pba.total_exposure", "pba.leverage"
    asked = [
        Asked("a", at(1), "BTCUSDT", "DENY", (correlation,)),
        Asked("b", at(2), "BTCUSDT", "DENY", (correlation, exposure)),
        Asked("c", at(3), "BTCUSDT", "DENY", ("ess.halted", correlation)),
        Asked("d", at(4), "BTCUSDT", "ALLOW"),
    ]
    fates = [
        Replayed("a", "DENY", True, 1.0, 1.0),
        Replayed("b", "DENY", True, -1.0, -1.0, for_room=True),
        Replayed("c", "DENY", False, 1.0, 1.0),
        Replayed("d", "ALLOW", False),
    ]
    looks = {correlation: Looks.BALANCE, exposure: Looks.ROOM, quiet: Looks.REQUEST}
    made = replace(day(run(asked=asked), replayed=fates), limits=looks)
    assert deniers(days(made, made)) == (
        Denier(correlation, Looks.BALANCE, denied=6, alone=4, only=2, harmless=2, known=4),
        Denier(exposure, Looks.ROOM, denied=2, alone=2, only=0, harmless=0, known=2),
    )


def test_what_pal_does_is_told_of_the_trades_that_both_runs_made() -> None:
    """Each run has trades of its own, which say nothing of what PAL did to the others."""
    made = [
        day(
            run(trades=[trade("same", 1.3 + 0.01 * i), trade("mine", -5.0)]),
            run(Arm.NO_PAL, trades=[trade("same", 1.0 + 0.01 * i), trade("other", 9.0)]),
        )
        for i in range(4)
    ]
    kpi = found(days(*made), "mean R of the trades made with and without PAL")
    assert [round(found.value or 0.0, 9) for _, found in kpi.estimates] == [1.315, 1.015, 0.3]
    assert kpi.verdict is Verdict.SHOWN
    assert kpi.note == "4 trades"
    assert found(days(*made), "mean R of a trade").estimates[2][1].value == pytest.approx(-6.85)


def test_how_far_positions_came_on_the_way_to_an_add_is_told() -> None:
    stages = {Stage.WINNER: 3, Stage.FAR: 2, Stage.STRONG: 0}
    made = day(replace(run(trades=[trade("a", 1.0)] * 5), stages=stages))
    kpi = found(days(made, made), "trades that PAL added to")
    assert kpi.note.startswith("positions, a winner: 6; over the R that an add takes: 4; that far in a strong trend: 0")
    assert (kpi.estimates[0][1].value, kpi.estimates[0][1].n) == (0.0, 10)


def test_many_false_positives_miss_the_target() -> None:
    lived = days(*(day(replayed=replays(20, 80, harmless=True)) for _ in range(4)))
    assert found(lived, "false positives of PBA: harmless, and denied by it alone").verdict is Verdict.MISSED


def test_a_service_that_does_not_come_back_breaks_the_target() -> None:
    good = [day(run(back=5.1)) for _ in range(3)]
    assert found(days(*good), "recovery of a killed service").verdict is Verdict.SHOWN
    never = found(days(*good, day(run(back=None))), "recovery of a killed service")
    assert never.verdict is Verdict.BROKEN
    assert "3 of 4 within 30 s" in never.note
    assert found(days(*good, day(run(back=5.6))), "recovery of a killed service").verdict is Verdict.BROKEN


def halted_at(minutes: range) -> list[Moment]:
    return [moment(m, halted=m in minutes, mode="SAFE" if m in minutes else "NORMAL") for m in range(MINUTES)]


def test_one_proposal_allowed_during_a_stop_breaks_it() -> None:
    stopped = halted_at(range(30, 60))
    denied = [Asked(f"s{m}", at(m), "BTCUSDT", "DENY", ("ess.halted",)) for m in range(30, 60)]
    kept = days(day(run(moments=stopped, asked=denied)))
    assert found(kept, "proposals denied during an emergency stop").verdict is Verdict.HELD
    slipped = [*denied, Asked("x", at(45), "BTCUSDT", "ALLOW")]
    broken = days(day(run(moments=stopped, asked=slipped)))
    assert found(broken, "proposals denied during an emergency stop").verdict is Verdict.BROKEN


def test_how_long_a_stop_takes_is_told_with_the_days_without_one() -> None:
    made: list[LivedDay] = [day(run(moments=halted_at(range(30 + late, 60)))) for late in (1, 2, 3)]
    kpi = found(days(*made, day()), "from the start of the crash to the stop")
    assert kpi.estimates[0][1].value == 2.0
    assert kpi.note == "in 1 of 4 days not at all"
    # A stop that was there before the crash is none that the crash made.
    earlier = found(days(*(day(run(moments=halted_at(range(25, 60)))) for _ in range(3))), kpi.name)
    assert earlier.estimates[0][1].n == 0
    assert earlier.note == "in 3 of 3 days it was so before"
    mixed = found(days(*made, day(run(moments=halted_at(range(25, 60)))), day()), kpi.name)
    assert mixed.note == "in 1 of 5 days it was so before, in 1 of 5 days not at all"


def test_a_fund_that_was_safe_before_the_crash_is_not_one_that_never_was() -> None:
    name = "from the start of the crash to SAFE"
    before = [day(run(moments=halted_at(range(25, 60)))) for _ in range(2)]
    assert found(days(*before), name).note == "in 2 of 2 days it was so before"
    assert found(days(day(), day()), name).note == "in 2 of 2 days not at all"
    assert found(days(day(run(moments=halted_at(range(31, 60))))), name).note == ""


def test_a_snapshot_without_a_module_breaks_observation() -> None:
    seen = [replace(moment(m), faults=("pba",) if m == 7 else ()) for m in range(MINUTES)]
    assert found(days(day(run(moments=seen))), "snapshots in which every module answered").verdict is Verdict.BROKEN
