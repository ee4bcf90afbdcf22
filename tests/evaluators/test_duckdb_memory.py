"""A recording far larger than the memory that DuckDB may use is decided all the same."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from evaluators.duckdb import DuckdbEvaluator, counts, load_snapshots
from tests.evaluators.duckdb_desk import day, program

COPIES = 8_000


@pytest.mark.slow
def test_memory_stays_within_its_limit(tmp_path: Path) -> None:
    states = day(50)
    with duckdb.connect(str(tmp_path / "states.duckdb")) as connection:
        load_snapshots(connection, program(), states)
        few = {c.rule: (c.fired, c.definite) for c in counts(DuckdbEvaluator(program()).run(connection))}
        for relation in ("snapshot", "position", "request", "symbol"):
            connection.execute(
                f"CREATE TABLE copies_{relation} AS SELECT s.* REPLACE (s.ts + to_hours(i) AS ts)"
                f" FROM {relation} s, range({COPIES}) AS t(i)"
            )
            connection.execute(f"DROP TABLE {relation}")
            connection.execute(f"ALTER TABLE copies_{relation} RENAME TO {relation}")
        connection.execute("CHECKPOINT")
        connection.execute(f"SET temp_directory = '{tmp_path / 'spilt'}'")
        connection.execute("SET memory_limit = '250MB'")
        many = counts(DuckdbEvaluator(program()).run(connection))
        assert {c.rule: (c.fired, c.definite) for c in many} == {
            rule: (fired * COPIES, definite * COPIES) for rule, (fired, definite) in few.items()
        }
