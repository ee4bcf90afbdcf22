"""What a share of successes, and a mean, are known to be at least and at most."""

from __future__ import annotations

import math
from functools import lru_cache

from scipy.special import stdtrit
from scipy.stats import binomtest


@lru_cache(maxsize=4096)
def interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion (Wilson 1927); from 0 to 1 without a trial.

    Raises ValueError where successes are not between nothing and all trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    if trials == 0:
        return 0.0, 1.0
    found = binomtest(successes, trials).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def mean_interval(count: int, mean: float, deviation: float) -> tuple[float, float]:
    """Student's 95 % interval of the mean of `count` values with that mean and sample standard deviation.

    Without variation it is the mean alone; everything with fewer than two values.
    """
    if count <= 1:
        return -math.inf, math.inf
    error = float(stdtrit(count - 1, 0.975)) * deviation / math.sqrt(count)
    return mean - error, mean + error
