"""What a share of successes is known to be at least and at most."""

from __future__ import annotations

from functools import lru_cache

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
