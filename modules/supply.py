"""What a module supplies: facts, in the units of documents, and why those that are missing are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
"""The facts of one row by name: floats in document units, ints for counts, names of levels, flags, text; None missing.

Ratios are fractions, durations seconds, times seconds since 1970 UTC, money quote currency.
"""


@dataclass(frozen=True, slots=True)
class Supply:
    """Facts of one time. `single` are by path (`account.drawdown`), `rows` by entity and key, `events` by entity.

    An entity that is absent from `rows` is a collection that nobody knows. `reasons` says of a fact (`account.risk`, or
    of a row `position["p1"].risk`) why it is missing, for a person.
    """

    single: Row = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Row]] = field(default_factory=dict)
    events: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    def row(self, entity: str, key: str) -> Row:
        """The facts of one row; none where there is no such row."""
        return self.rows.get(entity, {}).get(key, {})


def merged(supplies: Iterable[Supply]) -> Supply:
    """The supplies as one: facts of one row from several modules come together, a later supply wins."""
    found = Supply()
    for supply in supplies:
        found = joined(found, supply)
    return found


def joined(known: Supply, supply: Supply) -> Supply:
    """What is known with what another supplies, which wins; what neither changes is shared with `known`."""
    rows = dict(known.rows)
    for entity, found in supply.rows.items():
        here = dict(rows.get(entity, {}))
        for key, row in found.items():
            here[key] = {**here.get(key, {}), **row}
        rows[entity] = here
    events = dict(known.events)
    for entity, happened in supply.events.items():
        events[entity] = events.get(entity, ()) + happened
    return Supply({**known.single, **supply.single}, rows, events, {**known.reasons, **supply.reasons})
