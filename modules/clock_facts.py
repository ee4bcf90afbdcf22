"""The facts of the clock at given times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from policy_dsl.quantities import MS_PER_DAY

MS_PER_HOUR = 3_600_000
THURSDAY = 3
"""The weekday of 1970-01-01."""


def clock_facts(ts: NDArray[np.int64]) -> dict[str, np.ma.MaskedArray[Any, Any]]:
    """`clock.now`, `clock.hour` and `clock.weekday` as quanta, from milliseconds since 1970 UTC."""
    return {
        "clock.now": whole(ts),
        "clock.hour": whole(ts // MS_PER_HOUR % 24),
        "clock.weekday": whole((ts // MS_PER_DAY + THURSDAY) % 7),
    }


def whole(values: NDArray[np.int64]) -> np.ma.MaskedArray[Any, Any]:
    """Whole numbers that are quanta already."""
    return np.ma.masked_array(values.astype(np.int64))
