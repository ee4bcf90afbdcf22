"""Figures of simulated days in words: never one without its interval, or without why there is none."""

from __future__ import annotations

from modules.trading_day.measures import Estimate
from modules.trading_day.verdicts import Kpi, Unit

PHASES = {
    1: "Phase 1: observation",
    2: "Phase 2: portfolio and risk",
    3: "Phase 3: amplification",
    4: "Phase 4: coordination",
    5: "Phase 5: advanced",
    0: "Overall (mean R is in phase 3, false positives and recovery in phase 2)",
}


NEARLY = 0.0005
"""A share that one decimal of a percentage would round to nothing or all."""


def estimate_text(label: str, found: Estimate, unit: Unit) -> str:
    """`with PBA 38.9% (35.1% to 42.7%)`; without an interval it says why."""
    start = f"{label} " if label else ""
    if found.value is None:
        return f"{start}no data"
    value = figure_text(found.value, unit)
    if found.is_alike:
        return f"{start}{value} (the same on every day)"
    if found.low is None or found.high is None:
        return f"{start}{value} (not enough data for an interval)"
    return f"{start}{value} ({figure_text(found.low, unit)} to {figure_text(found.high, unit)})"


def figure_text(value: float, unit: Unit) -> str:
    """A figure with its unit, as exact as its interval bears."""
    match unit:
        case Unit.SHARE:
            return f"{100 * value:z.{_decimals(value)}f}%"
        case Unit.R:
            return f"{value:+.2f} R"
        case Unit.SECONDS | Unit.MINUTES | Unit.BPS:
            return f"{value:.1f} {unit.value}"


def found_text(kpi: Kpi) -> str:
    """All estimates of a figure, one a line, and its note."""
    lines = [estimate_text(label, found, kpi.unit) for label, found in kpi.estimates]
    return "\n".join([*lines, *([kpi.note] if kpi.note else [])])


def sample_text(kpi: Kpi) -> str:
    """How many of what the figure rests on: of the last estimate, which is the one that counts."""
    if not kpi.estimates:
        return ""
    _, found = kpi.estimates[-1]
    first, space, rest = found.of.partition(" ")
    return f"{found.n:,} {first.removesuffix('s') if found.n == 1 else first}{space}{rest}"


def _decimals(share: float) -> int:
    """None for nothing and all, and enough to tell them from what is nearly so."""
    if share in {0.0, 1.0}:
        return 0
    return 1 if min(abs(share), abs(1 - share)) > NEARLY else 2
