"""What a path names: a fact, a fact of a row, an output, a param."""

from __future__ import annotations

from policy_dsl import nodes
from policy_dsl import program as p
from policy_dsl import syntax_expressions as x
from policy_dsl.catalogue import Entity, Fact, Rows
from policy_dsl.context import Binding, Context
from policy_dsl.diagnostics import did_you_mean
from policy_dsl.names import VERDICT
from policy_dsl.types import TEXT, Reference, Text


def resolve(path: x.Path, context: Context) -> nodes.Expression | None:
    """The typed read that `path` stands for; None after a finding."""
    bound = context.rows.get(path.head)
    if bound is not None:
        return _of_row(path, nodes.Row(bound.entity, bound.variable), 0, context)
    own = f"{context.policy}.{path.head}"
    if own in context.names.params or own in context.names.outputs:
        return _declared(path, own, 0, context)
    if own in context.names.broken or path.head in context.names.broken:
        return None
    if path.head == VERDICT and VERDICT in context.names.outputs:
        return _declared(path, VERDICT, 0, context)
    entity = context.names.catalogue.entities.get(path.head)
    if entity is not None:
        return _of_entity(path, entity, context)
    if path.head in context.names.policies:
        return _of_policy(path, context)
    _unknown(path, context)
    return None


def _unknown(path: x.Path, context: Context) -> None:
    own = [i.partition(".")[2] for i in _ids(context) if i.startswith(f"{context.policy}.")]
    known = [*context.rows, *own, *context.names.catalogue.entities, *context.names.policies]
    help_ = did_you_mean(path.head, known)
    if help_ is None and not path.steps:
        elsewhere = [i for i in _ids(context) if i.endswith(f".{path.head}")]
        help_ = f"did you mean `{elsewhere[0]}`?" if elsewhere else None
    context.error("RF201", f"nothing is called `{path.head}`", path.span, help_)


def _ids(context: Context) -> list[str]:
    return [*context.names.params, *context.names.outputs]


def _of_policy(path: x.Path, context: Context) -> nodes.Expression | None:
    step = path.steps[0] if path.steps else None
    if not isinstance(step, x.Field):
        message = f"`{path.head}` is a policy, not a value"
        context.error("RF201", message, path.span, "name one of its outputs or params")
        return None
    full = f"{path.head}.{step.name}"
    if full in context.names.params or full in context.names.outputs:
        return _declared(path, full, 1, context)
    if full not in context.names.broken:
        theirs = [i.partition(".")[2] for i in _ids(context) if i.startswith(f"{path.head}.")]
        message = f"policy `{path.head}` declares no output or param `{step.name}`"
        context.error("RF201", message, step.span, did_you_mean(step.name, theirs))
    return None


def _declared(path: x.Path, full: str, used: int, context: Context) -> nodes.Expression | None:
    rest = path.steps[used:]
    param = context.names.params.get(full)
    if param is not None:
        context.names.used_params.add(full)
        if rest:
            context.error("RF202", f"param `{full}` has no parts", rest[0].span)
            return None
        return nodes.Constant(param.value, param.type, full)
    output = context.names.outputs[full]
    if output.entity is None:
        if rest:
            context.error("RF202", f"output `{full}` has one value, not one a row", rest[0].span)
            return None
        return nodes.OutputRead(full, None, output.type)
    if not rest:
        return _output_of_row_in_scope(path, output, context)
    if len(rest) > 1 or not isinstance(rest[0], x.Index):
        context.error("RF202", f"output `{full}` has no parts", rest[-1].span)
        return None
    row = _indexed(rest[0], output.entity, context)
    return None if row is None else nodes.OutputRead(full, row, output.type)


def _output_of_row_in_scope(path: x.Path, output: p.Output, context: Context) -> nodes.Expression | None:
    entity = output.entity or ""
    found = [b for b in context.rows.values() if b.entity == entity]
    if found:
        return nodes.OutputRead(output.id, nodes.Row(entity, found[-1].variable), output.type)
    hint = f'write `for each {entity}`, or name one row: `{output.id}["key"]`'
    message = f"output `{output.id}` has a value for each {entity}, and no {entity} is in scope"
    context.error("RF209", message, path.span, hint)
    return None


def _of_entity(path: x.Path, entity: Entity, context: Context) -> nodes.Expression | None:
    first = path.steps[0] if path.steps else None
    if entity.rows is Rows.EVENT:
        hint = f"`count({entity.name} where ... over 1h)`"
        context.error("RF209", f"`{entity.name}` is a kind of event, counted over a window", path.span, hint)
        return None
    if entity.rows is Rows.ONE:
        if not isinstance(first, x.Field):
            context.error("RF202", f"`{entity.name}` is not a value: name one of its facts", path.span)
            return None
        fact = _fact(entity, first, context)
        if fact is None:
            return None
        read = nodes.FactRead(entity.name, fact.name, fact.type)
        return _follow(path, read, 1, context)
    if not isinstance(first, x.Index):
        hint = f'write `for each {entity.name}`, or name one: `{entity.name}["key"]`'
        context.error("RF209", f"there are many of `{entity.name}`, and none is in scope", path.span, hint)
        return None
    row = _indexed(first, entity.name, context)
    return None if row is None else _of_row(path, row, 1, context)


def _of_row(path: x.Path, row: nodes.Row, used: int, context: Context) -> nodes.Expression | None:
    if used == len(path.steps):
        if row.variable is not None:
            return nodes.RowKey(row.variable, Reference(row.entity))
        context.error("RF202", "a row is not a value: name one of its facts", path.span)
        return None
    step = path.steps[used]
    if not isinstance(step, x.Field):
        context.error("RF202", f"this is one {row.entity} already", step.span)
        return None
    fact = _fact(context.names.catalogue.entities[row.entity], step, context)
    if fact is None:
        return None
    return _follow(path, nodes.RowRead(row, fact.name, fact.type), used + 1, context)


def _follow(path: x.Path, read: nodes.FactRead | nodes.RowRead, used: int, context: Context) -> nodes.Expression | None:
    """The rest of a path goes through a reference: `position.symbol.tier`."""
    if used == len(path.steps):
        return read
    if not isinstance(read.type, Reference):
        context.error("RF202", f"`{read.field}` is a {read.type} and has no parts", path.steps[used].span)
        return None
    return _of_row(path, nodes.Row(read.type.entity, key=read), used, context)


def _fact(entity: Entity, step: x.Field, context: Context) -> Fact | None:
    fact = entity.facts.get(step.name)
    if fact is None:
        hint = did_you_mean(step.name, entity.facts)
        context.error("RF202", f"`{entity.name}` has no fact `{step.name}`", step.span, hint)
    return fact


def _indexed(index: x.Index, entity: str, context: Context) -> nodes.Row | None:
    if isinstance(index.key, x.Text):
        return nodes.Row(entity, key=nodes.Constant(index.key.text, TEXT))
    bound = context.rows.get(index.key.head) if not index.key.steps else None
    if isinstance(bound, Binding) and bound.entity == entity:
        return nodes.Row(entity, bound.variable)
    key = resolve(index.key, context)
    if key is None:
        return None
    if isinstance(key.type, Text) or key.type == Reference(entity):
        return nodes.Row(entity, key=key)
    context.error("RF206", f"a {entity} is found by its key, and this is a {key.type}", index.key.span)
    return None
