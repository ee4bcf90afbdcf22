"""Two bundles on the same snapshots: where they decide otherwise, and which way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from api.dry_runs.result import Changed, Comparison
from evaluators.decision import Decision, Grants, OutputValue, PerRow
from policy_dsl.program import Output, Program
from policy_dsl.types import ItemSet, Value

MOST_LISTED = 2_000
"""Changes that are kept one by one; more are only counted."""


@dataclass(slots=True)
class _Run:
    since: int
    until: int
    snapshots: int
    before: OutputValue
    after: OutputValue


class Changes:
    """Compares decisions of `here` with those of `there`, snapshot by snapshot, on the outputs that both have."""

    def __init__(self, here: Program, there: Program) -> None:
        others = {o.id for o in there.outputs}
        self._both = {o.id: o for o in here.outputs if o.id in others}
        self._only_here = tuple(o.id for o in here.outputs if o.id not in others)
        self._only_there = tuple(sorted(others - {o.id for o in here.outputs}))
        self._bundle = there.hash
        self._open: dict[tuple[str, str | None], _Run] = {}
        self._done: list[Changed] = []
        self._counts: dict[str, Counter[str]] = {}
        self._snapshots = 0

    def see(self, here: Decision, there: Decision, until: int) -> None:
        """Compare two decisions on one snapshot, which stands until `until` (ms)."""
        found = dict(self._differences(here, there))
        self._snapshots += bool(found)
        for place in [p for p in self._open if p not in found]:
            self._close(place)
        for place, (before, after) in found.items():
            run = self._open.get(place)
            if run is not None and (run.until, run.before, run.after) == (here.ts, before, after):
                run.until, run.snapshots = until, run.snapshots + 1
            else:
                self._close(place)
                self._open[place] = _Run(here.ts, until, 1, before, after)
            kind = direction(self._both[place[0]], before, after)
            self._counts.setdefault(place[0], Counter())[kind] += 1

    def result(self, against: str) -> Comparison:
        """Everything found; `against` says in words what the others are."""
        for place in list(self._open):
            self._close(place)
        listed = sorted(self._done, key=lambda c: (c.since, c.output, c.key or ""))
        counts = {o: dict(self._counts[o]) for o in self._both if o in self._counts}
        only = (self._only_here, self._only_there)
        return Comparison(against, self._bundle, self._snapshots, counts, tuple(listed), *only)

    def _differences(
        self, here: Decision, there: Decision
    ) -> Iterator[tuple[tuple[str, str | None], tuple[OutputValue, OutputValue]]]:
        """Place, then the value of the others and the value here."""
        for output in self._both:
            after, before = here.outputs[output], there.outputs[output]
            if after == before:
                continue
            if not isinstance(after, Mapping):
                yield (output, None), (cast(OutputValue, before), after)
                continue
            rows = cast(PerRow, before)
            for key in sorted(after):
                if after[key] != rows[key]:
                    yield (output, key), (rows[key], after[key])

    def _close(self, place: tuple[str, str | None]) -> None:
        run = self._open.pop(place, None)
        if run is None or len(self._done) >= MOST_LISTED:
            return
        kind = direction(self._both[place[0]], run.before, run.after)
        self._done.append(Changed(*place, run.since, run.until, run.snapshots, run.before, run.after, kind))


def direction(output: Output, before: OutputValue, after: OutputValue) -> str:
    """Which way a value changed: `tighter`, `looser`, or `both` for a set that gained here and lost there."""
    if isinstance(output.type, ItemSet):
        return _direction_of_grants(cast(Grants, before), cast(Grants, after))
    stricter = output.stricter(cast(Value, before), cast(Value, after))
    return "tighter" if stricter == after else "looser"


def _direction_of_grants(before: Grants, after: Grants) -> str:
    old, new = dict(before), dict(after)
    lost = any(i not in new or _exceeds(old[i], new[i]) for i in old)
    gained = any(i not in old or _exceeds(new[i], old[i]) for i in new)
    if lost and gained:
        return "both"
    return "tighter" if lost else "looser"


def _exceeds(arguments: tuple[int, ...], others: tuple[int, ...]) -> bool:
    """Whether any argument is larger; arguments that are not of one number cannot be compared, so either exceeds."""
    return len(arguments) != len(others) or any(a > b for a, b in zip(arguments, others, strict=True))
