"""The hands of the Retraining Orchestrator: what the rules permit and nothing else, and nothing on facts of before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

from evaluators.decision import Decision, Firing
from evaluators.snapshot import Snapshot
from modules.facts.levels import REGIME
from modules.inputs import Inputs
from modules.judge import Answer
from modules.learning.learning import Learning
from modules.learning.shelf import Pointer
from modules.learning.training import FACTS_AGE, Training
from tests.modules.hourly_market import HOUR
from tests.modules.learning.markets import at, learning, turning
from tests.modules.learning.test_learning import KINDS, NAME, START, SlowWorker

MARKET = turning(400, 400)
LATER = FACTS_AGE + 1000


@pytest.fixture
def models(tmp_path: Path) -> Iterator[Learning]:
    found = learning(MARKET, tmp_path, kinds=KINDS)
    found.begin(at(MARKET, START), "ada", "a new fund")
    found.records(at(MARKET, START))
    yield found
    found.close()


def answer(ts: int, *actions: str, model: str = NAME, rule: str = "retraining.critical") -> Answer:
    permitted: dict[str, dict[str, list[float]]] = {
        name: {a: [] for a in actions} if name == model else {} for name in KINDS
    }
    decision = Decision("main", ts, {}, (Firing(rule, model, True), Firing("pba.risk", model, True)))
    return Answer(decision, MappingProxyType({"retraining.actions": permitted}), {})


def obey(models: Learning, ts: int, *actions: str, model: str = NAME) -> Pointer:
    """What counts after the rules have permitted these actions at this time."""
    models.records(ts)
    Training(models).obey(answer(ts, *actions, model=model), Inputs("main", ts))
    models.records(ts + 1)
    return models.pointer(model)


def challenged(models: Learning, ts: int) -> Pointer:
    """With a challenger that was made on the rules' permission."""
    pointer = obey(models, ts, "RETRAIN")
    assert pointer.challenger is not None
    return pointer


AFTER = at(MARKET, START) + LATER


def test_facts_may_be_two_hours_old() -> None:
    assert FACTS_AGE == 2 * HOUR


def test_what_is_not_permitted_is_not_done(models: Learning) -> None:
    before = models.pointer(NAME)
    assert obey(models, AFTER) == before
    assert len(models.history.events) == 4


def test_a_permitted_training_makes_a_challenger_and_leaves_the_live_version(models: Learning) -> None:
    before = models.pointer(NAME)
    after = challenged(models, AFTER)
    assert (after.live, after.earlier, after.canary_since) == (before.live, before.earlier, None)
    began = [e for e in models.history.events if e.what == "began"][-1]
    assert (began.at, began.model, began.because) == (
        AFTER,
        NAME,
        "RETRAIN, by the rules in force: retraining.critical",
    )


@pytest.mark.parametrize("action", ["CANARY", "DEPLOY", "WITHDRAW", "ROLLBACK"])
def test_without_a_challenger_or_an_earlier_version_there_is_nothing_to_exchange(models: Learning, action: str) -> None:
    before = models.pointer(NAME)
    assert obey(models, AFTER, action) == before


def test_the_way_of_a_challenger_and_back(models: Learning) -> None:
    first = models.pointer(NAME).live
    ts = AFTER
    challenger = challenged(models, ts).challenger
    ts += LATER
    assert obey(models, ts, "DEPLOY").live == first, "nothing goes live that has not run as a canary"
    assert obey(models, ts, "CANARY").canary_since == ts
    ts += LATER
    assert obey(models, ts, "CANARY").canary_since == ts - LATER
    deployed = obey(models, ts + 5, "CANARY", "DEPLOY")
    assert (deployed.live, deployed.before, deployed.challenger, deployed.canary_since) == (
        challenger,
        first,
        None,
        None,
    )
    back = obey(models, ts + LATER + 5, "ROLLBACK")
    assert (back.live, back.before) == (first, None)


