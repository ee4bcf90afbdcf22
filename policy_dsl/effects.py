"""Types the effects of rules: what may act on which output, from which scope, and only in the strict direction."""

from __future__ import annotations

from policy_dsl import expressions, nodes
from policy_dsl import program as p
from policy_dsl import syntax as s
from policy_dsl import syntax_expressions as x
from policy_dsl.context import Context, a_type
from policy_dsl.diagnostics import Span, did_you_mean
from policy_dsl.names import EXIT_EFFECTS, VERDICT
from policy_dsl.operators import Operator
from policy_dsl.types import RATIO, TIME, ItemSet, Levels, Quantity
from policy_dsl.writing import write_value

_FACTORS = ("ratio", "number", "count")
_ONE = 10**9
_LONGEST_NAME = 2
"""An output is named `output` or `policy.output`."""


def typed_effect(node: s.EffectExpr, scope: p.Scope | None, context: Context) -> p.Effect | None:
    """The typed effect; None after a finding."""
    match node:
        case s.TightenEffect():
            return _tighten(node, scope, context)
        case s.DenyEffect():
            output = context.names.outputs.get(VERDICT)
            if output is None:
                context.error("RF201", "the catalogue knows no requests to deny", node.span)
                return None
            where = _reach(output, scope, node.span, context)
            if where is False:
                return None
            return p.Tighten(VERDICT, p.How.TO, nodes.Constant(0, output.type), _row_filter(where))
        case s.ItemEffect():
            return _item(node, scope, context)
        case s.AlertEffect():
            names = [level.value for level in p.AlertLevel]
            if node.level.text not in names:
                hint = did_you_mean(node.level.text, names) or f"one of {', '.join(names)}"
                context.error("RF203", f"`{node.level.text}` is not a level of alert", node.level.span, hint)
                return None
            return p.Alert(p.AlertLevel(node.level.text))


def _target(node: x.Path, context: Context) -> p.Output | None:
    """The output that an effect names."""
    words = [node.head, *(step.name for step in node.steps if isinstance(step, x.Field))]
    if len(words) <= len(node.steps) or len(words) > _LONGEST_NAME:
        context.error("RF403", "an effect acts on a whole output, on the row of its rule or on every row", node.span)
        return None
    own, full = f"{context.policy}.{words[0]}", ".".join(words)
    outputs = context.names.outputs
    found = outputs.get(own) if len(words) == 1 else None
    found = found or outputs.get(full)
    if found is None and not {own, full} & context.names.broken:
        own_names = [i.partition(".")[2] for i in outputs if i.startswith(f"{context.policy}.")]
        is_param = own in context.names.params or full in context.names.params
        message = f"`{full}` is a param, not an output" if is_param else f"no output is called `{full}`"
        hint = None if is_param else did_you_mean(full, [*outputs, *own_names])
        context.error("RF201", message, node.span, hint)
    return found


def _reach(output: p.Output, scope: p.Scope | None, span: Span, context: Context) -> nodes.Expression | bool:
    """False after a finding; else the row filter of an effect that goes to every row, or True for no filter."""
    if output.entity is None:
        return True
    if scope is None:
        return _spare_exits(output, context)
    if scope.entity == output.entity:
        return True
    message = f"a rule for each {scope.entity} cannot reach `{output.id}`, which has a value for each {output.entity}"
    context.error("RF409", message, span, "a rule reaches the outputs of its own rows and fund-wide ones")
    return False


def _row_filter(reach: nodes.Expression | bool) -> nodes.Expression | None:
    return None if isinstance(reach, bool) else reach


def _spare_exits(output: p.Output, context: Context) -> nodes.Expression | bool:
    """A fund-wide rule leaves the requests that reduce or close risk alone."""
    return not_an_exit("request", context) if output.entity == "request" else True


