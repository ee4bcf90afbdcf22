"""The typed program: all that an evaluator sees. Outputs, rules and effects, immutable; their expressions are `nodes`.

The exemption of exits is spelt out, and outputs are in the order in which they can be computed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

from policy_dsl.diagnostics import Span
from policy_dsl.nodes import Expression
from policy_dsl.types import ItemSet, Levels, Quantity, Type, Value


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
