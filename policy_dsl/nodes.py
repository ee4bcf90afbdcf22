"""The expressions of the typed program. Every node is immutable and carries its type.

Truth and values are three-valued: `None` is unknown. Names are resolved, params are constants, units are checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from policy_dsl.diagnostics import Span
from policy_dsl.operators import Comparator, Extreme, Fold, Operator, WindowFold
from policy_dsl.types import TIME, TRUTH, Type, Value


@dataclass(frozen=True, slots=True)
class Constant:
    """A known value; `name` is the param it came from, if any."""

    value: Value
    type: Type
    name: str | None = None


@dataclass(frozen=True, slots=True)
class FactRead:
    """A fact of an entity with one row a snapshot: `account.drawdown`."""

    entity: str
    field: str
    type: Type


@dataclass(frozen=True, slots=True)
class RowRead:
    """A fact of a row. The row is a variable bound by a rule or an aggregate, or is found by its key."""

    row: Row
    field: str
    type: Type


@dataclass(frozen=True, slots=True)
class RowKey:
    """The key of a bound row, as text: what `p` alone means where a reference is compared."""

    variable: str
    type: Type


@dataclass(frozen=True, slots=True)
class Row:
    """Which row of `entity`: the one bound to `variable`, or else the one whose key is `key` (unknown if none is)."""

    entity: str
    variable: str | None = None
    key: Expression | None = None


@dataclass(frozen=True, slots=True)
class OutputRead:
    """The final value of an output; `row` where it has one value a row. Unknown only where the row does not exist."""

    output: str
    row: Row | None
    type: Type


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left op right`, then the exact result times `scale_up / scale_down`, rounded half-even once.

    ADD and SUBTRACT have both scales 1. MULTIPLY is `left * right * scale_up / scale_down`, DIVIDE is
    `left * scale_up / (right * scale_down)`; division by zero is unknown.
    """

    operator: Operator
    left: Expression
    right: Expression
    type: Type
    scale_up: int = 1
    scale_down: int = 1


@dataclass(frozen=True, slots=True)
class Negate:
    """Unary minus."""

    operand: Expression
    type: Type


@dataclass(frozen=True, slots=True)
class Absolute:
    """`abs(a)`."""

    operand: Expression
    type: Type


