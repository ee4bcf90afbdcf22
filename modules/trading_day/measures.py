"""What a figure of several days is at least and at most: days are drawn, and what happens in one hangs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import ttest_1samp

from modules.estimates.proportions import interval

LEAST_DAYS = 3
LEAST_CASES = 20
"""Days, and cases of a rate, below which nothing is said."""

STUDENT, WILSON, ALIKE = "Student's t over days", "Wilson", "all days alike"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, of `n` days or cases; `low` and `high` are None where n is too small."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    of: str
    method: str

    @property
    def is_known(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None and self.high is not None

    @property
    def is_alike(self) -> bool:
        """Whether it was the same on every day, which tells nothing of how far another may be off."""
        return self.method == ALIKE

    def is_over(self, least: float) -> bool:
        """Whether it is surely more than `least`."""
        return self.low is not None and self.low > least

    def is_under(self, most: float) -> bool:
        """Whether it is surely less than `most`."""
        return self.high is not None and self.high < most


def over_days(values: Sequence[float | None], *, least: float = -np.inf) -> Estimate:
    """The mean of one figure a day, days without it left out; Student's t, so that few days make a wide interval.

    No figure can be under `least`, and so no interval begins there.
    """
    known = np.array([v for v in values if v is not None and np.isfinite(v)], dtype=float)
    n = len(known)
    if n < LEAST_DAYS:
        return Estimate(float(known.mean()) if n else None, None, None, n, "days", STUDENT)
    mean = float(known.mean())
    if np.ptp(known) == 0:
        return Estimate(mean, mean, mean, n, "days", ALIKE)
    found = ttest_1samp(known, 0.0).confidence_interval(0.95)
    return Estimate(mean, max(least, float(found.low)), float(found.high), n, "days", STUDENT)


def rate(hits: int, cases: int, of: str) -> Estimate:
    """The share of cases that are hits."""
    if cases < LEAST_CASES:
        return Estimate(hits / cases if cases else None, None, None, cases, of, WILSON)
    low, high = interval(hits, cases)
    return Estimate(hits / cases, low, high, cases, of, WILSON)


def rate_of_days(days: Sequence[tuple[int, int]], of: str) -> Estimate:
    """The share of cases that are hits, given as (hits, cases) of each day.

    Cases of one day hang together, which Wilson does not know, and days are few, which Student's t does: the interval
    is the wider of the two on either side.
    """
    pooled = rate(sum(hits for hits, _ in days), sum(cases for _, cases in days), of)
    daily = over_days([hits / cases if cases else None for hits, cases in days])
    if pooled.low is None or pooled.high is None:
        return pooled
    if daily.low is None or daily.high is None:
        return replace(pooled, method=f"{WILSON}, as if no two hung together")
    low, high = max(0.0, min(pooled.low, daily.low)), min(1.0, max(pooled.high, daily.high))
    return replace(pooled, low=low, high=high, method=f"the wider of {WILSON} and {STUDENT}")


def difference(here: Sequence[float | None], there: Sequence[float | None]) -> Estimate:
    """The mean difference, day by day, of two runs of the same days."""
    pairs = zip(here, there, strict=True)
    return over_days([None if a is None or b is None else a - b for a, b in pairs])


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return float(np.mean(values)) if len(values) else None


def drawdown(curve: Sequence[float]) -> float:
    """The largest fall from the highest point so far / that point; 0 for a curve that never falls."""
    path = np.asarray(curve, dtype=float)
    return float((1 - path / np.maximum.accumulate(path)).max()) if len(path) else 0.0
