"""What analysis adds to the typed program's nodes: the lapse of an exception, and the shape of an expression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from policy_dsl.nodes import Aggregate, Expression, Lookback, Recall, Row
from policy_dsl.program import Rule
from policy_dsl.walking import children


@dataclass(frozen=True, slots=True)
class Unexcused:
    """`not (ts < until and operand is definitely true)`: no exception lifts the rule. Never unknown."""

    operand: Expression
    until: int


Condition = Expression | Unexcused
"""A node that stands for a truth."""


def guards(rule: Rule) -> tuple[Condition, ...]:
    """The conditions that must all hold for the rule to act: its guard, and that no exception lifts it."""
    if rule.excuse is None or rule.excuse_until is None:
        return (rule.guard,)
    return (rule.guard, Unexcused(rule.excuse, rule.excuse_until))


def below(node: Condition) -> tuple[Expression, ...]:
    """The direct sub-expressions of a node."""
    return (node.operand,) if isinstance(node, Unexcused) else tuple(children(node))


Shape = tuple[object, ...]


def shape(node: Expression | Row, rows: Mapping[str, str]) -> Shape:
    """What tells one expression from another: all but its spans and the names of its variables.

    `rows` gives for each variable in reach what it stands for; equal shapes have equal values.
    """
    if isinstance(node, Lookback):
        return shape(node.value, rows)
    if isinstance(node, Recall):
        return (type(node).__name__, node.track, *(rows[variable] for variable in node.variables))
    inside = rows
    if isinstance(node, Aggregate):
        level = sum(stands_for.startswith("bound") for stands_for in rows.values())
        inside = {**rows, node.variable: f"bound {level}"}
    parts = (_part(f.name, getattr(node, f.name), inside) for f in fields(node) if f.name not in ("span", "name"))
    return (type(node).__name__, *parts)


def _part(field: str, value: object, rows: Mapping[str, str]) -> object:
    if field == "variable" and isinstance(value, str):
        return rows[value]
    if isinstance(value, Row | Expression):
        return shape(value, rows)
    if isinstance(value, tuple):
        return tuple(_part("", item, rows) for item in value)
    # 1 and True are equal, but not the same figure.
    return (type(value).__name__, value)
