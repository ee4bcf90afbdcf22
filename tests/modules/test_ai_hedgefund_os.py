"""AI-HFOS: a person's hand on the risk mode, the directives that follow, and where policies pull at one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.decision import Decision
from evaluators.documents import snapshot_from_document
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from modules import ai_hedgefund_os
from modules.ai_hedgefund_os import EXCLUSIVE, UNSAID, AIHedgeFundOS, Conflict, SystemRiskMode, conflicts
from modules.emergency_stop_system import EmergencyStopSystem
from modules.facts import CATALOGUE
from modules.facts.levels import CATEGORY, RISK_MODE
from modules.inputs import Inputs, Machinery, Request
from modules.judge import Answer, Judge
from modules.module import Module
from modules.orchestrator_policy import OrchestratorPolicy
from modules.runtime.controls import Controls
from modules.runtime.fund import Fund
from modules.runtime.roster import roster
from modules.runtime.runner import Runner
from modules.runtime.switches import POLICIES
from modules.smart_execution import SmartExecution
from modules.sources import OperatorSource
from modules.supply import Supply
from modules.venues.paper import PaperExchange
from policy_dsl.diagnostics import PolicyError
from policy_dsl.program import items_of

JUDGE = Judge()
NOW = 1_760_000_000_000


def answer(**parts: Any) -> Answer:
    """The rules' answer to an ordinary moment but for these facts."""
    state = {"book": "main", "ts": "2026-01-07T12:00:00Z", **parts}
    return JUDGE.answer_to(snapshot_from_document(state, CATALOGUE, calm=True))


def hfos(found: Answer | None = None, controls: Controls | None = None) -> AIHedgeFundOS:
    return AIHedgeFundOS(lambda: found, controls, JUDGE, now=lambda: NOW / 1000)


CALM = answer()
CRASH = answer(market={"turbulence": 0.999, "breadth": 0.02})


def test_it_is_a_module_that_switches_its_policy() -> None:
    assert isinstance(AIHedgeFundOS(), Module)
    assert POLICIES[AIHedgeFundOS.name] == AIHedgeFundOS.policy


def test_its_words_are_those_of_the_rules() -> None:
    assert tuple(SystemRiskMode) == RISK_MODE.members


# --- the hand ---------------------------------------------------------------------------------------------------------


def test_the_call_of_the_plan_sets_the_mode_and_is_on_record() -> None:
    module = hfos(CALM)
    assert module.get_risk_mode() == SystemRiskMode.NORMAL
    assert module.set_risk_mode(SystemRiskMode.SAFE) is SystemRiskMode.SAFE
    (call,) = module.controls.calls
    assert (call.at, call.what, call.reason) == (NOW, "hold SAFE", UNSAID)
    assert call.person == ai_hedgefund_os.process_user()
    assert module.state().hand == call


def test_a_person_and_a_reason_are_kept() -> None:
    module = hfos(CALM)
    module.set_risk_mode("CAUTIOUS", person="ada", reason="elections tonight")
    assert module.controls.hand() == module.controls.calls[0]
    assert (module.controls.calls[0].person, module.controls.calls[0].reason) == ("ada", "elections tonight")


@pytest.mark.parametrize("mode", ["safe", "CRITICAL", "", "NONE"])
def test_a_word_that_is_no_mode_is_refused_and_holds_nothing(mode: str) -> None:
    module = hfos(CALM)
    with pytest.raises(ValueError, match=f"`{mode}` is no risk mode: one of SAFE, DEFENSIVE"):
        module.set_risk_mode(mode)
    assert module.controls.calls == []


@pytest.mark.parametrize("told", [{"person": " "}, {"reason": ""}])
def test_an_empty_name_or_reason_is_refused(told: dict[str, str]) -> None:
    with pytest.raises(PolicyError, match="RF851"):
        hfos(CALM).set_risk_mode(SystemRiskMode.SAFE, **told)


