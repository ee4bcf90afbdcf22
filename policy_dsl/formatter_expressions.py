"""Expressions as text: parentheses stand only where the tree needs them to be read back as it is."""

from __future__ import annotations

from policy_dsl import syntax_expressions as x
from policy_dsl import syntax_steps as t
from policy_dsl.formatter_layout import BREAK, Document, Group, flat, joined, listed, row

# How tightly a form binds, loosest first; an operand that binds looser than its place asks for stands in parentheses.
ANYTHING, CONJUNCTION, NEGATION, COMPARISON, SUM, PRODUCT, PRIMARY = range(7)

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})


def quoted(text: str) -> str:
    """A string literal whose value is `text`."""
    return f'"{text.translate(_ESCAPES)}"'


def one_line(node: x.Expr | t.Missing, place: int = ANYTHING) -> str:
    """The expression on one line."""
    return flat(written(node, place))


def written(node: x.Expr | t.Missing, place: int = ANYTHING) -> Document:
    """The expression, in parentheses if it binds looser than `place` asks for."""
    binding, document = _written(node)
    return document if binding >= place else row("(", document, ")")


def _written(node: x.Expr | t.Missing) -> tuple[int, Document]:
    """How tightly the expression binds, and its text."""
    match node:
        case x.Or():
            return ANYTHING, joined((written(o, CONJUNCTION) for o in node.operands), "or ")
        case x.And():
            return CONJUNCTION, joined((written(o, NEGATION) for o in node.operands), "and ")
        case x.Not():
            return NEGATION, row("not ", written(node.operand, NEGATION))
        case x.Binary():
            return _binary(node)
        case x.Timed() | x.Is() | x.IsKnown() | x.In() | x.Has():
            return COMPARISON, _comparison(node)
        case x.Unary():
            return PRIMARY, row("-", written(node.operand, PRIMARY))
        case x.Call():
            return PRIMARY, row(f"{node.function}(", listed(map(written, node.arguments)), ")")
        case x.Fold():
            return PRIMARY, _fold(node)
        case _:
            return PRIMARY, _atom(node)


def _atom(node: x.Quantity | x.Level | x.Text | x.Flag | x.Path | t.Missing) -> str:
    match node:
        case x.Quantity() | x.Level():
            return node.text
        case x.Text():
            return quoted(node.text)
        case x.Flag():
            return "yes" if node.value else "no"
        case t.Missing():
            return "missing"
        case x.Path():
            return path(node)


def path(node: x.Path) -> str:
    """A path as it is written."""
    steps = (f".{step.name}" if isinstance(step, x.Field) else f"[{_atom(step.key)}]" for step in node.steps)
    return node.head + "".join(steps)


def _binary(node: x.Binary) -> tuple[int, Document]:
    if node.operator in ("<", "<=", ">", ">="):
        binding, left, right = COMPARISON, SUM, SUM
    elif node.operator in ("+", "-"):
        binding, left, right = SUM, SUM, PRODUCT
    else:
        binding, left, right = PRODUCT, PRODUCT, PRIMARY
    return binding, row(written(node.left, left), f" {node.operator} ", written(node.right, right))


def _comparison(node: x.Timed | x.Is | x.IsKnown | x.In | x.Has) -> Document:
    match node:
        case x.Timed():
            return row(written(node.operand, COMPARISON), f" {node.word} ", written(node.duration, PRIMARY))
        case x.Is():
            word = " is not " if node.negated else " is "
            return row(written(node.left, SUM), word, written(node.right, PRODUCT))
        case x.IsKnown():
            return row(written(node.operand, SUM), " is unknown" if node.negated else " is known")
        case x.In():
            word = " not in {" if node.negated else " in {"
            return row(written(node.operand, SUM), word, listed(map(written, node.items)), "}")
        case x.Has():
            word = " excludes " if node.negated else " includes "
            return row(written(node.operand, SUM), word + node.item.text)


def _fold(node: x.Fold) -> Document:
    called = "" if node.variable is None else f" as {node.variable.text}"
    parts: list[Document] = [row(f"{node.function}(", written(node.body), called)]
    for word, part in (("where ", node.where), ("over ", node.over)):
        if part is not None:
            parts += [BREAK, row(word, written(part))]
    return Group((*parts, ")"))
