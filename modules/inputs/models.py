"""What is known of each prediction model: its predictions with what came of them, its inputs, and its training."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NOTHING = np.empty(0)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions whose outcome is known, oldest first; arrays of one length.

    `at` is ms since 1970 UTC, `probability` what the model gave its own success, `came_true` 1 or 0, `is_long` which
    way it went, `market_rose` 1 where the market rose until the outcome and 0 where it did not (NaN: not known), and
    `r_multiple` what a trade on it made (NaN: none was made). Outcomes do not overlap.
    """

    at: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    probability: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    came_true: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    is_long: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    market_rose: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    r_multiple: NDArray[np.float64] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One model. `trained_at` is the end of its training in ms, `regime` the market's then (a name of `regime`).

    `trained_on` and `sees` are inputs of its training and of late, shape (samples, features). `loss` and
    `challenger_loss` are the losses of the live model and of one that would replace it on the same untouched samples,
    oldest first; None where there is no challenger.
    """

    predictions: Predictions = field(default_factory=Predictions)
    trained_at: int | None = None
    regime: str | None = None
    trained_on: NDArray[np.float64] | None = None
    sees: NDArray[np.float64] | None = None
    loss: NDArray[np.float64] | None = None
    challenger_loss: NDArray[np.float64] | None = None
    is_canary: bool = False
