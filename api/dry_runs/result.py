"""What a dry run found, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.dry_runs.spans import Held
from evaluators.decision import OutputValue
from evaluators.duckdb.coverage import Missing


@dataclass(frozen=True, slots=True)
class Episode:
    """A run of snapshots at which a rule bound, on any row: `since <= t < until` (ms).

    `definite` counts those of its snapshots at which it fired on some row without anything unknown having a part.
    """

    rule: str
    since: int
    until: int
    snapshots: int
    definite: int

    @property
    def duration(self) -> int:
        """Milliseconds."""
        return self.until - self.since


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How often a rule fired.

    `snapshots` at which it fired, `firings` over all rows, of which `definite` and `because_missing` add up to all;
    `bound` counts the snapshots at which an output had the value that the rule asked for; `time` is for how long it
    bound (ms), in `episodes`.
    """

    rule: str
    observing: bool
    snapshots: int
    firings: int
    definite: int
    because_missing: int
    bound: int
    time: int
    episodes: tuple[Episode, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """The values of a fund-wide output over time, and how often one followed another without a gap.

    `kept`: for how long (ms), by value, the output stood there though no rule asked for it: it was relaxing or latched,
    or an effect held it.
    """

    output: str
    held: tuple[Held[OutputValue], ...]
    transitions: Mapping[tuple[OutputValue, OutputValue], int]
    kept: Mapping[OutputValue, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What became of the requests, snapshot by snapshot: how many of each verdict, and by which rule denied."""

    counts: Mapping[str, int]
    denied_by: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Changed:
    """An output (on a row, if `key` is not None) that the other rules would have decided otherwise.

    `direction` is `tighter`, `looser` or `both`, of these rules against the others.
    """

    output: str
    key: str | None
    since: int
    until: int
    snapshots: int
    before: OutputValue
    after: OutputValue
    direction: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """These rules against others: which bundle, how many snapshots were decided otherwise, and where.

    `only_here` and `only_there` are outputs that one of them lacks.
    """

    against: str
    bundle: str
    snapshots: int
    counts: Mapping[str, Mapping[str, int]]
    changes: tuple[Changed, ...]
    only_here: tuple[str, ...]
    only_there: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DryRun:
    """Everything a dry run found. Times are ms since 1970 UTC; `since` to `until` is what was replayed."""

    bundle: str
    rules_from: str
    recording: str
    source: str
    book: str
    engine: str
    cadence: int
    since: int
    until: int
    snapshots: int
    rules: tuple[RuleCount, ...]
    courses: Mapping[str, Course]
    verdicts: Verdicts
    unknowns: tuple[Missing, ...]
    comparison: Comparison | None = None

    def count(self, rule: str) -> RuleCount:
        """The count of one rule; KeyError if there is none of that id."""
        for found in self.rules:
            if found.rule == rule:
                return found
        raise KeyError(rule)
