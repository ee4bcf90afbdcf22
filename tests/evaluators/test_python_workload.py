"""The workload that benchmarks share: what is timed against one another decides alike."""

from __future__ import annotations

import pytest

from benchmarks import by_hand
from benchmarks.workloads import FACTS, program, recorded, scattered, snapshots
from evaluators.decision import Firing
from evaluators.interpreter import Interpreter
from evaluators.python import PythonEvaluator
from policy_dsl.types import Value

State = dict[str, Value | None]


@pytest.mark.parametrize("states", [recorded(200, missing=0.1), scattered(200), scattered(200, missing=0.2)])
def test_by_hand_and_generated_agree(states: list[State]) -> None:
    made = program()
    ours, reference = PythonEvaluator(made), Interpreter(made)
    assert len(made.rules) == 24
    assert len(FACTS) == 18
    for snapshot in snapshots(states):
        expected = reference.decide(snapshot)
        assert ours.decide(snapshot) == expected
        outputs, fired = by_hand.judged(snapshot.facts)
        assert outputs == expected.outputs
        assert tuple(Firing(rule, "", definite) for rule, definite in fired) == expected.firings
        if None not in snapshot.facts.values():
            assert by_hand.known(snapshot.facts) == (outputs, tuple(rule for rule, _ in fired))
