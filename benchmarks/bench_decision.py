"""One decision: generated Python against the same rules written by hand, on the same dictionaries of facts.

Prints ratios of one run, since machines run at more than one speed: each is the median over many rounds in which all
contestants take turns. The default bundle, which nobody has written by hand, is measured against the interpreter, on
the snapshots of a simulated day.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import by_hand
from benchmarks.workloads import program, recorded, scattered, snapshots
from evaluators.decision import Decision, Firing
from evaluators.interpreter import Interpreter
from evaluators.python import PythonEvaluator
from evaluators.snapshot import Snapshot
from modules.facts import default_catalogue
from modules.simulator import simulate
from policy_dsl.bundle import load
from policy_dsl.types import Value

States = Sequence[Mapping[str, Value | None]]
Run = Callable[[], object]
RULES = Path(__file__).resolve().parent.parent / "rules"
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


def compare(
    title: str, evaluator: PythonEvaluator, states: States, baselines: Mapping[str, Callable[[Any], object]]
) -> None:
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

    runs = {name: each(function, states) for name, function in baselines.items()}
    taken = contest({**runs, "generated": each(generated, states), "new": unremembered})
    times = {name: seconds / len(states) * 1e6 for name, seconds in taken.items()}
    ratios = [f"{times['generated'] / times[name]:14.2f}" if name in times else f"{'':14}" for name in BASELINES]
    print(f"{title:42}{times['generated']:8.2f}{''.join(ratios)}{times['new'] / times['judged']:14.2f}")


BASELINES = {"judged": by_hand.judged, "known": by_hand.known}


def the_workload() -> None:
    """Print the table of the 24 rules."""
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
    gaps = scattered(STATES, missing=0.1)
    table["the same, left out instead of None"] = [{p: v for p, v in state.items() if v is not None} for state in gaps]
    print("24 rules, 18 facts: a dictionary in, all outputs and firings out. Ratios to the same rules by hand:")
    print("(a) what is missing tightens, and each firing says whether it is certain; (b) all is taken as known")
    print(f"{'':42}{'us':>8}{'/ by hand (a)':>14}{'/ by hand (b)':>14}{'new masks / a':>14}")
    for title, states in table.items():
        full = title.startswith("all known")
        compare(title, evaluator, states, BASELINES if full else {"judged": by_hand.judged})
    taken_in = snapshots([dict(state) for state in table["all known, as recorded"]])
    taken = contest({"hand": each(decided_by_hand, taken_in), "generated": each(evaluator.decide, taken_in)})
    hand, ours = (seconds / len(taken_in) * 1e6 for seconds in taken.values())
    print(f"{'a snapshot in, a Decision out, as recorded':42}{ours:8.2f}{ours / hand:14.2f}")


def the_default_bundle() -> None:
    """Print how long the default bundle takes on each minute of a simulated day."""
    catalogue = default_catalogue()
    made = load(RULES, catalogue).program
    day = list(simulate(7).state.snapshots(catalogue))
    evaluator, interpreter = PythonEvaluator(made), Interpreter(made)
    some = day[:: len(day) // 48]
    assert [evaluator.decide(snapshot) for snapshot in some] == [interpreter.decide(snapshot) for snapshot in some]
    ours = contest({"generated": each(evaluator.decide, day)}, 9)["generated"] / len(day) * 1e6
    both = contest({"interpreter": each(interpreter.decide, some), "generated": each(evaluator.decide, some)}, 3)
    rows = sum(len(found or ()) for snapshot in day for found in snapshot.rows.values()) / len(day)
    print(f"\nThe default bundle: {len(made.rules)} rules, {len(made.outputs)} outputs, {rows:.0f} rows a snapshot")
    ratio = both["generated"] / both["interpreter"]
    print(f"{'a snapshot in, a Decision out':42}{ours:8.2f} us, {ratio:.4f} of the reference interpreter")


def main() -> int:
    """Print all tables."""
    the_workload()
    if any(RULES.glob("*.rules")):
        the_default_bundle()
    return 0


if __name__ == "__main__":
    sys.exit(main())
