"""A day as it went with all policies, stretch by stretch: what bound, what was asked, and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from modules.simulated_market import MINUTE_MS
from modules.trading_day.arms import Arm
from modules.trading_day.lived import Lived, LivedDay, Moment
from modules.trading_day.mishaps import CRASH, Spell

MODES = ("SAFE", "DEFENSIVE", "CAUTIOUS", "NORMAL", "AGGRESSIVE")
"""From strict to loose."""

WEIGHTIEST = ("ess", "hfos", "healing", "pba", "orchestrator", "msc")
"""Policies of the whole fund, as a reader of a day asks for them."""

QUIET, AFTER = "quiet", "after the crash"
MOST_RULES = 8
HOUR_BEFORE_MS = 60 * MINUTE_MS
"""A rule that bound within so long before a stretch is not news in it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a day. `strictest` is the strictest risk mode in it, `halted` the minutes of emergency stop.

    `rules` bound in it on what was known, and not in the hour before: those of the whole fund first. `unknown` is how
    many more bound only because something was not known. `deniers` are the rules that denied most, with how often.
    `change` is what the equity did with all policies, `change_without` with none; ratios of the equity at its start.
    """

    what: str
    spell: Spell
    strictest: str
    halted: int
    asked: int
    allowed: int
    rules: tuple[str, ...]
    unknown: int
    deniers: tuple[tuple[str, int], ...]
    change: float
    change_without: float


@dataclass(frozen=True, slots=True)
class Repair:
    """A service that was killed, and how many seconds later it did its work again; None: not in this day."""

    at: int
    service: str
    took: float | None


def timeline(day: LivedDay) -> tuple[Stretch, ...]:
    """The stretches of a day, in order."""
    run, free = day.runs[Arm.ALL], day.runs[Arm.NONE]
    return tuple(_stretch(what, spell, run, free) for what, spell in _spells(run))


def repairs(day: LivedDay) -> tuple[Repair, ...]:
    """The services that were killed, in the order of time."""
    found = day.runs[Arm.ALL].recoveries
    return tuple(Repair(r.at, r.service, None if r.back is None else (r.back - r.at) / 1000) for r in found)


def _spells(run: Lived) -> Iterator[tuple[str, Spell]]:
    """The mishaps and what lies between them, as far as the day was lived."""
    end = run.midnight + len(run.curve) * MINUTE_MS
    now, before = run.midnight, QUIET
    for name, spell in run.troubles.spells.items():
        if spell.start >= end:
            break
        yield before, Spell(now, spell.start)
        yield name, Spell(spell.start, min(spell.end, end))
        now, before = min(spell.end, end), AFTER if name == CRASH else QUIET
    if now < end:
        yield before, Spell(now, end)


def _stretch(what: str, spell: Spell, run: Lived, free: Lived) -> Stretch:
    here = [m for m in run.moments if spell.holds(m.ts)]
    asked = [a for a in run.asked if spell.holds(a.at)]
    earlier = {
        rule
        for m in run.moments
        if spell.start - HOUR_BEFORE_MS <= m.ts < spell.start and spell.start > run.midnight
        for rule in m.bound
    }
    news = {rule for m in here for rule in m.sure if rule not in earlier}
    unknown = {rule for m in here for rule in m.bound if rule not in earlier} - news
    deniers = Counter(rule for a in asked for rule in a.denied_by)
    return Stretch(
        what, spell, min((m.risk_mode for m in here), key=MODES.index, default=""), _halted_minutes(here), len(asked),
        sum(a.verdict == "ALLOW" for a in asked), tuple(sorted(news, key=_weight)), len(unknown),
        tuple(sorted(deniers.items(), key=lambda found: (-found[1], found[0]))[:MOST_RULES]), _change(run, spell),
        _change(free, spell),
    )  # fmt: skip


def _weight(rule: str) -> tuple[int, str]:
    policy = rule.partition(".")[0]
    return (WEIGHTIEST.index(policy) if policy in WEIGHTIEST else len(WEIGHTIEST), rule)


def _halted_minutes(moments: list[Moment]) -> int:
    return len({m.ts // MINUTE_MS for m in moments if m.is_halted})


def _change(run: Lived, spell: Spell) -> float:
    first, last = ((ts - run.midnight) // MINUTE_MS for ts in (spell.start, spell.end))
    curve = run.curve
    return curve[min(last, len(curve) - 1)] / curve[first] - 1 if first < len(curve) else 0.0
