"""Whole recordings decided by DuckDB: a typed program as a few set-based statements."""

from evaluators.duckdb.compiler import OutputPlace, RulePlace
from evaluators.duckdb.decisions import decide_all, decisions
from evaluators.duckdb.evaluator import DuckdbEvaluator
from evaluators.duckdb.loading import load_snapshots
from evaluators.duckdb.needs import Needs, needs_of
from evaluators.duckdb.result import Decided, Result

__all__ = [
    "Decided",
    "DuckdbEvaluator",
    "Needs",
    "OutputPlace",
    "Result",
    "RulePlace",
    "decide_all",
    "decisions",
    "load_snapshots",
    "needs_of",
]
