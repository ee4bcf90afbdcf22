"""The syntax tree of a rule file: its declarations. Spans are outside equality."""

from __future__ import annotations

from dataclasses import dataclass, field

from policy_dsl.diagnostics import Span
from policy_dsl.syntax_expressions import Expr, Ident, Level, Path, Quantity, Text, span_field
from policy_dsl.syntax_steps import Step


@dataclass(frozen=True, slots=True)
class Policy:
    """`policy NAME version V "what it is for"`."""

    name: Ident
    version: str
    doc: str | None
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class NamedType:
    """A unit, `flag`, `text`, or levels declared elsewhere."""

    name: str
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class LevelsType:
    """`A < B < C`."""

    members: tuple[Ident, ...]
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class SetType:
    """`set of A, B`."""

    items: tuple[Ident, ...]
    span: Span = span_field()


TypeExpr = NamedType | LevelsType | SetType


@dataclass(frozen=True, slots=True)
class Range:
    """`in LO to HI`, both ends inclusive."""

    low: Expr
    high: Expr
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class ParamDecl:
    """`param NAME : TYPE = VALUE in LO to HI`."""

    name: Ident
    type: TypeExpr | None
    value: Expr
    range: Range | None
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class LevelsDecl:
    """`levels NAME = A < B < C`."""

    name: Ident
    members: tuple[Ident, ...]
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class ForEach:
    """`for each ENTITY as NAME including exits`."""

    entity: Ident
    variable: Ident | None = None
    including_exits: bool = False
    span: Span = span_field()


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
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class TightenEffect:
    """`tighten OUT to V`, `tighten OUT by V`, `scale OUT by F`; `how` is the word `to`, `by` or `scale`."""

    target: Path
    how: str
    value: Expr
    hold: Expr | None = None
    until: Expr | None = None
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class DenyEffect:
    """`deny`."""

    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class ItemEffect:
    """`permit ITEM(args) in OUT`, `forbid ITEM in OUT`; `word` says which."""

    word: str
    item: Level
    arguments: tuple[Expr, ...] = ()
    target: Path | None = None
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class AlertEffect:
    """`alert LEVEL`."""

    level: Level
    span: Span = span_field()


EffectExpr = TightenEffect | DenyEffect | ItemEffect | AlertEffect


@dataclass(frozen=True, slots=True)
class Excuse:
    """`except until DATE when C because "ticket"`."""

    until: Quantity
    when: Expr
    ticket: Text
    span: Span = span_field()


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
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class TestDecl:
    """`test "name"` and its steps."""

    name: Text
    steps: tuple[Step, ...]
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class AlwaysDecl:
    """`always "name" for each ENTITY when C then C`."""

    name: Text
    scope: ForEach | None
    when: Expr | None
    then: Expr
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Invalid:
    """A declaration that reads but cannot be meant; the parser reports it."""

    message: str
    span: Span = span_field()


Declaration = ParamDecl | LevelsDecl | OutputDecl | RuleDecl | TestDecl | AlwaysDecl


@dataclass(frozen=True, slots=True)
class Comment:
    """A `#` comment, with its mark."""

    text: str
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class File:
    """One rule file: one policy."""

    path: str
    policy: Policy | None
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False)
    unread: tuple[str, ...] = field(default=(), compare=False)
    """Names whose declarations could not be read: what uses them is not wrong for that."""
