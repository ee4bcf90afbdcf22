"""What the rules said at chosen moments of a recording, and one example of each rule that bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from api.dry_runs.recorded import Extract
from api.dry_runs.result import DryRun
from evaluators.decision import Decision
from evaluators.explanation import Reason, observed, reasons
from evaluators.interpreter import Interpreter
from evaluators.snapshot import Snapshot
from policy_dsl.bundle import Bundle

_READ_TOGETHER_MS = 3_600_000
"""Moments within the same hour are read in one go: opening the files costs as much as an hour of snapshots."""


@dataclass(frozen=True, slots=True)
class Example:
    """What a rule said at the time `ts` (ms), on which row, and where it is written (`rules/ess.rules:14`)."""

    ts: int
    key: str
    because: str
    place: str


@dataclass(frozen=True, slots=True)
class Witness:
    """Tells the reasons of decisions at any moment of an extract, and remembers them."""

    bundle: Bundle
    extract: Extract
    _known: dict[int, tuple[Reason, ...]] = field(default_factory=dict)

    def asked(self, times: Iterable[int]) -> None:
        """Look at the snapshots of those times (ms) together, which is quicker than one by one."""
        wanted = sorted(set(times) - self._known.keys())
        for _, together in groupby(wanted, key=lambda ts: ts // _READ_TOGETHER_MS):
            near = list(together)
            self._known.update(dict.fromkeys(near, ()))
            for snapshot in self.extract.recording.snapshots(self.extract.book, near[0], near[-1] + 1):
                if snapshot.ts in near:
                    self._known[snapshot.ts] = self._reasons(snapshot)

    def reasons(self, ts: int) -> tuple[Reason, ...]:
        """Every reason at that time, of enforced and of observing rules; none where there is no snapshot."""
        self.asked([ts])
        return self._known[ts]

    def _reasons(self, snapshot: Snapshot) -> tuple[Reason, ...]:
        decision: Decision = Interpreter(self.bundle.program).decide(snapshot)
        found = reasons(self.bundle.program, snapshot, decision)
        return found + (observed(self.bundle.program, snapshot, decision) if decision.observed else ())


def examples(run: DryRun, witness: Witness) -> Mapping[str, Example]:
    """The first time that each rule bound, by rule; rules that never bound are left out."""
    first = {count.rule: count.episodes[0].since for count in run.rules if count.episodes}
    witness.asked(first.values())
    out = {}
    for rule, ts in first.items():
        reason = next((r for r in witness.reasons(ts) if r.rule == rule), None)
        if reason is not None:
            out[rule] = Example(ts, reason.key, reason.because, reason.place(witness.bundle.sources) or "")
    return out
