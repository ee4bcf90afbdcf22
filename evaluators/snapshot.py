"""A snapshot: everything known at one moment, in the language's own values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from policy_dsl.types import Value

Fields = Mapping[str, Value | None]
"""The facts of one row by name; absent or None is missing."""

Past = Sequence[Any]
"""What earlier snapshots leave, one entry a track of the program: a value, or of rows one by key (or tuple of keys)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of one book at one time.

    `ts` is milliseconds since 1970 UTC. `facts` holds the facts of entities with one row by path
    (`account.drawdown`). `rows` holds the keyed entities: entity, key, field. An entity that is absent from `rows`, or
    None, is a missing collection (nobody knows the positions), which is not the same as an empty one; requests are
    the input itself, so an absent `request` is an empty one. Values are quanta, ranks, bool and str; None is missing.
    Everything is already in range: whoever makes a snapshot has turned NaN, out-of-range and stale values into None.
    `events` are those that the snapshot brings news of. `past` is what a follower of the book adds for one program
    that looks back; None where nobody followed.
    """

    book: str
    ts: int
    facts: Fields
    rows: Mapping[str, Mapping[str, Fields] | None] = field(default_factory=dict)
    events: Mapping[str, tuple[Fields, ...]] = field(default_factory=dict)
    past: Past | None = field(default=None, compare=False, repr=False)

    def collection(self, entity: str) -> Mapping[str, Fields] | None:
        """The rows of `entity` by key, None if the collection is missing."""
        found = self.rows.get(entity)
        return {} if found is None and entity == "request" else found
