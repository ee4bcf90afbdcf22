"""What a model is: a way to learn from a window of candles, and what it has learnt, as figures that a file can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from modules.estimates.hours import newest
from modules.estimates.windows import Panel, over_symbols
from modules.feeds.candles import Candles
from modules.learning.features import features
from modules.learning.outcomes import rises

Parameters = Mapping[str, tuple[float, ...]]
"""What a model has learnt: vectors of finite numbers by name."""

HELD_OUT = 0.25
"""The last part of a training window, on which a model that learnt from the rest shows what its losses are like."""

LEAST_HELD_OUT = 30
"""Bars below which nothing is said of what its losses are like."""

SPACING = 6
"""Bars between two inputs that are kept to be compared: neighbours see nearly the same."""


ANY_AGE = 36_500.0
"""Days further back than there are candles."""


class TrainingError(Exception):
    """A model could not be trained; the message says on what."""


class Model(Protocol):
    """A way to learn. It holds no state: what it learns is returned, and is handed in when it predicts.

    `name` is how the fund calls it, `features` what it sees, `horizon` how many bars ahead it looks and
    `looks_back` how many bars it needs to predict at the last of them.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 -- see the class

    @property
    def features(self) -> tuple[str, ...]: ...  # noqa: D102 -- see the class

    @property
    def horizon(self) -> int: ...  # noqa: D102 -- see the class

    @property
    def looks_back(self) -> int: ...  # noqa: D102 -- see the class

    def fit(self, candles: Candles) -> Parameters:
        """What the candles teach. Raises TrainingError where they do not suffice; the same ones teach the same."""
        ...

    def check(self, parameters: Parameters) -> None:
        """Raises ValueError for parameters that are not its own."""
        ...

    def predict(self, parameters: Parameters, candles: Candles) -> Panel:
        """Probability that each symbol is higher `horizon` bars after each bar, NaN where it is not known.

        The row of a bar comes from that bar and those before it. Raises ValueError for parameters that are not its own.
        """
        ...


class Losses(BaseModel):
    """The losses of a model on bars that it did not learn from: mean squared error of a bar's probabilities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    bars: int = Field(ge=LEAST_HELD_OUT)
    mean: float = Field(ge=0, le=1)
    deviation: float = Field(gt=0, le=1)


class Trained(BaseModel):
    """One version of a model. `trained_at` is the end of its training window in ms since 1970 UTC, `since` its start.

    `regime` is the market's at the training (None: nobody knew), `expected` its losses on what it did not learn from,
    and `inputs` a sample of what it saw, one row of features each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: str
    features: tuple[str, ...]
    horizon: int = Field(ge=1)
    cadence_ms: int = Field(ge=1)
    since: int
    trained_at: int
    regime: str | None
    parameters: dict[str, tuple[float, ...]]
    expected: Losses | None
    inputs: tuple[tuple[float, ...], ...]


def train(model: Model, candles: Candles, regime: str | None = None) -> Trained:
    """A version of `model` that has learnt from all of `candles`. Raises TrainingError where they do not suffice."""
    if len(candles.opened) == 0:
        raise TrainingError("there are no candles")
    parameters = model.fit(candles)
    if not all(np.isfinite(values).all() for values in parameters.values()):
        raise TrainingError("the search ended at values that are not numbers")
    return Trained(
        model=model.name,
        features=model.features,
        horizon=model.horizon,
        cadence_ms=candles.cadence_ms,
        since=int(candles.opened[0]),
        trained_at=int(candles.closed[-1]),
        regime=regime,
        parameters={name: tuple(float(v) for v in values) for name, values in sorted(parameters.items())},
        expected=_expected(model, candles),
        inputs=tuple(tuple(row) for row in seen(candles, model.features).tolist()),
    )


def bar_losses(probabilities: Panel, rose: Panel) -> NDArray[np.float64]:
    """Mean over the symbols of (probability - outcome) squared, by bar; NaN where no symbol has both."""
    return over_symbols((probabilities - rose) ** 2, np.nanmean)[:, 0]


def seen(candles: Candles, names: tuple[str, ...]) -> NDArray[np.float64]:
    """A sample of inputs, shape (samples, features): every sixth bar the next symbol's, where all are known."""
    bars = np.arange(len(candles.opened) % SPACING, len(candles.opened), SPACING)
    if len(bars) == 0 or not candles.symbols:
        return np.empty((0, len(names)))
    inputs = features(candles, names)[bars, np.arange(len(bars)) % len(candles.symbols)]
    return inputs[np.isfinite(inputs).all(axis=1)]


def _expected(model: Model, candles: Candles) -> Losses | None:
    """What its losses are like on the last quarter, having learnt from the rest; None where that is too short."""
    first = int(len(candles.opened) * (1 - HELD_OUT))
    if first == 0:
        return None
    try:
        parameters = model.fit(newest(candles, int(candles.closed[first - 1]), ANY_AGE))
    except TrainingError:
        # The rest alone does not suffice: then nobody knows what its losses are like, and the whole has taught it.
        return None
    losses = bar_losses(model.predict(parameters, candles), rises(candles.close, model.horizon))[first:]
    losses = losses[np.isfinite(losses)]
    if len(losses) < LEAST_HELD_OUT or not losses.std(ddof=1) > 0:
        return None
    return Losses(bars=len(losses), mean=float(losses.mean()), deviation=float(losses.std(ddof=1)))