def test_a_permission_of_before_does_not_count_for_the_next_challenger(models: Learning) -> None:
    challenged(models, AFTER)
    ts = AFTER + LATER
    obey(models, ts, "CANARY")
    ts += LATER
    live = obey(models, ts, "CANARY", "DEPLOY").live
    models.start_by_hand(NAME, ts + 10, "ada", "look")
    models.records(ts + 11)
    challenger = models.pointer(NAME).challenger
    assert challenger is not None
    # The facts are still those of the version that went live: they prove nothing of the new one.
    for later in (20, HOUR, FACTS_AGE):
        pointer = obey(models, ts + 11 + later - 11, "CANARY", "DEPLOY", "WITHDRAW", "ROLLBACK")
        assert (pointer.live, pointer.challenger, pointer.canary_since) == (live, challenger, None)


def test_a_training_that_failed_is_not_begun_again_on_the_facts_of_before(tmp_path: Path) -> None:
    worker = SlowWorker()
    found = learning(MARKET, tmp_path, kinds=KINDS, worker=worker)
    for second in range(0, FACTS_AGE // 1000, 600):
        Training(found).obey(answer(AFTER, "RETRAIN"), Inputs("main", AFTER + second * 1000))
        if worker.futures and not worker.futures[0].done():
            worker.futures[0].set_exception(RuntimeError("no"))
        found.records(AFTER + second * 1000)
    assert len(worker.futures) == 1
    found.close()


def test_two_models_are_not_trained_on_one_answer(models: Learning) -> None:
    permitted: dict[str, dict[str, list[float]]] = {name: {"RETRAIN": []} for name in KINDS}
    both = Answer(answer(AFTER).decision, {"retraining.actions": permitted}, {})
    Training(models).obey(both, Inputs("main", AFTER))
    assert [e.model for e in models.history.events if e.what == "began" and e.at == AFTER] == ["nhits"]


def test_a_canary_stops_at_once_when_it_is_not_permitted_and_stays_a_challenger(models: Learning) -> None:
    challenger = challenged(models, AFTER).challenger
    obey(models, AFTER + LATER, "CANARY")
    pointer = obey(models, AFTER + LATER + 1000)
    assert (pointer.canary_since, pointer.challenger) == (None, challenger)
    assert pointer.because == "its canary is not permitted any more, by the rules in force: retraining.critical"


def test_a_canary_that_does_harm_is_withdrawn_for_good(models: Learning) -> None:
    live = models.pointer(NAME).live
    challenged(models, AFTER)
    obey(models, AFTER + LATER, "CANARY")
    pointer = obey(models, AFTER + 3 * LATER, "WITHDRAW")
    assert (pointer.live, pointer.challenger, pointer.canary_since) == (live, None, None)
    assert not any(path.name.startswith("0002") for path in (models.shelf.folder / NAME / "versions").iterdir())


def test_no_answer_about_models_stops_a_canary(models: Learning) -> None:
    challenged(models, AFTER)
    obey(models, AFTER + LATER, "CANARY")
    nothing = Answer(answer(AFTER).decision, {}, {})
    Training(models).obey(nothing, Inputs("main", AFTER + LATER + 1))
    assert models.pointer(NAME).canary_since is None


def test_a_damaged_challenger_does_not_go_live(models: Learning) -> None:
    live, challenger = models.pointer(NAME).live, challenged(models, AFTER).challenger
    obey(models, AFTER + LATER, "CANARY")
    assert challenger is not None
    (models.shelf.folder / NAME / "versions" / challenger.file).write_bytes(b"{}")
    assert obey(models, AFTER + 3 * LATER, "CANARY", "DEPLOY").live == live


def test_one_model_that_cannot_be_changed_does_not_hold_up_the_next(models: Learning) -> None:
    (models.shelf.folder / "nhits" / "pointer.json").write_bytes(b"{")
    assert obey(models, AFTER, "RETRAIN").challenger is not None


def test_a_version_knows_the_regime_that_it_was_trained_in(models: Learning) -> None:
    before = Snapshot("main", AFTER - 1, {"market.regime": REGIME.members.index("TRENDING")})
    Training(models).obey(answer(AFTER, "RETRAIN"), Inputs("main", AFTER, before=before))
    models.records(AFTER + 1)
    challenger = models.pointer(NAME).challenger
    assert challenger is not None
    assert models.shelf.load(NAME, challenger).regime == "TRENDING"
