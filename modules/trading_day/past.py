"""What a fund brings into a day: the predictions of its models with their outcomes, and trades that it has closed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from modules.estimates.hours import HOUR_MS
from modules.inputs import ClosedTrade, ModelRecord, Predictions
from modules.trading_day.signals import MODELS
from policy_dsl.quantities import MS_PER_DAY

PREDICTIONS = 400
RIGHT = 0.57
TRADES, WON = 160, 0.6
"""Closed trades of the weeks before, made up: four of ten lose what they risk, and the others make two thirds more."""


def model_records(seed: int, midnight: int) -> Mapping[str, ModelRecord]:
    """A record for each model, sound and a little better than chance."""
    rng = np.random.default_rng([seed, 6])
    return {name: _record(rng, midnight) for name in MODELS}


def closed_trades(seed: int, midnight: int, symbols: tuple[str, ...]) -> list[ClosedTrade]:
    """Trades of the thirty days before `midnight` (ms), oldest first; the last one was won."""
    rng = np.random.default_rng([seed, 7])
    at = np.sort(midnight - rng.integers(HOUR_MS, 30 * MS_PER_DAY, TRADES))
    won = rng.random(TRADES) < WON
    won[-1] = True
    out = []
    for i in range(TRADES):
        r = float(rng.uniform(1.2, 2.2) if won[i] else rng.uniform(-1.1, -0.9))
        side = "LONG" if rng.random() < 1 / 2 else "SHORT"
        symbol, model = str(rng.choice(symbols)), str(rng.choice(MODELS))
        out.append(ClosedTrade(symbol, side, "SIGNAL", int(at[i]), 100 * r, 0.01 * r, r, model))
    return out


def _record(rng: np.random.Generator, midnight: int) -> ModelRecord:
    """Probabilities between 0.5 and 0.64 that are what they say."""
    at = midnight - HOUR_MS * np.arange(PREDICTIONS, 0, -1, dtype=np.int64)
    probability = rng.uniform(RIGHT - 0.07, RIGHT + 0.07, PREDICTIONS)
    came_true = (rng.random(PREDICTIONS) < probability).astype(np.float64)
    is_long = rng.random(PREDICTIONS) < 1 / 2
    rose = (is_long == (came_true > 0)).astype(np.float64)
    return ModelRecord(
        Predictions(at, probability, came_true, is_long, rose, np.where(came_true > 0, 1.5, -1.0)),
        trained_at=midnight - 2 * MS_PER_DAY,
        regime="NORMAL",
    )