@dataclass(frozen=True, slots=True)
class Pick:
    """`min(a, b, ...)` and `max(a, b, ...)`; unknown if any operand is."""

    extreme: Extreme
    operands: tuple[Expression, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Compare:
    """`left comparator right`, both of one type."""

    comparator: Comparator
    left: Expression
    right: Expression
    span: Span | None = field(default=None, compare=False)
    type: Type = TRUTH


@dataclass(frozen=True, slots=True)
class OneOf:
    """`operand in {values}`, or `not in`; unknown if the operand is."""

    operand: Expression
    values: tuple[Value, ...]
    negated: bool = False
    span: Span | None = field(default=None, compare=False)
    type: Type = TRUTH


@dataclass(frozen=True, slots=True)
class Known:
    """`operand is known`, or `is unknown`; never unknown itself."""

    operand: Expression
    negated: bool = False
    type: Type = TRUTH


@dataclass(frozen=True, slots=True)
class Includes:
    """`output includes ITEM`, or `excludes`; unknown only where the row does not exist."""

    operand: OutputRead
    item: str
    negated: bool = False
    type: Type = TRUTH


@dataclass(frozen=True, slots=True)
class IsTrue:
    """A flag standing alone as a condition."""

    operand: Expression
    type: Type = TRUTH


@dataclass(frozen=True, slots=True)
class All:
    """Kleene conjunction of two or more; empty is true."""

    operands: tuple[Expression, ...]
    type: Type = TRUTH


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Kleene disjunction of two or more; empty is false."""

    operands: tuple[Expression, ...]
    type: Type = TRUTH


@dataclass(frozen=True, slots=True)
class Not:
    """Kleene negation."""

    operand: Expression
    type: Type = TRUTH


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A fold over the rows of `entity` in the snapshot, each bound to `variable`.

    `where` picks rows (None: every row). `value` is folded (SUM, HIGHEST, LOWEST, AVERAGE) or judged (ANY, ALL).
    Unknown if the collection is missing. COUNT, SUM, HIGHEST, LOWEST, AVERAGE: unknown if `where` is unknown for any
    row, or the value of a picked row is; HIGHEST, LOWEST and AVERAGE of no row are unknown; AVERAGE is the exact sum
    divided by the number of rows, rounded half-even; SUM is exact, unknown outside int64. ANY is the Kleene
    disjunction over all rows of `where and value`, ALL the conjunction of `not where or value`; a missing collection
    leaves them unknown.
    """

    fold: Fold
    entity: str
    variable: str
    where: Expression | None
    value: Expression | None
    type: Type


# Forms whose value depends on earlier snapshots. Durations are milliseconds.


@dataclass(frozen=True, slots=True)
class Throughout:
    """`operand throughout duration`."""

    operand: Expression
    duration: int
    type: Type = TRUTH


@dataclass(frozen=True, slots=True)
class Within:
    """`operand within duration`."""

    operand: Expression
    duration: int
    type: Type = TRUTH


@dataclass(frozen=True, slots=True)
class Window:
    """`highest(operand over duration)` and its like, per entity."""

    fold: WindowFold
    operand: Expression
    duration: int
    type: Type


@dataclass(frozen=True, slots=True)
class Previous:
    """`previous(operand)`: its value at the snapshot before."""

    operand: Expression
    type: Type


@dataclass(frozen=True, slots=True)
class EventFold:
    """`count(trade where ... over duration)` and its like, over timed events bound to `variable`.

    `time` is the field that holds the time of the event, if the event says it itself.
    """

    fold: Fold
    event: str
    variable: str
    where: Expression | None
    value: Expression | None
    duration: int
    type: Type
    time: str | None = None


# Forms that no author writes: `standing` and `recall` put them in place of what an author wrote.


@dataclass(frozen=True, slots=True)
class Now:
    """The time of the snapshot."""

    type: Type = TIME


@dataclass(frozen=True, slots=True)
class Strictest:
    """The strictest value of an output over the trailing window: what it means that the output relaxes.

    Of a row, over the snapshots that have it. Never unknown where the row exists.
    """

    operand: OutputRead
    duration: int
    type: Type


@dataclass(frozen=True, slots=True)
class Since:
    """The strictest value of an output since the last snapshot at which `release` was definitely true, that included.

    Of a row, over the snapshots that have it. Never unknown where the row exists.
    """

    operand: OutputRead
    release: Expression
    type: Type


@dataclass(frozen=True, slots=True)
class Until:
    """The strictest of the values of an output that are still in force; its start if none is.

    The value of a snapshot is in force while `end` (another output, a time), as it was then, lies ahead. `fixed` is the
    one value other than the start that the output takes, if there is but one. Never unknown where the row exists.
    """

    operand: OutputRead
    end: OutputRead
    type: Type
    fixed: Value | None = None


@dataclass(frozen=True, slots=True)
class Recall:
    """What earlier snapshots leave to the one at hand: track number `track`, of the rows bound to `variables`.

    `known`: never unknown where the rows are.
    """

    track: int
    variables: tuple[str, ...]
    type: Type
    known: bool = False


@dataclass(frozen=True, slots=True)
class Mean:
    """The average of what is recalled (a sum and how many, unknown as a whole) and of the snapshot at hand."""

    recalled: Recall
    operand: Expression
    type: Type


@dataclass(frozen=True, slots=True)
class Lookback:
    """An expression that looks back (`source`), as `value`: what is recalled, joined with the snapshot at hand."""

    source: Expression
    value: Expression
    type: Type


Expression = (
    Constant
    | FactRead
    | RowRead
    | RowKey
    | OutputRead
    | Arithmetic
    | Negate
    | Absolute
    | Pick
    | Compare
    | OneOf
    | Known
    | Includes
    | IsTrue
    | All
    | AnyOf
    | Not
    | Aggregate
    | Throughout
    | Within
    | Window
    | Previous
    | EventFold
    | Now
    | Strictest
    | Since
    | Until
    | Recall
    | Mean
    | Lookback
)

NODES: frozenset[type] = frozenset(get_args(Expression))
"""Every class of expression."""

TRUE = All(())

TEMPORAL = (Throughout, Within, Window, Previous, EventFold, Strictest, Since, Until)
"""The classes whose value depends on earlier snapshots or events."""
