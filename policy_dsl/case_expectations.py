"""What a test expects: that a condition is so at one time. What looks back stands in rules alone."""

from __future__ import annotations

from policy_dsl import expressions
from policy_dsl import syntax_expressions as x
from policy_dsl.cases import Expectation
from policy_dsl.context import Context
from policy_dsl.diagnostics import Span


def expectation(node: x.Expr, context: Context) -> Expectation | None:
    """The typed `expect C`; None after a finding."""
    condition = expressions.condition(node, context)
    if condition is None or looks_back(node, context):
        return None
    return Expectation(condition, node.span)


def looks_back(node: x.Expr, context: Context) -> bool:
    """Report a form that looks at earlier snapshots: what is expected is so at the time at which it is expected."""
    found = _looking_back(node)
    if found is not None:
        word, span = found
        hint = "say when, and let time go by before: `at 10m  expect ...`"
        context.error("RF317", f"`{word}` looks back, and a test expects what is so at one time", span, hint)
    return found is not None


def _looking_back(node: object) -> tuple[str, Span] | None:
    match node:
        case x.Timed():
            return node.word, node.span
        case x.Call(function="previous"):
            return node.function, node.span
        case x.Fold() if node.over is not None:
            return f"{node.function} over", node.span
    for name in getattr(node, "__slots__", ()):
        value = getattr(node, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, x.Expr) and (found := _looking_back(part)) is not None:
                return found
    return None