def test_a_second_hand_loosens_nothing_and_hears_whose_the_first_is() -> None:
    module = hfos(CALM)
    module.set_risk_mode("DEFENSIVE", person="ada", reason="weekend")
    with pytest.raises(PolicyError, match="RF852") as caught:
        module.set_risk_mode("NORMAL", person="bob", reason="it is Monday")
    (found,) = caught.value.diagnostics
    assert found.message == "ada holds the risk mode at DEFENSIVE, and NORMAL is bolder"
    assert found.help == "release it first, with a person and a reason"
    assert module.set_risk_mode("SAFE", person="bob", reason="worse") is SystemRiskMode.SAFE


def test_releasing_takes_a_person_and_a_reason_and_leaves_the_mode_to_the_rules() -> None:
    module = hfos(CALM)
    module.set_risk_mode("SAFE")
    for person, reason in (("", "well"), ("ada", " ")):
        with pytest.raises(PolicyError, match="RF851"):
            module.release_risk_mode(person, reason)
    module.release_risk_mode("ada", "the venue is back")
    assert module.get_risk_mode() is SystemRiskMode.NORMAL
    assert module.state().hand is None
    module.set_risk_mode("CAUTIOUS")
    assert module.get_risk_mode() is SystemRiskMode.CAUTIOUS


@given(st.sampled_from(RISK_MODE.members))
def test_a_hand_never_makes_the_fund_bolder_than_its_rules(mode: str) -> None:
    for found in (CALM, CRASH):
        module = hfos(found)
        before = module.get_risk_mode()
        after = module.set_risk_mode(mode)
        assert RISK_MODE.rank(after) == min(RISK_MODE.rank(before), RISK_MODE.rank(mode))


def test_without_a_fund_nothing_is_known_and_the_mode_is_safe() -> None:
    module = hfos(None)
    assert module.get_risk_mode() is SystemRiskMode.SAFE
    assert module.state().because


# --- what follows -----------------------------------------------------------------------------------------------------


def test_in_ordinary_times_it_keeps_its_hands_off() -> None:
    assert hfos(CALM).directives() == {}


def test_the_cascade_of_the_plan_by_module_and_rule() -> None:
    found = {
        (module, d.output, d.value): d.rules for module, listed in hfos(CRASH).directives().items() for d in listed
    }
    cascade = {
        ("pba", "pba.max_exposure", 0.5),
        ("pal", "pal.amplification", "OFF"),
        ("orchestrator_policy", "orchestrator.min_confidence", 0.7),
        ("universe_os", "universe.min_tier", "CORE"),
        ("self_healing", "healing.stance", "DEFENSIVE"),
    }
    assert cascade <= set(found)
    assert all("hfos.crash_directives" in found[key] for key in cascade)
    assert found["pba", "pba.max_leverage", 5] == ("hfos.crash_brakes", "hfos.defensive_directives")


def test_a_directive_shows_what_stands_where_others_ask_for_more() -> None:
    losing = answer(market={"turbulence": 0.999, "breadth": 0.02, "regime": "RANGING"}, account={"losing_streak": 4},
                    model={"m": {"win_rate": 0.1}})  # fmt: skip
    by_output = {d.output: d.value for listed in hfos(losing).directives().values() for d in listed}
    assert by_output["orchestrator.min_confidence"] == 0.7
    assert by_output["orchestrator.entry_mode"] == "DEFENSIVE"
    contested = {c.output: c.rules for c in hfos(losing).state().contested}
    assert contested["orchestrator.min_confidence"] == (
        "hfos.crash_directives", "orchestrator.losing_streak", "orchestrator.ranging", "orchestrator.weak_models",
    )  # fmt: skip


def test_a_hand_brings_the_cascade_with_the_next_decision() -> None:
    held = answer(operator={"risk_mode": "SAFE"})
    module = hfos(held)
    assert module.get_risk_mode() is SystemRiskMode.SAFE
    assert module.state().because["hfos.by_hand"] == "a person has set the risk mode to SAFE"
    assert set(module.directives()) >= {"pba", "pal", "orchestrator_policy", "universe_os", "self_healing"}


# --- conflicts --------------------------------------------------------------------------------------------------------


