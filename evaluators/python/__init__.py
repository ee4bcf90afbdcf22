"""Programs as generated Python, for deciding one snapshot at a time."""

from evaluators.python.evaluator import PythonEvaluator

__all__ = ["PythonEvaluator"]
