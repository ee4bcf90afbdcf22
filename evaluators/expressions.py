"""The value of an expression on one snapshot: the executable definition of section 5 of the language.

Plain recursion over the typed nodes; every operation names an unknown operand (None) itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from evaluators import exact
from evaluators.decision import Grants, OutputValue, PerRow
from evaluators.exact import Kleene
from evaluators.history import look_back, visible_events
from evaluators.scene import Bindings, BoundRow, Outputs, Scene
from evaluators.snapshot import Snapshot
from policy_dsl.events import counted_if
from policy_dsl.nodes import (
    Absolute,
    Aggregate,
    All,
    AnyOf,
    Arithmetic,
    Compare,
    Constant,
    EventFold,
    Expression,
    FactRead,
    Includes,
    IsTrue,
    Known,
    Lookback,
    Mean,
    Negate,
    Not,
    Now,
    OneOf,
    OutputRead,
    Pick,
    Previous,
    Recall,
    Row,
    RowKey,
    RowRead,
    Throughout,
    Window,
    Within,
)
from policy_dsl.operators import Comparator, Extreme, Fold
from policy_dsl.quantities import divide_half_even
from policy_dsl.recall import variables_read
from policy_dsl.types import Value


def evaluate(expression: Expression, snapshot: Snapshot, bindings: Bindings, outputs: Outputs) -> Value | None:
    """The value of `expression` on a snapshot that no other came before, None if unknown.

    What recalls is read from the snapshot's `past`. Every variable it reads must be in `bindings` and every output in
    `outputs` (KeyError otherwise: the checker rules it out).
    """
    return value_at(expression, Scene(snapshot, bindings, outputs))


def value_at(expression: Expression, scene: Scene) -> Value | None:
    """The value of `expression` at a scene, None if unknown; see `evaluate`."""
    return _value(expression, scene)


def truth_at(expression: Expression, scene: Scene) -> Kleene:
    """The truth of a condition at a scene."""
    return cast(Kleene, _value(expression, scene))


def _value(node: Expression, scene: Scene) -> Value | None:
    match node:
        case Constant():
            return node.value
        case FactRead():
            return scene.snapshot.facts.get(f"{node.entity}.{node.field}")
        case RowRead():
            row = _row(node.row, scene)
            return None if row is None else row.fields.get(node.field)
        case RowKey():
            return scene.bindings[node.variable].key
        case OutputRead():
            return cast("Value | None", _output(node, scene))
        case Arithmetic() | Negate() | Absolute() | Pick():
            return _number(node, scene)
        case Aggregate() if node.fold is not Fold.LATEST:
            return _aggregate(node, scene)
        case EventFold():
            return _folded_rows(replace(node, where=counted_if(node)), visible_events(node, scene), scene)
        case Throughout() | Within() | Window() | Previous():
            return look_back(node, scene, _value)
        case Now():
            return scene.snapshot.ts
        case Lookback(source=Throughout(operand=operand) | Within(operand=operand)) if _stands_in(operand, scene):
            return None
        case Lookback():
            return _value(node.value, scene)
        case Recall():
            return cast("Value | None", _recalled(node, scene))
        case Mean():
            return _mean(node, scene)
        case _:
            return _truth(node, scene)


def _stands_in(operand: Expression, scene: Scene) -> bool:
    """Whether a row that an expression reads is the stand-in of a missing collection."""
    return any(scene.bindings[variable].key is None for variable in variables_read(operand))


def _recalled(node: Recall, scene: Scene) -> object:
    """What the snapshot's past says of a track; the key of a track of several rows is a tuple."""
    if scene.snapshot.past is None:
        raise ValueError("what looks back is recalled by a follower of the book")
    entry: Any = scene.snapshot.past[node.track]
    if not node.variables:
        return cast(object, entry)
    keys = tuple(scene.bindings[variable].key for variable in node.variables)
    return None if None in keys else cast(object, entry[keys[0] if len(keys) == 1 else keys])


def _mean(node: Mean, scene: Scene) -> int | None:
    recalled = cast("tuple[int, int] | None", _recalled(node.recalled, scene))
    now = cast("int | None", _value(node.operand, scene))
    return None if recalled is None or now is None else divide_half_even(recalled[0] + now, recalled[1] + 1)


def _number(node: Arithmetic | Negate | Absolute | Pick, scene: Scene) -> int | None:
    operands = [node.left, node.right] if isinstance(node, Arithmetic) else None
    if operands is None:
        operands = list(node.operands) if isinstance(node, Pick) else [cast("Negate | Absolute", node).operand]
    values = [cast("int | None", _value(operand, scene)) for operand in operands]
    known = [v for v in values if v is not None]
    if len(known) < len(values):
        return None
    match node:
        case Arithmetic():
            return exact.arithmetic(node.operator, known[0], known[1], node.scale_up, node.scale_down)
        case Negate():
            return exact.checked(-known[0])
        case Absolute():
            return exact.checked(abs(known[0]))
        case Pick():
            return min(known) if node.extreme is Extreme.LOWEST else max(known)


