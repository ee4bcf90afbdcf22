"""Types what looks at many rows or at time: `count(position where ...)`, `highest(x over 24h)`, `throughout 5m`."""

from __future__ import annotations

from dataclasses import replace

from policy_dsl import expressions, nodes
from policy_dsl import syntax_expressions as x
from policy_dsl.catalogue import Entity, Rows
from policy_dsl.context import Context, a_type, row_name
from policy_dsl.operators import Fold, WindowFold
from policy_dsl.types import COUNT, DURATION, TIME, TRUTH, Quantity, Type

_WINDOWS = ("highest", "lowest", "average", "change")


def timed(node: x.Timed, context: Context) -> nodes.Expression | None:
    """`C throughout D` and `C within D`."""
    operand = expressions.condition(node.operand, context)
    duration = expressions.constant_duration(node.duration, context)
    if operand is None or duration is None:
        return None
    return nodes.Throughout(operand, duration) if node.word == "throughout" else nodes.Within(operand, duration)


def fold(node: x.Fold, context: Context) -> nodes.Expression | None:
    """An aggregate over rows, a fold over events, or a trailing window over a value."""
    head = _head(node.body, context)
    entity = None if head is None else context.names.catalogue.entities[head]
    if entity is not None and row_name(node.variable, entity.name, context) is None:
        return None
    if entity is None or (entity.name in context.rows and _follows_one_row(node)):
        return _window(node, context)
    if entity.rows is Rows.EVENT:
        return _events(node, entity, context)
    return _rows(node, entity, context)


def _follows_one_row(node: x.Fold) -> bool:
    """Whether a fold, of an entity of which a row is in scope, follows that row over time: nothing says otherwise."""
    return node.function in _WINDOWS and node.over is not None and node.where is None and node.variable is None


def _head(node: x.Expr, context: Context) -> str | None:
    """The keyed entity or event that a fold runs over: the first one its body names."""
    if isinstance(node, x.Path):
        entity = context.names.catalogue.entities.get(node.head)
        indexed = bool(node.steps) and isinstance(node.steps[0], x.Index)
        declared = f"{context.policy}.{node.head}" in context.names.outputs
        many = entity is not None and entity.rows is not Rows.ONE and not indexed and not declared
        return node.head if many else None
    if isinstance(node, x.Fold):
        return None
    for name in node.__slots__:
        value = getattr(node, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, x.Expr) and (found := _head(part, context)):
                return found
    return None


def _inner(node: x.Fold, entity: Entity, context: Context) -> tuple[Context, Context, str]:
    """The contexts of the body and of `where`, and the variable of the row that runs.

    Without a name of its own the row is called by its entity. With `as q` the body may say either, while `where`
    says `q`, so that the entity's name can go on meaning the row of the rule.
    """
    called = [entity.name] if node.variable is None else [entity.name, node.variable.text]
    body, binding = context.bind(entity.name, *called)
    where = body
    if node.variable is not None:
        rows = {k: b for k, b in body.rows.items() if k != entity.name}
        if entity.name in context.rows:
            rows[entity.name] = context.rows[entity.name]
        where = replace(body, rows=rows)
    return body, where, binding.variable


def _rows(node: x.Fold, entity: Entity, context: Context) -> nodes.Expression | None:
    if node.over is not None:
        hint = f"rows of `{entity.name}` are those of the snapshot; a window is over one row's value or over events"
        context.error("RF206", f"`{node.function}` over {entity.name} rows takes no window", node.over.span, hint)
        return None
    if node.function not in ("count", "sum", "highest", "lowest", "average", "any", "all"):
        context.error("RF206", f"`{node.function}` does not fold the rows of `{entity.name}`", node.span)
        return None
    body, inner, variable = _inner(node, entity, context)
    where = None if node.where is None else expressions.condition(node.where, inner)
    if node.where is not None and where is None:
        return None
    kind = Fold(node.function)
    if kind in (Fold.COUNT, Fold.ANY, Fold.ALL):
        if not _is_bare(node, entity, context):
            return None
        if kind is Fold.COUNT:
            return nodes.Aggregate(kind, entity.name, variable, where, None, COUNT)
        if kind is Fold.ALL and where is None:
            context.error("RF206", "`all` needs a condition", node.span, f"`all({entity.name} where ...)`")
            return None
        return nodes.Aggregate(kind, entity.name, variable, None, where if where is not None else nodes.TRUE, TRUTH)
    value = _value(node, body, context)
    return None if value is None else nodes.Aggregate(kind, entity.name, variable, where, value, value.type)


def _is_bare(node: x.Fold, entity: Entity, context: Context) -> bool:
    if isinstance(node.body, x.Path) and not node.body.steps:
        return True
    hint = f"`{node.function}({entity.name} where ...)`"
    context.error("RF206", f"`{node.function}` takes an entity, not a value of it", node.body.span, hint)
    return False


def _value(node: x.Fold, body: Context, context: Context) -> nodes.Expression | None:
    value = expressions.expression(node.body, body)
    if value is None:
        return None
    summed = node.function in ("sum", "average") and value.type == TIME
    if not isinstance(value.type, Quantity) or summed:
        message = f"`{node.function}` folds numbers, and this is {a_type(value.type)}"
        context.error("RF206", message, node.body.span)
        return None
    return value


def _events(node: x.Fold, entity: Entity, context: Context) -> nodes.Expression | None:
    if node.over is None:
        hint = f"`{node.function}({entity.name} where ... over 1h)`"
        context.error("RF206", f"events are folded over a window: `{entity.name}` needs `over`", node.span, hint)
        return None
    if node.function not in ("count", "sum", "highest", "lowest", "average", "latest", "any"):
        context.error("RF206", f"`{node.function}` does not fold events", node.span)
        return None
    body, inner, variable = _inner(node, entity, context)
    duration = expressions.constant_duration(node.over, context)
    where = None if node.where is None else expressions.condition(node.where, inner)
    if duration is None or (node.where is not None and where is None):
        return None
    kind = Fold(node.function)
    if kind in (Fold.COUNT, Fold.ANY):
        if not _is_bare(node, entity, context):
            return None
        result: Type = COUNT if kind is Fold.COUNT else TRUTH
        return nodes.EventFold(kind, entity.name, variable, where, None, duration, result, entity.time)
    value = _value(node, body, context)
    if value is None:
        return None
    return nodes.EventFold(kind, entity.name, variable, where, value, duration, value.type, entity.time)


def _window(node: x.Fold, context: Context) -> nodes.Expression | None:
    if node.function not in _WINDOWS or node.over is None or node.where is not None or node.variable is not None:
        message = f"`{node.function}` folds rows or events, and this names none"
        hint = "`count(position where ...)`, `highest(account.drawdown over 24h)`"
        if node.function in _WINDOWS and node.over is None:
            message, hint = f"`{node.function}` of one value needs a window", f"`{node.function}(... over 24h)`"
        context.error("RF206", message, node.body.span, hint)
        return None
    duration = expressions.constant_duration(node.over, context)
    value = _value(node, context, context)
    if value is None or duration is None:
        return None
    changed = node.function == "change" and value.type == TIME
    return nodes.Window(WindowFold(node.function), value, duration, DURATION if changed else value.type)
