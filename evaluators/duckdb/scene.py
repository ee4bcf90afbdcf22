"""Where an expression stands: which rows it sees, and the outputs computed so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from evaluators.duckdb.frames import Column, Frame, Frames
from policy_dsl.program import Aggregate, Expression, Output, OutputRead, RowKey, RowRead, children


@dataclass(frozen=True, slots=True)
class OutputColumns:
    """The columns of an output, in the frame of its rows.

    `value` holds quanta, the place of a level (1 the first) or a flag. A set has instead a flag an item, never
    unknown where the row exists, and a column an argument.
    """

    output: Output
    value: Column | None = None
    items: Mapping[str, Column] = field(default_factory=dict)
    arguments: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """A place in the program: the frame at hand, and which of its entities each variable in reach stands for."""

    frames: Frames
    frame: Frame
    variables: Mapping[str, int]
    outputs: Mapping[str, OutputColumns]

    def inside(self, entity: str, variable: str, reads: frozenset[str]) -> tuple[Scene, Scene, tuple[int, ...]]:
        """The scene of an aggregate that binds `variable` and reads the variables `reads` of this scene.

        Gives the scene around it (which knows those variables only), the scene inside, and which entities of this
        frame are those of the scene around.
        """
        indexes = tuple(sorted({self.variables[name] for name in reads}))
        around = self.frames.of(*(self.frame.entities[i] for i in indexes))
        names = {name: indexes.index(self.variables[name]) for name in reads}
        outer = replace(self, frame=around, variables=names)
        inner = self.frames.of(*around.entities, entity)
        return outer, replace(self, frame=inner, variables={**names, variable: len(indexes)}), indexes


def variables_read(node: Expression | None) -> frozenset[str]:
    """The variables that `node` reads and does not bind itself."""
    if node is None:
        return frozenset()
    match node:
        case RowKey():
            return frozenset((node.variable,))
        case Aggregate():
            inside = variables_read(node.where) | variables_read(node.value)
            return inside - {node.variable}
    below: frozenset[str] = frozenset().union(*(variables_read(child) for child in children(node)))
    row = node.row if isinstance(node, RowRead | OutputRead) else None
    return below if row is None or row.variable is None else below | {row.variable}
