"""The engines that a dry run may use: each turns an extract of a recording into decisions, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from api.dry_runs.recorded import Extract
from api.engines import Engine
from evaluators.back_ends import BACK_ENDS
from evaluators.decision import Decision
from policy_dsl.program import Program

_AT_ONCE = 5_000
"""Snapshots that an engine is handed in one go; memory stays bounded."""


def decisions(program: Program, engine: Engine, extract: Extract) -> Iterator[Decision]:
    """The decision on every snapshot, oldest first. Raises PolicyError (RF505) for rules that need history."""
    decide = BACK_ENDS[engine.value](program)
    snapshots = extract.recording.snapshots(extract.book, extract.since, extract.until)
    while chunk := list(islice(snapshots, _AT_ONCE)):
        yield from decide(chunk)
