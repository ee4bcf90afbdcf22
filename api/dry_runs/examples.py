"""One example of each rule that bound: the first time, and what it said then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.dry_runs.recorded import Extract
from api.dry_runs.result import DryRun
from evaluators.decision import Decision
from evaluators.explanation import Reason, observed, reasons
from evaluators.interpreter import Interpreter
from evaluators.snapshot import Snapshot
from policy_dsl.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Example:
    """What a rule said at the time `ts` (ms), on which row, and where it is written (`rules/ess.rules:14`)."""

    ts: int
    key: str
    because: str
    place: str


def examples(run: DryRun, bundle: Bundle, extract: Extract) -> Mapping[str, Example]:
    """The first time that each rule bound, by rule; rules that never bound are left out."""
    first: dict[int, list[str]] = {}
    for count in run.rules:
        if count.episodes:
            first.setdefault(count.episodes[0].since, []).append(count.rule)
    out = {}
    for ts, rules in first.items():
        said = reasons_at(bundle, extract, ts)
        for rule in rules:
            reason = next((r for r in said if r.rule == rule), None)
            if reason is not None:
                out[rule] = Example(ts, reason.key, reason.because, reason.place(bundle.sources) or "")
    return out


def reasons_at(bundle: Bundle, extract: Extract, ts: int) -> tuple[Reason, ...]:
    """Every reason at the snapshot of that time, of enforced and of observing rules; none without a snapshot."""
    snapshots = extract.recording.snapshots(extract.book, ts, ts + 1)
    found: tuple[Reason, ...] = ()
    for snapshot in snapshots:
        decision = Interpreter(bundle.program).decide(snapshot)
        found = (*reasons(bundle.program, snapshot, decision), *_observed(bundle, snapshot, decision))
    return found


def _observed(bundle: Bundle, snapshot: Snapshot, decision: Decision) -> tuple[Reason, ...]:
    return observed(bundle.program, snapshot, decision) if decision.observed else ()
