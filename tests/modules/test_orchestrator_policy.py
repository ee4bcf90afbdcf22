"""The plan's calls of the orchestrator policy and of the emergency stop; neither guesses where nothing is known."""

from __future__ import annotations

from typing import Any

import pytest

from evaluators.documents import snapshot_from_document
from modules.emergency_stop_system import EmergencyStopSystem
from modules.facts import CATALOGUE
from modules.judge import Answer, Judge
from modules.orchestrator_policy import OUTPUTS, OrchestratorPolicy
from policy_dsl.diagnostics import PolicyError

JUDGE = Judge()


def answer(**facts: Any) -> Answer:
    """The rules' answer to an ordinary moment but for these facts of the account."""
    state = {"book": "main", "ts": "2026-01-07T12:00:00Z", "account": facts}
    return JUDGE.answer_to(snapshot_from_document(state, CATALOGUE, calm=True))


def test_the_calls_of_the_plan() -> None:
    policy = OrchestratorPolicy()

    current_policy = policy.get_current_policy()
    assert current_policy["allow_trades"] is False
    assert 0 < current_policy["min_confidence"] <= 1


def test_where_nothing_is_known_no_trades_are_allowed_and_rules_say_why() -> None:
    found = OrchestratorPolicy(judge=JUDGE).get_current_policy()
    assert found["allow_trades"] is False
    assert found["because"]
    assert all(rule.startswith("orchestrator.") for rule in found["because"])


def test_the_policy_is_that_of_the_funds_newest_decision() -> None:
    calm, losing = answer(), answer(drawdown=0.06)
    assert OrchestratorPolicy(lambda: calm).get_current_policy()["allow_trades"] is True
    assert OrchestratorPolicy(lambda: losing).get_current_policy()["allow_trades"] is False
    assert set(OrchestratorPolicy(lambda: calm).get_current_policy()) == {*OUTPUTS, "as_of", "because"}


def test_the_facts_make_the_policy_and_no_constant_does() -> None:
    winning, losing = answer(losing_streak=0), answer(losing_streak=4)
    one, other = (OrchestratorPolicy(lambda a=a: a).get_current_policy() for a in (winning, losing))  # type: ignore[misc]  # because mypy cannot tell the type of a lambda with a default
    assert other["max_risk"] <= one["max_risk"]
    assert other != one | {"as_of": other["as_of"]}


# --- the emergency stop -----------------------------------------------------------------------------------------------


def test_without_a_fund_the_stop_halts() -> None:
    state = EmergencyStopSystem(judge=JUDGE, now=lambda: 1_760_000_000.0).state()
    assert state.is_halted
    assert state.because
    assert state.ts == 1_760_000_000_000


@pytest.mark.parametrize(("drawdown", "halted"), [(0.05, False), (0.0501, True)])
def test_a_drawdown_of_more_than_five_percent_halts_and_cancels_orders(drawdown: float, *, halted: bool) -> None:
    state = EmergencyStopSystem(lambda: answer(drawdown=drawdown)).state()
    assert (state.is_halted, state.cancel_orders, state.flatten) == (halted, halted, False)


def test_hands_leave_a_name_and_a_reason() -> None:
    stop = EmergencyStopSystem(now=lambda: 5.0)
    stop.trip("ada", "the venue misprices")
    assert stop.controls.shown().stop_requested
    with pytest.raises(PolicyError, match="RF851"):
        stop.reset("ada", "")
    stop.reset("ada", "it prices again")
    assert [(c.at, c.what) for c in stop.controls.calls] == [(5000, "stop"), (5000, "reset")]
