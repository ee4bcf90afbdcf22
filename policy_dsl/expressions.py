"""Gives expressions their types: names resolved, units checked, levels read in the light of the other side."""

from __future__ import annotations

from policy_dsl import folds, nodes, paths
from policy_dsl import syntax_expressions as x
from policy_dsl.context import Context, a_type, type_name
from policy_dsl.diagnostics import Label, Span, did_you_mean
from policy_dsl.dimensions import combine
from policy_dsl.literals import TYPICAL_SUFFIX, LiteralError, read
from policy_dsl.operators import Comparator, Extreme, Operator
from policy_dsl.quantities import Unit
from policy_dsl.types import (
    COUNT,
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    Flag,
    ItemSet,
    Levels,
    Quantity,
    Reference,
    Text,
    Truth,
    Type,
)

_BARE = (COUNT, NUMBER)
_FEWEST_TO_PICK_FROM = 2


def condition(node: x.Expr, context: Context) -> nodes.Expression | None:
    """The truth of `node`; None after a finding."""
    made = expression(node, context)
    return None if made is None else as_truth(made, node.span, context)


def as_truth(made: nodes.Expression, span: Span, context: Context) -> nodes.Expression | None:
    """A condition, or a flag standing alone as one."""
    if isinstance(made.type, Truth):
        return made
    if isinstance(made.type, Flag):
        return nodes.IsTrue(made)
    number = isinstance(made.type, Quantity)
    hint = "compare it with something, as in `... > 5%`" if number else "use `is` or `in {...}`"
    context.error("RF205", f"this is {a_type(made.type)}, not a condition", span, hint)
    return None


def expression(node: x.Expr, context: Context, expected: Type | None = None) -> nodes.Expression | None:
    """The typed expression; `expected` lets a bare number or a level find its type. None after a finding."""
    match node:
        case x.Quantity():
            return quantity(node, context, expected)
        case x.Level():
            return level(node, context, expected)
        case x.Text():
            return nodes.Constant(node.text, TEXT)
        case x.Flag():
            return nodes.Constant(node.value, FLAG)
        case x.Path():
            return paths.resolve(node, context)
        case x.Unary():
            return _negative(node, context, expected)
        case x.Binary(operator=word) if word in ("<", "<=", ">", ">="):
            return _comparison(node, context)
        case x.Binary():
            return _arithmetic(node, context)
        case x.Is():
            return _is(node, context)
        case x.IsKnown():
            operand = expression(node.operand, context)
            return None if operand is None else nodes.Known(operand, node.negated)
        case x.In():
            return _one_of(node, context)
        case x.Has():
            return _has(node, context)
        case x.And() | x.Or():
            operands = [condition(o, context) for o in node.operands]
            known = tuple(o for o in operands if o is not None)
            if len(known) < len(operands):
                return None
            return nodes.All(known) if isinstance(node, x.And) else nodes.AnyOf(known)
        case x.Not():
            operand = condition(node.operand, context)
            return None if operand is None else nodes.Not(operand)
        case x.Timed():
            return folds.timed(node, context)
        case x.Call():
            return _call(node, context, expected)
        case x.Fold():
            return folds.fold(node, context)


def quantity(node: x.Quantity, context: Context, expected: Type | None = None) -> nodes.Constant | None:
    """A literal number; a bare one takes the count or number that is expected."""
    try:
        literal = read(node.text)
    except LiteralError as error:
        context.error("RF105", str(error), node.span, "units: % bps USD R x ms s m h d, and rates such as 10/min")
        return None
    if literal.unit is not None:
        kind = Quantity(literal.unit)
    elif isinstance(expected, Quantity) and expected in _BARE:
        kind = expected
    else:
        kind = COUNT if literal.value.denominator == 1 else NUMBER
    quanta = literal.quanta(kind.unit)
    if quanta is None:
        fine = literal.value.denominator != 1
        message = f"`{node.text}` is finer than {a_type(kind)} can be" if fine else f"`{node.text}` is too large"
        context.error("RF105", message, node.span)
        return None
    return nodes.Constant(quanta, kind)


def level(node: x.Level, context: Context, expected: Type | None) -> nodes.Constant | None:
    """An upper-case word, read as a level of the type it meets."""
    if isinstance(expected, Levels):
        if node.text in expected.members:
            return nodes.Constant(expected.rank(node.text), expected)
        near = did_you_mean(node.text, expected.members) or f"{expected.name} is one of {', '.join(expected.members)}"
        context.error("RF203", f"`{node.text}` is not a level of {expected.name}", node.span, near)
    elif isinstance(expected, Text | Reference):
        hint = f'did you mean `"{node.text}"`?'
        context.error("RF203", f"`{node.text}` is a level, and {expected} is expected", node.span, hint)
    elif expected is None:
        context.error("RF203", f"`{node.text}` stands where nothing says which level it is", node.span)
    else:
        context.error("RF203", f"`{node.text}` is a level, and {a_type(expected)} is expected", node.span)
    return None