def decided(**outputs: Any) -> Decision:
    named = {name.replace("_", ".", 1): value for name, value in outputs.items()}
    return Decision("main", NOW, named, ())


def test_actions_that_exclude_each_other_are_told_by_row() -> None:
    add, reduce, hold = ("ADD_SIZE", (250_000_000,)), ("REDUCE", (250_000_000,)), ("EXTEND_HOLD", ())
    found = conflicts(
        decided(pal_actions={"p1": (add,), "p2": (add,), "p3": (hold,)}, pba_actions={"p1": (reduce,), "p3": (reduce,)})
    )
    assert found == (Conflict("p1", "pal.actions.ADD_SIZE", "pba.actions.REDUCE"),)
    assert conflicts(decided(pal_actions={"p1": (add,)})) == ()


def test_one_row_counts_once_however_many_actions_are_at_odds() -> None:
    both = decided(
        pal_actions={"p1": (("ADD_SIZE", ()), ("TAKE_PARTIAL", ()))}, pba_actions={"p1": (("CLOSE", ()),), "p2": ()}
    )
    assert len(conflicts(both)) == 2
    supply = hfos().compute(Inputs("main", NOW, before=Snapshot("main", NOW - 1, {}), decided=both))
    assert supply.single == {"fund.conflicts": 1}


def test_before_the_first_decision_nothing_was_at_odds() -> None:
    assert hfos().compute(Inputs("main", NOW)).single == {"fund.conflicts": 0}


def test_a_decision_that_nobody_knows_is_not_one_without_conflicts() -> None:
    supply = hfos().compute(Inputs("main", NOW, before=Snapshot("main", NOW - 1, {})))
    assert supply.single == {}
    assert supply.reasons == {"fund.conflicts": "nobody knows what was decided before"}


def test_the_actions_that_exclude_each_other_are_actions_of_the_rules() -> None:
    items = {o.id: items_of(o) for o in JUDGE.bundle.program.outputs}
    for first, item, second, other in EXCLUSIVE:
        assert item in items[first]
        assert other in items[second]


some = st.none() | st.floats(0, 1)


@settings(max_examples=150, deadline=None)
@given(
    position=st.fixed_dictionaries(
        {
            "category": st.none() | st.sampled_from(CATEGORY.members),
            "r_multiple": st.none() | st.floats(1, 5), "peak_r": st.none() | st.floats(1, 5),
            "notional": st.none() | st.floats(1_000, 6_000), "leverage": st.none() | st.floats(1, 40),
            "liquidation_distance": some, "liquidation_probability_7d": some,
        }
    ),
    account=st.fixed_dictionaries({}, optional={
        "gross_exposure": some, "risk": some, "drawdown": some, "correlated_exposure": some,
    }),
    market=st.fixed_dictionaries({}, optional={"turbulence": some, "breadth": some}),
    sector=some,
)  # fmt: skip
def test_the_rules_grant_nothing_that_excludes_another(
    position: dict[str, Any], account: dict[str, Any], market: dict[str, Any], sector: float | None
) -> None:
    trend = {"trend_t": 3, "trend_t_short": 3, "variance_ratio": 1.5, "trend_strength": 0.3}
    found = answer(
        position={"p1": {"symbol": "BTCUSDT", **position}}, symbol={"BTCUSDT": trend}, account=account, market=market,
        sector={"L1": {"exposure_share": sector}},
    )  # fmt: skip
    assert conflicts(found.decision) == ()


def test_what_is_at_odds_can_be_granted_each_by_itself() -> None:
    trend = {"trend_t": 3, "trend_t_short": 3, "variance_ratio": 1.5, "trend_strength": 0.3}
    winner = {"symbol": "BTCUSDT", "category": "WINNER", "r_multiple": 2.5, "peak_r": 2.5}
    grows = answer(position={"p1": winner}, symbol={"BTCUSDT": trend})
    shrinks = answer(position={"p1": winner}, symbol={"BTCUSDT": trend}, account={"gross_exposure": 0.9})
    assert "ADD_SIZE" in grows.of("pal.actions", "p1")
    assert "REDUCE" in shrinks.of("pba.actions", "p1")
    assert "ADD_SIZE" not in shrinks.of("pal.actions", "p1")


