"""`ENABLE_<MODULE>=false`: the module's facts are missing by its name, and nothing that is decided is looser for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from evaluators.decision_documents import decision_document
from evaluators.document_values import write_value
from evaluators.python import PythonEvaluator
from modules.assembly import ANCHORS, Assembled, assemble, facts_of
from modules.facts import CATALOGUE
from modules.inputs import Inputs
from modules.judge import packaged_bundle
from modules.module import Module
from modules.runtime.composition import compose
from modules.runtime.controls import Controls
from modules.runtime.roster import roster
from modules.runtime.runner import Runner
from modules.runtime.switches import POLICIES, switches_of
from modules.smart_execution import SmartExecution
from modules.supply import Supply
from modules.venues.paper import PaperExchange
from policy_dsl.catalogue import Rows
from tests.properties.strictness import loosened

NOW = 1_767_787_200_000
KEYS = {
    "symbol": "BTCUSDT", "position": "p1", "request": "r1", "sector": "L1", "model": "xgboost", "service": "execution",
}  # fmt: skip
GOOD = {"symbol.trend_t": 3.0, "symbol.trend_t_short": 3.0, "symbol.variance_ratio": 1.5, "position.category": "WINNER",
        "position.r_multiple": 2.5, "position.peak_r": 2.5}  # fmt: skip
"""What makes a position grow, so that there is something to lose."""


@dataclass(frozen=True)
class Ordinary:
    """Supplies what another module owns as it is in ordinary times, a row of each entity."""

    name: str
    owners: tuple[str, ...]
    policy: None = None
    port: None = None
    interval: float = 0

    def compute(self, inputs: Inputs) -> Supply:
        del inputs
        single: dict[str, Any] = {}
        rows: dict[str, dict[str, dict[str, Any]]] = {
            name: {KEYS[name]: {}} for name, owner in ANCHORS.items() if owner in self.owners
        }
        for fact in facts_of(self.owners):
            assert fact.calm is not None
            value = GOOD.get(fact.path, write_value(fact.type, fact.calm))
            entity = CATALOGUE.entities[fact.path.partition(".")[0]]
            if fact.path == "clock.now":
                value = NOW / 1000
            if entity.rows is Rows.ONE:
                single[fact.path] = value
            elif entity.rows is Rows.KEYED:
                rows.setdefault(entity.name, {KEYS[entity.name]: {}})[KEYS[entity.name]][fact.name] = value
        return Supply(single, rows)


def modules() -> tuple[Module, ...]:
    return roster(SmartExecution(PaperExchange()), Controls())


OWNERS = {module.name: module.owners for module in modules()}


def state(modules: tuple[Any, ...], off: str | None = None) -> Assembled:
    """A snapshot of these modules, one of them switched off by its flag."""
    switches = switches_of({} if off is None else {f"ENABLE_{off.upper()}": "false"})
    runner = Runner(modules, is_on=switches.is_on, patience=60)
    try:
        return assemble("main", NOW, runner.supplied(Inputs("main", NOW)))
    finally:
        runner.close()


def test_the_plan_names_the_modules_of_the_roster() -> None:
    assert {name for name in OWNERS if name in POLICIES} == set(POLICIES)


def test_no_two_modules_answer_on_one_port() -> None:
    ports = [module.port for module in modules() if module.port is not None]
    assert sorted(ports) == list(range(8006, 8014))


@pytest.mark.parametrize("off", sorted(POLICIES))
def test_a_module_that_is_switched_off_is_why_its_facts_are_missing(off: str) -> None:
    found = state(modules(), off)
    told = {fact.path: found.reasons.get(fact.path) for fact in facts_of(OWNERS[off])}
    assert set(told.values()) <= {f"{off} is switched off"}
    assert all(found.snapshot.facts.get(path) is None for path in told)


EVALUATOR = PythonEvaluator(packaged_bundle().program)
ORDINARY = tuple(Ordinary(name, owners) for name, owners in OWNERS.items())


def test_in_ordinary_times_there_is_something_to_lose() -> None:
    decision = EVALUATOR.decide(state(ORDINARY).snapshot)
    found = decision_document(decision, packaged_bundle().program)["outputs"]
    assert found["verdict"] == {"r1": "ALLOW"}
    assert list(found["pal.actions"]["p1"]) == ["ADD_SIZE", "EXTEND_HOLD", "TREND_EXIT"]
    assert [firing for firing in decision.firings if not firing.definite] == []


@pytest.mark.parametrize("off", sorted(POLICIES))
def test_nothing_is_looser_without_a_module(off: str) -> None:
    program = packaged_bundle().program
    whole, less = (EVALUATOR.decide(state(ORDINARY, gone).snapshot) for gone in (None, off))
    assert not loosened(program, whole, less)
    if not OWNERS[off]:
        assert off in {"ess", "orchestrator_policy"}  # nothing of theirs is read: their policies bind all the same
        assert less == whole
    else:
        assert {f for f in less.firings if not f.definite} - set(whole.firings)


def test_without_the_amplifier_nothing_is_amplified_and_profits_are_still_protected() -> None:
    kept = state(ORDINARY, "pal").snapshot
    proud = {"peak_r": 4 * 10**9, "drawdown_from_peak": 375 * 10**6}
    found = []
    for snapshot in (kept, replace(kept, facts={**kept.facts, "fund.amplifier_on": True})):
        position = {**(snapshot.collection("position") or {})["p1"], **proud}
        decision = EVALUATOR.decide(replace(snapshot, rows={**snapshot.rows, "position": {"p1": position}}))
        shown = decision_document(decision, packaged_bundle().program)["outputs"]
        found.append((shown["pal.amplification"], list(shown["pal.actions"]["p1"])))
    assert found == [("OFF", ["TIGHTEN_STOP", "TAKE_PARTIAL"]), ("ON", ["TIGHTEN_STOP", "TAKE_PARTIAL", "TREND_EXIT"])]


def test_a_fund_whose_amplifier_is_switched_off_says_so_until_it_is_switched_on() -> None:
    made = compose(PaperExchange(), None, packaged_bundle(), switches=switches_of({"ENABLE_PAL": "false"}))
    try:
        off = made.fund.step(NOW)
        assert off.assembled.reasons["fund.amplifier_on"] == "pal is switched off"
        assert off.answer.because["pal.amplifier_off"].startswith("the amplifier is switched off")
        made.switchboard.switch(NOW + 1, "pal", "ada", "tried", on=True)
        assert "pal.amplifier_off" not in made.fund.step(NOW + 5_000).answer.because
        made.switchboard.switch(NOW + 5_001, "pal", "ada", "not yet", on=False)
        assert "pal.amplifier_off" in made.fund.step(NOW + 10_000).answer.because
    finally:
        made.close()


def test_the_amplifier_is_off_in_the_same_snapshot_and_on_again_in_the_next() -> None:
    off: set[str] = set()
    runner = Runner(modules(), is_on=lambda name: name not in off, patience=60, behind=5)
    found = []
    try:
        for step, now_off in enumerate(((), ("pal",), ())):
            off.clear()
            off.update(now_off)
            supplied = runner.supplied(Inputs("main", NOW + 5_000 * step))
            found.append(assemble("main", NOW + 5_000 * step, supplied).snapshot.facts.get("fund.amplifier_on"))
    finally:
        runner.close()
    assert found == [True, None, True]
