"""What the rules said at chosen moments of a recording, and one example of each rule that bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from api.dry_runs.recorded import Extract
from api.dry_runs.result import DryRun
from evaluators.explanation import Reason
from evaluators.support import looks_back
from evaluators.telling import Teller
from evaluators.timelines import longest_gap
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
        if not wanted:
            return
        self._known.update(dict.fromkeys(wanted, ()))
        if looks_back(self.bundle.program):
            self._follow(wanted)
            return
        for _, together in groupby(wanted, key=lambda ts: ts // _READ_TOGETHER_MS):
            near = list(together)
            self._look(Teller(self.bundle.program), near, near[0])

    def _follow(self, wanted: list[int]) -> None:
        """Rules that look back are told from the beginning of the recording on."""
        gap = longest_gap(self.bundle.configuration.max_gap, self.extract.recording.cadence_ms)
        self._look(Teller(self.bundle.program, max_gap=gap), wanted, None)

    def _look(self, teller: Teller, wanted: list[int], since: int | None) -> None:
        asked = set(wanted)
        for snapshot in self.extract.recording.snapshots(self.extract.book, since, wanted[-1] + 1):
            if snapshot.ts in asked:
                told = teller.tell(snapshot)
                self._known[snapshot.ts] = told.reasons + told.would_be
            elif since is None:
                teller.follow(snapshot)

    def reasons(self, ts: int) -> tuple[Reason, ...]:
        """Every reason at that time, of enforced and of observing rules; none where there is no snapshot."""
        self.asked([ts])
        return self._known[ts]


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