def _negative(node: x.Unary, context: Context, expected: Type | None) -> nodes.Expression | None:
    literal = isinstance(node.operand, x.Quantity)
    operand = expression(node.operand, context, expected)
    if operand is None or _is_number(operand, node.operand.span, context) is None:
        return None
    if operand.type == TIME:
        context.error("RF204", "a time has no negative", node.span)
        return None
    if literal and isinstance(operand, nodes.Constant):
        return nodes.Constant(-int(operand.value), operand.type)
    return nodes.Negate(operand, operand.type)


def _is_number(made: nodes.Expression, span: Span, context: Context) -> nodes.Expression | None:
    if isinstance(made.type, Quantity):
        return made
    context.error("RF206", f"this is {a_type(made.type)}, not a number", span)
    return None


def _needs_other(node: x.Expr) -> bool:
    """Whether only the other operand can say what this is."""
    if isinstance(node, x.Level):
        return True
    inner = node.operand if isinstance(node, x.Unary) else node
    return isinstance(inner, x.Quantity) and inner.text.replace("_", "").replace(".", "").isdigit()


def pair(left: x.Expr, right: x.Expr, context: Context) -> tuple[nodes.Expression, nodes.Expression] | None:
    """Both operands, each typed in the light of the other; None after a finding."""
    if _needs_other(left) and not _needs_other(right):
        b = expression(right, context)
        a = expression(left, context, b.type) if b is not None else None
    else:
        a = expression(left, context)
        alone = a is None and _needs_other(right)  # what it is depends on the side that is wrong
        b = None if alone else expression(right, context, None if a is None else a.type)
    return None if a is None or b is None else (a, b)


def mismatch(left: x.Expr, right: x.Expr, a: Type, b: Type, context: Context) -> None:
    """Report two operands that do not go together."""
    help_ = suggest_unit(right, a) or suggest_unit(left, b)
    numbers = isinstance(a, Quantity) and isinstance(b, Quantity)
    code, message = ("RF204", "unit mismatch") if numbers else ("RF206", "these do not compare")
    labels = (Label(left.span, type_name(a)), Label(right.span, type_name(b)))
    context.error(code, message, left.span.to(right.span), help_, *labels)


def wrong_type(node: x.Expr, got: Type, wanted: Type, context: Context) -> None:
    """Report a value of another type than its place asks for."""
    code = "RF204" if isinstance(got, Quantity) and isinstance(wanted, Quantity) else "RF206"
    message = f"{a_type(wanted)} is expected, and this is {a_type(got)}"
    context.error(code, message, node.span, suggest_unit(node, wanted))


def suggest_unit(node: x.Expr, wanted: Type) -> str | None:
    """`did you mean 5%?` where a bare number meets a unit."""
    if isinstance(node, x.Quantity) and _needs_other(node) and isinstance(wanted, Quantity):
        suffix = TYPICAL_SUFFIX.get(wanted.unit)
        return f"did you mean `{node.text}{suffix}`?" if suffix else None
    return None


def _comparison(node: x.Binary, context: Context) -> nodes.Expression | None:
    both = pair(node.left, node.right, context)
    if both is None:
        return None
    a, b = both
    if a.type != b.type:
        mismatch(node.left, node.right, a.type, b.type, context)
        return None
    if not isinstance(a.type, Quantity) and not (isinstance(a.type, Levels) and a.type.ordered):
        context.error("RF207", f"{type_name(a.type)} has no order", node.span, "use `is` or `in {...}`")
        return None
    return nodes.Compare(Comparator(node.operator), a, b, node.span)


def _is(node: x.Is, context: Context) -> nodes.Expression | None:
    both = pair(node.left, node.right, context)
    if both is None:
        return None
    a, b = both
    if not _alike(a.type, b.type) or isinstance(a.type, Truth | ItemSet):
        mismatch(node.left, node.right, a.type, b.type, context)
        return None
    return nodes.Compare(Comparator.DIFFERENT if node.negated else Comparator.EQUAL, a, b, node.span)


def _alike(a: Type, b: Type) -> bool:
    """Whether two values can be equal: one type, or text and the key of a row."""
    words = (Text, Reference)
    return a == b or (isinstance(a, words) and isinstance(b, words) and TEXT in (a, b))


def _one_of(node: x.In, context: Context) -> nodes.Expression | None:
    operand = expression(node.operand, context)
    if operand is None:
        return None
    values = []
    for item in node.items:
        made = expression(item, context, operand.type)
        if made is None:
            return None
        if not isinstance(made, nodes.Constant):
            context.error("RF206", "a set holds literals and params only", item.span, "compare with `is` and `or`")
            return None
        if not _alike(operand.type, made.type) or isinstance(operand.type, Truth | ItemSet):
            mismatch(node.operand, item, operand.type, made.type, context)
            return None
        values.append(made.value)
    return nodes.OneOf(operand, tuple(sorted(set(values))), node.negated, node.span)


