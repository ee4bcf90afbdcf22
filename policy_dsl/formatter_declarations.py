"""Declarations as pieces: the lines of each clause, and where in the source it stood, so that comments find it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from policy_dsl import syntax as s
from policy_dsl.diagnostics import Source, Span
from policy_dsl.formatter_expressions import SUM, one_line, path, quoted, written
from policy_dsl.formatter_layout import Document, joined, laid_out, row

INDENT = 2

_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|#[^\n]*')
_LATER_ROW = re.compile(r"\n[ \t]*\|")
_TIGHTENS = re.compile(r"\btightens\s+(?:up|down)\b")


@dataclass(frozen=True, slots=True)
class Piece:
    """A clause, step or table row: the lines it becomes, and the characters `[start, end)` of the source it was.

    `indent` is where a comment on a line of its own stands before it. `apart` asks for an empty line before it.
    """

    start: int
    end: int
    lines: tuple[str, ...]
    indent: int = INDENT
    apart: bool = False


class Origin:
    """The source, able to say where a clause starts whose keyword the syntax tree does not keep."""

    def __init__(self, source: Source) -> None:
        self.text = source.text
        # Strings and comments become blanks of the same length: no keyword is found in them.
        self.code = _STRING_OR_COMMENT.sub(lambda m: " " * len(m[0]), source.text)

    def start(self, words: str, span: Span) -> int:
        """Where the first of the keywords stands that introduce what is at `span`."""
        at = span.start
        for word in reversed(words.split()):
            at = max(0, self.code.rfind(word, 0, at))
        return at

    def first_quote(self, span: Span) -> int:
        """Where the first string in `span` starts."""
        found = _STRING_OR_COMMENT.finditer(self.text, span.start, span.end)
        return next((m.start() for m in found if m[0].startswith('"')), span.end)


def policy(node: s.Policy, origin: Origin) -> list[Piece]:
    """The pieces of `policy`."""
    head = f"policy {node.name.text} version {node.version}"
    if node.doc is None:
        return [Piece(node.span.start, node.span.end, (head,), 0)]
    at = origin.first_quote(node.span)
    doc = Piece(at, node.span.end, (f"{' ' * INDENT}{quoted(node.doc)}",))
    return [Piece(node.span.start, at, (head,), 0), doc]


def params(nodes: list[s.ParamDecl]) -> list[Piece]:
    """A piece for each of several params that stand together: `=` and `in` below each other."""
    heads = [f"param {n.name.text}" + ("" if n.type is None else f": {_type(n.type)}") for n in nodes]
    values = [one_line(n.value) for n in nodes]
    head_width, value_width = max(map(len, heads)), max(map(len, values))
    pieces = []
    for node, head, value in zip(nodes, heads, values, strict=True):
        line = f"{head:<{head_width}} = {value:<{value_width}}"
        if node.range is not None:
            line += f"  {_range(node.range)}"
        pieces.append(Piece(node.span.start, node.span.end, (line.rstrip(),), 0))
    return pieces


def declaration(node: s.Declaration, origin: Origin) -> list[Piece]:
    """The pieces of a declaration, its head first."""
    match node:
        case s.ParamDecl():
            return params([node])
        case s.LevelsDecl():
            members = _members(node.members)
            return [_piece(row(f"levels {node.name.text} = ", members), 0, node.span.start, node.span.end)]
        case s.OutputDecl():
            return _output(node, origin)
        case s.RuleDecl():
            return _rule(node, origin)
        case s.TestDecl():
            return [_named("test", node), *_steps(node.steps, origin)]
        case s.AlwaysDecl():
            return _always(node, origin)


def _piece(document: Document, indent: int, start: int, end: int) -> Piece:
    first, *rest = laid_out(document, indent)
    return Piece(start, end, (" " * indent + first, *rest), indent)


def _clause(word: str, value: s.Expr, origin: Origin) -> Piece:
    return _piece(row(word, " ", written(value)), INDENT, origin.start(word, value.span), value.span.end)


def _named(word: str, node: s.TestDecl | s.AlwaysDecl) -> Piece:
    """The head of a declaration whose name is a text."""
    return Piece(node.span.start, node.name.span.end, (f"{word} {quoted(node.name.text)}",), 0)


def _type(node: s.TypeExpr) -> str:
    match node:
        case s.NamedType():
            return node.name
        case s.LevelsType():
            return " < ".join(m.text for m in node.members)
        case s.SetType():
            return "set of " + ", ".join(i.text for i in node.items)


def _members(members: Iterable[s.Ident]) -> Document:
    return joined([m.text for m in members], "< ")


def _range(node: s.Range) -> str:
    return f"in {one_line(node.low)} to {one_line(node.high)}"


def _for_each(node: s.ForEach | None) -> str:
    if node is None:
        return ""
    called = "" if node.variable is None else f" as {node.variable.text}"
    return f" for each {node.entity.text}{called}{' including exits' if node.including_exits else ''}"


# --- outputs ---------------------------------------------------------------------------------------------------------


def _output(node: s.OutputDecl, origin: Origin) -> list[Piece]:
    kind: Document = _type(node.type)
    if isinstance(node.type, s.LevelsType):
        kind = _members(node.type.members)
    elif isinstance(node.type, s.SetType):
        kind = row("set of ", joined([i.text for i in node.type.items], "", after=","))
    document = row(f"output {node.name.text}{_for_each(node.scope)}: ", kind)
    head = _piece(document, 0, node.span.start, node.type.span.end)
    return [head, *_in_order(_output_clauses(node, origin), node, origin)]


def _output_clauses(node: s.OutputDecl, origin: Origin) -> list[Piece]:
    clauses = []
    if node.range is not None:
        clauses.append(_piece(_range(node.range), INDENT, node.range.span.start, node.range.span.end))
    if node.starts is not None:
        clauses.append(_clause("starts", node.starts, origin))
    if node.tightens is not None:
        at = _tightens_at(node, origin)
        clauses.append(_piece(f"tightens {node.tightens}", INDENT, at.start, at.end))
    if node.relaxes is not None:
        clauses.append(_clause("relaxes after", node.relaxes, origin))
    if node.latches is not None:
        clauses.append(_clause("latches until", node.latches, origin))
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
    commented = any(m[0].startswith("#") for m in _STRING_OR_COMMENT.finditer(origin.text, node.span.start, last))
    return sorted(clauses, key=lambda c: c.start) if commented else clauses


# --- rules and invariants --------------------------------------------------------------------------------------------


def _rule(node: s.RuleDecl, origin: Origin) -> list[Piece]:
    observing = " observing" if node.observing else ""
    end = node.name.span.end if node.scope is None else node.scope.span.end
    pieces = [Piece(node.span.start, end, (f"rule {node.name.text}{observing}{_for_each(node.scope)}",), 0)]
    for word, condition in (("when", node.when), ("unless", node.unless)):
        if condition is not None:
            pieces.append(_clause(word, condition, origin))
    if node.excuse is not None:
        pieces.append(_excuse(node.excuse))
    pieces += _effects(node.effects)
    if node.because is not None:
        pieces.append(_clause("because", node.because, origin))
    return pieces


def _always(node: s.AlwaysDecl, origin: Origin) -> list[Piece]:
    head = _named("always", node)
    end = head.end if node.scope is None else node.scope.span.end
    pieces = [replace(head, end=end, lines=(head.lines[0] + _for_each(node.scope),))]
    if node.when is not None:
        pieces.append(_clause("when", node.when, origin))
    return [*pieces, _clause("then", node.then, origin)]


def _excuse(node: s.Excuse) -> Piece:
    parts: list[Document] = [f"except until {node.until.text}", row("when ", written(node.when))]
    return _piece(joined([*parts, f"because {quoted(node.ticket.text)}"], ""), INDENT, node.span.start, node.span.end)


def _effects(effects: tuple[s.EffectExpr, ...]) -> list[Piece]:
    """One piece an effect; the `to` of neighbouring `tighten`s stand below each other."""
    pieces = []
    for aligned, run in groupby(effects, lambda e: isinstance(e, s.TightenEffect) and e.how != "scale"):
        together = list(run)
        targets = [path(e.target) for e in together if isinstance(e, s.TightenEffect)]
        width = max(map(len, targets)) if aligned else 0
        pieces += [_piece(_effect(e, width), INDENT, e.span.start, e.span.end) for e in together]
    return pieces


def _effect(node: s.EffectExpr, width: int) -> Document:
    match node:
        case s.TightenEffect(how="scale"):
            return row(f"scale {path(node.target)} by ", written(node.value, SUM))
        case s.TightenEffect():
            return row(f"tighten {path(node.target):<{width}} {node.how} ", written(node.value, SUM), *_time(node))
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


# --- tests -----------------------------------------------------------------------------------------------------------


def _steps(steps: tuple[s.Step, ...], origin: Origin) -> list[Piece]:
    """The pieces of a test: what happens at one time stands below each other, beside its `at`."""
    width = max((len(step.time.text) for step in steps if isinstance(step, s.At)), default=0)
    pieces: list[Piece] = []
    column, moment, before = INDENT, None, None
    for step in steps:
        if isinstance(step, s.At):
            if moment is not None:
                pieces.append(_alone(moment))
            column, moment = INDENT + len("at ") + width + 2, step
        else:
            apart = isinstance(step, s.Table) and isinstance(before, s.Table)
            first, *rest = _step(step, column, origin)
            pieces += [_beside(moment, replace(first, apart=apart), column), *rest]
            moment = None
        before = step
    return pieces if moment is None else [*pieces, _alone(moment)]


def _alone(moment: s.At) -> Piece:
    return _piece(f"at {moment.time.text}", INDENT, moment.span.start, moment.span.end)


def _beside(moment: s.At | None, piece: Piece, column: int) -> Piece:
    """The piece with its `at` before it, if it is the first at that time."""
    if moment is None:
        return piece
    head = f"{' ' * INDENT}at {moment.time.text}"
    return Piece(moment.span.start, piece.end, (head.ljust(column) + piece.lines[0][column:], *piece.lines[1:]))


def _step(step: s.Given | s.Expect | s.Every | s.Series | s.Table, column: int, origin: Origin) -> list[Piece]:
    match step:
        case s.Given():
            document = row("given ", _given(step))
        case s.Expect():
            document = row("expect ", written(step.condition))
        case s.Every():
            document = row(f"every {step.cadence.text}")
        case s.Series():
            document = row("series ", _series(step))
        case s.Table():
            return _table(step, column, origin)
    return [_piece(document, column, step.span.start, step.span.end)]


def _given(step: s.Given) -> Document:
    assigns: list[Document] = [f"{path(a.path)} = {one_line(a.value)}" for a in step.assigns]
    return joined(assigns, "", after=",", indent=len("given "))


def _series(step: s.Series) -> Document:
    runs = [one_line(r.value) + ("" if r.times == 1 else f" x{r.times}") for r in step.runs]
    runs[0] = f"{path(step.path)} = {runs[0]}"
    return joined(list(runs), "", after=",", indent=len("series "))


def _table(table: s.Table, column: int, origin: Origin) -> list[Piece]:
    """A piece a row, columns as wide as their widest cell."""
    rows = [table.header, *table.rows]
    widths = [max(len(r[i].text) for r in rows if i < len(r)) for i in range(max(map(len, rows)))]
    starts = _row_starts(table, origin)
    pieces = []
    for index, cells in enumerate(rows):
        shown = [f" {cell.text:<{width}} |" for cell, width in zip(cells, widths, strict=False)]
        start = starts[index] if index < len(starts) else table.span.start
        end = cells[-1].span.end if cells else start + 1
        pieces.append(Piece(start, end, (" " * column + "|" + "".join(shown),), column))
    return pieces


def _row_starts(table: s.Table, origin: Origin) -> list[int]:
    """Where each row of a table starts."""
    later = _LATER_ROW.finditer(origin.text, table.span.start, table.span.end)
    return [table.span.start, *(m.end() - 1 for m in later)]
