"""Types params, levels and outputs: the names that rules use."""

from __future__ import annotations

from policy_dsl import expressions, nodes
from policy_dsl import program as p
from policy_dsl import syntax as s
from policy_dsl import syntax_expressions as x
from policy_dsl.catalogue import Rows
from policy_dsl.context import Context, a_type
from policy_dsl.diagnostics import Label, did_you_mean
from policy_dsl.literals import write
from policy_dsl.names import RESERVED
from policy_dsl.quantities import Unit
from policy_dsl.types import FLAG, TEXT, Flag, ItemSet, Levels, Quantity, Type, Value

_MAX_ITEMS = 48
_NAMED: dict[str, Type] = {**{unit.value: Quantity(unit) for unit in Unit}, "flag": FLAG, "text": TEXT}


def declare_levels(node: s.LevelsDecl, context: Context) -> None:
    """Add `levels NAME = A < B` to the names."""
    members = tuple(m.text for m in node.members)
    name = node.name.text
    if name == "set":
        context.error("RF307", "`set` is a word of the language", node.name.span)
    elif name in context.names.levels or name in _NAMED:
        context.error("RF301", f"levels `{name}` are declared already", node.name.span)
    elif _distinct(node.members, context):
        context.names.levels[name] = Levels(name, members)


def declare_param(node: s.ParamDecl, context: Context) -> None:
    """Add a param, at its default; `configured_params` puts the configured value in its place."""
    full = f"{context.policy}.{node.name.text}"
    if not _free(node.name, full, context):
        return
    made = _param(node, full, context)
    if made is None:
        context.names.broken.add(full)
    else:
        context.names.params[full] = made


def _param(node: s.ParamDecl, full: str, context: Context) -> p.Param | None:
    kind = None if node.type is None else resolve_type(node.type, full, context)
    if (node.type is not None and kind is None) or not _stands_alone(node, context):
        return None
    value = constant(node.value, kind, context)
    if value is None:
        return None
    low, high = (None, None)
    if node.range is not None:
        ends = _range(node.range, value.type, context)
        if ends is None:
            return None
        low, high = ends
        if not _within(int(value.value), low, high):
            unit = value.type.unit if isinstance(value.type, Quantity) else Unit.NUMBER
            span = f"{write(low, unit)} to {write(high, unit)}"
            message = f"{write(int(value.value), unit)} is outside the range {span}"
            context.error("RF302", message, node.value.span, None, Label(node.range.span, "the range"))
            return None
    return p.Param(full, value.type, value.value, value.value, low, high, node.span)


def _stands_alone(node: s.ParamDecl, context: Context) -> bool:
    """Whether the figures of a param name no other: which of two is read first must not matter."""
    figures = [node.value] if node.range is None else [node.value, node.range.low, node.range.high]
    named = next((f for f in figures if isinstance(f, x.Path)), None)
    if named is not None:
        context.error("RF206", "a param is a figure of its own: a literal", named.span)
    return named is None


def declare_output(node: s.OutputDecl, context: Context) -> None:
    """Add an output."""
    full = f"{context.policy}.{node.name.text}"
    if not _free(node.name, full, context):
        return
    made = _output(node, full, context)
    if made is None:
        context.names.broken.add(full)
    else:
        context.names.outputs[full] = made


def _output(node: s.OutputDecl, full: str, context: Context) -> p.Output | None:
    entity = None
    if node.scope is not None:
        entity = keyed_entity(node.scope, context)
        if entity is None:
            return None
        if node.scope.variable is not None or node.scope.including_exits:
            context.error("RF209", "an output is declared `for each ENTITY`, without more", node.scope.span)
            return None
    kind = resolve_type(node.type, full, context)
    if kind is None:
        return None
    if isinstance(kind, ItemSet):
        return _set(node, full, entity, kind, context)
    if not isinstance(kind, Flag | Quantity) and not (isinstance(kind, Levels) and kind.ordered):
        context.error("RF305", f"an output cannot be {a_type(kind)}: it has no strict end", node.type.span)
        return None
    if entity == "request" and not _is_of_the_moment(node, context):
        return None
    return _ordered(node, full, entity, kind, context)


