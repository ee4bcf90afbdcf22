"""What a program reads of a recording: relations, columns and their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evaluators.support import expressions_of
from policy_dsl.nodes import Aggregate, EventFold, Expression, FactRead, OutputRead, Row, RowRead
from policy_dsl.program import Program
from policy_dsl.types import TIME, Type
from policy_dsl.walking import walk

SNAPSHOT = "snapshot"
KNOWN = "known."
REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Needs:
    """The facts of `snapshot` by path, and of each keyed entity by name of the field, with their types.

    `entities` holds every keyed entity that the program speaks of, if only to count its rows; `snapshot` needs a
    column `known.<entity>` for each of them but `request`. `events` likewise holds the entities of events.
    """

    facts: Mapping[str, Type]
    entities: Mapping[str, Mapping[str, Type]]
    events: Mapping[str, Mapping[str, Type]]


def needs_of(program: Program) -> Needs:
    """What `program` reads, the reasons of its rules left out."""
    facts: dict[str, Type] = {}
    entities: dict[str, dict[str, Type]] = {o.entity: {} for o in program.outputs if o.entity is not None}
    events: set[str] = set()
    for rule in program.rules:
        if rule.scope is not None:
            entities.setdefault(rule.scope.entity, {})
    for node in _nodes(program):
        match node:
            case FactRead():
                facts[f"{node.entity}.{node.field}"] = node.type
            case RowRead():
                entities.setdefault(node.row.entity, {})[node.field] = node.type
            case EventFold():
                events |= {node.event}
                entities.setdefault(node.event, {}).update({node.time: TIME} if node.time is not None else {})
            case Aggregate():
                entities.setdefault(node.entity, {})
            case OutputRead(row=Row() as row):
                entities.setdefault(row.entity, {})
    fields = {name: dict(sorted(found.items())) for name, found in sorted(entities.items())}
    heard = {name: fields.pop(name) for name in sorted(events)}
    return Needs(dict(sorted(facts.items())), fields, heard)


def _nodes(program: Program) -> Iterable[Expression]:
    for output in program.outputs:
        if output.latches_until is not None:
            yield from walk(output.latches_until)
    for rule in program.rules:
        for expression in expressions_of(rule):
            yield from walk(expression)
