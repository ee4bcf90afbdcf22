"""The dry run itself: rules over an extract of a recording, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

from api.dry_runs.changes import Changes
from api.dry_runs.engines import decisions
from api.dry_runs.recorded import Extract
from api.dry_runs.result import DryRun
from api.dry_runs.spans import standing
from api.dry_runs.tally import Tally
from api.engines import Engine
from evaluators.decision import Decision
from evaluators.timelines import longest_gap
from policy_dsl.bundle import Bundle

OnProgress = Callable[[int], None]
"""Told how many more snapshots are done."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A bundle and where it comes from, in words that find it again."""

    bundle: Bundle
    origin: str


def replay(
    rules: Rules,
    extract: Extract,
    engine: Engine,
    against: Rules | None = None,
    on_progress: OnProgress = lambda _: None,
) -> DryRun:
    """What the rules would have decided, and where the rules `against` would have decided otherwise.

    A snapshot stands until the next one, but no longer than the bundle's `max_gap` (three times the cadence unless
    configured), which is how long "how long" counts.

    Raises ValueError if the extract holds no snapshot.
    """
    program, recording = rules.bundle.program, extract.recording
    times = extract.times()
    if not times:
        raise ValueError(f"book {extract.book} has no snapshot in that time")
    cadence = recording.cadence_ms
    until = standing(times, cadence, _max_gap(rules, cadence))
    tally = Tally(program)
    changes = None if against is None else Changes(program, against.bundle.program)
    others = repeat(None) if against is None else _decided(against, engine, extract, times)
    for decision, other, end in zip(_decided(rules, engine, extract, times), others, until, strict=False):
        tally.see(decision, end)
        if changes is not None and other is not None:
            changes.see(decision, other, end)
        on_progress(1)
    return DryRun(
        bundle=program.hash,
        rules_from=rules.origin,
        recording=str(recording.path),
        source=recording.manifest.source,
        book=extract.book,
        engine=engine.value,
        cadence=cadence,
        since=times[0],
        until=until[-1],
        snapshots=len(times),
        rules=tally.rules(),
        courses=tally.courses(),
        verdicts=tally.verdicts(),
        unknowns=extract.unknowns(program),
        comparison=None if changes is None or against is None else changes.result(against.origin),
    )


def _max_gap(rules: Rules, cadence: int) -> int:
    return longest_gap(rules.bundle.configuration.max_gap, cadence)


def _decided(rules: Rules, engine: Engine, extract: Extract, times: Sequence[int]) -> Iterator[Decision]:
    max_gap = _max_gap(rules, extract.recording.cadence_ms)
    return decisions(rules.bundle.program, engine, extract, times, max_gap)
