"""Folds over events: folds over rows, those of the events in the window of the snapshot."""

from __future__ import annotations

from evaluators.duckdb.aggregates import Value, aggregate
from evaluators.duckdb.fragments import Fragment
from evaluators.duckdb.frames import EventRows, Raw
from evaluators.duckdb.scene import Scene
from policy_dsl.events import counted_if, own_conditions
from policy_dsl.program import Aggregate, All, Comparator, Compare, EventFold, Fold, RowKey, RowRead


def fold_events(node: EventFold, scene: Scene, value: Value) -> Fragment:
    """The value of a fold over events, at the frame of `scene`."""
    entity = _entity(node, scene, value)
    fold = Fold.HIGHEST if node.fold is Fold.LATEST else node.fold
    rows = Aggregate(fold, entity, node.variable, counted_if(node), node.value, node.type)
    return aggregate(rows, scene, value)


def _entity(node: EventFold, scene: Scene, value: Value) -> str:
    """The entity whose rows are the events in the window, but for those that the event's own fields rule out."""
    frames = scene.frames
    own = own_conditions(node)
    wanted = EventRows(node.event, node.duration, node.time, own, _match(node))
    for name, rows in frames.events.items():
        if rows == wanted:
            return name
    name = f"{node.event} ~{len(frames.events) + 1}"
    frames.events[name] = wanted
    alone = Scene(frames, frames.of(name), {node.variable: 0}, scene.outputs)
    tests = [value(condition, alone) for condition in own]
    wanted.kept.extend(test for test in tests if all(isinstance(c.origin, Raw) for c in test.columns))
    return name


def _match(node: EventFold) -> str | None:
    """The field of the event that the fold's condition holds against the key of a row around."""
    for part in node.where.operands if isinstance(node.where, All) else (node.where,):
        if isinstance(part, Compare) and part.comparator is Comparator.EQUAL:
            for own, key in ((part.left, part.right), (part.right, part.left)):
                if not isinstance(own, RowRead) or own.row.variable != node.variable:
                    continue
                if isinstance(key, RowKey) and key.variable != node.variable:
                    return own.field
    return None
