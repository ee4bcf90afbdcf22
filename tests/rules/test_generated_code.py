"""What is generated from the default rules is the same text in every process."""

from __future__ import annotations

import os
import subprocess
import sys

from evaluators.duckdb import DuckdbEvaluator
from evaluators.python import PythonEvaluator
from modules.judge import packaged_bundle

PRINT = f"from {__name__} import generated; print(generated(), end='')"
SEEDS = ("1", "2")
"""Two orders of sets; this process has at most one of them."""


def generated() -> str:
    """The SQL and the Python of the default rules."""
    program = packaged_bundle().program
    return DuckdbEvaluator(program).sql + PythonEvaluator(program).source


def test_sql_and_python_are_the_same_whatever_the_order_of_sets() -> None:
    seed = next(seed for seed in SEEDS if seed != os.environ.get("PYTHONHASHSEED"))
    env = {**os.environ, "PYTHONHASHSEED": seed}
    told = subprocess.run([sys.executable, "-c", PRINT], env=env, check=True, capture_output=True, text=True)
    assert "ess.manual_stop" in told.stdout
    assert told.stdout == generated()
