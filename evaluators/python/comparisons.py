"""Comparisons as Python tests."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.python.literals import literal
from evaluators.python.operands import Operand
from evaluators.python.truths import Clause, Condition, Cut, leaf
from policy_dsl.nodes import OneOf
from policy_dsl.operators import Comparator
from policy_dsl.types import Levels

SIGNS = {
    Comparator.LESS: "<",
    Comparator.AT_MOST: "<=",
    Comparator.GREATER: ">",
    Comparator.AT_LEAST: ">=",
    Comparator.EQUAL: "==",
    Comparator.DIFFERENT: "!=",
}
OPPOSITES = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def compared(left: Operand, sign: str, right: Operand) -> Condition:
    """`left sign right`; a constant goes to the right."""
    if left.is_constant and not right.is_constant:
        left, sign, right = right, MIRRORED[sign], left
    cut = Cut(sign, right.low) if right.is_constant and sign not in ("==", "!=") else None
    return leaf(Clause(f"{left.text} {sign} {right.text}"), (left, right), cut)


def member(operand: Operand, node: OneOf, negated: bool) -> Condition:
    """`operand in {values}`, or `not in`."""
    listed = list(dict.fromkeys(node.values))
    if len(listed) == 1:
        text = f"{operand.text} {'!=' if negated else '=='} {literal(listed[0])}"
        return leaf(Clause(text), (operand,))
    if isinstance(node.operand.type, Levels) and (cut := _end(listed, len(node.operand.type.members), negated)):
        return leaf(Clause(f"{operand.text} {cut.sign} {cut.limit}"), (operand,), cut)
    inside = ", ".join(literal(value) for value in listed)
    return leaf(Clause(f"{operand.text} {'not in' if negated else 'in'} ({inside})"), (operand,))


def _end(ranks: Sequence[object], count: int, negated: bool) -> Cut | None:
    """The cut that picks these levels, if they are all from one of them up or down."""
    chosen = {rank for rank in range(count) if (rank in ranks) is not negated}
    size = len(chosen)
    if size and chosen == set(range(count - size, count)):
        return Cut(">=", count - size)
    if size and chosen == set(range(size)):
        return Cut("<=", size - 1)
    return None
