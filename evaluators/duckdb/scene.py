"""Where an expression stands: which rows it sees, and the outputs computed so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from evaluators.duckdb.frames import Column, Frame, Frames
from policy_dsl.nodes import Aggregate, EventFold, Expression, OutputRead, RowKey, RowRead
from policy_dsl.program import Output
from policy_dsl.types import Value
from policy_dsl.walking import children


@dataclass(frozen=True, slots=True)
class OutputColumns:
    """The columns of an output, in the frame of its rows.

    `value` holds quanta, the place of a level (1 the first) or a flag. A set has instead a flag an item, never
    unknown where the row exists, and a column an argument. `possible` are the values that it can have, the strictest
    first (quanta, rank or flag); None if there are too many to say.
    """

    output: Output
    value: Column | None = None
    items: Mapping[str, Column] = field(default_factory=dict)
    arguments: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    possible: tuple[Value, ...] | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """A place in the program: the frame at hand, and which of its entities each variable in reach stands for."""

    frames: Frames
    frame: Frame
    variables: Mapping[str, int]
    outputs: Mapping[str, OutputColumns]

    def around(self, reads: frozenset[str]) -> tuple[Scene, tuple[int, ...]]:
        """The scene that knows the variables `reads` of this one only, and which entities of this frame are its."""
        indexes = tuple(sorted({self.variables[name] for name in reads}))
        frame = self.frames.of(*(self.frame.entities[i] for i in indexes))
        names = {name: indexes.index(self.variables[name]) for name in reads}
        return replace(self, frame=frame, variables=names), indexes

    def inside(self, entity: str, variable: str, reads: frozenset[str]) -> tuple[Scene, Scene, tuple[int, ...]]:
        """The scene of an aggregate that binds `variable` and reads the variables `reads` of this scene.

        Gives the scene around it (which knows those variables only), the scene inside, and which entities of this
        frame are those of the scene around.
        """
        outer, indexes = self.around(reads)
        inner = self.frames.of(*outer.frame.entities, entity)
        return outer, replace(self, frame=inner, variables={**outer.variables, variable: len(indexes)}), indexes


def variables_read(node: Expression | None) -> frozenset[str]:
    """The variables that `node` reads and does not bind itself."""
    if node is None:
        return frozenset()
    match node:
        case RowKey():
            return frozenset((node.variable,))
        case Aggregate() | EventFold():
            inside = variables_read(node.where) | variables_read(node.value)
            return inside - {node.variable}
    below: frozenset[str] = frozenset().union(*(variables_read(child) for child in children(node)))
    row = node.row if isinstance(node, RowRead | OutputRead) else None
    return below if row is None or row.variable is None else below | {row.variable}
