"""From what modules supply to a snapshot: every value checked against its fact, and a reason for each that is missing.

A module that supplies what is not its own, what is not a number, out of range, of another type or too old loses that
value and no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from evaluators.snapshot import Snapshot
from modules.facts import CATALOGUE
from modules.readings import Column, Reading, columns_of, place, read, read_rows
from modules.supply import Supply
from policy_dsl.catalogue import Entity, Fact, Rows
from policy_dsl.types import Value

ANCHORS: Mapping[str, str] = {
    "symbol": "feed",
    "position": "book",
    "request": "caller",
    "sector": "PBA",
    "model": "Model Supervisor",
    "service": "Self-Healing",
}
"""The owner that says which rows of an entity there are; others add facts to those rows only."""


def facts_of(owners: Iterable[str]) -> tuple[Fact, ...]:
    """The facts that these owners may supply, in the catalogue's order."""
    own = frozenset(owners)
    return tuple(f for entity in CATALOGUE.entities.values() for f in entity.facts.values() if f.owner in own)


@dataclass(frozen=True)
class Supplied:
    """What was supplied at `at` (ms) by whoever may supply the facts of `owners`."""

    by: str
    owners: tuple[str, ...]
    at: int
    supply: Supply

    @cached_property
    def reading(self) -> Reading:
        """The supply as it was read: once, in however many snapshots it is."""
        return read(self.supply, self.by, self.owners)

    def is_too_old(self, fact: Fact, ts: int) -> bool:
        """Whether a fact of it no longer counts at `ts`."""
        return fact.max_age is not None and ts - self.at > fact.max_age


@dataclass(frozen=True, slots=True)
class Assembled:
    """A snapshot, and by fact (`account.risk`, `position["p1"].risk`) why it is missing."""

    snapshot: Snapshot
    reasons: Mapping[str, str]


def assemble(book: str, ts: int, supplied: Iterable[Supplied]) -> Assembled:
    """The snapshot of `book` at `ts` (ms since 1970 UTC) made of everything supplied."""
    work = _Assembly(ts)
    found = list(supplied)
    for part in found:
        work.reasons |= part.supply.reasons
        work.singles(part)
        work.happened(part)
    for entity in CATALOGUE.of_kind(Rows.KEYED):
        work.collection(entity, found)
    made = Snapshot(book, ts, work.facts, work.rows, {name: tuple(rows) for name, rows in work.events.items()})
    return Assembled(made, {path: why for path, why in sorted(work.reasons.items()) if not work.has(path)})


@dataclass(slots=True)
class _Assembly:
    ts: int
    facts: dict[str, Value | None] = field(default_factory=dict)
    rows: dict[str, dict[str, dict[str, Value | None]] | None] = field(default_factory=dict)
    events: dict[str, list[dict[str, Value | None]]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def has(self, path: str) -> bool:
        """Whether a fact, of one row or of the only one (`account.risk`), is there."""
        if self.facts.get(path) is not None:
            return True
        entity, is_row, rest = path.partition('["')
        key, _, name = rest.rpartition('"].')
        return bool(is_row) and ((self.rows.get(entity) or {}).get(key) or {}).get(name) is not None

    def singles(self, part: Supplied) -> None:
        self.reasons |= part.reading.not_own
        for path, found in part.reading.singles.items():
            (self.facts[path],) = self._counting(found, part, [path])

    def happened(self, part: Supplied) -> None:
        for name, events in part.supply.events.items():
            listed = self.events.setdefault(name, [])
            made: list[dict[str, Value | None]] = [{} for _ in events]
            columns, not_own = columns_of(name, events, part.by, part.owners)
            self.reasons |= not_own
            for found in columns:
                places = [f"{name}[{len(listed) + i}].{found.fact.name}" for i in range(len(events))]
                for row, value in zip(made, self._counting(found, part, places), strict=True):
                    row[found.fact.name] = value
            listed += made

    def collection(self, entity: Entity, found: Sequence[Supplied]) -> None:
        name = entity.name
        anchor = ANCHORS[name]
        parts = [part for part in found if name in part.supply.rows]
        anchored = [part for part in parts if anchor in part.owners and not self._is_stale(entity, part)]
        if not anchored:
            self.rows[name] = {} if name == "request" else None
            self.reasons.setdefault(name, f"{anchor} supplies no rows")
            return
        keys = sorted({key for part in anchored for key in part.supply.rows[name]})
        here: dict[str, dict[str, Value | None]] = {key: {} for key in keys}
        for part in parts:
            self._join(name, here, part)
        self.rows[name] = here

    def _join(self, entity: str, here: Mapping[str, dict[str, Value | None]], part: Supplied) -> None:
        """The rows of a part that are among those here: as they were read, unless it has others too."""
        rows = part.supply.rows[entity]
        if rows.keys() <= here.keys():
            found = part.reading.rows[entity]
        else:
            some = {key: row for key, row in rows.items() if key in here}
            found = read_rows(entity, some, part.by, part.owners)
        if found.least_age is None or self.ts - part.at <= found.least_age:
            self.reasons |= found.reasons
            for key, row in found.rows.items():
                here[key].update(row)
            return
        self.reasons |= found.not_own
        for facts in found.columns:
            name = facts.fact.name
            places = [place(entity, key, name) for key in found.rows]
            for key, value in zip(found.rows, self._counting(facts, part, places), strict=True):
                here[key][name] = value

    def _is_stale(self, entity: Entity, part: Supplied) -> bool:
        """Whether rows are so old that no fact of them, of those that age, still counts."""
        ages = [f.max_age for f in entity.facts.values() if f.owner in part.owners and f.max_age is not None]
        return bool(ages) and self.ts - part.at > max(ages)

    def _counting(self, found: Column, part: Supplied, places: Sequence[str]) -> Sequence[Value | None]:
        """The values of a fact as they count now: none of them where they are too old."""
        if part.is_too_old(found.fact, self.ts):
            why = f"{part.by} last ran {(self.ts - part.at) // 1000} s ago: too old"
            self.reasons |= dict.fromkeys(places, why)
            return [None] * len(places)
        self.reasons |= {places[i]: why for i, why in found.reasons.items()}
        return found.values
