"""Where an expression stands: its policy, the rows in scope, and where findings go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from policy_dsl import syntax_expressions as x
from policy_dsl.diagnostics import Findings, Label, Span
from policy_dsl.names import Names
from policy_dsl.types import Levels, Type


@dataclass(frozen=True, slots=True)
class Binding:
    """A row in scope: its entity, and the variable that the typed program calls it."""

    entity: str
    variable: str


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one expression. `rows` maps the author's row names, innermost scope wins."""

    names: Names
    findings: Findings
    policy: str
    rows: Mapping[str, Binding] = field(default_factory=dict)

    def bind(self, entity: str, *called: str) -> tuple[Context, Binding]:
        """The context with one more row, under each of the names it is called."""
        taken = {b.variable for b in self.rows.values()}
        variable, n = entity, 2
        while variable in taken:
            variable, n = f"{entity}_{n}", n + 1
        binding = Binding(entity, variable)
        return replace(self, rows={**self.rows, **dict.fromkeys(called, binding)}), binding

    def error(self, code: str, message: str, span: Span, help: str | None = None, *labels: Label) -> None:
        """Record an error here; the typed value of what is wrong is None, and nobody reports it again."""
        self.findings.error(code, message, span, help, *labels)


def row_name(variable: x.Ident | None, entity: str, context: Context) -> str | None:
    """What a row is called: `as NAME`, or else its entity. None after a finding: another entity keeps its name."""
    if variable is None or variable.text == entity or variable.text not in context.names.catalogue.entities:
        return entity if variable is None else variable.text
    context.error("RF307", f"`{variable.text}` is an entity of the fact catalogue", variable.span)
    return None


_MOST_MEMBERS = 6
"""Levels with more members than this are named without them."""


def type_name(kind: Type) -> str:
    """A type as a diagnostic names it."""
    if isinstance(kind, Levels):
        return kind.name if len(kind.members) > _MOST_MEMBERS else f"{kind.name} ({', '.join(kind.members)})"
    return str(kind)


_MASS = ("money", "leverage", "R", "text")
"""Types that are not counted: there is no such thing as a money."""


def a_type(kind: Type) -> str:
    """A type with its article, where it takes one."""
    name = type_name(kind)
    return name if name in _MASS else f"an {name}" if name[0] in "aeiou" else f"a {name}"
