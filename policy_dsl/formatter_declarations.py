"""Declarations as pieces: the lines of each clause, and where in the source it stood, so that comments find it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from policy_dsl import syntax as s
from policy_dsl import syntax_expressions as x
from policy_dsl.diagnostics import Span
from policy_dsl.formatter_expressions import SUM, one_line, path, quoted, written
from policy_dsl.formatter_layout import Document, flat, joined, listed, row
from policy_dsl.formatter_pieces import INDENT, Origin, Piece, as_piece, clause
from policy_dsl.formatter_steps import steps

_TIGHTENS = re.compile(r"\btightens\s+(?:up|down)\b")


def policy(node: s.Policy, origin: Origin) -> list[Piece]:
    """The pieces of `policy`."""
    head = f"policy {node.name.text} version {node.version}"
    if node.doc is None:
        return [Piece(node.span.start, node.span.end, (head,), 0)]
    at = origin.first_quote(node.span)
    doc = Piece(at, node.span.end, (f"{' ' * INDENT}{quoted(node.doc)}",))
    end = node.span.start + len(origin.code[node.span.start : at].rstrip())
    return [Piece(node.span.start, end, (head,), 0), doc]


def params(nodes: list[s.ParamDecl]) -> list[Piece]:
    """A piece for each of several params that stand together: `=` and `in` below each other."""
    heads = [f"param {n.name.text}" + ("" if n.type is None else f": {flat(_type(n.type))}") for n in nodes]
    values = [one_line(n.value) for n in nodes]
    head_width, value_width = max(map(len, heads)), max(map(len, values))
    pieces = []
    for node, head, value in zip(nodes, heads, values, strict=True):
        line = f"{head:<{head_width}} = {value:<{value_width}}"
        line += "" if node.range is None else f" {_limits(node.range)}"
        pieces.append(Piece(node.span.start, node.span.end, (line.rstrip(),), 0))
    return pieces


def declaration(node: s.Declaration, origin: Origin) -> list[Piece]:
    """The pieces of a declaration, its head first."""
    match node:
        case s.ParamDecl():
            return params([node])
        case s.LevelsDecl():
            members = _members(node.members)
            return [as_piece(row(f"levels {node.name.text} = ", members), 0, node.span.start, node.span.end)]
        case s.OutputDecl():
            return _output(node, origin)
        case s.RuleDecl():
            return _rule(node, origin)
        case s.TestDecl():
            return [_named("test", node), *steps(node.steps, origin)]
        case s.AlwaysDecl():
            return _always(node, origin)


def _named(word: str, node: s.TestDecl | s.AlwaysDecl) -> Piece:
    """The head of a declaration whose name is a text."""
    return Piece(node.span.start, node.name.span.end, (f"{word} {quoted(node.name.text)}",), 0)


def _type(node: s.TypeExpr) -> Document:
    match node:
        case s.NamedType():
            return node.name
        case s.LevelsType():
            return _members(node.members)
        case s.SetType():
            return row("set of ", listed((i.text for i in node.items), indent=2 * INDENT))


def _members(members: Iterable[x.Ident]) -> Document:
    return listed((m.text for m in members), indent=2 * INDENT, before="< ", after="")


def _limits(node: s.Range | None) -> str:
    return "" if node is None else f" in {one_line(node.low)} to {one_line(node.high)}"


def _for_each(node: s.ForEach | None) -> str:
    if node is None:
        return ""
    called = "" if node.variable is None else f" as {node.variable.text}"
    return f" for each {node.entity.text}{called}{' including exits' if node.including_exits else ''}"


# --- outputs ---------------------------------------------------------------------------------------------------------


def _output(node: s.OutputDecl, origin: Origin) -> list[Piece]:
    document = row(f"output {node.name.text}{_for_each(node.scope)}: ", _type(node.type), _limits(node.range))
    clauses = _output_clauses(node, origin)
    limits, end = node.range, node.type.span.end
    if limits is not None and all(limits.span.start < c.start for c in clauses):
        end = limits.span.end
    return [as_piece(document, 0, node.span.start, end), *_in_order(clauses, node, origin)]


def _output_clauses(node: s.OutputDecl, origin: Origin) -> list[Piece]:
    clauses = []
    if node.starts is not None:
        clauses.append(clause("starts", node.starts, origin))
    if node.tightens is not None:
        at = _tightens_at(node, origin)
        clauses.append(as_piece(f"tightens {node.tightens}", INDENT, at.start, at.end))
    if node.relaxes is not None:
        clauses.append(clause("relaxes after", node.relaxes, origin))
    if node.latches is not None:
        clauses.append(clause("latches until", node.latches, origin))
    return clauses


def _tightens_at(node: s.OutputDecl, origin: Origin) -> Span:
    """Where `tightens up` stands: outside the values of the other clauses, which may hold the same words."""
    others = [c.span for c in (node.range, node.starts, node.relaxes, node.latches) if c is not None]
    for match in _TIGHTENS.finditer(origin.code, node.type.span.end, node.span.end):
        if not any(o.start <= match.start() < o.end for o in others):
            return Span(node.span.path, match.start(), match.end())
    return node.type.span


def _in_order(clauses: list[Piece], node: s.OutputDecl, origin: Origin) -> list[Piece]:
    """The clauses in their one order, unless comments stand between them, which keep theirs."""
    end = origin.text.find("\n", node.span.end)
    last = len(origin.text) if end < 0 else end
    return sorted(clauses, key=lambda c: c.start) if origin.has_comment(node.span.start, last) else clauses


# --- rules and invariants --------------------------------------------------------------------------------------------


def _rule(node: s.RuleDecl, origin: Origin) -> list[Piece]:
    observing = " observing" if node.observing else ""
    end = node.name.span.end if node.scope is None else node.scope.span.end
    pieces = [Piece(node.span.start, end, (f"rule {node.name.text}{observing}{_for_each(node.scope)}",), 0)]
    for word, condition in (("when", node.when), ("unless", node.unless)):
        if condition is not None:
            pieces.append(clause(word, condition, origin))
    if node.excuse is not None:
        pieces.append(_excuse(node.excuse))
    pieces += _effects(node.effects)
    if node.because is not None:
        pieces.append(clause("because", node.because, origin))
    return pieces


def _always(node: s.AlwaysDecl, origin: Origin) -> list[Piece]:
    head = _named("always", node)
    end = head.end if node.scope is None else node.scope.span.end
    pieces = [replace(head, end=end, lines=(head.lines[0] + _for_each(node.scope),))]
    if node.when is not None:
        pieces.append(clause("when", node.when, origin))
    return [*pieces, clause("then", node.then, origin)]


def _excuse(node: s.Excuse) -> Piece:
    parts: list[Document] = [f"except until {node.until.text}", row("when ", written(node.when))]
    return as_piece(joined([*parts, f"because {quoted(node.ticket.text)}"], ""), INDENT, node.span.start, node.span.end)


def _effects(effects: tuple[s.EffectExpr, ...]) -> list[Piece]:
    """One piece an effect; neighbours that tighten or scale have their outputs, and `to` or `by`, below each other."""
    pieces = []
    for run in _neighbours(effects):
        acts = [e for e in run if isinstance(e, s.TightenEffect)]
        verb = max((len(_verb(e)) for e in acts), default=0)
        target = max((len(path(e.target)) for e in acts), default=0)
        for effect in run:
            document = _tighten(effect, verb, target) if isinstance(effect, s.TightenEffect) else _effect(effect)
            pieces.append(as_piece(document, INDENT, effect.span.start, effect.span.end))
    return pieces


def _neighbours(effects: tuple[s.EffectExpr, ...]) -> Iterable[list[s.EffectExpr]]:
    return (list(run) for _, run in groupby(effects, lambda e: isinstance(e, s.TightenEffect)))


def _verb(node: s.TightenEffect) -> str:
    return "scale" if node.how == "scale" else "tighten"


def _tighten(node: s.TightenEffect, verb: int, target: int) -> Document:
    word = "by" if node.how == "scale" else node.how
    head = f"{_verb(node):<{verb}} {path(node.target):<{target}} {word} "
    return row(head, written(node.value, SUM), *_time(node))


def _effect(node: s.DenyEffect | s.ItemEffect | s.AlertEffect) -> Document:
    match node:
        case s.DenyEffect():
            return "deny"
        case s.ItemEffect():
            arguments = ", ".join(one_line(a, SUM) for a in node.arguments)
            item = node.item.text + (f"({arguments})" if arguments else "")
            return f"{node.word} {item}" + ("" if node.target is None else f" in {path(node.target)}")
        case s.AlertEffect():
            return f"alert {node.level.text}"


def _time(node: s.TightenEffect) -> list[Document]:
    """How long a bound is kept."""
    if node.hold is not None:
        return [" for ", written(node.hold, SUM)]
    return [] if node.until is None else [" until ", written(node.until, SUM)]
