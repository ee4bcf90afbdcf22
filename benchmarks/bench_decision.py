"""One decision: generated Python against the same rules written by hand, on the same dictionaries of facts.

Prints ratios of one run, since machines run at more than one speed: each is the median over many rounds in which all
contestants take turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks import by_hand
from benchmarks.workloads import program, recorded, scattered, snapshots
from evaluators.decision import Decision, Firing
from evaluators.interpreter import Interpreter
from evaluators.python import PythonEvaluator
from evaluators.snapshot import Snapshot
from policy_dsl.types import Value

States = Sequence[Mapping[str, Value | None]]
Run = Callable[[], object]
ROUNDS = 41
STATES = 480


def contest(runs: Mapping[str, Run], rounds: int = ROUNDS) -> dict[str, float]:
    """Seconds that each run takes, the median of its rounds; in each round every run has its turn."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.process_time()
            run()
            taken[name].append(time.process_time() - start)
    return {name: median(times) for name, times in taken.items()}


def each(function: Callable[[Any], object], inputs: Sequence[Any]) -> Run:
    """A run of the function over all inputs."""

    def run() -> None:
        for item in inputs:
            function(item)

    return run


def agree(evaluator: PythonEvaluator, states: States) -> None:
    """The contestants decide alike; by hand nobody checks for what is missing in `known`."""
    interpreter = Interpreter(evaluator.program)
    for snapshot in snapshots([dict(state) for state in states]):
        expected = interpreter.decide(snapshot)
        assert evaluator.decide(snapshot) == expected
        outputs, fired = by_hand.judged(snapshot.facts)
        assert outputs == expected.outputs, snapshot
        assert fired == tuple((firing.rule, firing.definite) for firing in expected.firings), snapshot
        if None not in snapshot.facts.values():
            known, names = by_hand.known(snapshot.facts)
            assert known == expected.outputs
            assert names == tuple(firing.rule for firing in expected.firings)


def decided_by_hand(snapshot: Snapshot) -> Decision:
    """A whole `Decision` around what was judged by hand."""
    outputs, fired = by_hand.judged(snapshot.facts)
    firings = tuple(Firing(rule, "", definite) for rule, definite in fired)
    return Decision(snapshot.book, snapshot.ts, outputs, firings)


def compare(title: str, evaluator: PythonEvaluator, states: States, baseline: Callable[[Any], object]) -> None:
    """One line: microseconds and ratios for a set of states."""
    judge = evaluator.enforced.judge
    rows: dict[str, Any] = {}
    forgetful = PythonEvaluator(evaluator.program).enforced.judge
    memo = forgetful.__globals__["FUND"]

    def generated(facts: Mapping[str, Value | None]) -> object:
        return judge(facts, rows, 0)

    def unremembered() -> None:
        for facts in states:
            memo.clear()
            forgetful(facts, rows, 0)

    taken = contest({"hand": each(baseline, states), "generated": each(generated, states), "new": unremembered})
    hand, ours, new = (seconds / len(states) * 1e6 for seconds in taken.values())
    print(f"{title:42} {hand:8.2f} {ours:10.2f} {ours / hand:10.2f} {new / hand:14.2f}")


def main() -> int:
    """Print the table."""
    evaluator = PythonEvaluator(program())
    table = {
        "all known, as recorded": recorded(STATES),
        "all known, hardly two states alike": scattered(STATES),
        "one fact in ten missing, as recorded": recorded(STATES, missing=0.1),
        "one fact in ten missing, hardly two alike": scattered(STATES, missing=0.1),
    }
    for states in table.values():
        agree(evaluator, states)
    agree(evaluator, scattered(5_000, seed=11, missing=0.2))
    print("24 rules, 18 facts, a dictionary in, all outputs and firings out; baseline: the same rules by hand")
    print(f"{'':42} {'hand us':>8} {'generated':>10} {'/ hand':>10} {'if new / hand':>14}")
    for title, states in table.items():
        compare(title, evaluator, states, by_hand.known if title.startswith("all") else by_hand.judged)
    gaps = scattered(STATES, missing=0.1)
    absent = [{path: value for path, value in state.items() if value is not None} for state in gaps]
    compare("the same, left out instead of None", evaluator, absent, by_hand.judged)
    taken_in = snapshots([dict(state) for state in table["all known, as recorded"]])
    taken = contest({"hand": each(decided_by_hand, taken_in), "generated": each(evaluator.decide, taken_in)})
    hand, ours = (seconds / len(taken_in) * 1e6 for seconds in taken.values())
    print(f"{'snapshot in, Decision out, as recorded':42} {hand:8.2f} {ours:10.2f} {ours / hand:10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