def _is_of_the_moment(node: s.OutputDecl, context: Context) -> bool:
    """Whether an output for each request keeps nothing: no later snapshot asks for the same request."""
    for clause, words in ((node.relaxes, "relaxes after"), (node.latches, "latches until")):
        if clause is not None:
            message = f"an output for each request takes no `{words}`: a request is asked once"
            hint = "keep what its rules read: an output of the whole fund, or a fact"
            context.error("RF411", message, clause.span, hint)
            return False
    return True


def _set(node: s.OutputDecl, full: str, entity: str | None, kind: ItemSet, context: Context) -> p.Output | None:
    clauses = {"in": node.range, "starts": node.starts, "relaxes": node.relaxes, "latches": node.latches}
    for word, clause in clauses.items():
        if clause is not None:
            context.error("RF305", f"a set starts empty and takes no `{word}`", clause.span)
            return None
    if node.tightens is not None:
        context.error("RF305", "a set is stricter the less it permits, and takes no `tightens`", node.name.span)
        return None
    return p.Output(full, context.policy, entity, kind, None, None, span=node.name.span)


def _ordered(node: s.OutputDecl, full: str, entity: str | None, kind: Type, context: Context) -> p.Output | None:
    if node.starts is None:
        hint = "add `starts VALUE`, the loosest value"
        context.error("RF304", f"output `{node.name.text}` does not say where it starts", node.name.span, hint)
        return None
    starts = constant(node.starts, kind, context)
    if starts is None:
        return None
    low, high = (None, None)
    if node.range is not None:
        ends = _range(node.range, kind, context)
        if ends is None:
            return None
        low, high = ends
    direction = _direction(node, starts.value, _ends(kind, low, high), context)
    if direction is None:
        return None
    if isinstance(kind, Quantity) and not _within(int(starts.value), low, high):
        context.error("RF304", f"output `{node.name.text}` starts outside its range", node.starts.span)
        return None
    relaxes = None if node.relaxes is None else expressions.constant_duration(node.relaxes, context)
    if node.relaxes is not None and relaxes is None:
        return None
    return p.Output(
        full, context.policy, entity, kind, starts.value, direction, low, high, relaxes, None, node.name.span
    )


def latch(node: s.OutputDecl, output: p.Output, context: Context) -> nodes.Expression | None:
    """The typed condition of `latches until`, once every output is declared."""
    if node.latches is None:
        return None
    if output.entity is not None:
        context, _ = context.bind(output.entity, output.entity)
    return expressions.condition(node.latches, context)


_Ends = tuple[int | None, int | None]
"""The lowest and the highest value there is; None where the range is open."""


def _ends(kind: Type, low: int | None, high: int | None) -> _Ends:
    if isinstance(kind, Levels):
        return 0, len(kind.members) - 1
    return (0, 1) if isinstance(kind, Flag) else (low, high)


def _direction(node: s.OutputDecl, starts: Value, ends: _Ends, context: Context) -> p.Direction | None:
    if node.tightens is not None:
        direction = p.Direction(node.tightens)
        return direction if _can_tighten(node, starts, direction, ends, context) else None
    low, high = ends
    if low != high and starts == high and high is not None:
        return p.Direction.DOWN
    if low != high and starts == low and low is not None:
        return p.Direction.UP
    hint = "add `tightens down` or `tightens up`"
    context.error("RF305", f"nothing says which way output `{node.name.text}` tightens", node.name.span, hint)
    return None


def _can_tighten(node: s.OutputDecl, starts: Value, direction: p.Direction, ends: _Ends, context: Context) -> bool:
    """Whether there is anything stricter than the start: an output that cannot tighten is a mistake."""
    strict = ends[0] if direction is p.Direction.DOWN else ends[1]
    if strict is None or starts != strict:
        return True
    assert node.starts is not None
    message = f"output `{node.name.text}` starts at its strict end and can never tighten"
    context.error("RF304", message, node.starts.span)
    return False


