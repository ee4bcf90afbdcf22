"""The Retraining Orchestrator: figures worked by hand, nothing said of too little, and a model's life under rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluators.staging import calm_snapshot
from modules.assembly import Supplied, assemble
from modules.facts import CATALOGUE
from modules.feeds.candles import read_candles
from modules.inputs import Challenger, Comparison, Inputs, ModelRecord, Predictions
from modules.judge import Answer, Judge, packaged_bundle
from modules.learning.kinds import four_models
from modules.learning.learning import Learning
from modules.learning.training import Training
from modules.model_supervisor import ModelSupervisor
from modules.module import Module
from modules.retraining_orchestrator import RetrainingOrchestrator, cusum
from modules.supply import Supply
from tests.modules.hourly_market import HOUR
from tests.modules.learning.markets import at, learning, turning

NOW = 1_760_000_000_000
DAY = 24 * HOUR


def supply(**models: ModelRecord) -> Supply:
    return RetrainingOrchestrator().compute(Inputs("main", NOW, models=models))


def row(record: ModelRecord) -> dict[str, Any]:
    return dict(supply(m=record).rows["model"]["m"])


def why(record: ModelRecord, fact: str) -> str:
    return supply(m=record).reasons[f'model["m"].{fact}']


def predictions(n: int, won: int, r: float = 0.5) -> Predictions:
    outcome = np.diff(np.floor(np.arange(n + 1) * won / n + 1e-9)) if n else np.empty(0)
    return Predictions(
        np.arange(n), np.full(n, 0.6), outcome, np.arange(n) % 2 == 0, outcome, np.where(outcome > 0, r, -r)
    )


def comparison(n: int, gain: float, won: int = 0, r: float = 0.5) -> Comparison:
    """A comparison in which the other errs less by `gain` on average."""
    wobble = np.where(np.arange(n) % 2, 0.05, -0.05)
    return Comparison(0.25 + gain + wobble, np.full(n, 0.25), predictions(n, won, r))


def test_it_is_a_module_and_needs_nothing_to_be_made() -> None:
    assert isinstance(RetrainingOrchestrator(), Module)
    assert RetrainingOrchestrator().compute(Inputs("main", NOW)) == Supply()


def test_every_fact_is_supplied_or_its_absence_explained() -> None:
    facts = {f.name for f in CATALOGUE.entities["model"].facts.values() if f.owner == "Retraining Orchestrator"}
    full = ModelRecord(
        trained_at=NOW - DAY,
        regime="NORMAL",
        losses=np.full(50, 0.2),
        expected_loss=0.2,
        loss_deviation=0.1,
        training_began=NOW - DAY,
        challenger=Challenger(NOW - HOUR, comparison(50, 0.1, 30), True, NOW - HOUR, comparison(40, 0.1, 30)),
        before=comparison(40, -0.1),
    )
    for record in (ModelRecord(), full):
        found = supply(m=record)
        reasons = {path.rpartition(".")[2] for path in found.reasons}
        assert set(found.rows["model"]["m"]) | reasons == facts
        assert set(found.rows["model"]["m"]) & reasons == set()
    assert set(row(full)) == facts


def test_ages_are_seconds_and_a_clock_that_is_wrong_is_no_age() -> None:
    found = row(ModelRecord(trained_at=NOW - 7 * DAY, training_began=NOW - HOUR, regime="RANGING"))
    assert (found["age"], found["since_training"], found["regime"]) == (7 * 86_400, 3_600, "RANGING")
    late = ModelRecord(trained_at=NOW + 1, training_began=NOW + 1)
    assert "age" not in row(late)
    assert "clock is wrong" in why(late, "since_training")


def test_of_a_model_of_which_nothing_is_known_nothing_is_said() -> None:
    found = supply(m=ModelRecord(fault="its file is damaged"))
    assert set(found.rows["model"]["m"]) == {
        "challenger_age", "challenger_samples", "canary_age", "canary_samples", "canary_gain_low", "canary_gain_high",
        "before_samples",
    }  # fmt: skip
    assert found.reasons['model["m"].age'] == found.reasons['model["m"].cusum'] == "its file is damaged"
    assert found.reasons['model["m"].challenger_gain_low'] == "it has no challenger"


def test_losses_add_up_as_page_has_it() -> None:
    # z is 1, 2, 0 and -1: the sum goes 0.5, 2, 1.5 and back to nothing.
    losses = 0.2 + 0.1 * np.array([1, 2, 0, -2.0])
    assert [cusum(losses[:n], 0.2, 0.1) for n in range(5)] == pytest.approx([0, 0.5, 2.0, 1.5, 0.0])
    assert cusum(losses, 0.2, 0.0) is None


def test_the_sum_finds_a_shift_of_one_deviation_soon_and_chance_rarely() -> None:
    rng = np.random.default_rng(1)
    calm = [cusum(rng.normal(0.2, 0.1, 100), 0.2, 0.1) or 0.0 for _ in range(200)]
    shifted = [cusum(rng.normal(0.3, 0.1, 30), 0.2, 0.1) or 0.0 for _ in range(200)]
    assert sum(c > 5 for c in calm) < 30
    assert sum(c > 5 for c in shifted) > 190


def test_losses_that_nobody_can_compare_are_no_alarm_and_no_calm() -> None:
    known = ModelRecord(trained_at=NOW - DAY, losses=np.array([0.3]))
    assert "cusum" not in row(known)
    assert "nobody knows what its losses were like" in why(known, "cusum")
    broken = replace(known, expected_loss=0.2, loss_deviation=0.1, losses=np.array([0.3, np.nan]))
    assert "not numbers" in why(broken, "cusum")
    for expected, deviation in ((np.nan, 0.1), (0.2, np.inf), (0.2, np.nan)):
        lacking = replace(known, expected_loss=expected, loss_deviation=deviation)
        assert "not numbers" in why(lacking, "cusum")


@pytest.mark.parametrize("field", ["probability", "came_true"])
def test_a_challenger_with_a_figure_that_cannot_be_costs_no_other_model_its_facts(field: str) -> None:
    compared = comparison(50, 0.1, 30)
    other = replace(compared.other, **{field: np.full(50, np.nan)})
    bad = ModelRecord(challenger=Challenger(NOW, replace(compared, other=other), True))
    found = supply(bad=bad, sound=ModelRecord(challenger=Challenger(NOW, compared, True)))
    assert "that" in found.reasons['model["bad"].challenger_win_rate_low']
    assert "challenger_calibration" not in found.rows["model"]["bad"]
    assert found.rows["model"]["sound"]["challenger_calibration"] == pytest.approx(1.0)


def test_losses_that_are_no_numbers_are_no_short_record() -> None:
    broken = replace(comparison(40, 0.1), loss=np.full(40, np.nan))
    assert "not numbers" in why(ModelRecord(before=broken), "before_gain_low")


def test_what_a_challenger_proves_is_told_at_its_worse_end() -> None:
    found = row(ModelRecord(challenger=Challenger(NOW - HOUR, comparison(200, 0.05, 120), True)))
    assert found["challenger_samples"] == 200
    assert found["challenger_apart"] is True
    assert 0.03 < found["challenger_gain_low"] < 0.05
    assert found["challenger_win_rate_low"] == pytest.approx(0.5307, abs=1e-3)
    assert -0.05 < found["challenger_average_r_low"] < 0.1
    assert found["challenger_calibration"] == pytest.approx(1.0)
    assert found["challenger_age"] == 3600


def test_below_thirty_bars_a_challenger_proves_nothing() -> None:
    record = ModelRecord(challenger=Challenger(NOW, comparison(29, 0.2, 29), True))
    assert row(record)["challenger_samples"] == 29
    for fact in ("gain_low", "win_rate_low", "average_r_low", "calibration"):
        assert f"challenger_{fact}" not in row(record)
        assert why(record, f"challenger_{fact}") == "29 bars have an outcome of both, and it takes 30"


def test_losses_that_hang_together_prove_less() -> None:
    together = np.repeat(np.where(np.arange(20) % 2, 0.2, -0.1), 10)
    apart = np.tile(np.where(np.arange(20) % 2, 0.2, -0.1), 10)
    low = [
        row(ModelRecord(challenger=Challenger(NOW, Comparison(d, np.zeros(200), predictions(200, 90)), True)))
        for d in (together, apart)
    ]
    # Standard errors that take the same figures for independent ones differ by rounding only.
    assert low[0]["challenger_gain_low"] < low[1]["challenger_gain_low"] - 0.01


def test_trades_of_which_nobody_knows_the_result_leave_the_mean_unknown() -> None:
    compared = comparison(100, 0.1, 60)
    r = compared.other.r_multiple.copy()
    r[3] = np.nan
    record = ModelRecord(
        challenger=Challenger(NOW, replace(compared, other=replace(compared.other, r_multiple=r)), True)
    )
    assert "challenger_average_r_low" not in row(record)
    assert "nobody knows what a trade would have made" in why(record, "challenger_average_r_low")


def test_of_a_young_canary_nothing_is_excluded() -> None:
    young = Challenger(NOW - DAY, comparison(250, 0.1, 150), True, NOW - HOUR, comparison(29, -0.9))
    found = row(ModelRecord(challenger=young))
    assert (found["canary_samples"], found["canary_gain_low"], found["canary_gain_high"]) == (29, -1.0, 1.0)
    older = replace(young, as_canary=comparison(30, -0.5))
    assert row(ModelRecord(challenger=older))["canary_gain_high"] < 0


def test_the_version_before_is_compared_since_the_exchange() -> None:
    assert row(ModelRecord(before=comparison(100, 0.1)))["before_gain_low"] > 0
    assert row(ModelRecord(before=comparison(29, 0.1))).get("before_gain_low") is None
    assert why(ModelRecord(before=comparison(29, 0.1)), "before_gain_low").startswith("29 bars")
    assert why(ModelRecord(), "before_gain_low") == "there is no version to go back to"


def test_models_come_in_order_of_their_names() -> None:
    assert list(supply(b=ModelRecord(), a=ModelRecord()).rows["model"]) == ["a", "b"]


# --- under the packaged rules ---

JUDGE = Judge()
SUPERVISOR, ORCHESTRATOR = ModelSupervisor(), RetrainingOrchestrator()


def judged(inputs: Inputs) -> Answer:
    """What the packaged rules say of these models in calm surroundings."""
    parts = [Supplied(m.name, m.owners, inputs.ts, m.compute(inputs)) for m in (SUPERVISOR, ORCHESTRATOR)]
    models = assemble("main", inputs.ts, parts).snapshot.rows["model"]
    return JUDGE.answer_to(replace(calm_snapshot(CATALOGUE), ts=inputs.ts, rows={"model": models}))


def actions(record: ModelRecord) -> set[str]:
    return set(judged(Inputs("main", NOW, models={"m": record})).of("retraining.actions", "m"))


def proven(**parts: Any) -> ModelRecord:
    """A model with a challenger that has proven itself, as a canary too."""
    challenger = Challenger(NOW - 9 * DAY, comparison(210, 0.05, 140), True, NOW - 5 * DAY, comparison(110, 0.05, 80))
    known: dict[str, Any] = {
        "predictions": predictions(300, 170),
        "trained_at": NOW - 2 * DAY,
        "regime": "NORMAL",
        "losses": np.full(100, 0.2),
        "expected_loss": 0.2,
        "loss_deviation": 0.1,
        "training_began": NOW - 9 * DAY,
        "challenger": challenger,
    }
    return ModelRecord(**(known | parts))


def with_challenger(**parts: Any) -> ModelRecord:
    record = proven()
    assert record.challenger is not None
    return replace(record, challenger=replace(record.challenger, **parts))


def test_a_challenger_that_has_proven_itself_goes_live() -> None:
    assert actions(proven()) == {"CANARY", "DEPLOY"}


def test_a_gain_is_judged_by_its_size_and_not_by_a_ratio_to_nearly_nothing() -> None:
    """A live model of hardly any loss or R made a small difference look enormous: the ratio is not taken any more."""
    tiny = comparison(210, 1e-5, 140)
    assert "CANARY" not in actions(with_challenger(compared=tiny))
    none = replace(tiny, loss=np.zeros(210), other_loss=np.zeros(210))
    assert "CANARY" not in actions(with_challenger(compared=none))


def test_a_challenger_that_wins_less_does_not_go_live_for_what_else_it_does_better() -> None:
    assert "CANARY" not in actions(with_challenger(compared=comparison(210, 0.2, 80)))


def test_a_challenger_that_does_not_know_how_sure_it_is_does_not_go_live() -> None:
    compared = comparison(210, 0.2, 140)
    sure = replace(compared.other, probability=np.full(210, 0.999))
    assert "CANARY" not in actions(with_challenger(compared=replace(compared, other=sure)))


def test_nothing_goes_live_without_a_canary_or_over_the_live_files() -> None:
    assert actions(with_challenger(canary_since=None, as_canary=Comparison())) == {"CANARY"}
    assert actions(with_challenger(is_apart=False)) == set()
    assert actions(with_challenger(is_apart=None)) == set()


def test_a_canary_starts_and_is_not_stopped_for_being_young() -> None:
    young = with_challenger(canary_since=NOW - HOUR, as_canary=comparison(1, -0.5))
    assert actions(young) == {"CANARY"}


def test_a_canary_that_does_harm_is_withdrawn() -> None:
    assert actions(with_challenger(as_canary=comparison(110, -0.3))) == {"WITHDRAW"}


def test_a_version_that_errs_more_than_the_one_before_is_taken_back() -> None:
    assert "ROLLBACK" in actions(proven(challenger=None, before=comparison(120, 0.1)))
    assert "ROLLBACK" not in actions(proven(challenger=None, before=comparison(120, -0.1)))


def test_a_week_is_counted_to_the_second_and_ends_with_seven_whole_days() -> None:
    alone = proven(challenger=None)
    assert actions(replace(alone, trained_at=NOW - 7 * DAY)) == {"RETRAIN"}
    assert actions(replace(alone, trained_at=NOW - 7 * DAY + 1000)) == set()


def test_a_model_that_was_trained_and_not_exchanged_is_not_trained_for_ever() -> None:
    old = proven(trained_at=NOW - 30 * DAY, challenger=None, training_began=NOW - 2 * HOUR)
    assert "RETRAIN" not in actions(old)
    waiting = with_challenger(trained_at=NOW - 9 * DAY, canary_since=None)
    assert "RETRAIN" not in actions(replace(waiting, trained_at=NOW - 30 * DAY))


def test_a_model_without_outcomes_collects_some_first() -> None:
    assert actions(proven(challenger=None, predictions=predictions(10, 0), losses=np.full(10, 0.9))) == set()


def test_a_model_of_which_nothing_is_known_is_for_a_person_to_look_at_and_is_left_alone() -> None:
    answer = judged(Inputs("main", NOW, models={"m": ModelRecord(fault="damaged")}))
    assert answer.of("retraining.actions", "m") == {}
    assert answer.of("retraining.priority", "m") == "MEDIUM"


# --- a model's life ---

HOURS = 700
TURN = 226
MARKET = turning(HOURS, TURN)
NAME = "xgboost"


def live_through(models: Learning, first: int, last: int) -> list[tuple[int, str]]:
    """Every hour the models predict, every sixth the rules are asked and obeyed, until one is deployed.

    Returns what was done, by hour.
    """
    hands, done = Training(models), []
    for hour in range(first, last):
        ts = at(MARKET, hour) + 1000
        records = models.records(ts)
        if hour % 6 == 0:
            before = len(models.history.events)
            inputs = Inputs("main", ts, models=records)
            hands.obey(judged(inputs), inputs)
            done += [(hour, e.because.partition(",")[0]) for e in models.history.events[before:]]
            if done and done[-1][1] == "DEPLOY":
                break
    return done


def test_a_model_that_goes_wrong_is_replaced_and_can_be_taken_back(tmp_path: Path) -> None:
    models = learning(MARKET, tmp_path, window_days=5.0, kinds={NAME: four_models()[NAME]})
    models.begin(at(MARKET, 219), "ada", "a new fund")
    done = live_through(models, 219, 360)
    assert [what for _, what in done] == ["RETRAIN"]
    assert done[0][0] - 219 >= 50, "a model without a record collects one first"
    wrong = models.pointer(NAME).live
    # What it was trained on is half of the old market: nobody waits ten days for that.
    models.withdraw_by_hand(NAME, at(MARKET, 359) + 2000, "ada", "trained on the market of before")
    done = live_through(models, 360, HOURS)
    assert [what for _, what in done] == ["RETRAIN", "CANARY", "DEPLOY"]
    trained, tried, deployed = (hour for hour, _ in done)
    assert tried - trained >= 200
    assert deployed - tried >= 100
    pointer = models.pointer(NAME)
    assert (pointer.before, pointer.challenger, pointer.canary_since) == (wrong, None, None)
    end = at(MARKET, deployed)
    record = models.records(end + 2000)[NAME]
    assert record.predictions.came_true.mean() > 0.6
    supplied = SUPERVISOR.compute(Inputs("main", end, models={NAME: record}))
    assert supplied.rows["model"][NAME]["health"] == "HEALTHY"
    assert supplied.rows["model"][NAME]["samples"] >= 200
    models.roll_back_by_hand(NAME, end + 3000, "ada", "for the test of it")
    models.close()
    again = learning(MARKET, tmp_path, window_days=5.0, kinds={NAME: four_models()[NAME]})
    assert again.pointer(NAME).live == wrong
    assert again.records(end + 4000)[NAME].predictions.came_true.mean() < 0.5
    again.close()


def test_the_rules_ask_for_nothing_that_the_hands_do_not_know() -> None:
    (output,) = (o for o in packaged_bundle().program.outputs if o.id == "retraining.actions")
    assert "RETRAIN, CANARY, DEPLOY, WITHDRAW, ROLLBACK" in str(output.type)


def test_recorded_candles_train_every_model_and_nothing_is_deployed_without_proof(
    shared_data: Path, tmp_path: Path
) -> None:
    (candles,) = (c for c in read_candles(shared_data / "candles_1h.parquet") if c.book == "futures")
    first = len(candles.opened) - 120
    models = learning(candles, tmp_path, window_days=30.0)
    ts = int(candles.closed[first])
    assert models.begin(ts, "ada", "a new fund") == ("lightgbm", "nhits", "patchtst", "xgboost")
    live = {name: models.pointer(name).live for name in models.records(ts)}
    assert None not in live.values(), [e for e in models.history.events if e.what == "failed"]
    hands = Training(models)
    for hour in range(first, len(candles.opened)):
        ts = int(candles.closed[hour]) + 1000
        records = models.records(ts)
        if hour % 24 == 0:
            inputs = Inputs("main", ts, models=records)
            hands.obey(judged(inputs), inputs)
    for name, record in records.items():
        assert len(record.predictions.at) == 119
        assert np.isfinite(record.losses).all()
        assert models.pointer(name).live == live[name]
    models.close()
