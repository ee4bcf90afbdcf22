"""The value of an expression on one snapshot: the executable definition of section 5 of the language.

Plain recursion over the typed nodes; every operation names an unknown operand (None) itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

from evaluators import exact
from evaluators.decision import Grants, OutputValue, PerRow
from evaluators.exact import Kleene
from evaluators.snapshot import Fields, Snapshot
from evaluators.support import needs_history, temporal_form
from policy_dsl.diagnostics import PolicyError
from policy_dsl.program import (
    Absolute,
    Aggregate,
    All,
    AnyOf,
    Arithmetic,
    Comparator,
    Compare,
    Constant,
    Expression,
    Extreme,
    FactRead,
    Fold,
    Includes,
    IsTrue,
    Known,
    Negate,
    Not,
    OneOf,
    OutputRead,
    Pick,
    Row,
    RowKey,
    RowRead,
)
from policy_dsl.types import Value


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
class _Scene:
    """All that an expression can see."""

    snapshot: Snapshot
    bindings: Bindings
    outputs: Outputs


def evaluate(expression: Expression, snapshot: Snapshot, bindings: Bindings, outputs: Outputs) -> Value | None:
    """The value of `expression`, None if unknown.

    Every variable it reads must be in `bindings` and every output in `outputs` (KeyError otherwise: the checker rules
    it out). Raises PolicyError (RF505) for a form that needs history.
    """
    return _value(expression, _Scene(snapshot, bindings, outputs))


def truth(expression: Expression, snapshot: Snapshot, bindings: Bindings, outputs: Outputs) -> Kleene:
    """The truth of a condition; see `evaluate`."""
    return cast(Kleene, evaluate(expression, snapshot, bindings, outputs))


def _value(node: Expression, scene: _Scene) -> Value | None:
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
        case _:
            return _truth(node, scene)


def _number(node: Arithmetic | Negate | Absolute | Pick, scene: _Scene) -> int | None:
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


def _truth(node: Expression, scene: _Scene) -> Kleene:
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
            raise PolicyError([needs_history(temporal_form(node) or type(node).__name__, "an expression")])


def _truth_of(node: Expression, scene: _Scene) -> Kleene:
    return cast(Kleene, _value(node, scene))


_COMPARATORS: Mapping[Comparator, Callable[[int, int], bool]] = {
    Comparator.LESS: lambda a, b: a < b,
    Comparator.AT_MOST: lambda a, b: a <= b,
    Comparator.GREATER: lambda a, b: a > b,
    Comparator.AT_LEAST: lambda a, b: a >= b,
    Comparator.EQUAL: lambda a, b: a == b,
    Comparator.DIFFERENT: lambda a, b: a != b,
}


def _compare(node: Compare, scene: _Scene) -> Kleene:
    left, right = _value(node.left, scene), _value(node.right, scene)
    if left is None or right is None:
        return None
    # Both are of one type; text is only ever compared for equality.
    return _COMPARATORS[node.comparator](cast(int, left), cast(int, right))


def _row(row: Row, scene: _Scene) -> BoundRow | None:
    if row.variable is not None:
        return scene.bindings[row.variable]
    key = _value(row.key, scene) if row.key is not None else None
    rows = scene.snapshot.collection(row.entity)
    if rows is None or not isinstance(key, str) or key not in rows:
        return None
    return BoundRow(row.entity, key, rows[key])


def _output(node: OutputRead, scene: _Scene) -> OutputValue | None:
    value = scene.outputs[node.output]
    if node.row is None:
        return cast(OutputValue, value)
    row = _row(node.row, scene)
    return None if row is None or row.key is None else cast(PerRow, value).get(row.key)


def _aggregate(node: Aggregate, scene: _Scene) -> Value | None:
    rows = scene.snapshot.collection(node.entity)
    if rows is None:
        return None
    bound = [BoundRow(node.entity, key, rows[key]) for key in sorted(rows)]
    scenes = [replace(scene, bindings={**scene.bindings, node.variable: row}) for row in bound]
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
    return max(values) if fold is Fold.HIGHEST else min(values)
