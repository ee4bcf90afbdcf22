"""Which events a fold picks: what every evaluator makes of its condition.

An event that does not say when it happened may have happened before the window. So it is not known whether it counts,
whatever else its condition says of it; a condition that is false still rules it out.
"""

from __future__ import annotations

from policy_dsl.nodes import (
    TEMPORAL,
    Aggregate,
    All,
    Compare,
    Constant,
    EventFold,
    Expression,
    FactRead,
    Lookback,
    Mean,
    Now,
    OutputRead,
    Recall,
    Row,
    RowKey,
    RowRead,
)
from policy_dsl.operators import Comparator
from policy_dsl.quantities import INT64_MIN
from policy_dsl.standing import conjuncts
from policy_dsl.types import TIME
from policy_dsl.walking import walk

_READS = (FactRead, RowRead, RowKey, OutputRead, Aggregate, Now, Recall, Mean, Lookback, *TEMPORAL)
"""The expressions that read something."""


def counted_if(fold: EventFold) -> Expression | None:
    """The condition on which an event in the window counts; None if every one does."""
    if fold.time is None:
        return fold.where
    says_when = RowRead(Row(fold.event, fold.variable), fold.time, TIME)
    dated = Compare(Comparator.AT_LEAST, says_when, Constant(INT64_MIN, TIME))
    return dated if fold.where is None else All((dated, *conjuncts(fold.where)))


def own_conditions(fold: EventFold) -> tuple[Expression, ...]:
    """The conjuncts of `counted_if` that read nothing but the event, so that they say the same at every snapshot."""
    return tuple(part for part in conjuncts(counted_if(fold)) if reads_only(part, fold.variable))


def reads_something(node: Expression) -> bool:
    """Whether a node itself, without its parts, reads anything of a snapshot or its past."""
    return isinstance(node, _READS)


def reads_only(node: Expression | None, variable: str, keyed: str | None = None) -> bool:
    """Whether an expression reads no more than the fields of the row of `variable`, and the key of that of `keyed`."""
    return node is None or all(
        not isinstance(part, _READS)
        or (isinstance(part, RowRead) and part.row.variable == variable)
        or (isinstance(part, RowKey) and part.variable == keyed)
        for part in walk(node)
    )


def matched_key(condition: Expression | None, variable: str) -> tuple[str, str] | None:
    """The field of the row of `variable` that must be the key of another variable's row, and that other variable."""
    for part in conjuncts(condition):
        if isinstance(part, Compare) and part.comparator is Comparator.EQUAL:
            for own, key in ((part.left, part.right), (part.right, part.left)):
                if not isinstance(own, RowRead) or own.row.variable != variable:
                    continue
                if isinstance(key, RowKey) and key.variable != variable:
                    return own.field, key.variable
    return None
