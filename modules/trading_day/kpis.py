"""The plan's figures of success, phase by phase, as far as simulated days can tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from modules.trading_day.arms import Arm
from modules.trading_day.denials import false_positives
from modules.trading_day.lived import Days, Lived, LivedDay, Moment, Stage
from modules.trading_day.measures import Estimate, difference, drawdown, mean, over_days, rate
from modules.trading_day.mishaps import CRASH
from modules.trading_day.verdicts import Kpi, Unit, Verdict, always, at_least, at_most
from modules.universe_os import UniverseOS

MINUTE_S = 60
IN_TIME_S = 30.0
"""Seconds within which a service is to be back, by the plan."""


def kpis(days: Days) -> tuple[Kpi, ...]:
    """Every figure, in the order of the plan's phases and then of the whole."""
    parts = (_observation, _portfolio, _amplification, _coordination, _advanced, _overall)
    return tuple(kpi for part in parts for kpi in part(days))


# --- phase 1 ---------------------------------------------------------------------------------------------------------


def _observation(days: Days) -> Iterable[Kpi]:
    runs = _of(days, Arm.ALL)
    moments = [m for run in runs for m in run.moments]
    sound = rate(sum(not m.faults for m in moments), len(moments), "snapshots")
    yield Kpi(1, "snapshots in which every module answered", "all healthy", always(sound), estimates=(("", sound),))
    stored = rate(sum(run.stored for run in runs), len(moments), "snapshots")
    yield Kpi(1, "snapshots stored", "data collection works", always(stored), estimates=(("", stored),))
    held = sum(m.positions for m in moments)
    known = rate(sum(m.classified for m in moments), held, "positions, each time one was seen")
    yield Kpi(1, "positions that PIL classified", "all", always(known), estimates=(("", known),))
    gap = over_days([run.universe_gap / MINUTE_S for run in runs], least=0.0)
    latest = UniverseOS.interval / MINUTE_S + runs[0].every
    yield Kpi(
        1, "longest time between two lists of Universe OS", "every 15 min", at_most(gap, latest + 0.5), Unit.MINUTES,
        (("", gap),), f"at the next look, which may be {runs[0].every} min later",
    )  # fmt: skip
    yield Kpi(
        1, "no performance degradation", "none", Verdict.NOT_MEASURED,
        note="time is simulated here; the benchmark of a fund measures it",
    )  # fmt: skip


# --- phase 2 ---------------------------------------------------------------------------------------------------------


def _portfolio(days: Days) -> Iterable[Kpi]:
    with_it, without = _of(days, Arm.ALL), _of(days, Arm.NO_PBA)
    for name, of in (("highest share of a sector", _most_sector), ("highest exposure in all", _most_gross)):
        here, there = [of(r) for r in with_it], [of(r) for r in without]
        less = difference(there, here)
        yield Kpi(
            2, f"{name}, of equity", "PBA prevents over-concentration", at_least(less, 0.0),
            estimates=(("with PBA", over_days(here)), ("without", over_days(there)), ("lower by", less)),
        )  # fmt: skip
    yield from false_positives(days)
    yield _recovery(days)
    asked = [a for run in with_it for a in run.asked if not _in_trouble(run, a.at)]
    allowed = rate(sum(a.verdict == "ALLOW" for a in asked), len(asked), "proposals outside the mishaps")
    yield Kpi(
        2, "proposals allowed in quiet hours", "trading continues", at_least(allowed, 0.0), estimates=(("", allowed),)
    )


def _recovery(days: Days) -> Kpi:
    found = [r for run in _of(days, Arm.ALL) for r in run.recoveries]
    took = [(r.back - r.at) / 1000 for r in found if r.back is not None]
    by_day = [
        mean([(r.back - r.at) / 1000 for r in run.recoveries if r.back is not None]) for run in _of(days, Arm.ALL)
    ]
    average = over_days(by_day, least=0.0)
    in_time = sum(t < IN_TIME_S for t in took)
    longest = f"longest {max(took):.1f} s" if took else "none came back"
    return Kpi(
        2, "recovery of a killed service", "under 30 s",
        Verdict.BROKEN if in_time < len(found) else at_most(average, IN_TIME_S), Unit.SECONDS,
        (("mean", average),),
        f"{longest}; {in_time} of {len(found)} within {IN_TIME_S:.0f} s; in simulated time",
    )  # fmt: skip


# --- phase 3 ---------------------------------------------------------------------------------------------------------


def _amplification(days: Days) -> Iterable[Kpi]:
    yield from _r_multiple(days)
    worse = adds = 0
    for day in days:
        plain = {t.signal: t for t in day.runs[Arm.NO_PAL].trades}
        for trade in (t for t in day.runs[Arm.ALL].trades if t.added):
            adds += 1
            other = plain.get(trade.signal)
            lost = trade.profit is not None and trade.profit < 0
            worse += lost and other is not None and other.profit is not None and other.profit >= 0
    losses = rate(worse, adds, "trades that were added to")
    verdict = Verdict.TOO_FEW if not losses.is_known else Verdict.HELD if worse == 0 else Verdict.BROKEN
    yield Kpi(3, "losses that only PAL made", "no new losses", verdict, estimates=(("", losses),))
    yield Kpi(
        3, "better stops and targets by the Trading Mathematician", "better", Verdict.NOT_MEASURED,
        note="the signaller brings stops and targets of its own",
    )  # fmt: skip


