"""Whole recordings decided by DuckDB: a typed program as a few set-based statements.

`DuckdbEvaluator(program).run(connection)` decides, and leaves relations behind; `firings`, `courses` and `coverage` ask
them what a dry run reports.
"""

from evaluators.duckdb.compiler import OutputPlace, RulePlace
from evaluators.duckdb.courses import changed, compare, distribution, timeline, transitions
from evaluators.duckdb.coverage import unknown_rates
from evaluators.duckdb.decisions import decide_all, decisions
from evaluators.duckdb.evaluator import DuckdbEvaluator
from evaluators.duckdb.firings import counts, denials, episodes
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
    "changed",
    "compare",
    "counts",
    "decide_all",
    "decisions",
    "denials",
    "distribution",
    "episodes",
    "load_snapshots",
    "needs_of",
    "timeline",
    "transitions",
    "unknown_rates",
]
