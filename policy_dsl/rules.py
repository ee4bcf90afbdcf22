"""Types rules: scope, guard, effects, reason."""

from __future__ import annotations

import re
from collections.abc import Sequence

from policy_dsl import expressions, nodes
from policy_dsl import program as p
from policy_dsl import syntax as s
from policy_dsl import syntax_expressions as x
from policy_dsl.builder import dotted_path
from policy_dsl.context import Context, row_name
from policy_dsl.declarations import keyed_entity
from policy_dsl.diagnostics import Source, Span
from policy_dsl.effects import not_an_exit, typed_effect
from policy_dsl.formatter_expressions import NEGATION, one_line
from policy_dsl.literals import LiteralError, read
from policy_dsl.parser import parse_expression

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_HOLE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def typed_rule(node: s.RuleDecl, source: Source, context: Context) -> p.Rule | None:
    """The typed rule; None after a finding. All parts are looked at, so that all errors show."""
    before = len(context.findings.items)
    scope, inner = _scope(node.scope, context)
    if node.scope is not None and scope is None:
        return None
    guard = _guard(node, scope, inner)
    excuse, until = _excuse(node.excuse, inner)
    effects = tuple(typed_effect(e, scope, inner) for e in node.effects)
    because = _because(node, source, inner)
    if guard is None or None in effects or any(d.is_error for d in context.findings.items[before:]):
        return None
    return p.Rule(
        id=f"{context.policy}.{node.name.text}",
        policy=context.policy,
        scope=scope,
        guard=guard,
        effects=tuple(e for e in effects if e is not None),
        because=because,
        observing=node.observing,
        excuse=excuse,
        excuse_until=until,
        ticket=None if node.excuse is None else node.excuse.ticket.text,
        span=node.span,
    )


def _scope(node: s.ForEach | None, context: Context) -> tuple[p.Scope | None, Context]:
    if node is None:
        return None, context
    entity = keyed_entity(node, context)
    if entity is None:
        return None, context
    if node.including_exits and entity != "request":
        context.error("RF209", "only requests are exits: `for each request including exits`", node.span)
        return None, context
    called = row_name(node.variable, entity, context)
    if called is None:
        return None, context
    inner, binding = context.bind(entity, called)
    return p.Scope(entity, binding.variable, node.including_exits), inner


def _guard(node: s.RuleDecl, scope: p.Scope | None, context: Context) -> nodes.Expression | None:
    """`when and not unless`, and exits left alone."""
    parts: list[nodes.Expression] = []
    if scope is not None and scope.entity == "request" and not scope.including_exits:
        parts.append(not_an_exit(scope.variable, context))
    for condition, negated in ((node.when, False), (node.unless, True)):
        if condition is None:
            continue
        made = expressions.condition(condition, context)
        if made is None:
            return None
        parts.append(nodes.Not(made) if negated else made)
    if not parts:
        return nodes.TRUE
    return parts[0] if len(parts) == 1 else nodes.All(tuple(parts))


def _excuse(node: s.Excuse | None, context: Context) -> tuple[nodes.Expression | None, int | None]:
    if node is None:
        return None, None
    try:
        until = int(read(node.until.text).value)
    except LiteralError as error:
        context.error("RF105", str(error), node.until.span)
        return None, None
    return expressions.condition(node.when, context), until


def _because(node: s.RuleDecl, source: Source, context: Context) -> tuple[str | p.Hole, ...]:
    """The parts of the reason; without `because`, the condition as it is written."""
    if node.because is None:
        return (_condition(node),)
    text, places = node.because.text, _places(node.because.span, source)
    parts: list[str | p.Hole] = []
    at = 0
    for match in _HOLE.finditer(text):
        parts.append(_plain(text, at, match.start(), places, source.path, context))
        at = match.end()
        if match[1] is None:
            parts.append(match[0][0])
            continue
        span = Span(source.path, places[match.start(1)], places[match.end(1)])
        hole = _hole(match[1], span, source, context)
        if hole is not None:
            parts.append(hole)
    parts.append(_plain(text, at, len(text), places, source.path, context))
    return _joined(parts)


def _places(span: Span, source: Source) -> Sequence[int]:
    """Where each character of a string's value stands in the file, and where the string ends."""
    first, last = span.start + 1, span.end - 1
    if source.text.find("\\", first, last) < 0:
        return range(first, last + 1)
    places = []
    while first < last:
        places.append(first)
        first += 2 if source.text[first] == "\\" else 1
    return [*places, last]


def _plain(text: str, start: int, end: int, places: Sequence[int], path: str, context: Context) -> str:
    """The words of a reason between its holes, which hold no brace."""
    brace = re.search(r"[{}]", text[start:end])
    if brace is not None:
        at = places[start + brace.start()]
        place = Span(path, at, at + 1)
        context.error("RF101", "a brace without its other half", place, "write `{{` for a brace")
    return text[start:end]


def _condition(node: s.RuleDecl) -> str:
    """The condition of a rule as it is written, on one line."""
    if node.unless is None:
        return "always" if node.when is None else one_line(node.when)
    unless = f"not {one_line(node.unless, NEGATION)}"
    return unless if node.when is None else f"{one_line(node.when, NEGATION)} and {unless}"


def _hole(text: str, span: Span, source: Source, context: Context) -> p.Hole | None:
    if not text.strip():
        context.error("RF101", "empty braces in a reason", span, "write `{{` for a brace")
        return None
    # Almost every hole is one name; only the others are worth a run of the parser.
    if _NAME.fullmatch(text):
        node: x.Expr | None = dotted_path(text, span)
    else:
        if "\\" in source.text[span.start : span.end]:  # quotes in quotes: read what they stand for, at the same place
            source, span = Source(source.path, " " * span.start + text), span._replace(end=span.start + len(text))
        node = parse_expression(source, span, context.findings)
    made = None if node is None else expressions.expression(node, context)
    return None if made is None else p.Hole(made, " ".join(text.split()))


def _joined(parts: list[str | p.Hole]) -> tuple[str | p.Hole, ...]:
    out: list[str | p.Hole] = []
    for part in parts:
        if isinstance(part, str) and out and isinstance(out[-1], str):
            out[-1] += part
        elif part != "":
            out.append(part)
    return tuple(out)
