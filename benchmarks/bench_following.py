"""Rules over time, one snapshot after the other: the default bundle against the same bundle without its windows.

Without windows, an expression that looks back is its operand, a fold over events is nothing, and no output relaxes,
latches or is held. Prints ratios of one run; both take turns on the snapshots of a simulated day.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from statistics import median
from typing import Any

from evaluators.python import PythonEvaluator
from evaluators.python.evaluator import PythonBook
from evaluators.snapshot import Snapshot
from modules.facts import default_catalogue
from modules.simulator import simulate
from policy_dsl.bundle import load
from policy_dsl.nodes import NODES, Constant, EventFold, Previous, Row, Throughout, Window, Within
from policy_dsl.program import Program, Rule, Tighten
from policy_dsl.types import Flag, Truth

RULES = Path(__file__).resolve().parent.parent / "rules"
ROUNDS = 9


def without_windows(program: Program) -> Program:
    """The program as if it had no time."""
    outputs = tuple(replace(o, relaxes_after=None, latches_until=None) for o in program.outputs)
    return replace(program, outputs=outputs, rules=tuple(_timeless(rule) for rule in program.rules))


def _timeless(node: Any) -> Any:
    """A rule, effect or expression without time."""
    if isinstance(node, Throughout | Within | Window | Previous):
        return _timeless(node.operand)
    if isinstance(node, EventFold):
        return Constant(False if isinstance(node.type, Truth | Flag) else 0, node.type)
    if isinstance(node, tuple):
        return tuple(_timeless(part) for part in node)
    if not (isinstance(node, Rule | Tighten | Row) or type(node) in NODES or hasattr(node, "expression")):
        return node
    changed = {f.name: _timeless(getattr(node, f.name)) for f in fields(node) if f.name not in ("type", "span")}
    made = replace(node, **changed)
    return replace(made, hold=None, until=None) if isinstance(made, Tighten) else made


def run(program: Program, day: Sequence[Snapshot]) -> float:
    """Seconds that one book takes from the first snapshot of the day to the last, its memos warm."""
    evaluator = PythonEvaluator(program)
    warming = PythonBook(evaluator)
    for snapshot in day:
        warming.decide(snapshot)
    book = PythonBook(evaluator)
    start = time.process_time()
    for snapshot in day:
        book.decide(snapshot)
    return time.process_time() - start


def contest(made: Program, plain: Program, day: Sequence[Snapshot]) -> tuple[float, float]:
    """Median seconds with and without windows, taking turns."""
    taken = [(run(made, day), run(plain, day)) for _ in range(ROUNDS)]
    return median(a for a, _ in taken), median(b for _, b in taken)


def table(title: str, made: Program, day: Sequence[Snapshot]) -> None:
    """Print one line."""
    ours, plain = contest(made, without_windows(made), day)
    evaluator = PythonEvaluator(made)
    tracks, events = len(evaluator.enforced.recalled.tracks), len(evaluator.enforced.recalled.events)
    each = ours / len(day) * 1e6
    print(
        f"{title:22}{each:9.2f} us a snapshot, {ours / plain:.2f} x without windows"
        f" ({tracks} tracks, {events} of events)"
    )


def main() -> int:
    """Print the table."""
    catalogue = default_catalogue()
    made = load(RULES, catalogue).program
    day = list(simulate(7).state.snapshots(catalogue))
    rows = sum(len(found or ()) for snapshot in day for found in snapshot.rows.values()) / len(day)
    print(f"{len(made.rules)} rules, {len(made.outputs)} outputs, {rows:.0f} rows a snapshot, {len(day)} snapshots")
    table("the default bundle", made, day)
    return 0


if __name__ == "__main__":
    sys.exit(main())
