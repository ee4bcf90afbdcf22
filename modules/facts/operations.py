"""Facts of each model and of each service of the fund."""

from __future__ import annotations

from typing import Annotated

from modules.facts.levels import HEALTH, PERFORMANCE_TREND, REGIME, SERVICE_STATUS
from modules.facts.market import TEN_YEARS
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
        "sum of R of its trades / its trades with a known outcome",
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
        "time since the end of its training", owner="Retraining Orchestrator", low=0, high=TEN_YEARS, calm=86_400
    )
    regime: Annotated[str | None, REGIME] = fact(
        "the market regime that it was trained in", owner="Retraining Orchestrator", calm="NORMAL"
    )


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
        "restarts of it in the last hour", owner="Self-Healing", low=0, high=100_000, max_age="1m", calm=0
    )
    last_seen: Annotated[float | None, DURATION] = fact(
        "time since its last heartbeat", owner="Self-Healing", low=0, high=TEN_YEARS, calm=0
    )
    affects_trading: Annotated[bool | None, FLAG] = fact(
        "orders or prices depend on it", owner="Self-Healing", calm=True
    )
