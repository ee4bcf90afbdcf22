"""The fund's four models: small, of known statistics, and different enough from one another to disagree.

They go by the names of the models they stand in for, so that whoever has gradient-boosted trees or networks to put in
their place changes this file and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from modules.estimates.windows import Panel, log_returns, trailing_sum
from modules.feeds.candles import Candles
from modules.learning.features import LONGEST, MOST, features, volatility
from modules.learning.model import Model, Parameters, TrainingError
from modules.learning.outcomes import rises

Floats = NDArray[np.float64]

LEAST_A_FIGURE = 50
"""Samples that a model needs for each figure that it learns."""


LEAST_MOVES = 20
"""Moves that an autoregression needs for each figure that it learns: they are of one symbol, and do not overlap."""

LINKS: Mapping[str, Callable[[Floats], Floats]] = {"logit": expit, "probit": ndtr}
"""From a weighted sum to a probability."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A regression of "it is higher" on features, all symbols together: logit or probit, by maximum likelihood."""

    name: str
    features: tuple[str, ...]
    horizon: int
    link: str
    looks_back: int = LONGEST + 1

    def fit(self, candles: Candles) -> Parameters:
        """Weights on the features as they are, the constant first."""
        inputs, rose = _samples(self, candles, rises(candles.close, self.horizon))
        if rose.min() == rose.max():
            raise TrainingError("every outcome is the same")
        from modules.learning.regressions import binary  # noqa: PLC0415 -- only a training waits for statsmodels

        return {"weights": binary(inputs, rose, self.link)}

    def check(self, parameters: Parameters) -> None:
        """Raises ValueError where the weights are not those of its features."""
        _vector(self, parameters, "weights", len(self.features) + 1)

    def predict(self, parameters: Parameters, candles: Candles) -> Panel:
        """Probability by the link of the weighted features."""
        out: Panel = LINKS[self.link](_weighted(self, parameters, "weights", candles))
        return out


@dataclass(frozen=True, slots=True)
class Scaled:
    """A regression of the move ahead, in standard deviations, on moves at several scales, by least squares.

    The probability is that of a normal move with that mean and the deviation of what was left unexplained.
    """

    name: str
    features: tuple[str, ...]
    horizon: int
    looks_back: int = LONGEST + 1

    def fit(self, candles: Candles) -> Parameters:
        """Weights on the features, the constant first, and the deviation around them."""
        inputs, ahead = _samples(self, candles, _moves_ahead(candles, self.horizon))
        from modules.learning.regressions import least_squares  # noqa: PLC0415 -- only a training waits for statsmodels

        weights, deviation = least_squares(inputs, ahead)
        if not deviation > 0:
            raise TrainingError("nothing is left unexplained: prices do not move as a market's do")
        return {"weights": weights, "deviation": (deviation,)}

    def check(self, parameters: Parameters) -> None:
        """Raises ValueError where the weights are not those of its features, or the deviation is none."""
        _vector(self, parameters, "weights", len(self.features) + 1)
        _check_deviation(self, *_vector(self, parameters, "deviation", 1))

    def predict(self, parameters: Parameters, candles: Candles) -> Panel:
        """Probability of a normal move above zero."""
        (deviation,) = _vector(self, parameters, "deviation", 1)
        out: Panel = ndtr(_weighted(self, parameters, "weights", candles) / deviation)
        return out


