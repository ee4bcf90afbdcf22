"""The engines that a dry run may use: each turns an extract of a recording into decisions, in order of time.

Rules that look back see the whole recording up to each snapshot, wherever the extract begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from api.dry_runs.recorded import Extract
from api.engines import Engine
from evaluators.back_ends import BACK_ENDS
from evaluators.decision import Decision
from evaluators.support import looks_back
from policy_dsl.program import Program

_AT_ONCE = 5_000
"""Snapshots in memory at once, one by one engines."""

_ROWS_AT_ONCE = 20_000
"""Decisions of DuckDB in memory at once; for rules that do not look back, also the snapshots that it decides in one go:
enough that planning does not count."""


def decisions(
    program: Program, engine: Engine, extract: Extract, times: Sequence[int], max_gap: int
) -> Iterator[Decision]:
    """The decision on every snapshot, oldest first; `max_gap` is the longest distance (ms) that is no gap."""
    if engine is not Engine.DUCKDB:
        return _one_by_one(program, engine, extract, max_gap)
    if looks_back(program):
        return _set_based_over_time(program, extract, times, max_gap)
    return _set_based(program, extract, times)


def _one_by_one(program: Program, engine: Engine, extract: Extract, max_gap: int) -> Iterator[Decision]:
    decide = BACK_ENDS[engine.value](program, max_gap=max_gap)
    since = extract.since
    snapshots = extract.recording.snapshots(extract.book, None if looks_back(program) else since, extract.until)
    while chunk := list(islice(snapshots, _AT_ONCE)):
        yield from (decision for decision in decide(chunk) if since is None or decision.ts >= since)


def _set_based(program: Program, extract: Extract, times: Sequence[int]) -> Iterator[Decision]:
    from evaluators.duckdb import DuckdbEvaluator
    from evaluators.duckdb import decisions as decided

    evaluator = DuckdbEvaluator(program)
    for chunk in _chunks(times):
        with extract.between(chunk[0], chunk[-1] + 1).tables() as connection:
            made = decided(evaluator.run(connection))
        yield from made


def _set_based_over_time(program: Program, extract: Extract, times: Sequence[int], max_gap: int) -> Iterator[Decision]:
    from evaluators.duckdb import DuckdbEvaluator
    from evaluators.duckdb import decisions as decided

    with replace(extract, since=None).tables() as connection:
        result = DuckdbEvaluator(program, max_gap=max_gap).run(connection)
        for chunk in _chunks(times):
            yield from decided(result, since=chunk[0], until=chunk[-1] + 1)


def _chunks(times: Sequence[int]) -> Iterator[Sequence[int]]:
    return (times[start : start + _ROWS_AT_ONCE] for start in range(0, len(times), _ROWS_AT_ONCE))
