"""The way through an expression of the typed program: what a node has below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import cache

from policy_dsl.nodes import NODES, Expression, Row


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