def _r_multiple(days: Days) -> Iterable[Kpi]:
    """Of the trades that both runs made, which differ by what PAL did to them, and of all trades."""
    same = [_same_trades(day) for day in days]
    here, there = ([mean([pair[i] for pair in day]) for day in same] for i in (0, 1))
    yield _gain("mean R of the trades made with and without PAL", here, there, f"{sum(map(len, same))} trades")
    here, there = ([_mean_r(r) for r in _of(days, arm)] for arm in (Arm.ALL, Arm.NO_PAL))
    made = [sum(len(r.trades) for r in _of(days, arm)) for arm in (Arm.ALL, Arm.NO_PAL)]
    note = f"{made[0]} trades and {made[1]}: what PAL lets run takes room from others"
    yield _gain("mean R of a trade", here, there, note)
    runs = _of(days, Arm.ALL)
    added = rate(sum(t.added for r in runs for t in r.trades), sum(len(r.trades) for r in runs), "trades")
    stages = {stage: sum(r.stages.get(stage, 0) for r in runs) for stage in Stage}
    way = "; ".join(f"{stage}: {count}" for stage, count in stages.items())
    yield Kpi(3, "trades that PAL added to", "", Verdict.NO_TARGET, estimates=(("", added),), note=f"positions, {way}")


def _gain(name: str, here: Sequence[float | None], there: Sequence[float | None], note: str) -> Kpi:
    more, base = difference(here, there), over_days(there)
    if base.value is None or not more.is_known:
        verdict = Verdict.TOO_FEW
    elif not base.is_over(0.0):
        verdict = Verdict.NOT_SHOWN  # a fifth more than nothing, or than a loss, says nothing
    else:
        verdict = at_least(more, 0.2 * base.value)
    return Kpi(
        3, name, "+20% with PAL", verdict, Unit.R,
        (("with PAL", over_days(here)), ("without", base), ("more by", more)), note,
    )  # fmt: skip


def _same_trades(day: LivedDay) -> list[tuple[float, float]]:
    """R with PAL and without it of each trade that both runs made."""
    plain = {t.signal: t.r_multiple for t in day.runs[Arm.NO_PAL].trades}
    pairs = ((t.r_multiple, plain.get(t.signal)) for t in day.runs[Arm.ALL].trades)
    return [(here, there) for here, there in pairs if here is not None and there is not None]


# --- phase 4 ---------------------------------------------------------------------------------------------------------


def _coordination(days: Days) -> Iterable[Kpi]:
    runs = _of(days, Arm.ALL)
    safe = [m for run in runs for m in run.moments if m.risk_mode == "SAFE"]
    whole = rate(sum("hfos.crash_directives" in m.bound for m in safe), len(safe), "snapshots in SAFE")
    yield Kpi(4, "in SAFE, the directives of a crash bind", "coordinates all", always(whole), estimates=(("", whole),))
    calm = [m for run in runs for m in run.moments if m.ts < run.troubles.outage.start and not m.faults]
    off = rate(sum(m.risk_mode in {"NORMAL", "AGGRESSIVE"} for m in calm), len(calm), "snapshots before the outage")
    yield Kpi(4, "hands off in quiet hours", "no intervention", Verdict.NO_TARGET, estimates=(("", off),))
    to_safe, note = _time_to(runs, CRASH, _is_safe)
    yield Kpi(
        4, "from the start of the crash to SAFE", "adapts to the market", Verdict.NO_TARGET, Unit.MINUTES,
        (("", to_safe),), note,
    )  # fmt: skip


# --- phase 5 ---------------------------------------------------------------------------------------------------------


def _advanced(days: Days) -> Iterable[Kpi]:
    here, there = ([_slippage(r) for r in _of(days, arm)] for arm in (Arm.ALL, Arm.NONE))
    less = difference(there, here)
    yield Kpi(
        5, "slippage of an entry", "lower with AELM", at_least(less, 0.0), Unit.BPS,
        (("all policies", over_days(here)), ("none", over_days(there)), ("lower by", less)),
        "the two trade different proposals",
    )  # fmt: skip
    best, rest = zip(*(_ranked(day.runs[Arm.ALL], day.runs[Arm.NONE]) for day in days), strict=True)
    more = difference(best, rest)
    yield Kpi(
        5, "mean R, by the OpportunityRanker", "better selection", at_least(more, 0.0), Unit.R,
        (("what it lets through", over_days(best)), ("what it denies", over_days(rest)), ("more by", more)),
        "of the trades made without policies",
    )  # fmt: skip
    asked = [(run, a) for run in _of(days, Arm.ALL) for a in run.asked if a.at in _halted(run)]
    kept = rate(sum(a.verdict == "DENY" for _, a in asked), len(asked), "proposals during a stop")
    yield Kpi(5, "proposals denied during an emergency stop", "stops work", always(kept), estimates=(("", kept),))
    for name in (*days[0].runs[Arm.ALL].troubles.spells,):
        found, note = _time_to(_of(days, Arm.ALL), name, lambda m: m.is_halted)
        yield Kpi(
            5, f"from the start of the {name} to the stop", "", Verdict.NO_TARGET, Unit.MINUTES, (("", found),), note
        )


