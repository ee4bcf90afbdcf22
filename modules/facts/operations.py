"""Facts of each model and of each service of the fund."""

from __future__ import annotations

from typing import Annotated

from modules.facts.levels import HEALTH, PERFORMANCE_TREND, REGIME, SERVICE_STATUS
from policy_dsl.catalogue import FactModel, Rows, fact
from policy_dsl.types import COUNT, DURATION, FLAG, NUMBER, R_MULTIPLE, RATIO


class ModelFacts(FactModel, entity="model", rows=Rows.KEYED):
    """One prediction model, such as `model["xgboost"]`, judged by its known outcomes."""

    health: Annotated[str | None, HEALTH] = fact(
        "how the model does, from its intervals and calibration",
        owner="Model Supervisor", max_age="15m", calm="HEALTHY",
    )  # fmt: skip
    trend: Annotated[str | None, PERFORMANCE_TREND] = fact(
        "whether its results of late differ from its earlier ones, in order of time",
        owner="Model Supervisor", max_age="15m", calm="STABLE",
    )  # fmt: skip
    win_rate: Annotated[float | None, RATIO] = fact(
        "predictions that came true / predictions with a known outcome",
        owner="Model Supervisor", low=0, high=1, max_age="15m", calm=0.55,
    )  # fmt: skip
    average_r: Annotated[float | None, R_MULTIPLE] = fact(
        "mean R, after costs, of trades on its predictions whose outcome is known, whether they were made or not",
        owner="Model Supervisor", low=-1000, high=1000, max_age="15m", calm=0.3,
    )  # fmt: skip
    calibration: Annotated[float | None, RATIO] = fact(
        "1 - mean over confidence bins of |predicted share - observed share|, weighted by count",
        owner="Model Supervisor", low=0, high=1, max_age="15m", calm=0.95,
    )  # fmt: skip
    brier: Annotated[float | None, NUMBER] = fact(
        "sum of (probability - outcome) squared / predictions with a known outcome; 0 is best",
        owner="Model Supervisor", low=0, high=1, max_age="15m", calm=0.2,
    )  # fmt: skip
    samples: Annotated[int | None, COUNT] = fact(
        "predictions with a known outcome that the other figures rest on",
        owner="Model Supervisor", low=0, high=1_000_000_000, max_age="15m", calm=500,
    )  # fmt: skip
    long_share: Annotated[float | None, RATIO] = fact(
        "LONG predictions / LONG and SHORT predictions",
        owner="Model Supervisor", low=0, high=1, max_age="15m", calm=0.5,
    )  # fmt: skip
    bias_p: Annotated[float | None, RATIO] = fact(
        "probability of a long_share this far off, given the market's direction, if the model were unbiased",
        owner="Model Supervisor", low=0, high=1, max_age="15m", calm=0.5,
    )  # fmt: skip
    drift_p: Annotated[float | None, RATIO] = fact(
        "probability of inputs this far from those of its training if nothing had changed, corrected for all models",
        owner="Model Supervisor", low=0, high=1, max_age="15m", calm=0.5,
    )  # fmt: skip
    age: Annotated[float | None, DURATION] = fact(
        "time since the end of its training", owner="Retraining Orchestrator", low=0, calm=86_400
    )
    regime: Annotated[str | None, REGIME] = fact(
        "the market regime that it was trained in", owner="Retraining Orchestrator", calm="NORMAL"
    )
    win_rate_low: Annotated[float | None, RATIO] = fact(
        "lower end of the 95 % Wilson interval of win_rate over samples, whose outcomes do not overlap",
        owner="Model Supervisor", low=0, high=1, max_age="15m", calm=0.5,
    )  # fmt: skip
    cusum: Annotated[float | None, NUMBER] = fact(
        "one-sided CUSUM of its losses since its training, max(0, s + z - 0.5) a prediction, z in standard deviations",
        owner="Retraining Orchestrator", low=0, max_age="2h", calm=0,
    )  # fmt: skip
    since_training: Annotated[float | None, DURATION] = fact(
        "time since a training of it last began, whatever became of it",
        owner="Retraining Orchestrator", low=0, max_age="2h", calm=86_400,
    )  # fmt: skip
    challenger_apart: Annotated[bool | None, FLAG] = fact(
        "its challenger has a version and files of its own, and the live model's are as they were deployed",
        owner="Retraining Orchestrator", max_age="2h", calm=True,
    )  # fmt: skip
    challenger_age: Annotated[float | None, DURATION] = fact(
        "time since the end of its challenger's training; 0 without one",
        owner="Retraining Orchestrator", low=0, max_age="2h", calm=0,
    )  # fmt: skip
    challenger_samples: Annotated[int | None, COUNT] = fact(
        "bars at which it and its challenger predicted the same, after both trainings, and whose outcome is known",
        owner="Retraining Orchestrator", low=0, high=1_000_000_000, max_age="2h", calm=0,
    )  # fmt: skip
    challenger_gain_low: Annotated[float | None, NUMBER] = fact(
        "lower end of the 95 % HAC interval of mean (its - the challenger's squared error) over challenger_samples",
        owner="Retraining Orchestrator", low=-1, high=1, max_age="2h", calm=0,
    )  # fmt: skip
    challenger_win_rate_low: Annotated[float | None, RATIO] = fact(
        "lower end of the 95 % Wilson interval of the challenger's surest predictions that came true, one a sample",
        owner="Retraining Orchestrator", low=0, high=1, max_age="2h", calm=0.5,
    )  # fmt: skip
    challenger_average_r_low: Annotated[float | None, R_MULTIPLE] = fact(
        "lower end of the 95 % HAC interval of mean R, after costs, of trades on the challenger's surest predictions",
        owner="Retraining Orchestrator", low=-1000, high=1000, max_age="2h", calm=0.1,
    )  # fmt: skip
    challenger_calibration: Annotated[float | None, RATIO] = fact(
        "1 - mean over confidence bins of |predicted - observed share| of the challenger, weighted by count",
        owner="Retraining Orchestrator", low=0, high=1, max_age="2h", calm=0.95,
    )  # fmt: skip
    canary_age: Annotated[float | None, DURATION] = fact(
        "time since its challenger began to run as a canary; 0 without one",
        owner="Retraining Orchestrator", low=0, max_age="2h", calm=0,
    )  # fmt: skip
    canary_samples: Annotated[int | None, COUNT] = fact(
        "those of challenger_samples that were predicted since the canary began; 0 without one",
        owner="Retraining Orchestrator", low=0, high=1_000_000_000, max_age="2h", calm=0,
    )  # fmt: skip
    canary_gain_low: Annotated[float | None, NUMBER] = fact(
        "as challenger_gain_low, over canary_samples; -1 below 30 of them, 0 without a canary",
        owner="Retraining Orchestrator", low=-1, high=1, max_age="2h", calm=0,
    )  # fmt: skip
    canary_gain_high: Annotated[float | None, NUMBER] = fact(
        "upper end of the interval of canary_gain_low; 1 below 30 canary_samples, 0 without a canary",
        owner="Retraining Orchestrator", low=-1, high=1, max_age="2h", calm=0,
    )  # fmt: skip
    before_samples: Annotated[int | None, COUNT] = fact(
        "bars since it went live at which the version before predicted too, and whose outcome is known; or 0",
        owner="Retraining Orchestrator", low=0, high=1_000_000_000, max_age="2h", calm=0,
    )  # fmt: skip
    before_gain_low: Annotated[float | None, NUMBER] = fact(
        "lower end of the 95 % HAC interval of mean (its - the version before's squared error) over before_samples",
        owner="Retraining Orchestrator", low=-1, high=1, max_age="2h", calm=0,
    )  # fmt: skip


class ServiceFacts(FactModel, entity="service", rows=Rows.KEYED):
    """One service of the fund, such as `service["execution"]`."""

    status: Annotated[str | None, SERVICE_STATUS] = fact(
        "whether it answers its health check", owner="Self-Healing", max_age="30s", calm="UP"
    )
    error_rate: Annotated[float | None, RATIO] = fact(
        "its failed requests / its requests of the last five minutes",
        owner="Self-Healing", low=0, high=1, max_age="1m", calm=0,
    )  # fmt: skip
    restarts: Annotated[int | None, COUNT] = fact(
        "restarts of it in the last hour", owner="Self-Healing", low=0, max_age="1m", calm=0
    )
    last_seen: Annotated[float | None, DURATION] = fact(
        "time since its last heartbeat", owner="Self-Healing", low=0, calm=0
    )
    affects_trading: Annotated[bool | None, FLAG] = fact(
        "orders or prices depend on it", owner="Self-Healing", calm=True
    )
    since_restart: Annotated[float | None, DURATION] = fact(
        "time since its last restart began, or since it is watched where there was none",
        owner="Self-Healing", low=0, max_age="1m", calm=86_400,
    )  # fmt: skip
