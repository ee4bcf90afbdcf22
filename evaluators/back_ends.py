"""Every evaluator by the name that commands give it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from evaluators.decision import Decision
from evaluators.interpreter import Interpreter
from evaluators.snapshot import Snapshot
from evaluators.support import looks_back
from evaluators.timelines import DEFAULT_MAX_GAP
from policy_dsl.program import Program

Decide = Callable[[list[Snapshot]], list[Decision]]
"""Decides snapshots, one decision each, in their order.

For a program that looks back, each in the light of all those of its book that were given before, in this call or an
earlier one; their times must increase.
"""


class BackEnd(Protocol):
    """Prepares an evaluator for a program; `max_gap` is the longest distance (ms) of two snapshots that is no gap."""

    def __call__(self, program: Program, *, max_gap: int = DEFAULT_MAX_GAP) -> Decide:
        """The evaluator for `program`, before it has seen any snapshot."""


def _interpreter(program: Program, *, max_gap: int = DEFAULT_MAX_GAP) -> Decide:
    following = Interpreter(program, max_gap=max_gap).following()
    return lambda snapshots: [following.decide(s) for s in snapshots]


def _python(program: Program, *, max_gap: int = DEFAULT_MAX_GAP) -> Decide:
    from evaluators.python import PythonEvaluator  # noqa: PLC0415 -- only who asks for it waits for it

    following = PythonEvaluator(program, max_gap=max_gap).following()
    return lambda snapshots: [following.decide(s) for s in snapshots]


def _duckdb(program: Program, *, max_gap: int = DEFAULT_MAX_GAP) -> Decide:
    from evaluators.duckdb import decide_all  # noqa: PLC0415 -- only who asks for it waits for DuckDB

    if not looks_back(program):
        return lambda snapshots: decide_all(program, snapshots)
    seen: list[Snapshot] = []

    def decide(snapshots: list[Snapshot]) -> list[Decision]:
        # Set-based: what was given before is decided once more, with what is new.
        seen.extend(snapshots)
        return decide_all(program, seen, max_gap=max_gap)[len(seen) - len(snapshots) :]

    return decide


BACK_ENDS: Mapping[str, BackEnd] = {
    "interpreter": _interpreter,
    "python": _python,
    "duckdb": _duckdb,
}
"""The interpreter defines; the others agree with it."""