def test_a_process_without_a_name_is_known_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert ai_hedgefund_os.process_user().startswith("user ")


def test_a_fund_by_another_judge_is_told_by_its_own_rules() -> None:
    bare = replace(CRASH, outputs={k: v for k, v in CRASH.outputs.items() if k != "hfos.risk_mode"})
    assert hfos(bare).get_risk_mode() is SystemRiskMode.SAFE


# --- in a fund --------------------------------------------------------------------------------------------------------


class Sees:
    """A module that keeps what it was given."""

    name: ClassVar[str] = "sees"
    policy: ClassVar[str | None] = None
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ()

    def __init__(self, given: list[Inputs]) -> None:
        self.given = given

    def compute(self, inputs: Inputs) -> Supply:
        self.given.append(inputs)
        return Supply()


class Shown:
    """A world whose only fact is what people ask for."""

    def __init__(self, controls: Controls) -> None:
        self.controls = controls

    def inputs(self, ts: int, before: Snapshot | None, requests: Mapping[str, Request]) -> Inputs:
        del requests
        return Inputs("main", ts, machinery=Machinery(operator=self.controls.shown()), before=before)

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        """Nothing is done."""


def a_fund(path: Path, given: list[Inputs]) -> tuple[Fund, AIHedgeFundOS]:
    controls = Controls(path / "controls.jsonl")
    module = AIHedgeFundOS(controls=controls, judge=JUDGE, now=lambda: NOW / 1000)
    runner = Runner((OperatorSource(), Sees(given), module), patience=60)
    store = Store(path / "fund.duckdb", CATALOGUE)
    return Fund(store, JUDGE.bundle, runner, Shown(controls), 180_000), module


def closed(fund: Fund, module: AIHedgeFundOS) -> None:
    fund.runner.close()
    fund.store.close()
    module.controls.close()


def test_a_hand_reaches_the_next_decision_and_stands_over_a_restart(tmp_path: Path) -> None:
    given: list[Inputs] = []
    fund, module = a_fund(tmp_path, given)
    assert "hfos.by_hand" not in fund.step(NOW).answer.because
    module.set_risk_mode(SystemRiskMode.SAFE, person="ada", reason="the market is strange")
    told = fund.step(NOW + 60_000).answer
    assert told.because["hfos.by_hand"] == "a person has set the risk mode to SAFE"
    closed(fund, module)
    again, module = a_fund(tmp_path, given)
    assert "hfos.by_hand" in again.step(NOW + 120_000).answer.because
    module.release_risk_mode("ada", "it is not any more")
    assert "hfos.by_hand" not in again.step(NOW + 180_000).answer.because
    closed(again, module)


def test_what_was_decided_before_is_known_after_a_restart_too(tmp_path: Path) -> None:
    given: list[Inputs] = []
    fund, module = a_fund(tmp_path, given)
    first = fund.step(NOW)
    second = fund.step(NOW + 60_000)
    closed(fund, module)
    again, module = a_fund(tmp_path, given)
    third = again.step(NOW + 120_000)
    closed(again, module)
    assert [i.decided for i in given] == [None, first.told.decision, second.told.decision]
    found = [s.assembled.snapshot.facts.get("fund.conflicts") for s in (first, second, third)]
    assert found == [0, 0, 0]


def test_who_tells_of_decisions_is_told_of_the_newest() -> None:
    found = {m.name: m for m in roster(SmartExecution(PaperExchange()), Controls(), lambda: CALM)}
    module, stop, policy = (found[name] for name in ("ai_hfos", "ess", "orchestrator_policy"))
    assert isinstance(module, AIHedgeFundOS)
    assert isinstance(stop, EmergencyStopSystem)
    assert isinstance(policy, OrchestratorPolicy)
    assert module.get_risk_mode() is SystemRiskMode.NORMAL
    assert not stop.state().is_halted
    assert policy.get_current_policy()["allow_trades"] is True
