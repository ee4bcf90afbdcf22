"""From what modules supply to a snapshot: every value checked against its fact, and a reason for each that is missing.

A module that supplies what is not its own, what is not a number, out of range, of another type or too old loses that
value and no other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evaluators.snapshot import Snapshot
from modules.facts import CATALOGUE
from modules.state_columns import encode
from modules.supply import Row, Supply
from policy_dsl.catalogue import Entity, Fact, Rows
from policy_dsl.types import Flag, Levels, Quantity, Value

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


@dataclass(frozen=True, slots=True)
class Supplied:
    """What was supplied at `at` (ms) by whoever may supply the facts of `owners`."""

    by: str
    owners: tuple[str, ...]
    at: int
    supply: Supply


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
    known: set[str] = field(default_factory=set)

    def has(self, path: str) -> bool:
        return path in self.known or self.facts.get(path) is not None

    def singles(self, part: Supplied) -> None:
        for path, value in part.supply.single.items():
            fact = self._own(path, part)
            if fact is not None:
                (found,) = self._checked([path], [value], fact, part)
                self.facts[path] = found

    def happened(self, part: Supplied) -> None:
        for name, events in part.supply.events.items():
            listed = self.events.setdefault(name, [])
            made: list[dict[str, Value | None]] = [{} for _ in events]
            places = [f"{name}[{len(listed) + i}]" for i in range(len(events))]
            for column, values in _columns(events).items():
                self._column(made, places, f"{name}.{column}", values, part)
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
            rows = {key: row for key, row in part.supply.rows[name].items() if key in here}
            places = [f'{name}["{key}"]' for key in rows]
            for column, values in _columns(list(rows.values())).items():
                self._column([here[key] for key in rows], places, f"{name}.{column}", values, part)
        self.rows[name] = here

    def _is_stale(self, entity: Entity, part: Supplied) -> bool:
        """Whether rows are so old that no fact of them, of those that age, still counts."""
        ages = [f.max_age for f in entity.facts.values() if f.owner in part.owners and f.max_age is not None]
        return bool(ages) and self.ts - part.at > max(ages)

    def _column(
        self,
        rows: Sequence[dict[str, Value | None]],
        places: Sequence[str],
        path: str,
        values: Sequence[Any],
        part: Supplied,
    ) -> None:
        fact = self._own(path, part)
        if fact is None:
            return
        named = [f"{place}.{fact.name}" for place in places]
        for row, value in zip(rows, self._checked(named, values, fact, part), strict=True):
            row[fact.name] = value

    def _own(self, path: str, part: Supplied) -> Fact | None:
        fact = CATALOGUE.fact(path)
        if fact is None or fact.owner not in part.owners:
            self.reasons[path] = f"{part.by} supplied it, and it is not its to supply"
            return None
        return fact

    def _checked(self, places: Sequence[str], values: Sequence[Any], fact: Fact, part: Supplied) -> list[Value | None]:
        if fact.max_age is not None and self.ts - part.at > fact.max_age:
            self._all_missing(places, f"{part.by} last ran {(self.ts - part.at) // 1000} s ago: too old")
            return [None] * len(values)
        out: list[Value | None] = []
        for place, value, made in zip(places, values, _encoded(values, fact), strict=True):
            if made is None and value is not None:
                self.reasons[place] = f"{part.by} supplied {value!r}, which is not a {fact.type} that can be believed"
            elif made is not None and not fact.in_range(made):
                self.reasons[place] = f"{part.by} supplied {value!r}, which is out of range"
                made = None  # noqa: PLW2901 -- the value as it may be believed
            elif made is not None:
                self.known.add(place)
            out.append(made)
        return out

    def _all_missing(self, places: Iterable[str], why: str) -> None:
        for place in places:
            self.reasons[place] = why


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """The values of each field that any row has, None where a row lacks it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _encoded(values: Sequence[Any], fact: Fact) -> list[Value | None]:
    """The values in the language's own; None for what is missing and for what is no value of the fact's type."""
    plain = [v if _is_of(v, fact) else None for v in values]
    made = encode(plain, fact)
    return [None if v is None else v for v in (made if isinstance(made, list) else made.tolist())]


def _is_of(value: Any, fact: Fact) -> bool:
    if isinstance(fact.type, Quantity):
        is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool | np.bool_)
        # Python's own integers may be too large for any float, which quanta are made from.
        return is_number and abs(value) <= sys.float_info.max
    if isinstance(fact.type, Levels):
        return isinstance(value, str) and value in fact.type.members
    if isinstance(fact.type, Flag):
        return isinstance(value, bool | np.bool_)
    return isinstance(value, str)
