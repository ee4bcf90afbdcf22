"""The syntax tree of the steps of a test: what is given, when, and what is expected."""

from __future__ import annotations

from dataclasses import dataclass

from policy_dsl.diagnostics import Span
from policy_dsl.syntax_expressions import Expr, Path, Quantity, span_field


@dataclass(frozen=True, slots=True)
class Missing:
    """`missing`, in a test."""

    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Assign:
    """`account.drawdown = 4%`."""

    path: Path
    value: Expr | Missing
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Given:
    """`given PATH = VALUE, ...`."""

    assigns: tuple[Assign, ...]
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Expect:
    """`expect CONDITION`."""

    condition: Expr
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class At:
    """`at D`: what follows happens then."""

    time: Quantity
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Every:
    """`every D`: a snapshot is taken that often."""

    cadence: Quantity
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Run:
    """A value and how many snapshots it lasts."""

    value: Expr | Missing
    times: int = 1
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Series:
    """`series PATH = 0% x5, 4% x10, missing x2`: one value a snapshot; `every D PATH = ...` says how often too."""

    path: Path
    runs: tuple[Run, ...]
    cadence: Quantity | None = None
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Cell:
    """The raw text of a table cell, trimmed."""

    text: str
    span: Span = span_field()


@dataclass(frozen=True, slots=True)
class Table:
    """`| fact | output |` and a row a case."""

    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    span: Span = span_field()


Step = Given | Expect | At | Every | Series | Table