def not_an_exit(variable: str, context: Context) -> nodes.Expression:
    """`request.effect not in {REDUCE, CLOSE}` for the request bound to `variable`."""
    kind = context.names.catalogue.entities["request"].facts["effect"].type
    assert isinstance(kind, Levels)
    ranks = tuple(sorted(kind.rank(e) for e in EXIT_EFFECTS))
    return nodes.OneOf(nodes.RowRead(nodes.Row("request", variable), "effect", kind), ranks, negated=True)


def _tighten(node: s.TightenEffect, scope: p.Scope | None, context: Context) -> p.Effect | None:
    output = _target(node.target, context)
    if output is None:
        return None
    if isinstance(output.type, ItemSet):
        message = f"`{output.id}` is a set: items are permitted and forbidden"
        context.error("RF403", message, node.target.span, "use `forbid ITEM`")
        return None
    where = _reach(output, scope, node.target.span, context)
    how = p.How(node.how)
    if where is False:
        return None
    if how is not p.How.TO and not isinstance(output.type, Quantity):
        context.error("RF403", f"`{output.id}` is no number: only `tighten ... to` acts on it", node.target.span)
        return None
    value = _bound(node, output, context) if how is p.How.TO else _amount(node, how, output, context)
    if value is None or not _has_strict_end(value, output, node, context):
        return None
    if not _may_hold(node, output, scope, context):
        return None
    hold = None if node.hold is None else expressions.constant_duration(node.hold, context)
    until = None if node.until is None else expressions.expression(node.until, context)
    if (node.hold is not None and hold is None) or (node.until is not None and until is None):
        return None
    if node.until is not None and until is not None and until.type != TIME:
        expressions.wrong_type(node.until, until.type, TIME, context)
        return None
    return p.Tighten(output.id, how, value, _row_filter(where), hold, until)


def _may_hold(node: s.TightenEffect, output: p.Output, scope: p.Scope | None, context: Context) -> bool:
    """Whether there is something to hold: a rule for each request meets its request once."""
    kept = node.hold if node.hold is not None else node.until
    if kept is None or scope is None or scope.entity != "request" or output.entity != "request":
        return True
    word = "for" if node.hold is not None else "until"
    message = f"`{word}` holds nothing here: a request is asked once, and has no later snapshot"
    hint = "a rule for each request may hold an output of the whole fund, a rule for the fund one of every request"
    context.error("RF411", message, kept.span, hint)
    return False


def _bound(node: s.TightenEffect, output: p.Output, context: Context) -> nodes.Expression | None:
    """The value of `tighten OUT to V`: of the output's type, inside its range, and stricter than its start."""
    value = expressions.expression(node.value, context, output.type)
    if value is None:
        return None
    if value.type != output.type:
        expressions.wrong_type(node.value, value.type, output.type, context)
        return None
    if isinstance(value, nodes.Constant) and value.name is None and not _binds(value, output):
        span = node.value.span
        looser = f"`{output.id}` starts at a value at least as strict: this tightens nothing"
        context.error("RF404", looser, span, "name a stricter value, or remove the effect")
        return None
    if isinstance(value, nodes.Constant) and value.name is None and not _in_range(value, output):
        message = f"{write_value(value.value, value.type)} is outside the range of `{output.id}`"
        context.error("RF302", message, node.value.span, _range_hint(output))
        return None
    return value


def _in_range(value: nodes.Constant, output: p.Output) -> bool:
    low, high = output.low, output.high
    return (low is None or int(value.value) >= low) and (high is None or int(value.value) <= high)


def _range_hint(output: p.Output) -> str:
    return f"its range is {write_value(output.low, output.type)} to {write_value(output.high, output.type)}"


def _binds(value: nodes.Constant, output: p.Output) -> bool:
    assert output.starts is not None
    return value.value != output.starts and output.stricter(value.value, output.starts) == value.value


