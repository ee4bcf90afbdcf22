"""The syntax tree of conditions and values: what the author wrote, with spans. Parentheses are not kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from policy_dsl.diagnostics import Span

NOWHERE = Span("", 0, 0)


def span_field() -> Span:
    """The field of a node for where it is written, outside equality."""
    return field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Ident:
    """A name where it is declared."""

    text: str
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit, or a date, as written: `5_000 USD`, `3%`, `2026-12-31`."""

    text: str
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Level:
    """An upper-case word: a level or an item."""

    text: str
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Text:
    """A string; `text` is its value, escapes undone."""

    text: str
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Flag:
    """`yes` or `no`."""

    value: bool
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Field:
    """`.name` in a path."""

    name: str
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Index:
    """`[key]` in a path: a string, or a path to a reference."""

    key: Text | Path
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Path:
    """`head.field["key"].field`."""

    head: str
    steps: tuple[Field | Index, ...] = ()
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Unary:
    """`-operand`."""

    operand: Expr
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic (`+ - * / of`) and comparison (`< <= > >=`)."""

    operator: str
    left: Expr
    right: Expr
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Is:
    """`left is right`, `left is not right`."""

    left: Expr
    right: Expr
    negated: bool = False
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class IsKnown:
    """`operand is known`, `operand is unknown`."""

    operand: Expr
    negated: bool = False
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class In:
    """`operand in {a, b}`, `operand not in {a, b}`."""

    operand: Expr
    items: tuple[Expr, ...]
    negated: bool = False
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Has:
    """`operand includes ITEM`, `operand excludes ITEM`."""

    operand: Expr
    item: Level
    negated: bool = False
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class And:
    """Two or more conjuncts."""

    operands: tuple[Expr, ...]
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more disjuncts."""

    operands: tuple[Expr, ...]
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Not:
    """`not operand`."""

    operand: Expr
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Timed:
    """`operand throughout duration`, `operand within duration`."""

    word: str
    operand: Expr
    duration: Expr
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Call:
    """`min(...)`, `max(...)`, `abs(...)`, `previous(...)`."""

    function: str
    arguments: tuple[Expr, ...]
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Fold:
    """`count(position as p where C)`, `highest(x over 24h)` and their like."""

    function: str
    body: Expr
    variable: Ident | None = None
    where: Expr | None = None
    over: Expr | None = None
    span: Span = span_field()


Expr = (
    Quantity
    | Level
    | Text
    | Flag
    | Path
    | Unary
    | Binary
    | Is
    | IsKnown
    | In
    | Has
    | And
    | Or
    | Not
    | Timed
    | Call
    | Fold
)
