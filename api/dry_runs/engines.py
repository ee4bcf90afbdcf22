"""The engines that a dry run may use: each turns an extract of a recording into decisions, in order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from api.dry_runs.recorded import Extract
from api.engines import Engine
from evaluators.back_ends import BACK_ENDS
from evaluators.decision import Decision
from policy_dsl.program import Program

_AT_ONCE = 5_000
"""Snapshots in memory at once, one by one engines."""

_ROWS_AT_ONCE = 20_000
"""Snapshots that DuckDB decides in one go: enough that planning does not count, few enough to hold the decisions."""


def decisions(program: Program, engine: Engine, extract: Extract, times: Sequence[int]) -> Iterator[Decision]:
    """The decision on every snapshot, oldest first. Raises PolicyError (RF505) for rules that need history."""
    return _set_based(program, extract, times) if engine is Engine.DUCKDB else _one_by_one(program, engine, extract)


def _one_by_one(program: Program, engine: Engine, extract: Extract) -> Iterator[Decision]:
    decide = BACK_ENDS[engine.value](program)
    snapshots = extract.recording.snapshots(extract.book, extract.since, extract.until)
    while chunk := list(islice(snapshots, _AT_ONCE)):
        yield from decide(chunk)


def _set_based(program: Program, extract: Extract, times: Sequence[int]) -> Iterator[Decision]:
    from evaluators.duckdb import DuckdbEvaluator
    from evaluators.duckdb import decisions as decided

    evaluator = DuckdbEvaluator(program)
    for start in range(0, len(times), _ROWS_AT_ONCE):
        chunk = times[start : start + _ROWS_AT_ONCE]
        with extract.between(chunk[0], chunk[-1] + 1).tables() as connection:
            made = decided(evaluator.run(connection))
        yield from made
