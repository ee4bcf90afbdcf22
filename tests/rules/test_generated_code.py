"""What is generated from the default rules is the same text in every process."""

from __future__ import annotations

import os
import subprocess
import sys

PRINT = """
from evaluators.duckdb import DuckdbEvaluator
from evaluators.python import PythonEvaluator
from modules.judge import packaged_bundle

program = packaged_bundle().program
print(DuckdbEvaluator(program).sql)
print(PythonEvaluator(program).source)
"""


def generated(seed: str) -> str:
    """The SQL and the Python that a process generates whose sets have the order that `seed` gives them."""
    env = {**os.environ, "PYTHONHASHSEED": seed}
    return subprocess.run([sys.executable, "-c", PRINT], env=env, check=True, capture_output=True, text=True).stdout


def test_sql_and_python_are_the_same_whatever_the_order_of_sets() -> None:
    first = generated("1")
    assert "ess.manual_stop" in first
    assert generated("2") == first
