"""A figure of the plan, and what its intervals say of its target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from modules.trading_day.measures import Estimate


class Verdict(StrEnum):
    """What the days say of a target."""

    SHOWN = "shown"
    NOT_SHOWN = "not shown"
    MISSED = "missed"
    TOO_FEW = "not enough data"
    HELD = "held"
    BROKEN = "broken"
    NO_TARGET = "no target"
    NOT_MEASURED = "not measured"


class Unit(StrEnum):
    """What a figure is in."""

    SHARE = "share"
    R = "R"
    SECONDS = "s"
    MINUTES = "min"
    BPS = "bps"


@dataclass(frozen=True, slots=True)
class Kpi:
    """One figure of a phase (0: of the whole plan): its estimates by label, the plan's target, and what is shown."""

    phase: int
    name: str
    target: str
    verdict: Verdict
    unit: Unit = Unit.SHARE
    estimates: tuple[tuple[str, Estimate], ...] = ()
    note: str = ""


def at_least(found: Estimate, least: float, *, or_equal: bool = False) -> Verdict:
    """Shown where the whole interval is over `least`, missed where it is all under."""
    if not found.is_known or found.low is None:
        return Verdict.TOO_FEW
    if found.is_over(least) or (or_equal and found.low >= least):
        return Verdict.SHOWN
    return Verdict.MISSED if found.is_under(least) else Verdict.NOT_SHOWN


def at_most(found: Estimate, most: float) -> Verdict:
    """Shown where the whole interval is under `most`, missed where it is all over."""
    if not found.is_known:
        return Verdict.TOO_FEW
    if found.is_under(most):
        return Verdict.SHOWN
    return Verdict.MISSED if found.is_over(most) else Verdict.NOT_SHOWN


def always(found: Estimate) -> Verdict:
    """What must hold every time: one exception breaks it."""
    if found.value is None:
        return Verdict.TOO_FEW
    return Verdict.HELD if found.value == 1.0 else Verdict.BROKEN
