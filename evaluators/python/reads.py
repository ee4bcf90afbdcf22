"""What an expression reads: which decides when it can be computed, and how often it must be."""

from __future__ import annotations

from typing import NamedTuple

from evaluators.python.nodes import Condition, Unexcused, below
from policy_dsl.nodes import Aggregate, FactRead, Now, OutputRead, Recall, RowKey, RowRead


class Reads(NamedTuple):
    """The snapshot or not, and which outputs.

    `near` outputs are read as the local value of the fund or of the row at hand; `far` ones by key, or on the rows of
    an aggregate, so that all their values must be there.
    """

    snapshot: bool = False
    near: frozenset[str] = frozenset()
    far: frozenset[str] = frozenset()

    @property
    def outputs(self) -> frozenset[str]:
        """All outputs read."""
        return self.near | self.far

    def settled(self, outputs: frozenset[str] | set[str]) -> bool:
        """Whether nothing is read but these outputs, near."""
        return not self.snapshot and not self.far and self.near <= outputs


NOTHING = Reads()
SNAPSHOT = Reads(snapshot=True)


def union(parts: list[Reads]) -> Reads:
    """All that any of them reads."""
    parts = [part for part in parts if part is not NOTHING]
    if len(parts) <= 1:
        return parts[0] if parts else NOTHING
    return Reads(
        any(part.snapshot for part in parts),
        frozenset().union(*(part.near for part in parts)),
        frozenset().union(*(part.far for part in parts)),
    )


class ReadsOf:
    """The reads of nodes, each looked at once.

    Asked for a node with the variable of the row at hand, None where there is none.
    """

    def __init__(self) -> None:
        # By identity, since hashing a tree costs as much as walking it; the node is kept so that its identity stays.
        self._seen: dict[tuple[int, str | None], tuple[Condition, Reads]] = {}

    def __call__(self, node: Condition, variable: str | None) -> Reads:
        """What `node` reads."""
        key = (id(node), variable)
        found = self._seen.get(key)
        if found is None:
            inner = None if isinstance(node, Aggregate) and node.variable == variable else variable
            found = self._seen[key] = (node, union([_own(node, variable), *(self(n, inner) for n in below(node))]))
        return found[1]


def _own(node: Condition, variable: str | None) -> Reads:
    """What a node reads but its parts do not."""
    if isinstance(node, OutputRead):
        here = node.row is None or (node.row.variable is not None and node.row.variable == variable)
        name = frozenset((node.output,))
        return Reads(near=name) if here else Reads(far=name)
    return SNAPSHOT if isinstance(node, FactRead | RowRead | RowKey | Aggregate | Unexcused | Now | Recall) else NOTHING
