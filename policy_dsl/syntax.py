"""The syntax tree: what the author wrote, with spans. Spans are outside equality; parentheses are not kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from policy_dsl.diagnostics import Span

NOWHERE = Span("", 0, 0)


def _span() -> Span:
    return field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Ident:
    """A name where it is declared."""

    text: str
    span: Span = _span()


# --- expressions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit, or a date, as written: `5_000 USD`, `3%`, `2026-12-31`."""

    text: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Level:
    """An upper-case word: a level or an item."""

    text: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Text:
    """A string; `text` is its value, escapes undone."""

    text: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Flag:
    """`yes` or `no`."""

    value: bool
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Field:
    """`.name` in a path."""

    name: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Index:
    """`[key]` in a path: a string, or a path to a reference."""

    key: Text | Path
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Path:
    """`head.field["key"].field`."""

    head: str
    steps: tuple[Field | Index, ...] = ()
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Unary:
    """`-operand`."""

    operand: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic (`+ - * / of`) and comparison (`< <= > >=`)."""

    operator: str
    left: Expr
    right: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Is:
    """`left is right`, `left is not right`."""

    left: Expr
    right: Expr
    negated: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class IsKnown:
    """`operand is known`, `operand is unknown`."""

    operand: Expr
    negated: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class In:
    """`operand in {a, b}`, `operand not in {a, b}`."""

    operand: Expr
    items: tuple[Expr, ...]
    negated: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Has:
    """`operand includes ITEM`, `operand excludes ITEM`."""

    operand: Expr
    item: Level
    negated: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class And:
    """Two or more conjuncts."""

    operands: tuple[Expr, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more disjuncts."""

    operands: tuple[Expr, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Not:
    """`not operand`."""

    operand: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Timed:
    """`operand throughout duration`, `operand within duration`."""

    word: str
    operand: Expr
    duration: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Call:
    """`min(...)`, `max(...)`, `abs(...)`, `previous(...)`."""

    function: str
    arguments: tuple[Expr, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Fold:
    """`count(position as p where C)`, `highest(x over 24h)` and their like."""

    function: str
    body: Expr
    variable: Ident | None = None
    where: Expr | None = None
    over: Expr | None = None
    span: Span = _span()


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

# --- declarations ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Policy:
    """`policy NAME version V "what it is for"`."""

    name: Ident
    version: str
    doc: str | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class NamedType:
    """A unit, `flag`, `text`, or levels declared elsewhere."""

    name: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class LevelsType:
    """`A < B < C`."""

    members: tuple[Ident, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SetType:
    """`set of A, B`."""

    items: tuple[Ident, ...]
    span: Span = _span()


TypeExpr = NamedType | LevelsType | SetType


@dataclass(frozen=True, slots=True)
class Range:
    """`in LO to HI`, both ends inclusive."""

    low: Expr
    high: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ParamDecl:
    """`param NAME : TYPE = VALUE in LO to HI`."""

    name: Ident
    type: TypeExpr | None
    value: Expr
    range: Range | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class LevelsDecl:
    """`levels NAME = A < B < C`."""

    name: Ident
    members: tuple[Ident, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ForEach:
    """`for each ENTITY as NAME including exits`."""

    entity: Ident
    variable: Ident | None = None
    including_exits: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class OutputDecl:
    """`output NAME for each ENTITY : TYPE in LO to HI starts V tightens down relaxes after D latches until C`."""

    name: Ident
    scope: ForEach | None
    type: TypeExpr
    range: Range | None = None
    starts: Expr | None = None
    tightens: str | None = None
    relaxes: Expr | None = None
    latches: Expr | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class TightenEffect:
    """`tighten OUT to V`, `tighten OUT by V`, `scale OUT by F`; `how` is the word `to`, `by` or `scale`."""

    target: Path
    how: str
    value: Expr
    hold: Expr | None = None
    until: Expr | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class DenyEffect:
    """`deny`."""

    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ItemEffect:
    """`permit ITEM(args) in OUT`, `forbid ITEM in OUT`; `word` says which."""

    word: str
    item: Level
    arguments: tuple[Expr, ...] = ()
    target: Path | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class AlertEffect:
    """`alert LEVEL`."""

    level: Level
    span: Span = _span()


EffectExpr = TightenEffect | DenyEffect | ItemEffect | AlertEffect


@dataclass(frozen=True, slots=True)
class Excuse:
    """`except until DATE when C because "ticket"`."""

    until: Quantity
    when: Expr
    ticket: Text
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class RuleDecl:
    """`rule NAME ...`; `because` is the template with its braces."""

    name: Ident
    observing: bool
    scope: ForEach | None
    when: Expr | None
    unless: Expr | None
    excuse: Excuse | None
    effects: tuple[EffectExpr, ...]
    because: Text | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Missing:
    """`missing`, in a test."""

    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Assign:
    """`account.drawdown = 4%`."""

    path: Path
    value: Expr | Missing
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Given:
    """`given PATH = VALUE, ...`."""

    assigns: tuple[Assign, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Expect:
    """`expect CONDITION`."""

    condition: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class At:
    """`at D`: what follows happens then."""

    time: Quantity
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Every:
    """`every D`: a snapshot is taken that often."""

    cadence: Quantity
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Run:
    """A value and how many snapshots it lasts."""

    value: Expr | Missing
    times: int = 1
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Series:
    """`series PATH = 0% x5, 4% x10, missing x2`: one value a snapshot; `every D PATH = ...` says how often too."""

    path: Path
    runs: tuple[Run, ...]
    cadence: Quantity | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Cell:
    """The raw text of a table cell, trimmed."""

    text: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Table:
    """`| fact | output |` and a row a case."""

    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    span: Span = _span()


Step = Given | Expect | At | Every | Series | Table


@dataclass(frozen=True, slots=True)
class TestDecl:
    """`test "name"` and its steps."""

    name: Text
    steps: tuple[Step, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class AlwaysDecl:
    """`always "name" for each ENTITY when C then C`."""

    name: Text
    scope: ForEach | None
    when: Expr | None
    then: Expr
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Invalid:
    """A declaration that reads but cannot be meant; the parser reports it."""

    message: str
    span: Span = _span()


Declaration = ParamDecl | LevelsDecl | OutputDecl | RuleDecl | TestDecl | AlwaysDecl


@dataclass(frozen=True, slots=True)
class Comment:
    """A `#` comment, with its mark."""

    text: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class File:
    """One rule file: one policy."""

    path: str
    policy: Policy | None
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False)
    unread: tuple[str, ...] = field(default=(), compare=False)
    """Names whose declarations could not be read: what uses them is not wrong for that."""
