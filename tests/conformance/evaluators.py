"""The evaluators that every conformance case and every generated program is put to: one line each.

An adapter takes a typed program and returns what turns snapshots into decisions, in their order. The first entry is
the reference; all others must equal it bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evaluators.decision import Decision
from evaluators.duckdb import decide_all
from evaluators.interpreter import Interpreter
from evaluators.python import PythonEvaluator
from evaluators.snapshot import Snapshot
from policy_dsl.program import Program

Judge = Callable[[list[Snapshot]], list[Decision]]
"""Decides snapshots, one decision each, in their order."""


def _interpreter(program: Program) -> Judge:
    interpreter = Interpreter(program)
    return lambda snapshots: [interpreter.decide(snapshot) for snapshot in snapshots]


def _python(program: Program) -> Judge:
    evaluator = PythonEvaluator(program)
    return lambda snapshots: [evaluator.decide(snapshot) for snapshot in snapshots]


def _duckdb(program: Program) -> Judge:
    return lambda snapshots: decide_all(program, snapshots)


EVALUATORS: Mapping[str, Callable[[Program], Judge]] = {
    "interpreter": _interpreter,
    "python": _python,
    "duckdb": _duckdb,
}

REFERENCE = _interpreter
COMPILED = tuple(name for name in EVALUATORS if name != "interpreter")