def _has(node: x.Has, context: Context) -> nodes.Expression | None:
    operand = expression(node.operand, context)
    if operand is None:
        return None
    if not isinstance(operand, nodes.OutputRead) or not isinstance(operand.type, ItemSet):
        message = f"this is {a_type(operand.type)}, not a set"
        context.error("RF206", message, node.operand.span, "use `is` or `in {...}`")
        return None
    if node.item.text not in operand.type.items:
        message = f"`{operand.output}` has no item `{node.item.text}`"
        context.error("RF208", message, node.item.span, did_you_mean(node.item.text, operand.type.items))
        return None
    return nodes.Includes(operand, node.item.text, node.negated)


_OPERATORS = {"+": Operator.ADD, "-": Operator.SUBTRACT, "*": Operator.MULTIPLY, "/": Operator.DIVIDE}


def _arithmetic(node: x.Binary, context: Context) -> nodes.Expression | None:
    operator = Operator.MULTIPLY if node.operator == "of" else _OPERATORS[node.operator]
    additive = operator in (Operator.ADD, Operator.SUBTRACT)
    if additive:
        both = pair(node.left, node.right, context)
    else:
        a, b = expression(node.left, context), expression(node.right, context)
        both = None if a is None or b is None else (a, b)
    if both is None:
        return None
    left, right = both
    for made, part in ((left, node.left), (right, node.right)):
        if _is_number(made, part.span, context) is None:
            return None
    left, right = _lift(left, right) if additive else (left, right)
    made_of = combine(operator, _unit(left), _unit(right))
    if made_of is None:
        if additive:
            mismatch(node.left, node.right, left.type, right.type, context)
        else:
            message = f"{left.type} {node.operator} {right.type} means nothing"
            context.error("RF204", message, node.span)
        return None
    unit, up, down = made_of
    return nodes.Arithmetic(operator, left, right, Quantity(unit), up, down)


def _lift(a: nodes.Expression, b: nodes.Expression) -> tuple[nodes.Expression, nodes.Expression]:
    """A literal count beside a number is a number."""

    def lifted(one: nodes.Expression, other: nodes.Expression) -> nodes.Expression:
        if isinstance(one, nodes.Constant) and one.type == COUNT and other.type == NUMBER and one.name is None:
            return nodes.Constant(int(one.value) * 10**9, NUMBER)
        return one

    return lifted(a, b), lifted(b, a)


def _unit(made: nodes.Expression) -> Unit:
    """The unit of what was found to be a number."""
    return made.type.unit if isinstance(made.type, Quantity) else Unit.NUMBER


def _call(node: x.Call, context: Context, expected: Type | None) -> nodes.Expression | None:
    if node.function == "previous":
        operand = expression(node.arguments[0], context) if _arity(node, 1, context) else None
        return None if operand is None else _previous(operand, node.arguments[0].span, context)
    if node.function == "abs":
        operand = expression(node.arguments[0], context, expected) if _arity(node, 1, context) else None
        if operand is None or _is_number(operand, node.span, context) is None:
            return None
        return nodes.Absolute(operand, operand.type)
    return _pick(node, context, expected)


def _previous(operand: nodes.Expression, span: Span, context: Context) -> nodes.Expression | None:
    if not isinstance(operand.type, ItemSet):
        return nodes.Previous(operand, operand.type)
    context.error(
        "RF206", "`previous` takes a value or a condition, not a set", span, "ask for one item: `... includes ITEM`"
    )
    return None


def _arity(node: x.Call, count: int, context: Context) -> bool:
    if len(node.arguments) == count:
        return True
    context.error("RF206", f"`{node.function}` takes {count} value, not {len(node.arguments)}", node.span)
    return False


def _pick(node: x.Call, context: Context, expected: Type | None) -> nodes.Expression | None:
    if len(node.arguments) < _FEWEST_TO_PICK_FROM:
        context.error("RF206", f"`{node.function}` takes two values or more", node.span)
        return None
    typed = {i: expression(a, context) for i, a in enumerate(node.arguments) if not _needs_other(a)}
    kind = next((t.type for t in typed.values() if t is not None), expected)
    operands: list[nodes.Expression] = []
    for index, argument in enumerate(node.arguments):
        made = typed[index] if index in typed else expression(argument, context, kind)
        if made is None or _is_number(made, argument.span, context) is None:
            return None
        if operands and made.type != operands[0].type:
            mismatch(node.arguments[0], argument, operands[0].type, made.type, context)
            return None
        operands.append(made)
    return nodes.Pick(Extreme(node.function), tuple(operands), operands[0].type)


def constant_duration(node: x.Expr, context: Context, least: int = 1) -> int | None:
    """A duration known when the bundle is checked, in milliseconds, at least `least`; None after a finding."""
    made = expression(node, context)
    if made is None:
        return None
    if not isinstance(made, nodes.Constant) or made.type != Quantity(Unit.DURATION):
        if made.type == Quantity(Unit.DURATION):
            context.error("RF206", "a duration that is fixed stands here", node.span, "a literal or a param: `5m`")
        else:
            message = f"this is {a_type(made.type)}, not a fixed duration"
            context.error("RF206", message, node.span, suggest_unit(node, Quantity(Unit.DURATION)))
        return None
    if int(made.value) < least:
        context.error("RF303", "a duration here is longer than nothing", node.span)
        return None
    return int(made.value)
