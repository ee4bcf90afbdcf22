"""What an expression can see: a snapshot, the rows bound in it, the outputs computed so far, and what was before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evaluators.decision import OutputValue, PerRow
from evaluators.snapshot import Fields, Snapshot
from evaluators.timelines import DEFAULT_MAX_GAP


class BoundRow(NamedTuple):
    """The row a variable stands for; the key is None for the stand-in of a missing collection, all unknown."""

    entity: str
    key: str | None
    fields: Fields


Bindings = Mapping[str, BoundRow]
"""The row at hand for each variable of an enclosing rule or aggregate."""

Outputs = Mapping[str, OutputValue | PerRow]
"""The final values of the outputs computed so far, by id."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An earlier snapshot of the book, the final values of all outputs then, and the moments before it."""

    snapshot: Snapshot
    outputs: Outputs
    earlier: Sequence[Moment]


@dataclass(frozen=True, slots=True)
class Scene:
    """All that an expression can see. `earlier` are the snapshots before, oldest first."""

    snapshot: Snapshot
    bindings: Bindings
    outputs: Outputs
    earlier: Sequence[Moment] = ()
    max_gap: int = DEFAULT_MAX_GAP
