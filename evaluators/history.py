"""Expressions that look back, from the whole history of a book: the executable definition. Naive and obvious.

Nothing is kept from one snapshot to the next but the snapshots and what was decided of them; every window is looked
through anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from evaluators import exact
from evaluators.exact import Kleene
from evaluators.scene import BoundRow, Moment, Scene
from evaluators.snapshot import Fields
from policy_dsl.nodes import EventFold, Expression, Previous, Throughout, Window, Within
from policy_dsl.operators import Operator, WindowFold
from policy_dsl.recall import variables_read
from policy_dsl.types import Value

ValueOf = Callable[[Expression, Scene], Value | None]
"""The value of an expression at a scene."""


@dataclass(frozen=True, slots=True)
class Point:
    """One snapshot of the book, as an expression sees it: `scene` is None where a row that it reads is not there.

    `missing`: the collection of such a row is missing.
    """

    ts: int
    scene: Scene | None
    missing: bool


def look_back(node: Throughout | Within | Window | Previous, scene: Scene, value: ValueOf) -> Value | None:
    """The value of an expression that looks back; unknown on the stand-in of a missing collection."""
    read = variables_read(node.operand)
    if any(scene.bindings[variable].key is None for variable in read):
        return None
    if isinstance(node, Previous):
        return None if not scene.earlier else _at(_point(scene, scene.earlier[-1], tuple(read)), node.operand, value)
    before, points = _points(scene, node.duration, tuple(read))
    if isinstance(node, Throughout):
        return _throughout(node, before, points, scene.max_gap, value)
    if isinstance(node, Window) and node.fold is WindowFold.CHANGE:
        return _change(node, before, points, scene.max_gap, value)
    values = _in_window(points, node.operand, value)
    if isinstance(node, Within):
        return exact.disjunction(cast("list[Kleene]", values))
    known = [cast(int, v) for v in values if v is not None]
    if len(known) < len(values):
        return None
    if node.fold is WindowFold.AVERAGE:
        return exact.average(known)
    return max(known) if node.fold is WindowFold.HIGHEST else min(known)


def _points(scene: Scene, duration: int, variables: Sequence[str]) -> tuple[Point | None, list[Point]]:
    """The last snapshot before the window, if there is one, and those in the window, oldest first."""
    start = scene.snapshot.ts - duration
    first = bisect_right(scene.earlier, start, key=lambda moment: moment.snapshot.ts)
    points = [_point(scene, moment, variables) for moment in scene.earlier[first:]]
    points.append(_point(scene, scene, variables))
    return (_point(scene, scene.earlier[first - 1], variables) if first else None), points


def _point(now: Scene, then: Scene | Moment, variables: Sequence[str]) -> Point:
    """A snapshot with the rows bound that have the keys of those at hand."""
    bindings = dict(now.bindings)
    there, missing = True, False
    for variable in variables:
        bound = now.bindings[variable]
        rows = then.snapshot.collection(bound.entity)
        missing |= rows is None
        if rows is None or bound.key not in rows:
            there = False
        else:
            bindings[variable] = BoundRow(bound.entity, bound.key, rows[cast(str, bound.key)])
    scene = Scene(then.snapshot, bindings, then.outputs, then.earlier, now.max_gap)
    return Point(then.snapshot.ts, scene if there else None, missing)


def _at(point: Point, operand: Expression, value: ValueOf) -> Value | None:
    return None if point.scene is None else value(operand, point.scene)


def _throughout(
    node: Throughout, before: Point | None, window: Sequence[Point], max_gap: int, value: ValueOf
) -> Kleene:
    """The conjunction over the snapshots from the last one before the window on, gaps unknown."""
    seen = window if before is None else [before, *window]
    truths = [cast(Kleene, _at(point, node.operand, value)) for point in seen]
    truths += [None for a, b in pairwise(seen) if b.ts - a.ts > max_gap]
    return exact.conjunction([*truths, None] if before is None else truths)


def _change(node: Window, before: Point | None, window: Sequence[Point], max_gap: int, value: ValueOf) -> int | None:
    """The value now less the one that stood at the start of the window."""
    if before is None or window[-1].ts - node.duration - before.ts > max_gap:
        return None
    then, now = (cast("int | None", _at(point, node.operand, value)) for point in (before, window[-1]))
    return None if then is None or now is None else exact.arithmetic(Operator.SUBTRACT, now, then)


def _in_window(window: Sequence[Point], operand: Expression, value: ValueOf) -> list[Value | None]:
    """The values in the window from the first snapshot that has the rows; unknown where they, or all rows, are gone."""
    first = next(place for place, point in enumerate(window) if point.scene is not None)
    return [_at(point, operand, value) for point in window[first:]] + [None for point in window if point.missing]


def visible_events(node: EventFold, scene: Scene) -> list[BoundRow]:
    """The events in the window, in the order in which they were heard of: none before it happened."""
    start = scene.snapshot.ts - node.duration
    first = bisect_right(scene.earlier, start, key=lambda moment: moment.snapshot.ts)
    snapshots = [*(moment.snapshot for moment in scene.earlier[first:]), scene.snapshot]
    heard = [(s.ts, event) for s in snapshots for event in s.events.get(node.event, ())]
    visible = [event for ts, event in heard if happened(event, node.time, ts) > start]
    return [BoundRow(node.event, f"{number:08d}", event) for number, event in enumerate(visible)]


def happened(event: Fields, time: str | None, heard: int) -> int:
    """When an event happened (ms): as it says itself, but not after it was heard of."""
    own = None if time is None else event.get(time)
    return heard if own is None else min(cast(int, own), heard)
