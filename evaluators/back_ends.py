"""Every evaluator by the name that commands give it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evaluators.decision import Decision
from evaluators.interpreter import Interpreter
from evaluators.snapshot import Snapshot
from policy_dsl.program import Program

Decide = Callable[[list[Snapshot]], list[Decision]]
"""Decides snapshots, one decision each, in their order."""


def _interpreter(program: Program) -> Decide:
    interpreter = Interpreter(program)
    return lambda snapshots: [interpreter.decide(s) for s in snapshots]


def _python(program: Program) -> Decide:
    from evaluators.python import PythonEvaluator  # noqa: PLC0415 -- only who asks for it waits for it

    evaluator = PythonEvaluator(program)
    return lambda snapshots: [evaluator.decide(s) for s in snapshots]


def _duckdb(program: Program) -> Decide:
    from evaluators.duckdb import decide_all  # noqa: PLC0415 -- only who asks for it waits for DuckDB

    return lambda snapshots: decide_all(program, snapshots)


BACK_ENDS: Mapping[str, Callable[[Program], Decide]] = {
    "interpreter": _interpreter,
    "python": _python,
    "duckdb": _duckdb,
}
"""The interpreter defines; the others agree with it."""
