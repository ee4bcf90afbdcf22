"""What a model's predictions say of it: how often it is right, how sure of itself, which way it leans, what changed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from modules.estimates.proportions import interval
from modules.estimates.stored import as_stored
from modules.inputs.models import Predictions
from policy_dsl.quantities import Unit

LEAST_SAMPLES = 20
"""Predictions below which no word is said of a model's health: the predecessor's least."""

LEAST_FOR_TREND = 40
"""Predictions below which nothing is said of a trend: two halves of the least."""

BINS = 10
"""Bins of confidence for the calibration, a tenth each."""

DEGRADED_CALIBRATION, CRITICAL_CALIBRATION = 0.70, 0.50
"""Calibration below which a model is DEGRADED, and below which it is CRITICAL, whatever else it does: what these words
of `health` mean, by the predecessor. How far a model is trusted at which calibration is another question, and for the
rules of `supervisor` to answer."""

CUTS = (DEGRADED_CALIBRATION, CRITICAL_CALIBRATION)

EVEN = 0.5
"""A share of wins that a coin has."""

CHANCE = 0.05
"""How often chance alone may pass for a change."""

Floats = NDArray[np.float64]


def fault_of(predictions: Predictions) -> str:
    """What cannot be in predictions that have an outcome, for a person; empty where nothing is wrong."""
    if not ((predictions.probability >= 0) & (predictions.probability <= 1)).all():
        return "its predictions hold probabilities that cannot be"
    if not np.isin(predictions.came_true, (0.0, 1.0)).all():
        return "its predictions hold outcomes that are neither true nor false"
    return ""


def in_time(predictions: Predictions) -> Predictions:
    """The predictions, oldest first, whatever order they come in."""
    if (np.diff(predictions.at) >= 0).all():
        return predictions
    order = np.argsort(predictions.at, kind="stable")
    return Predictions(
        predictions.at[order],
        predictions.probability[order],
        predictions.came_true[order],
        predictions.is_long[order],
        predictions.market_rose[order],
        predictions.r_multiple[order],
    )


def calibration(probability: Floats, came_true: Floats) -> float:
    """1 - mean over confidence bins of |mean probability - share that came true|, weighted by count."""
    bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    said, held = (np.bincount(bins, weights=v, minlength=BINS) for v in (probability, came_true))
    return float(1 - np.abs(said - held).sum() / count.sum())


def bias_probability(is_long: NDArray[np.bool_], market_rose: Floats) -> float | None:
    """Probability of errors this one-sided, if the model leaned neither way; None where too few directions are known.

    Going LONG in a rising market is no bias. So only predictions that the market did not follow count: LONG before a
    fall, SHORT before a rise, equally many of either up to chance (McNemar 1947, as an exact binomial test against one
    half). They count as n (1 - rho) / (1 + rho) independent ones, rho being their autocorrelation at lag 1: a run of
    LONG is not many opinions.
    """
    known = np.isfinite(market_rose)
    if known.sum() < LEAST_SAMPLES:
        return None
    longs = is_long[known][is_long[known] != (market_rose[known] > 0)].astype(np.float64)
    n = len(longs)
    if n == 0:
        return 1.0
    centred = longs - longs.mean()
    spread = float(centred @ centred)
    rho = max(0.0, float(centred[1:] @ centred[:-1]) / spread) if spread > 0 else 0.0
    independent = max(1, int(n * (1 - rho) / (1 + rho)))
    return float(stats.binomtest(round(float(longs.mean()) * independent), independent, EVEN).pvalue)


def drift_probabilities(inputs: Mapping[str, tuple[Floats, Floats]]) -> dict[str, float]:
    """By model, the least probability over its features that inputs of late are those of its training.

    Two-sample Kolmogorov-Smirnov, each probability corrected for all features of all models (Benjamini and Hochberg
    1995). `inputs` holds what it was trained on and what it sees, shape (samples, features) each.
    """
    tests: list[tuple[str, float]] = []
    for name in sorted(inputs):
        trained, seen = inputs[name]
        if trained.shape[1] > 0:
            tests += [(name, float(p)) for p in stats.ks_2samp(trained, seen, axis=0).pvalue]
    if not tests:
        return {}
    corrected = stats.false_discovery_control([p for _, p in tests])
    least: dict[str, float] = {}
    for (name, _), p in zip(tests, corrected.tolist(), strict=True):
        least[name] = min(least.get(name, 1.0), p)
    return least


def performance_trend(came_true: Floats) -> str | None:
    """A name of `performance_trend`: whether the later half, in order of time, differs from the earlier (Welch's t)."""
    if len(came_true) < LEAST_FOR_TREND:
        return None
    half = len(came_true) // 2
    before, after = came_true[:half], came_true[half:]
    if before.var() == 0 and after.var() == 0:
        difference = float(after.mean() - before.mean())
        return "STABLE" if difference == 0 else "IMPROVING" if difference > 0 else "DEGRADING"
    # By these figures: given the arrays themselves, scipy spends most of its time on looking for NaN in them.
    later, earlier = ((float(x.mean()), float(x.std(ddof=1)), len(x)) for x in (after, before))
    found = stats.ttest_ind_from_stats(*later, *earlier, equal_var=False)
    if found.pvalue >= CHANCE:
        return "STABLE"
    return "IMPROVING" if found.statistic > 0 else "DEGRADING"


def health(predictions: Predictions) -> str | None:
    """A name of `health`; None below 20 predictions.

    Counted against a model: that it surely wins less than half (the upper end of Wilson's 95 % interval), that its
    trades surely lose (the upper end of the mean R's), a calibration below 0.70, and once more below 0.50. DEGRADED
    with one such mark, CRITICAL with two.
    """
    n = len(predictions.came_true)
    if n < LEAST_SAMPLES:
        return None
    wins = int(predictions.came_true.sum())
    _, highest = interval(wins, n)
    sure = as_stored(calibration(predictions.probability, predictions.came_true), Unit.RATIO)
    marks = [highest < EVEN, _surely_loses(predictions.r_multiple), *(sure < cut for cut in CUTS)]
    return ("HEALTHY", "DEGRADED", "CRITICAL")[min(sum(marks), 2)]


def _surely_loses(r_multiple: Floats) -> bool:
    made = r_multiple[np.isfinite(r_multiple)]
    if len(made) < LEAST_SAMPLES:
        return False
    error = float(made.std(ddof=1)) / math.sqrt(len(made))
    return float(made.mean()) + float(stats.t.ppf(1 - CHANCE / 2, len(made) - 1)) * error < 0