def constant(node: x.Expr, expected: Type | None, context: Context) -> nodes.Constant | None:
    """A literal or param of the expected type; None after a finding."""
    if expected is None and isinstance(node, x.Level):
        message = f"nothing says which levels `{node.text}` belongs to"
        context.error("RF203", message, node.span, "add a type: `param NAME: tier = CORE`")
        return None
    made = expressions.expression(node, context, expected)
    if made is None:
        return None
    if not isinstance(made, nodes.Constant):
        context.error("RF206", "a fixed value stands here: a literal or a param", node.span)
        return None
    if expected is not None and made.type != expected:
        expressions.wrong_type(node, made.type, expected, context)
        return None
    return made


def resolve_type(node: s.TypeExpr, owner: str, context: Context) -> Type | None:
    """The type that is written; inline levels and sets are named after their owner."""
    match node:
        case s.NamedType():
            found = _NAMED.get(node.name) or context.names.levels.get(node.name)
            if found is None and node.name not in context.names.broken:
                hint = did_you_mean(node.name, [*_NAMED, *context.names.levels])
                context.error("RF201", f"no type is called `{node.name}`", node.span, hint)
            return found
        case s.LevelsType():
            return Levels(owner, tuple(m.text for m in node.members)) if _distinct(node.members, context) else None
        case s.SetType():
            if len(node.items) > _MAX_ITEMS:
                context.error("RF305", f"a set holds at most {_MAX_ITEMS} items", node.span)
                return None
            return ItemSet(owner, tuple(i.text for i in node.items)) if _distinct(node.items, context) else None


def keyed_entity(node: s.ForEach, context: Context) -> str | None:
    """The entity of a `for each`; None after a finding."""
    entities = context.names.catalogue.entities
    name = node.entity.text
    found = entities.get(name)
    if found is not None and found.rows is Rows.KEYED:
        return name
    keyed = [n for n, e in entities.items() if e.rows is Rows.KEYED]
    if found is None:
        context.error("RF201", f"no entity is called `{name}`", node.entity.span, did_you_mean(name, keyed))
    else:
        hint = f"rows: {', '.join(sorted(keyed))}"
        context.error("RF209", f"there is one `{name}` a snapshot, not one a row", node.entity.span, hint)
    return None


def _distinct(members: tuple[x.Ident, ...], context: Context) -> bool:
    seen: set[str] = set()
    for member in members:
        if member.text in seen:
            context.error("RF301", f"`{member.text}` is named twice", member.span)
            return False
        seen.add(member.text)
    return True


def _free(name: x.Ident, full: str, context: Context) -> bool:
    names = context.names
    taken = "a word of the language" if name.text in RESERVED else "an entity of the fact catalogue"
    if name.text in RESERVED or name.text in names.catalogue.entities:
        context.error("RF307", f"`{name.text}` is {taken}", name.span)
        names.broken.add(full)
        return False
    first = names.params.get(full) or names.outputs.get(full)
    if first is not None or full in names.broken:
        labels = (Label(first.span, "declared here"),) if first is not None and first.span is not None else ()
        context.error("RF301", f"`{full}` is declared already", name.span, None, *labels)
        return False
    return True


def _range(node: s.Range, kind: Type, context: Context) -> tuple[int, int] | None:
    if not isinstance(kind, Quantity):
        context.error("RF303", f"{a_type(kind)} takes no range", node.span)
        return None
    low, high = constant(node.low, kind, context), constant(node.high, kind, context)
    if low is None or high is None:
        return None
    if int(low.value) >= int(high.value):
        context.error("RF303", "the range is empty: its low end comes first", node.span)
        return None
    return int(low.value), int(high.value)


def _within(value: int, low: int | None, high: int | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)