@dataclass(frozen=True, slots=True)
class Patches:
    """An autoregression of each symbol on its own last moves, each over a patch of `horizon` bars.

    The probability is that of a normal move with the forecast as its mean. A symbol that was not in the training has
    none.
    """

    name: str
    horizon: int
    patches: int

    @property
    def looks_back(self) -> int:
        """The bars of its patches, and the one before them."""
        return self.patches * self.horizon + 1

    @property
    def features(self) -> tuple[str, ...]:
        """What is compared of its inputs: the newest moves."""
        return ("move_1", "move_2")

    def fit(self, candles: Candles) -> Parameters:
        """By symbol: the constant, a weight for each patch, newest first, and the deviation of what is left."""
        from modules.learning.regressions import autoregression  # noqa: PLC0415 -- only a training waits for statsmodels

        least = LEAST_MOVES * (self.patches + 1)
        found = {}
        for column, symbol in enumerate(candles.symbols):
            moves = _patches(log_returns(candles.close[:, [column]]), self.horizon)[:, 0]
            moves = moves[np.isfinite(moves)]
            if len(moves) >= least and moves.std() > 0:
                weights, deviation = autoregression(moves, self.patches)
                if deviation > 0:
                    found[symbol] = (*weights, deviation)
        if not found:
            raise TrainingError(f"no symbol has {least} moves of {self.horizon} bars that are known")
        return found

    def check(self, parameters: Parameters) -> None:
        """Raises ValueError where the figures of a symbol are not a constant, its weights and a deviation."""
        for symbol in parameters:
            _check_deviation(self, _vector(self, parameters, symbol, self.patches + 2)[-1])

    def predict(self, parameters: Parameters, candles: Candles) -> Panel:
        """Probability that the next patch goes up, at every bar."""
        moves = trailing_sum(log_returns(candles.close), self.horizon)
        out = np.full(candles.close.shape, np.nan)
        for column, symbol in enumerate(candles.symbols):
            if symbol in parameters:
                constant, *weights, deviation = _vector(self, parameters, symbol, self.patches + 2)
                out[:, column] = ndtr((constant + _lagged(moves[:, column], self.horizon, weights)) / deviation)
        return out


def _patches(returns: Panel, horizon: int) -> Panel:
    """Moves of patches that do not overlap, oldest first, the last one ending with the last bar."""
    return trailing_sum(returns, horizon)[(len(returns) - 1) % horizon :: horizon]


def _lagged(moves: Floats, horizon: int, weights: list[float]) -> Floats:
    """At each bar the weighted sum of the moves of the patches that end there, one patch before, and so on."""
    total = np.zeros(len(moves))
    for i, weight in enumerate(weights):
        back = np.full(len(moves), np.nan)
        back[i * horizon :] = moves[: max(0, len(moves) - i * horizon)]
        total += weight * back
    return total


def _moves_ahead(candles: Candles, horizon: int) -> Panel:
    """The log return of the next `horizon` bars in standard deviations; NaN where it is not known yet."""
    out = np.full(candles.close.shape, np.nan)
    if len(candles.close) > horizon:
        ahead = np.log(candles.close[horizon:] / candles.close[:-horizon])
        out[:-horizon] = ahead / (volatility(candles)[:-horizon] * np.sqrt(horizon))
    cut: Panel = np.clip(out, -MOST, MOST)
    return cut


def _samples(model: Model, candles: Candles, wanted: Panel) -> tuple[Floats, Floats]:
    """Features and what is to be learnt, one row for each bar and symbol where all of it is known."""
    inputs = features(candles, model.features).reshape(-1, len(model.features))
    outcome = wanted.reshape(-1)
    known = np.isfinite(inputs).all(axis=1) & np.isfinite(outcome)
    least = LEAST_A_FIGURE * (len(model.features) + 1)
    if known.sum() < least:
        raise TrainingError(f"{int(known.sum())} samples are known, and it takes {least}")
    return inputs[known], outcome[known]


def _weighted(model: Model, parameters: Parameters, name: str, candles: Candles) -> Panel:
    constant, *weights = _vector(model, parameters, name, len(model.features) + 1)
    out: Panel = constant + features(candles, model.features) @ np.array(weights)
    return out


def _vector(model: Model, parameters: Parameters, name: str, length: int) -> tuple[float, ...]:
    found = parameters.get(name, ())
    if len(found) != length:
        raise ValueError(f"`{model.name}` takes {length} figures called `{name}`, and {len(found)} are there")
    return found


def _check_deviation(model: Model, deviation: float) -> None:
    if not deviation > 0:
        raise ValueError(f"a deviation of `{model.name}` is {deviation:g}, and must be above 0")


def four_models(horizon: int = 1) -> Mapping[str, Model]:
    """The fund's models by name, each looking `horizon` bars ahead."""
    models: tuple[Model, ...] = (
        Binary("lightgbm", ("move_1", "body", "unrest", "surge"), horizon, "probit"),
        Scaled("nhits", ("move_1", "move_4", "move_12", "move_24"), horizon),
        Patches("patchtst", horizon, 6),
        Binary("xgboost", ("move_1", "move_2", "move_8", "market_1", "market_6"), horizon, "logit"),
    )
    return {model.name: model for model in models}