# --- the whole -------------------------------------------------------------------------------------------------------


def _overall(days: Days) -> Iterable[Kpi]:
    """What no phase has: for R, false positives and recovery see phases 3 and 2."""
    here, there = ([_wins(r) for r in _of(days, arm)] for arm in (Arm.ALL, Arm.NONE))
    gain = difference(here, there)
    yield Kpi(
        0, "win rate", "at least as without policies", at_least(gain, 0.0, or_equal=True),
        estimates=(("all policies", over_days(here)), ("none", over_days(there)), ("more by", gain)),
    )  # fmt: skip
    fell, fell_free = ([drawdown(r.curve) for r in _of(days, arm)] for arm in (Arm.ALL, Arm.NONE))
    less = over_days([1 - a / b if b else None for a, b in zip(fell, fell_free, strict=True)])
    yield Kpi(
        0, "largest drawdown of a day", "-30% with the policies", at_least(less, 0.3),
        estimates=(("all policies", over_days(fell)), ("none", over_days(fell_free)), ("smaller by", less)),
        note="a fund that trades less also loses less: see its profit",
    )  # fmt: skip
    made, made_free = ([r.curve[-1] / r.curve[0] - 1 for r in _of(days, arm)] for arm in (Arm.ALL, Arm.NONE))
    yield Kpi(
        0, "profit of a day, of equity", "", Verdict.NO_TARGET,
        estimates=(
            ("all policies", over_days(made)), ("none", over_days(made_free)), ("more by", difference(made, made_free)),
        ),
    )  # fmt: skip


# --- what is read of a run -------------------------------------------------------------------------------------------


def _of(days: Days, arm: Arm) -> list[Lived]:
    return [day.runs[arm] for day in days]


def _most_sector(run: Lived) -> float | None:
    return max((m.sector for m in run.moments if m.sector is not None), default=None)


def _most_gross(run: Lived) -> float | None:
    return max((m.gross for m in run.moments if m.gross is not None), default=None)


def _mean_r(run: Lived) -> float | None:
    return mean([t.r_multiple for t in run.trades if t.r_multiple is not None])


def _wins(run: Lived) -> float | None:
    return mean([float(t.profit > 0) for t in run.trades if t.profit is not None])


def _slippage(run: Lived) -> float | None:
    found = mean([a.slippage for a in run.asked if a.slippage is not None])
    return None if found is None else found * 10_000


def _ranked(run: Lived, free: Lived) -> tuple[float | None, float | None]:
    """Mean R of the trades without policies: of those that the ranker let through with them, and of those it denied."""
    denied = {a.signal: any(rule.startswith("ranker.") for rule in a.denied_by) for a in run.asked}
    known = [(t.r_multiple, denied[t.signal]) for t in free.trades if t.r_multiple is not None and t.signal in denied]
    return mean([r for r, no in known if not no]), mean([r for r, no in known if no])


def _halted(run: Lived) -> frozenset[int]:
    return frozenset(m.ts for m in run.moments if m.is_halted)


def _is_safe(moment: Moment) -> bool:
    return moment.risk_mode == "SAFE"


def _time_to(runs: Sequence[Lived], mishap: str, is_so: Callable[[Moment], bool]) -> tuple[Estimate, str]:
    """Minutes from the start of a mishap until it is so, over days, and of how many days that says nothing, and why."""
    before = [_was_so(run, mishap, is_so) for run in runs]
    took = [None if was else _minutes_to(run, mishap, is_so) for run, was in zip(runs, before, strict=True)]
    already, never = sum(before), sum(t is None for t in took) - sum(before)
    notes = [f"{already} of {len(runs)} days it was so before"] if already else []
    notes += [f"{never} of {len(runs)} days not at all"] if never else []
    return over_days(took, least=0.0), ", ".join(f"in {note}" for note in notes)


def _was_so(run: Lived, mishap: str, is_so: Callable[[Moment], bool]) -> bool:
    """Whether it was so in the moment before a mishap began."""
    before = [m for m in run.moments if m.ts < run.troubles.spells[mishap].start]
    return bool(before) and is_so(before[-1])


def _minutes_to(run: Lived, mishap: str, is_so: Callable[[Moment], bool]) -> float | None:
    """Minutes from the start of a mishap to the first moment in it that is so; a crash goes on until the day is over.

    None where there is none.
    """
    spell = run.troubles.spells[mishap]
    after = (m for m in run.moments if m.ts >= spell.start and (mishap == CRASH or m.ts < spell.end))
    found = next((m.ts for m in after if is_so(m)), None)
    return None if found is None else (found - spell.start) / 60_000


def _in_trouble(run: Lived, ts: int) -> bool:
    return any(spell.holds(ts) for spell in run.troubles.spells.values()) or ts in _halted(run)
