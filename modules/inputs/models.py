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
    way it went, `market_rose` 1 where the price rose until the outcome and 0 where it did not (NaN: not known), and
    `r_multiple` what a trade on it made, or would have made, after costs (NaN: not known). Outcomes do not overlap.
    """

    at: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    probability: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    came_true: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    is_long: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    market_rose: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    r_multiple: NDArray[np.float64] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A live model and another version of it on the same bars, of data that neither was trained on, oldest first.

    `loss` and `other_loss` are mean squared errors of their probabilities at each bar, over the same symbols;
    `other` are the other version's predictions at these bars, the one that it was the surest of at each.
    """

    loss: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    other_loss: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    other: Predictions = field(default_factory=Predictions)


@dataclass(frozen=True, slots=True)
class Challenger:
    """A version that would replace the live one. `trained_at` is the end of its training in ms, `compared` all of it.

    `is_apart` says whether it has files of its own and the live model's are as they were deployed (None: nobody
    knows). `canary_since` is when it began to run as a canary (None: it does not), `as_canary` what came of it since.
    """

    trained_at: int
    compared: Comparison = field(default_factory=Comparison)
    is_apart: bool | None = None
    canary_since: int | None = None
    as_canary: Comparison = field(default_factory=Comparison)


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One model. `trained_at` is the end of its training in ms, `regime` the market's then (a name of `regime`).

    `trained_on` and `sees` are inputs of its training and of late, shape (samples, features). `losses` are those of
    the live version at each bar since its training, oldest first, `expected_loss` and `loss_deviation` what they were
    like on bars that it did not learn from. `training_began` is when a training of it last began, in ms.

    `challenger` is None where there is none, `before` None where no earlier version can be gone back to. `fault` says
    why the live version is not there, if it is not.
    """

    predictions: Predictions = field(default_factory=Predictions)
    trained_at: int | None = None
    regime: str | None = None
    trained_on: NDArray[np.float64] | None = None
    sees: NDArray[np.float64] | None = None
    losses: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    expected_loss: float | None = None
    loss_deviation: float | None = None
    training_began: int | None = None
    challenger: Challenger | None = None
    before: Comparison | None = None
    fault: str | None = None
