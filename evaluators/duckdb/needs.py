"""What a program reads of a recording: relations, columns and their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evaluators.support import expressions_of
from policy_dsl.program import Aggregate, Expression, FactRead, OutputRead, Program, Row, RowRead, walk
from policy_dsl.types import Type

SNAPSHOT = "snapshot"
KNOWN = "known."
REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Needs:
    """The facts of `snapshot` by path, and of each keyed entity by name of the field, with their types.

    `entities` holds every keyed entity that the program speaks of, if only to count its rows; `snapshot` needs a
    column `known.<entity>` for each of them but `request`.
    """

    facts: Mapping[str, Type]
    entities: Mapping[str, Mapping[str, Type]]


def needs_of(program: Program) -> Needs:
    """What `program` reads, the reasons of its rules left out."""
    facts: dict[str, Type] = {}
    entities: dict[str, dict[str, Type]] = {o.entity: {} for o in program.outputs if o.entity is not None}
    for rule in program.rules:
        if rule.scope is not None:
            entities.setdefault(rule.scope.entity, {})
    for node in _nodes(program):
        match node:
            case FactRead():
                facts[f"{node.entity}.{node.field}"] = node.type
            case RowRead():
                entities.setdefault(node.row.entity, {})[node.field] = node.type
            case Aggregate():
                entities.setdefault(node.entity, {})
            case OutputRead(row=Row() as row):
                entities.setdefault(row.entity, {})
    return Needs(dict(sorted(facts.items())), {name: dict(sorted(f.items())) for name, f in sorted(entities.items())})


def _nodes(program: Program) -> Iterable[Expression]:
    for rule in program.rules:
        for expression in expressions_of(rule):
            yield from walk(expression)
