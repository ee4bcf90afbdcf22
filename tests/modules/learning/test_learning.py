"""The fund's models at work: what is known of them, through damage, restarts and calls by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from modules.feeds.candles import Candles
from modules.inputs import ModelRecord
from modules.judge import packaged_bundle
from modules.learning.kinds import four_models
from modules.learning.learning import Learning
from modules.learning.model import Model, Trained, TrainingError
from modules.learning.shelf import ShelfError, Version
from modules.learning.workers import InPlaceWorker
from modules.runtime.composition import compose
from modules.venues.paper import PaperExchange
from policy_dsl.diagnostics import PolicyError
from tests.modules.hourly_market import HOUR
from tests.modules.learning.markets import SYMBOLS, at, known, learning, turning
from tests.modules.learning.test_shelf import Dying
from tests.modules.venues.crashing import killed

MARKET = turning(400, 400)
START = 250
KINDS = {name: kind for name, kind in four_models().items() if name in {"nhits", "xgboost"}}
NAME = "xgboost"


@dataclass
class SlowWorker:
    """Trains nothing until it is told what became of it."""

    futures: list[Future[Trained]] = field(default_factory=list)

    def start(self, model: Model, candles: Candles, regime: str | None) -> Future[Trained]:
        del model, candles, regime
        self.futures.append(Future())
        return self.futures[-1]

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def models(tmp_path: Path) -> Iterator[Learning]:
    found = learning(MARKET, tmp_path, kinds=KINDS)
    found.begin(at(MARKET, START), "ada", "a new fund")
    yield found
    found.close()


def live_of(models: Learning, name: str = NAME) -> Version:
    version = models.pointer(name).live
    assert version is not None
    return version


def lived(models: Learning, hours: int, *, first: int = START) -> Mapping[str, ModelRecord]:
    """The records after so many hours."""
    for hour in range(first, first + hours):
        found = models.records(at(MARKET, hour) + 1000)
    return found


def test_a_fund_without_models_knows_that_and_why(tmp_path: Path) -> None:
    found = learning(MARKET, tmp_path)
    records = found.records(at(MARKET, START))
    assert list(records) == ["lightgbm", "nhits", "patchtst", "xgboost"]
    assert {r.fault for r in records.values()} == {"no version of it has gone live yet"}
    assert {r.training_began for r in records.values()} == {None}
    found.close()


def test_the_first_versions_go_live_and_predict_from_the_next_bar_on(models: Learning) -> None:
    record = lived(models, 1)[NAME]
    assert (record.fault, record.challenger, record.before) == (None, None, None)
    assert record.trained_at == record.training_began == at(MARKET, START)
    assert len(record.predictions.at) == 0
    assert set(models.says(NAME)) == set(SYMBOLS)
    record = lived(models, 2, first=START + 1)[NAME]
    assert record.predictions.at.tolist() == [at(MARKET, START), at(MARKET, START + 1)]
    assert len(record.losses) == 2
    assert record.trained_on is not None
    assert record.sees is not None
    assert record.trained_on.shape[1] == record.sees.shape[1] == 5


def test_a_bar_is_predicted_once_and_only_while_it_is_the_newest(models: Learning) -> None:
    assert all(models.records(at(MARKET, START) + second * 1000)[NAME] for second in (1, 60, 3599))
    assert models.record.newest == at(MARKET, START)
    # The fund was away for five hours: nobody can say what the models would have said.
    record = lived(models, 2, first=START + 6)[NAME]
    assert record.predictions.at.tolist() == [at(MARKET, START), at(MARKET, START + 6)]


def test_stale_candles_are_no_ground_for_a_prediction_or_a_training(tmp_path: Path) -> None:
    found = Learning.opened(tmp_path, lambda _: MARKET, SlowWorker(), kinds=KINDS)
    late = int(MARKET.closed[-1]) + HOUR
    with pytest.raises(PolicyError, match=r"RF860.*no candles of late"):
        found.start(NAME, late, "because")
    assert found.records(late)[NAME].training_began is None
    found.close()


def test_everything_is_the_same_after_a_restart(models: Learning, tmp_path: Path) -> None:
    before = lived(models, 20)[NAME]
    models.close()
    again = learning(MARKET, tmp_path, kinds=KINDS)
    after = again.records(at(MARKET, START + 19) + 2000)[NAME]
    assert after.predictions.at.tolist() == before.predictions.at.tolist()
    assert after.losses.tolist() == before.losses.tolist()
    assert (after.trained_at, after.training_began) == (before.trained_at, before.training_began)
    assert len(after.predictions.at) == 19
    again.close()


def test_a_training_beside_the_live_model_changes_nothing_that_it_says(models: Learning) -> None:
    lived(models, 30)
    live, file = live_of(models), models.shelf.folder / NAME / "versions" / live_of(models).file
    content, says = file.read_bytes(), dict(models.says(NAME))
    models.start_by_hand(NAME, at(MARKET, START + 29) + 2000, "ada", "look")
    record = models.records(at(MARKET, START + 29) + 3000)[NAME]
    assert record.challenger is not None
    assert record.challenger.is_apart
    assert record.challenger.canary_since is None
    assert (live_of(models), file.read_bytes(), dict(models.says(NAME))) == (live, content, says)
    record = lived(models, 3, first=START + 30)[NAME]
    assert record.challenger is not None
    assert len(record.challenger.compared.loss) == 2
    assert len(record.predictions.at) == 32


def test_a_training_never_holds_the_fund_up_and_one_at_a_time_is_enough(tmp_path: Path) -> None:
    worker = SlowWorker()
    found = learning(MARKET, tmp_path, kinds=KINDS, worker=worker)
    ts = at(MARKET, START)
    found.start(NAME, ts, "because")
    assert found.records(ts + 1000)[NAME].training_began == ts
    with pytest.raises(PolicyError, match=r"RF860.*is running"):
        found.start(NAME, ts + 2000, "because")
    worker.futures[0].set_exception(TrainingError("it took over 600 s"))
    assert found.records(ts + 3000)[NAME].fault == "no version of it has gone live yet"
    assert [(e.what, e.because) for e in found.history.events][-1] == ("failed", "it took over 600 s")
    found.start(NAME, ts + 4000, "because")
    worker.futures[1].set_exception(ZeroDivisionError("a bug"))
    assert found.records(ts + 5000)[NAME].training_began == ts + 4000
    assert found.history.events[-1].because == "ZeroDivisionError('a bug')"
    found.close()


def test_a_training_that_a_restart_cut_off_is_a_failure_on_record(tmp_path: Path) -> None:
    found = learning(MARKET, tmp_path, kinds=KINDS, worker=SlowWorker())
    found.start(NAME, at(MARKET, START), "because")
    found.close()
    again = learning(MARKET, tmp_path, kinds=KINDS)
    assert [(e.what, e.model) for e in again.history.events] == [("began", NAME), ("failed", NAME)]
    assert again.records(at(MARKET, START) + 1000)[NAME].training_began == at(MARKET, START)
    again.close()


def damage(models: Learning) -> None:
    path = models.shelf.folder / NAME / "versions" / live_of(models).file
    path.write_bytes(path.read_bytes()[:-10])


def test_a_damaged_version_is_not_loaded_and_the_other_models_go_on(models: Learning, tmp_path: Path) -> None:
    lived(models, 5)
    damage(models)
    models.close()
    again = learning(MARKET, tmp_path, kinds=KINDS)
    records = lived(again, 3, first=START + 5)
    assert "damaged" in (records[NAME].fault or "")
    assert records[NAME].trained_at is None
    assert again.says(NAME) == {}
    assert records["nhits"].fault is None
    assert len(records["nhits"].predictions.at) == 7
    again.close()


def test_a_damaged_pointer_costs_its_model_alone_and_is_not_taken_for_a_new_model(models: Learning) -> None:
    lived(models, 2)
    (models.shelf.folder / NAME / "pointer.json").write_bytes(b"{")
    records = lived(models, 2, first=START + 2)
    assert "pointer.json" in (records[NAME].fault or "")
    assert records["nhits"].fault is None
    assert models.begin(at(MARKET, START + 3), "ada", "again") == ()
    with pytest.raises(ShelfError):
        models.roll_back_by_hand(NAME, at(MARKET, START + 3), "ada", "again")


def test_a_live_file_that_changed_after_it_was_loaded_shows(models: Learning) -> None:
    lived(models, 2)
    models.start_by_hand(NAME, at(MARKET, START + 1) + 2000, "ada", "look")
    damage(models)
    challenger = lived(models, 1, first=START + 2)[NAME].challenger
    assert challenger is not None
    assert challenger.is_apart is False
    assert models.says(NAME) != {}


def test_a_full_disk_costs_predictions_and_no_snapshot(models: Learning, monkeypatch: pytest.MonkeyPatch) -> None:
    lived(models, 3)

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(models.record._journal, "append", full)
        assert len(lived(models, 2, first=START + 3)[NAME].predictions.at) == 2
    assert len(lived(models, 2, first=START + 5)[NAME].predictions.at) == 4


def test_a_version_of_another_release_is_not_used(models: Learning, tmp_path: Path) -> None:
    models.records(at(MARKET, START))
    models.close()
    two = four_models(horizon=2)
    again = learning(MARKET, tmp_path, kinds={name: two[name] for name in KINDS})
    assert "train it anew" in (lived(again, 2)[NAME].fault or "")
    assert again.says(NAME) == {}
    again.close()


def deployed(models: Learning, ts: int) -> None:
    models.start_by_hand(NAME, ts, "ada", "look")
    models.records(ts + 1)
    models.point(NAME, models.pointer(NAME).deployed_challenger(ts + 2, "proven"))


def test_a_person_goes_back_to_the_version_before(models: Learning) -> None:
    lived(models, 10)
    first, ts = live_of(models), at(MARKET, START + 9)
    deployed(models, ts + 2000)
    second = live_of(models)
    record = lived(models, 4, first=START + 10)[NAME]
    assert second != first
    assert record.before is not None
    assert len(record.before.loss) == 3
    models.roll_back_by_hand(NAME, at(MARKET, START + 13) + 2000, "ada", "it lost")
    assert live_of(models) == first
    assert models.history.events[-1].because == "ada: it lost"
    # The version that is back brings its own record, and no gap: it predicted all along.
    assert len(lived(models, 1, first=START + 14)[NAME].predictions.at) == 14
    with pytest.raises(PolicyError, match=r"RF860.*no earlier version"):
        models.roll_back_by_hand(NAME, ts, "ada", "further")


def test_nobody_goes_back_to_a_damaged_version(models: Learning) -> None:
    lived(models, 2)
    damage(models)
    ts = at(MARKET, START + 1) + 2000
    deployed(models, ts)
    live = live_of(models)
    with pytest.raises(PolicyError, match=r"RF860.*cannot go back.*damaged"):
        models.roll_back_by_hand(NAME, ts + 5, "ada", "it lost")
    assert live_of(models) == live


@pytest.mark.parametrize(("person", "reason"), [("", "because"), ("ada", ""), (" ", " ")])
def test_nobody_changes_a_model_without_a_name_and_a_reason(models: Learning, person: str, reason: str) -> None:
    for call in (models.start_by_hand, models.roll_back_by_hand, models.withdraw_by_hand):
        with pytest.raises(PolicyError, match="RF851"):
            call(NAME, at(MARKET, START), person, reason)


def test_what_is_not_there_cannot_be_changed(models: Learning) -> None:
    ts = at(MARKET, START) + 1
    for call in (models.start_by_hand, models.roll_back_by_hand, models.withdraw_by_hand):
        with pytest.raises(PolicyError, match=r"RF860.*no model `xgbost`"):
            call("xgbost", ts, "ada", "because")
    models.records(ts)
    with pytest.raises(PolicyError, match=r"RF860.*no challenger"):
        models.withdraw_by_hand(NAME, ts, "ada", "because")


def test_a_canary_speaks_for_some_symbols_and_always_the_same(
    models: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modules.learning.learning.CANARY_SYMBOLS", 3)
    lived(models, 2)
    live = str(live_of(models))
    models.start_by_hand(NAME, at(MARKET, START + 1) + 2000, "ada", "look")
    lived(models, 2, first=START + 2)
    assert {version for _, version in models.says(NAME).values()} == {live}
    models.point(NAME, models.pointer(NAME).tried(at(MARKET, START + 3), "proven"))
    canary = str(models.pointer(NAME).challenger)
    spoken = [{s for s, (_, v) in models.says(NAME).items() if v == canary}]
    lived(models, 1, first=START + 4)
    spoken.append({s for s, (_, v) in models.says(NAME).items() if v == canary})
    assert spoken[0] == spoken[1]
    assert 0 < len(spoken[0]) < len(SYMBOLS)
    models.point(NAME, models.pointer(NAME).left_alone(at(MARKET, START + 4) + 1, "not permitted"))
    assert {version for _, version in models.says(NAME).values()} == {live}


def test_a_fund_that_learns_has_its_models_in_its_snapshots_and_over_restarts(tmp_path: Path) -> None:
    venue = PaperExchange()
    for begins, hour in ((True, START), (False, START + 1)):
        fund = compose(
            venue, tmp_path, packaged_bundle(), candles=known(MARKET), learns=True, patience=60, max_gap=2 * HOUR
        )
        assert fund.learning is not None
        fund.learning.worker = InPlaceWorker()
        ts = at(MARKET, hour) + 1000
        if begins:
            assert len(fund.learning.begin(ts, "ada", "a new fund")) == 4
        step = fund.fund.step(ts)
        rows = step.assembled.snapshot.rows["model"]
        assert rows is not None
        assert sorted(rows) == sorted(four_models())
        assert {row["samples"] for row in rows.values()} == {0 if begins else 1}
        assert {row["age"] for row in rows.values()} == {ts - at(MARKET, START)}
        assert step.answer.of("retraining.actions", NAME) == {}
        fund.close()


def test_a_fund_that_is_killed_while_a_training_ends_has_its_live_version_and_a_record_of_it(tmp_path: Path) -> None:
    outcomes = set()
    for step in range(40):
        folder = tmp_path / str(step)
        found = learning(MARKET, folder, kinds=KINDS)
        found.begin(at(MARKET, START), "ada", "a new fund")
        lived(found, 2)
        live = live_of(found)
        found.close()

        def end(folder: Path = folder, step: int = step) -> None:
            models = learning(MARKET, folder, kinds=KINDS)
            models.shelf.disk = Dying(step)
            models.start_by_hand(NAME, at(MARKET, START + 2), "ada", "look")
            lived(models, 2, first=START + 2)

        died = killed(end)
        again = learning(MARKET, folder, kinds=KINDS)
        record = lived(again, 1, first=START + 4)[NAME]
        assert live_of(again) == live
        assert record.fault is None
        assert record.training_began == at(MARKET, START + 2)
        last = [e.what for e in again.history.events if e.model == NAME][-1]
        # The pointer decides: a version that it names is a challenger, whatever was still to be written down of it.
        assert last == ("failed" if died else "trained")
        outcomes.add((died, record.challenger is not None))
        again.close()
        if not died:
            break
    assert outcomes == {(True, False), (True, True), (False, True)}


def test_two_processes_do_not_share_a_folder(models: Learning, tmp_path: Path) -> None:
    with pytest.raises(ShelfError, match="another process"):
        learning(MARKET, tmp_path)
    assert np.isfinite(models.records(at(MARKET, START))[NAME].trained_at or np.nan)
