"""What a step of a test gives: a fact, a fact of a row or of an event, or that a row or a collection is missing."""

from __future__ import annotations

from policy_dsl import expressions, nodes
from policy_dsl import syntax_expressions as x
from policy_dsl import syntax_steps as t
from policy_dsl.cases import Assignment
from policy_dsl.catalogue import Entity, Fact, Rows
from policy_dsl.context import Context
from policy_dsl.diagnostics import did_you_mean
from policy_dsl.types import Reference, Text, Type
from policy_dsl.writing import write_range


def assignment(path: x.Path, value: x.Expr | t.Missing, context: Context) -> Assignment | None:
    """What `given PATH = VALUE` sets; None after a finding."""
    entity = context.names.catalogue.entities.get(path.head)
    if entity is None:
        hint = did_you_mean(path.head, context.names.catalogue.entities)
        context.error("RF201", f"`{path.head}` is not a fact that a test can give", path.span, hint)
        return None
    key, steps = None, path.steps
    if entity.rows is not Rows.ONE:
        if not steps:
            return _whole(path, value, entity, context)
        if not isinstance(steps[0], x.Index) or not isinstance(steps[0].key, x.Text):
            context.error("RF209", f'name one {path.head}: `{path.head}["key"]`', path.span)
            return None
        key, steps = steps[0].key.text, steps[1:]
        if not steps:
            return _row(path, key, value, entity, context)
    fact = _fact(path, steps, entity, context)
    return None if fact is None else _of_fact(path, key, fact, value, context)


def _whole(path: x.Path, value: x.Expr | t.Missing, entity: Entity, context: Context) -> Assignment | None:
    """A collection: nobody knows its rows."""
    if entity.rows is Rows.EVENT:
        hint = f'name one: `given {path.head}["key"].fact = ...`'
        context.error(
            "RF206", f"`{path.head}` is a kind of event: what a test does not give, did not happen", path.span, hint
        )
        return None
    if isinstance(value, t.Missing):
        return Assignment(entity.name, None, None, None, path.span)
    hint = f'`given {path.head}["key"].fact = ...`'
    context.error("RF206", f"`{path.head}` as a whole can only be missing", value.span, hint)
    return None


def _row(path: x.Path, key: str, value: x.Expr | t.Missing, entity: Entity, context: Context) -> Assignment | None:
    """A row: it is gone from there on."""
    if entity.rows is Rows.EVENT and not isinstance(value, t.Missing):
        context.error("RF202", f"name one fact of `{path.head}`", path.span)
        return None
    if entity.rows is Rows.EVENT:
        hint = f'`given {path.head}["{key}"].fact = missing` takes one fact of it away'
        context.error("RF206", "an event that a test does not give, did not happen: none is missing", path.span, hint)
        return None
    if isinstance(value, t.Missing):
        return Assignment(entity.name, key, None, None, path.span)
    hint = f'`given {path.head}["{key}"].fact = ...`'
    context.error("RF206", f"one {path.head} as a whole can only be missing", value.span, hint)
    return None


def _fact(path: x.Path, steps: tuple[x.Field | x.Index, ...], entity: Entity, context: Context) -> Fact | None:
    if len(steps) != 1 or not isinstance(steps[0], x.Field):
        context.error("RF202", f"name one fact of `{path.head}`", path.span)
        return None
    fact = entity.facts.get(steps[0].name)
    if fact is None:
        hint = did_you_mean(steps[0].name, entity.facts)
        context.error("RF202", f"`{entity.name}` has no fact `{steps[0].name}`", steps[0].span, hint)
    return fact


def _of_fact(
    path: x.Path, key: str | None, fact: Fact, value: x.Expr | t.Missing, context: Context
) -> Assignment | None:
    if isinstance(value, t.Missing):
        return Assignment(fact.entity, key, fact.name, None, path.span)
    made = expressions.expression(value, context, fact.type)
    if made is None:
        return None
    if not isinstance(made, nodes.Constant):
        context.error("RF206", "a test gives fixed values: literals and params", value.span)
        return None
    if not _fits(made.type, fact.type):
        expressions.wrong_type(value, made.type, fact.type, context)
        return None
    if not fact.in_range(made.value):
        hint = f"its range is {write_range(fact.low, fact.high, fact.type)}"
        context.error("RF313", f"`{fact.path}` cannot have this value", value.span, hint)
        return None
    return Assignment(fact.entity, key, fact.name, made.value, path.span)


def _fits(got: Type, wanted: Type) -> bool:
    return got == wanted or (isinstance(got, Text) and isinstance(wanted, Reference))
