"""Folds over events: folds over rows, those of the events in the window of the snapshot."""

from __future__ import annotations

from evaluators.duckdb.aggregates import Value, aggregate
from evaluators.duckdb.fragments import Fragment
from evaluators.duckdb.frames import EventRows, Raw
from evaluators.duckdb.scene import Scene
from policy_dsl.events import counted_if, matched_key, own_conditions
from policy_dsl.nodes import Aggregate, EventFold
from policy_dsl.operators import Fold


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
    field, _ = matched_key(node.where, node.variable) or (None, None)
    wanted = EventRows(node.event, node.duration, node.time, own, field)
    for name, rows in frames.events.items():
        if rows == wanted:
            return name
    name = f"{node.event} ~{len(frames.events) + 1}"
    frames.events[name] = wanted
    alone = Scene(frames, frames.of(name), {node.variable: 0}, scene.outputs)
    tests = [value(condition, alone) for condition in own]
    wanted.kept.extend(test for test in tests if all(isinstance(c.origin, Raw) for c in test.columns))
    return name
