"""How models do: figures worked by hand, nothing said of too little, and no defect of the one before."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from evaluators.interpreter import Interpreter
from evaluators.testing import promoted
from modules.estimates.prediction_record import bias_probability, calibration, drift_probabilities, performance_trend
from modules.inputs import Inputs, ModelRecord, Predictions
from modules.model_supervisor import ModelSupervisor
from modules.supply import Supply
from tests.rules.decisions import default_bundle, shown, state

NOW = 1_760_000_000_000


def predictions(came_true: Any, probability: Any = 0.55, **parts: Any) -> Predictions:
    outcome = np.asarray(came_true, dtype=np.float64)
    n = len(outcome)
    made = {
        "at": np.arange(n) + NOW,
        "probability": np.full(n, probability, dtype=np.float64) if np.isscalar(probability) else probability,
        "came_true": outcome,
        "is_long": np.arange(n) % 2 == 0,
        "market_rose": (np.arange(n) % 4 < 2).astype(np.float64),
        "r_multiple": np.where(outcome > 0, 1.5, -1.0),
    }
    return Predictions(**(made | parts))


def wins(won: int, of: int) -> Any:
    """That many wins, spread evenly."""
    return np.diff(np.floor(np.arange(of + 1) * won / of + 1e-9))


def supply(**models: ModelRecord) -> Supply:
    return ModelSupervisor().compute(Inputs("main", NOW, models=models))


def row(found: Predictions, **parts: Any) -> dict[str, Any]:
    return dict(supply(m=ModelRecord(found, **parts)).rows["model"]["m"])


def test_the_figures_of_a_record() -> None:
    found = row(predictions([1, 1, 0, 0] * 25, probability=0.6))
    assert found["samples"] == 100
    assert found["win_rate"] == 0.5
    assert found["average_r"] == 0.25
    assert found["brier"] == pytest.approx(0.5 * 0.16 + 0.5 * 0.36)
    assert found["calibration"] == pytest.approx(0.9)
    assert found["long_share"] == 0.5


def test_calibration_weighs_bins_by_count() -> None:
    said = np.array([0.95] * 9 + [0.05])
    held = np.array([1.0] * 9 + [1.0])
    assert calibration(said, held) == pytest.approx(1 - (9 * 0.05 + 0.95) / 10)


def test_of_a_model_without_outcomes_nothing_is_known_but_that() -> None:
    found = supply(new=ModelRecord())
    assert found.rows["model"]["new"] == {"samples": 0}
    assert found.reasons['model["new"].win_rate'] == "none of its predictions has an outcome"
    assert found.reasons['model["new"].health'] == "0 predictions have an outcome, and it takes 20"


def test_without_models_the_collection_is_missing() -> None:
    assert supply().rows == {}


@pytest.mark.parametrize(("count", "known"), [(19, False), (20, True)])
def test_health_takes_twenty_outcomes(count: int, *, known: bool) -> None:
    assert ("health" in row(predictions(wins(count // 2, count)))) is known


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (predictions(wins(55, 100), 0.55), "HEALTHY"),
        # 45 of 100 may be chance: the interval reaches 54.8 %.
        (predictions(wins(45, 100), 0.45, r_multiple=np.full(100, 0.1)), "HEALTHY"),
        (predictions(wins(35, 100), 0.35, r_multiple=np.full(100, 0.1)), "DEGRADED"),
        (predictions(wins(25, 100), 0.25), "CRITICAL"),
        (predictions(wins(60, 100), 0.95), "DEGRADED"),
        (predictions(wins(20, 100), 0.95, r_multiple=np.full(100, 0.1)), "CRITICAL"),
    ],
)
def test_health_counts_what_is_sure_against_a_model(found: Predictions, word: str) -> None:
    assert row(found)["health"] == word


@pytest.mark.parametrize(("won", "said"), [(11, 0.85), (12, 0.9), (10, 0.8), (14, 1.0)])
def test_a_calibration_of_exactly_the_least_is_not_poor(won: int, said: float) -> None:
    """Off by 30 % each, and mostly a little more in doubles; 1 of 20 in other hands would have decided."""
    found = row(predictions(wins(won, 20), said, r_multiple=np.full(20, 0.1)))
    assert found["calibration"] == pytest.approx(0.70)
    assert found["health"] == "HEALTHY"
    worse = row(predictions(wins(won - 1, 20), said, r_multiple=np.full(20, 0.1)))
    assert worse["health"] != "HEALTHY"


def trust(**models: ModelRecord) -> dict[str, str]:
    """How far the rules trust models where they bind, in an ordinary moment, by what the supervisor supplies."""
    document = {"model": {name: {**UNKNOWN, **found} for name, found in supply(**models).rows["model"].items()}}
    program = promoted(default_bundle().written)
    found: dict[str, str] = shown(Interpreter(program).decide(state(document)), program)["supervisor.trust"]
    return found


UNKNOWN = dict.fromkeys(("win_rate", "win_rate_low", "calibration", "health", "bias_p", "trend"))


def test_a_lucky_trade_buys_no_trust_and_neither_do_many_lucky_ones_of_a_model_in_bad_health() -> None:
    lucky = ModelRecord(predictions([1.0], 0.99, r_multiple=np.array([40.0])))
    proven = ModelRecord(predictions(wins(165, 300)))
    # It won less than half for sure, and made more than the other by one trade.
    bad = ModelRecord(predictions(wins(75, 300), r_multiple=np.where(np.arange(300) == 7, 9_000.0, -0.5)))
    found = trust(lucky=lucky, proven=proven, bad=bad)
    assert found == {"bad": "BLOCKED", "lucky": "BLOCKED", "proven": "FULL"}


def test_each_model_is_judged_by_its_own_predictions_and_an_idle_one_weighs_nothing() -> None:
    rng = np.random.default_rng(5)
    one = ModelRecord(predictions(wins(165, 300)), trained_on=rng.normal(size=(60, 2)), sees=rng.normal(size=(60, 2)))
    other = ModelRecord(predictions(wins(90, 300), 0.6))
    alone = {name: supply(**{name: record}).rows["model"][name] for name, record in (("one", one), ("other", other))}
    together = supply(one=one, other=other, idle=ModelRecord()).rows["model"]
    assert {name: together[name] for name in alone} == alone
    assert alone["one"]["win_rate"] != alone["other"]["win_rate"]


def test_a_trend_is_one_in_order_of_time_and_beyond_chance() -> None:
    assert performance_trend(np.concatenate([wins(30, 40), wins(10, 40)])) == "DEGRADING"
    assert performance_trend(np.concatenate([wins(10, 40), wins(30, 40)])) == "IMPROVING"
    assert performance_trend(wins(40, 80)) == "STABLE"
    assert performance_trend(np.concatenate([np.zeros(20), np.ones(20)])) == "IMPROVING"
    assert performance_trend(np.ones(40)) == "STABLE"
    assert performance_trend(np.ones(39)) is None


def test_a_record_that_comes_newest_first_is_read_in_order_of_time() -> None:
    found = predictions(np.concatenate([wins(30, 40), wins(10, 40)]), market_rose=np.tile([1.0, 1.0, 1.0, 0.0], 20))
    reversed_ = Predictions(*(getattr(found, field.name)[::-1] for field in fields(found)))
    assert row(reversed_) == row(found)
    assert row(found)["trend"] == "DEGRADING"


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"probability": np.nan}, "probabilities that cannot be"),
        ({"probability": 1.1}, "probabilities that cannot be"),
        ({"probability": -0.1}, "probabilities that cannot be"),
        ({"came_true": np.array([*wins(30, 49), np.nan])}, "neither true nor false"),
        ({"came_true": np.array([*wins(30, 49), 2.0])}, "neither true nor false"),
    ],
)
def test_a_model_with_a_figure_that_cannot_be_costs_no_other_model_its_facts(broken: Any, why: str) -> None:
    bad = predictions(**({"came_true": wins(30, 50)} | broken))
    found = supply(bad=ModelRecord(bad), sound=ModelRecord(predictions(wins(30, 50))))
    assert found.rows["model"]["bad"] == {}
    for fact in ("samples", "win_rate", "win_rate_low", "calibration", "brier", "health", "trend", "bias_p"):
        assert why in found.reasons[f'model["bad"].{fact}']
    assert found.rows["model"]["sound"]["samples"] == 50


def test_going_long_in_a_rising_market_is_no_bias() -> None:
    rng = np.random.default_rng(1)
    long = rng.random(400) < 0.8
    with_it = bias_probability(long, (rng.random(400) < 0.8).astype(float))
    against_it = bias_probability(long, (rng.random(400) < 0.5).astype(float))
    assert with_it is not None
    assert against_it is not None
    assert with_it > 0.05
    assert against_it < 1e-6


def test_a_long_run_is_one_opinion_and_not_many() -> None:
    rose = np.tile([1.0, 0.0], 50)
    # 80 of 100 are LONG either way: scattered, or as one run. 40 of them are wrong, and 10 of the others.
    scattered, run = np.tile([True, True, True, True, False], 20), np.arange(100) < 80
    one, other = bias_probability(scattered, rose), bias_probability(run, rose)
    assert one is not None
    assert other is not None
    assert one < 0.001
    assert other > 0.2


def test_a_model_that_only_ever_says_long_is_biased() -> None:
    found = bias_probability(np.ones(100, dtype=bool), np.tile([1.0, 0.0], 50))
    assert found == pytest.approx(2 * 0.5**50)


def test_bias_is_unknown_where_no_market_direction_is() -> None:
    assert bias_probability(np.ones(100, dtype=bool), np.full(100, np.nan)) is None
    found = supply(m=ModelRecord(predictions(wins(50, 100), market_rose=np.full(100, np.nan))))
    assert found.reasons['model["m"].bias_p'] == "the market's direction is known of 0, and it takes 20"


def test_drift_is_found_where_inputs_moved_and_rarely_where_they_did_not() -> None:
    rng = np.random.default_rng(2)
    same = {f"m{i}": (rng.normal(size=(200, 5)), rng.normal(size=(200, 5))) for i in range(20)}
    moved = (rng.normal(size=(200, 5)), rng.normal(size=(200, 5)) + np.array([0, 0, 1.0, 0, 0]))
    found = drift_probabilities({**same, "moved": moved})
    assert found["moved"] < 1e-6
    assert sum(p < 0.05 for name, p in found.items() if name != "moved") <= 1
    assert drift_probabilities({}) == {}


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (None, np.zeros((50, 2)), "fewer than 30 inputs"),
        (np.zeros((50, 2)), np.zeros((29, 2)), "fewer than 30 inputs"),
        (np.zeros((50, 2)), np.zeros((50, 3)), "other features"),
        (np.zeros((50, 0)), np.zeros((50, 0)), "no inputs"),
        (np.zeros((50, 2)), np.full((50, 2), np.nan), "not numbers"),
    ],
)
def test_drift_that_cannot_be_judged_is_unknown_with_a_reason(before: Any, now: Any, why: str) -> None:
    found = supply(m=ModelRecord(trained_on=before, sees=now))
    assert "drift_p" not in found.rows["model"]["m"]
    assert why in found.reasons['model["m"].drift_p']


def test_models_come_in_order_of_their_names_whatever_order_they_came_in() -> None:
    record = ModelRecord(predictions(wins(50, 100)))
    assert list(supply(b=record, a=record).rows["model"]) == ["a", "b"]


def test_a_result_of_nothing_is_no_trade_and_no_loss() -> None:
    found = row(replace(predictions(wins(50, 100)), r_multiple=np.full(100, np.nan)))
    assert "average_r" not in found
    assert found["health"] == "HEALTHY"