def _amount(node: s.TightenEffect, how: p.How, output: p.Output, context: Context) -> nodes.Expression | None:
    """The shift of `tighten ... by`, or the factor of `scale`, as a ratio."""
    if how is p.How.BY:
        value = expressions.expression(node.value, context, output.type)
        if value is None or value.type != output.type:
            if value is not None:
                expressions.wrong_type(node.value, value.type, output.type, context)
            return None
        if isinstance(value, nodes.Constant) and int(value.value) <= 0:
            hint = "a shift is how much stricter: more than nothing"
            context.error("RF404", "this shift tightens nothing", node.value.span, hint)
            return None
        return value
    if output.low is None or output.low < 0:
        hint = "declare the output `in 0 to ...`: halving a negative number would loosen it"
        context.error("RF407", f"`{output.id}` may be negative and cannot be scaled", node.target.span, hint)
        return None
    return _factor(node, output, context)


def _factor(node: s.TightenEffect, output: p.Output, context: Context) -> nodes.Expression | None:
    value = expressions.expression(node.value, context)
    if value is None:
        return None
    if not isinstance(value.type, Quantity) or value.type.unit.value not in _FACTORS:
        message = f"a factor is a ratio or a number, and this is {a_type(value.type)}"
        context.error("RF206", message, node.value.span)
        return None
    if value.type.unit.value == "count":
        if isinstance(value, nodes.Constant):
            value = nodes.Constant(int(value.value) * _ONE, RATIO, value.name)
        else:
            value = nodes.Arithmetic(Operator.MULTIPLY, value, nodes.Constant(_ONE, RATIO), RATIO)
    if isinstance(value, nodes.Constant):
        down = output.direction is p.Direction.DOWN
        if not (0 <= int(value.value) < _ONE if down else int(value.value) > _ONE):
            message = f"this factor tightens nothing: `{output.id}` tightens {'down' if down else 'up'}"
            hint = "the factor is at least 0 and less than 1" if down else "the factor is more than 1"
            context.error("RF404", message, node.value.span, hint)
            return None
    return value


def _has_strict_end(value: nodes.Expression, output: p.Output, node: s.TightenEffect, context: Context) -> bool:
    """An unknown value means the strictest end of the range, so there must be one."""
    if isinstance(value, nodes.Constant) or output.strictest is not None:
        return True
    hint = f"declare `{output.id}` with a range: `in LO to HI`"
    message = f"this value may be unknown, and `{output.id}` has no strictest end to fall back on"
    context.error("RF408", message, node.value.span, hint)
    return False


def _item(node: s.ItemEffect, scope: p.Scope | None, context: Context) -> p.Effect | None:
    output = _set_of(node, context)
    if output is None:
        return None
    where = _reach(output, scope, node.span, context)
    if where is False:
        return None
    row_filter = _row_filter(where)
    if node.word == "forbid":
        return p.Forbid(output.id, node.item.text, row_filter)
    arguments = []
    for argument in node.arguments:
        made = expressions.expression(argument, context)
        if made is None:
            return None
        if not isinstance(made.type, Quantity):
            context.error("RF206", f"an argument is a number, and this is {a_type(made.type)}", argument.span)
            return None
        arguments.append(made)
    return p.Permit(output.id, node.item.text, tuple(arguments), row_filter)


def _set_of(node: s.ItemEffect, context: Context) -> p.Output | None:
    """The set that an item belongs to: the one named, or else the only one that has it, own policy first."""
    item = node.item.text
    if node.target is not None:
        output = _target(node.target, context)
        if output is None:
            return None
        if item not in p.items_of(output):
            what = "is no set" if not isinstance(output.type, ItemSet) else f"has no item `{item}`"
            context.error("RF208", f"`{output.id}` {what}", node.item.span, did_you_mean(item, p.items_of(output)))
            return None
        return output
    having = [o for o in context.names.outputs.values() if item in p.items_of(o)]
    own = [o for o in having if o.policy == context.policy]
    if len(own or having) == 1:
        return (own or having)[0]
    if having:
        hint = "say which: " + " or ".join(f"`in {o.id}`" for o in own or having)
        context.error("RF208", f"several sets have an item `{item}`", node.item.span, hint)
    else:
        every = {i for o in context.names.outputs.values() for i in p.items_of(o)}
        context.error("RF208", f"no set has an item `{item}`", node.item.span, did_you_mean(item, sorted(every)))
    return None