def _truth(node: Expression, scene: Scene) -> Kleene:
    match node:
        case Compare():
            return _compare(node, scene)
        case OneOf():
            value = _value(node.operand, scene)
            return None if value is None else (value in node.values) is not node.negated
        case Known():
            return (_value(node.operand, scene) is not None) is not node.negated
        case Includes():
            grants = cast("Grants | None", _output(node.operand, scene))
            return None if grants is None else any(item == node.item for item, _ in grants) is not node.negated
        case IsTrue():
            return _truth_of(node.operand, scene)
        case All():
            return exact.conjunction(_truth_of(operand, scene) for operand in node.operands)
        case AnyOf():
            return exact.disjunction(_truth_of(operand, scene) for operand in node.operands)
        case Not():
            return exact.negation(_truth_of(node.operand, scene))
        case _:
            raise TypeError(f"{type(node).__name__} is written out by `spelt_out` and `recalled`")


def _truth_of(node: Expression, scene: Scene) -> Kleene:
    return cast(Kleene, _value(node, scene))


_COMPARATORS: Mapping[Comparator, Callable[[int, int], bool]] = {
    Comparator.LESS: lambda a, b: a < b,
    Comparator.AT_MOST: lambda a, b: a <= b,
    Comparator.GREATER: lambda a, b: a > b,
    Comparator.AT_LEAST: lambda a, b: a >= b,
    Comparator.EQUAL: lambda a, b: a == b,
    Comparator.DIFFERENT: lambda a, b: a != b,
}


def _compare(node: Compare, scene: Scene) -> Kleene:
    return compared(node.comparator, _value(node.left, scene), _value(node.right, scene))


def compared(comparator: Comparator, left: Value | None, right: Value | None) -> Kleene:
    """The truth of a comparison of two values of one type, unknown where one of them is."""
    if left is None or right is None:
        return None
    # Text is only ever compared for equality.
    return _COMPARATORS[comparator](cast(int, left), cast(int, right))


def _row(row: Row, scene: Scene) -> BoundRow | None:
    if row.variable is not None:
        return scene.bindings[row.variable]
    key = _value(row.key, scene) if row.key is not None else None
    rows = scene.snapshot.collection(row.entity)
    if rows is None or not isinstance(key, str) or key not in rows:
        return None
    return BoundRow(row.entity, key, rows[key])


def _output(node: OutputRead, scene: Scene) -> OutputValue | None:
    value = scene.outputs[node.output]
    if node.row is None:
        return cast(OutputValue, value)
    row = _row(node.row, scene)
    return None if row is None or row.key is None else cast(PerRow, value).get(row.key)


def _aggregate(node: Aggregate, scene: Scene) -> Value | None:
    rows = scene.snapshot.collection(node.entity)
    if rows is None:
        return None
    return _folded_rows(node, [BoundRow(node.entity, key, rows[key]) for key in sorted(rows)], scene)


def _folded_rows(node: Aggregate | EventFold, rows: Sequence[BoundRow], scene: Scene) -> Value | None:
    scenes = [replace(scene, bindings={**scene.bindings, node.variable: row}) for row in rows]
    picks = [True if node.where is None else _truth_of(node.where, s) for s in scenes]
    if node.fold in (Fold.ANY, Fold.ALL):
        claims = [True if node.value is None else _truth_of(node.value, s) for s in scenes]
        return _quantified(node.fold, picks, claims)
    if None in picks:
        return None
    picked = [s for s, pick in zip(scenes, picks, strict=True) if pick]
    if node.fold is Fold.COUNT or node.value is None:
        return len(picked)
    values = [cast("int | None", _value(node.value, s)) for s in picked]
    known = [v for v in values if v is not None]
    return _folded(node.fold, known) if len(known) == len(values) else None


def _quantified(fold: Fold, picks: list[Kleene], claims: list[Kleene]) -> Kleene:
    pairs = zip(picks, claims, strict=True)
    if fold is Fold.ANY:
        return exact.disjunction(exact.conjunction(pair) for pair in pairs)
    return exact.conjunction(exact.disjunction((exact.negation(pick), claim)) for pick, claim in pairs)


def _folded(fold: Fold, values: list[int]) -> int | None:
    if fold is Fold.SUM:
        return exact.checked(sum(values))
    if fold is Fold.AVERAGE:
        return exact.average(values)
    if not values:
        return None
    return min(values) if fold is Fold.LOWEST else max(values)
