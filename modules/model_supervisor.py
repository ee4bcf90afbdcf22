"""Model Supervisor: how each prediction model does, by what came of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from modules.estimates.prediction_record import (
    LEAST_FOR_TREND,
    LEAST_SAMPLES,
    bias_probability,
    calibration,
    drift_probabilities,
    fault_of,
    health,
    in_time,
    performance_trend,
)
from modules.estimates.proportions import interval
from modules.inputs import Inputs, ModelRecord
from modules.supply import Row, Supply

LEAST_INPUTS = 30
"""Samples of inputs below which nothing is said of drift."""


OF_PREDICTIONS = (
    "samples", "win_rate", "win_rate_low", "calibration", "brier", "long_share", "average_r", "health", "trend",
    "bias_p",
)  # fmt: skip
"""The facts that rest on predictions with an outcome."""


class ModelSupervisor:
    """Supplies rows of models from their predictions with a known outcome. Whom to trust is for the rules to say."""

    name: ClassVar[str] = "model_supervisor"
    policy: ClassVar[str | None] = "supervisor"
    port: ClassVar[int | None] = 8007
    interval: ClassVar[float] = 300
    owners: ClassVar[tuple[str, ...]] = ("Model Supervisor",)

    def compute(self, inputs: Inputs) -> Supply:
        """A row for each model that there is; what its record is too short for is left out, with the reason."""
        models = {name: inputs.models[name] for name in sorted(inputs.models)}
        reasons: dict[str, str] = {}
        rows: dict[str, Row] = {name: _row(name, record, reasons) for name, record in models.items()}
        drifts = drift_probabilities(_comparable(models, reasons))
        rows = {name: {**row, "drift_p": drifts[name]} if name in drifts else row for name, row in rows.items()}
        return Supply(rows={"model": rows} if models else {}, reasons=reasons)


def _row(name: str, record: ModelRecord, reasons: dict[str, str]) -> Row:
    fault = fault_of(record.predictions)
    if fault:
        reasons |= {f'model["{name}"].{fact}': fault for fact in OF_PREDICTIONS}
        return {}
    found = in_time(record.predictions)
    n = len(found.came_true)
    row: dict[str, Any] = {"samples": n}
    if n == 0:
        for fact in ("win_rate", "win_rate_low", "calibration", "brier", "long_share"):
            reasons[f'model["{name}"].{fact}'] = "none of its predictions has an outcome"
    else:
        row["win_rate"] = float(found.came_true.mean())
        row["win_rate_low"], _ = interval(int(found.came_true.sum()), n)
        row["calibration"] = calibration(found.probability, found.came_true)
        row["brier"] = float(((found.probability - found.came_true) ** 2).mean())
        row["long_share"] = float(found.is_long.mean())
    made = found.r_multiple[np.isfinite(found.r_multiple)]
    if len(made):
        row["average_r"] = float(made.mean())
    else:
        reasons[f'model["{name}"].average_r'] = "nobody knows what a trade on any of its predictions would have made"
    words = {
        "health": (health(found), LEAST_SAMPLES),
        "trend": (performance_trend(found.came_true), LEAST_FOR_TREND),
        "bias_p": (bias_probability(found.is_long, found.market_rose), LEAST_SAMPLES),
    }
    known = int(np.isfinite(found.market_rose).sum())
    for fact, (value, least) in words.items():
        if value is not None:
            row[fact] = value
        elif n < least:
            reasons[f'model["{name}"].{fact}'] = f"{n} predictions have an outcome, and it takes {least}"
        else:
            reasons[f'model["{name}"].{fact}'] = f"the market's direction is known of {known}, and it takes {least}"
    return row


def _comparable(models: Mapping[str, ModelRecord], reasons: dict[str, str]) -> dict[str, tuple[Any, Any]]:
    """The inputs of training and of late, of the models that have enough of both."""
    found = {}
    for name, record in models.items():
        before, now, path = record.trained_on, record.sees, f'model["{name}"].drift_p'
        if before is None or now is None or min(len(before), len(now)) < LEAST_INPUTS:
            reasons[path] = f"fewer than {LEAST_INPUTS} inputs of its training, or of late, are known"
        elif before.shape[1] == 0:
            reasons[path] = "it has no inputs"
        elif before.shape[1] != now.shape[1]:
            reasons[path] = "its inputs have other features than its training had"
        elif not (np.isfinite(before).all() and np.isfinite(now).all()):
            reasons[path] = "its inputs hold values that are not numbers"
        else:
            found[name] = (before, now)
    return found
