"""Retraining Orchestrator: when each model was trained, what its losses add up to, and what a challenger proves."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from modules.estimates.prediction_record import calibration, fault_of
from modules.estimates.proportions import interval
from modules.facts.levels import REGIME
from modules.inputs import Challenger, Comparison, Inputs, ModelRecord
from modules.learning.intervals import LEAST, mean_interval
from modules.supply import Row, Supply

SLACK = 0.5
"""Standard deviations by which a loss may lie over what was expected before it adds anything: half the shift of one
deviation that the sum is to find soon (Page 1954)."""

WIDEST = (-1.0, 1.0)
"""Where the mean of differences of squared errors lies whatever they are: so much is known of a canary at its start."""

CHALLENGER = ("gain_low", "win_rate_low", "average_r_low", "calibration")


class RetrainingOrchestrator:
    """Supplies, to the rows of models, what rules go by who say when to train and what may be exchanged.

    A sample is a bar: outcomes of many symbols in the same hours are nearly one.
    """

    name: ClassVar[str] = "retraining_orchestrator"
    policy: ClassVar[str | None] = "retraining"
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 3600
    owners: ClassVar[tuple[str, ...]] = ("Retraining Orchestrator",)

    def compute(self, inputs: Inputs) -> Supply:
        """A row for each model that there is; what is not known of it is left out, with the reason."""
        rows: dict[str, Row] = {}
        reasons: dict[str, str] = {}
        for name in sorted(inputs.models):
            told = _Told(name, {}, reasons)
            record = inputs.models[name]
            _tell_training(record, inputs.ts, told)
            _tell_losses(record, told)
            _tell_challenger(record, told)
            _tell_canary(record.challenger, inputs.ts, told)
            _tell_before(record.before, told)
            rows[name] = told.row
        return Supply(rows={"model": rows} if rows else {}, reasons=reasons)


class _Told:
    """The row of a model, and why facts of it are missing."""

    def __init__(self, model: str, row: dict[str, Any], reasons: dict[str, str]) -> None:
        self.row, self._model, self._reasons = row, model, reasons

    def put(self, fact: str, value: Any, why: str = "") -> None:
        """Put a value, or the reason where it is None or no finite number."""
        if value is None or (isinstance(value, float) and not np.isfinite(value)):
            self._reasons[f'model["{self._model}"].{fact}'] = why
        else:
            self.row[fact] = value


def _tell_training(record: ModelRecord, ts: int, told: _Told) -> None:
    absent = record.fault or "nobody knows when it was trained"
    told.put("age", *_since(record.trained_at, ts, absent))
    told.put("regime", record.regime if record.regime in REGIME.members else None, _no_regime(record))
    told.put("since_training", *_since(record.training_began, ts, "no training of it is on record"))
    challenger = record.challenger
    if challenger is None:
        told.put("challenger_age", 0.0)
    else:
        told.put("challenger_age", *_since(challenger.trained_at, ts, ""))


def _no_regime(record: ModelRecord) -> str:
    if record.trained_at is None:
        return record.fault or "nobody knows when it was trained"
    return "nobody knew the market's regime when it was trained"


def _since(at: int | None, ts: int, absent: str) -> tuple[float | None, str]:
    """Seconds from `at` to `ts`, and why they are not known where they are not."""
    if at is None:
        return None, absent
    return ((ts - at) / 1000, "") if at <= ts else (None, "it lies in the future: a clock is wrong")


def _tell_losses(record: ModelRecord, told: _Told) -> None:
    if record.trained_at is None:
        told.put("cusum", None, record.fault or "nobody knows when it was trained")
    elif record.expected_loss is None or record.loss_deviation is None:
        told.put("cusum", None, "nobody knows what its losses were like when it was trained")
    elif not (np.isfinite(record.losses).all() and np.isfinite([record.expected_loss, record.loss_deviation]).all()):
        told.put("cusum", None, "its losses hold values that are not numbers")
    else:
        told.put("cusum", cusum(record.losses, record.expected_loss, record.loss_deviation), "its losses do not vary")


def cusum(losses: NDArray[np.float64], expected: float, deviation: float) -> float | None:
    """The one-sided sum max(0, s + z - 0.5) over `losses`, oldest first; None where the deviation is not above 0.

    z is how far a loss lies over `expected`, in standard deviations of losses.
    """
    if not deviation > 0:
        return None
    total = 0.0
    for z in ((losses - expected) / deviation).tolist():
        total = max(0.0, total + z - SLACK)
    return total


def _tell_challenger(record: ModelRecord, told: _Told) -> None:
    challenger = record.challenger
    if challenger is None:
        told.put("challenger_samples", 0)
        for fact in ("apart", *CHALLENGER):
            told.put(f"challenger_{fact}", None, "it has no challenger")
        return
    compared = challenger.compared
    other, n = compared.other, len(compared.loss)
    gain = mean_interval(compared.loss - compared.other_loss)
    r = mean_interval(other.r_multiple)
    few = f"{n} bars have an outcome of both, and it takes {LEAST}"
    told.put("challenger_samples", n)
    told.put("challenger_apart", challenger.is_apart, "nobody has looked at the files of both")
    told.put("challenger_gain_low", None if gain is None else gain[0], few if n < LEAST else _NO_NUMBER)
    told.put("challenger_average_r_low", None if r is None else r[0], few if n < LEAST else _NO_R)
    fault = few if n < LEAST else fault_of(other)
    told.put("challenger_win_rate_low", None if fault else interval(int(other.came_true.sum()), n)[0], fault)
    told.put("challenger_calibration", None if fault else calibration(other.probability, other.came_true), fault)


_NO_NUMBER = "losses hold values that are not numbers"
_NO_R = "nobody knows what a trade would have made on some of its predictions"


def _tell_canary(challenger: Challenger | None, ts: int, told: _Told) -> None:
    if challenger is None or challenger.canary_since is None:
        for fact, nothing in (("age", 0.0), ("samples", 0), ("gain_low", 0.0), ("gain_high", 0.0)):
            told.put(f"canary_{fact}", nothing)
        return
    since = challenger.as_canary
    n = len(since.loss)
    gain = WIDEST if n < LEAST else mean_interval(since.loss - since.other_loss)
    told.put("canary_age", *_since(challenger.canary_since, ts, ""))
    told.put("canary_samples", n)
    told.put("canary_gain_low", None if gain is None else gain[0], _NO_NUMBER)
    told.put("canary_gain_high", None if gain is None else gain[1], _NO_NUMBER)


def _tell_before(before: Comparison | None, told: _Told) -> None:
    """What the version before would have spared, had it stayed live."""
    gain = None if before is None else mean_interval(before.loss - before.other_loss)
    told.put("before_samples", 0 if before is None else len(before.loss))
    if before is None:
        told.put("before_gain_low", None, "there is no version to go back to")
    else:
        few = f"{len(before.loss)} bars have an outcome of both since it went live, and it takes {LEAST}"
        why = few if len(before.loss) < LEAST else _NO_NUMBER
        told.put("before_gain_low", None if gain is None else gain[0], why)
