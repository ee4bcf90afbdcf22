"""The typed program: all that an evaluator sees. Every node is immutable and carries its type.

Truth and values are three-valued: `None` is unknown. Names are resolved, params are constants, units are checked,
the exemption of exits is spelt out, and outputs are in the order in which they can be computed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import get_args

from policy_dsl.diagnostics import Span
from policy_dsl.types import TIME, TRUTH, ItemSet, Levels, Quantity, Type, Value

# --- expressions -----------------------------------------------------------------------------------------------------


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


class Operator(enum.Enum):
    """Arithmetic on quanta, in exact integers; a result outside int64 is unknown."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"


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


class Extreme(enum.Enum):
    """Which end."""

    LOWEST = "min"
    HIGHEST = "max"


@dataclass(frozen=True, slots=True)
class Pick:
    """`min(a, b, ...)` and `max(a, b, ...)`; unknown if any operand is."""

    extreme: Extreme
    operands: tuple[Expression, ...]
    type: Type


class Comparator(enum.Enum):
    """Comparisons; unknown if an operand is. Levels compare by rank, flags as no < yes, sets never."""

    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    EQUAL = "is"
    DIFFERENT = "is not"


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


class Fold(enum.Enum):
    """What an aggregate makes of its rows."""

    COUNT = "count"
    SUM = "sum"
    HIGHEST = "highest"
    LOWEST = "lowest"
    AVERAGE = "average"
    ANY = "any"
    ALL = "all"
    LATEST = "latest"


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


class WindowFold(enum.Enum):
    """What a trailing window makes of a value."""

    HIGHEST = "highest"
    LOWEST = "lowest"
    AVERAGE = "average"
    CHANGE = "change"


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

# --- outputs and rules -----------------------------------------------------------------------------------------------


class Direction(enum.Enum):
    """Which way is stricter."""

    DOWN = "down"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Output:
    """A value that programs act on. `starts` is its loosest value; sets start empty and have no direction.

    Values: quanta, rank, bool as for facts. `low` and `high` bound a number (inclusive quanta).
    """

    id: str
    policy: str
    entity: str | None
    type: Type
    starts: Value | None
    direction: Direction | None
    low: int | None = None
    high: int | None = None
    relaxes_after: int | None = None
    latches_until: Expression | None = None
    span: Span | None = field(default=None, compare=False)

    @property
    def strictest(self) -> Value | None:
        """The strict end of the range; None for a number whose range is open there."""
        if isinstance(self.type, Quantity):
            return self.low if self.direction is Direction.DOWN else self.high
        if isinstance(self.type, Levels):
            return 0 if self.direction is Direction.DOWN else len(self.type.members) - 1
        return self.direction is Direction.UP

    def stricter(self, a: Value, b: Value) -> Value:
        """The stricter of two values."""
        return min(a, b) if self.direction is Direction.DOWN else max(a, b)


class How(enum.Enum):
    """How a tightening effect acts on its output."""

    TO = "to"
    BY = "by"
    SCALE = "scale"


@dataclass(frozen=True, slots=True)
class Tighten:
    """`tighten OUT to V`, `tighten OUT by V`, `scale OUT by F`, and `deny` (`tighten verdict to DENY`).

    Fires when the rule's guard is not definitely false. An unknown value tightens to the strict end of the range. A
    shift below zero counts as zero; a factor is clamped into [0, 1] (down) or [1, ...) (up). `where` narrows a
    fund-wide rule that tightens a per-row output to the rows (bound to the output's entity name as variable) for
    which `guard and where` is not definitely false.
    """

    output: str
    how: How
    value: Expression
    where: Expression | None = None
    hold: int | None = None
    until: Expression | None = None


@dataclass(frozen=True, slots=True)
class Forbid:
    """`forbid ITEM`: takes the item away when the guard is not definitely false."""

    output: str
    item: str
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """`permit ITEM(args)`: grants the item when the guard is definitely true and every argument known.

    Several grants of an item give the smallest of each argument; any forbid takes the item away. `where` must be
    definitely true too.
    """

    output: str
    item: str
    arguments: tuple[Expression, ...] = ()
    where: Expression | None = None


class AlertLevel(enum.Enum):
    """How loud a notice is."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True, slots=True)
class Alert:
    """`alert LEVEL`: a notice when the guard is not definitely false."""

    level: AlertLevel


Effect = Tighten | Forbid | Permit | Alert


@dataclass(frozen=True, slots=True)
class Scope:
    """`for each ENTITY as VARIABLE`."""

    entity: str
    variable: str
    including_exits: bool = False


@dataclass(frozen=True, slots=True)
class Hole:
    """An expression in the text of a reason, and the name the author wrote for it."""

    expression: Expression
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. The id `policy.rule` is stable.

    `guard` is the whole condition: `when and not unless`, exits exempted. `excuse` is `except until DATE when C`: while
    the snapshot's time is before `excuse_until` (ms), a row where `excuse` is definitely true does not fire. `guard`
    alone decides definite or because-of-missing. `because` alternates text and holes.
    """

    id: str
    policy: str
    scope: Scope | None
    guard: Expression
    effects: tuple[Effect, ...]
    because: tuple[str | Hole, ...]
    observing: bool = False
    excuse: Expression | None = None
    excuse_until: int | None = None
    ticket: str | None = None
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Param:
    """A named figure: its value after configuration, its default, its inclusive range."""

    id: str
    type: Type
    value: Value
    default: Value
    low: int | None
    high: int | None
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Program:
    """A checked bundle, ready to evaluate.

    `outputs` are in an order in which each reads only earlier ones; `rules` are sorted by id. `hash` names the bundle
    (files, configuration, catalogue, language version).
    """

    hash: str
    params: tuple[Param, ...]
    outputs: tuple[Output, ...]
    rules: tuple[Rule, ...]

    def output(self, id: str) -> Output:
        """The output called `id`; KeyError if there is none."""
        for output in self.outputs:
            if output.id == id:
                return output
        raise KeyError(id)

    def enforced(self) -> Program:
        """The program without its observing rules: what binds."""
        return replace(self, rules=tuple(r for r in self.rules if not r.observing))

    @property
    def observes(self) -> bool:
        """Whether any rule only observes."""
        return any(r.observing for r in self.rules)


def items_of(output: Output) -> tuple[str, ...]:
    """The items of a set output, in declared order; empty for any other."""
    return output.type.items if isinstance(output.type, ItemSet) else ()


@cache
def _parts(kind: type) -> tuple[str, ...]:
    """The fields of a node class that can hold expressions."""
    plain = {"type", "span", "name", "entity", "variable", "comparator", "operator", "fold", "negated", "duration"}
    plain |= {"source", "track", "variables", "known", "fixed", "event", "time"}
    return tuple(f.name for f in fields(kind) if f.name not in plain)


def children(node: Expression | Row) -> Iterator[Expression]:
    """The direct sub-expressions of a node, in reading order."""
    kind: type = type(node)
    for name in _parts(kind):
        value = getattr(node, name)
        if isinstance(value, Row):
            yield from children(value)
        elif isinstance(value, tuple):
            yield from (v for v in value if type(v) in NODES)
        elif type(value) in NODES:
            yield value


def walk(node: Expression) -> Iterator[Expression]:
    """The node and everything below it, parents first."""
    stack = [node]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(reversed(tuple(children(found))))
