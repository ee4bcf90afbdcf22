"""Turns the parser's reductions into syntax nodes, inline: no parse tree is ever built."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from lark import Transformer, v_args
from lark.lexer import Token

from policy_dsl import syntax as s
from policy_dsl import syntax_expressions as x
from policy_dsl import syntax_steps as t
from policy_dsl.diagnostics import Span

_CELL_MARK = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|(#)|\|')
_ESCAPES = {"n": "\n", "t": "\t"}


def unescape(quoted: str) -> str:
    """The value of a string literal, quotes included in `quoted`."""
    body = quoted[1:-1]
    if "\\" not in body:
        return body
    out: list[str] = []
    characters = iter(body)
    for character in characters:
        if character == "\\":
            following = next(characters)
            out.append(_ESCAPES.get(following, following))
        else:
            out.append(character)
    return "".join(out)


Extent = tuple[int, int]
"""Start and end offset of what a reduction covers."""


def _end(child: Any, which: int) -> int | None:
    """Offset where a child starts (which = 0) or ends (1); None for an absent optional."""
    if child is None:
        return None
    if isinstance(child, Token):
        return child.end_pos if which else child.start_pos
    if isinstance(child, Span):
        return child.end if which else child.start
    if isinstance(child, tuple):
        return _first([child[-1]] if which else list(child), which) if child else None
    span: Span = child.span
    return span.end if which else span.start


def _first(children: list[Any], which: int) -> int | None:
    for child in reversed(children) if which else children:
        if (end := _end(child, which)) is not None:
            return end
    return None


def _with_extent(method: Any, _rule: str, children: list[Any], _meta: Any) -> Any:
    """Calls a builder method with the extent of its children, then the children."""
    return method((_first(children, 0) or 0, _first(children, 1) or 0), *children)


@v_args(wrapper=_with_extent)
class Builder(Transformer[Token, Any]):
    """One method a grammar rule. `path` is the file being parsed."""

    path = ""

    # Lark calls these with (meta, children...); every node gets the span of all it was made of.

    def _span(self, meta: Extent) -> Span:
        """The characters a reduction covers."""
        return Span(self.path, *meta)

    def _at(self, token: Token) -> Span:
        """The characters of a token."""
        return Span(self.path, token.start_pos or 0, token.end_pos or 0)

    def _ident(self, token: Token) -> x.Ident:
        """A declared name."""
        return x.Ident(str(token), self._at(token))

    def _text(self, token: Token) -> x.Text:
        return x.Text(unescape(token), self._at(token))

    def _level(self, token: Token) -> x.Level:
        return x.Level(str(token), self._at(token))

    # declarations

    def start(self, _meta: Extent, *items: Any) -> tuple[Any, ...]:
        return items

    def policy(self, meta: Extent, _word: Token, name: Token, version: Token, doc: Token | None) -> s.Policy:
        return s.Policy(self._ident(name), str(version), None if doc is None else unescape(doc), self._span(meta))

    def param(self, meta: Extent, _word: Token, name: Token, kind: Any, value: Any, limits: Any) -> s.ParamDecl:
        return s.ParamDecl(self._ident(name), kind, value, limits, self._span(meta))

    def levels(self, meta: Extent, _word: Token, name: Token, *members: Token) -> s.LevelsDecl:
        return s.LevelsDecl(self._ident(name), tuple(map(self._ident, members)), self._span(meta))

    def output(
        self, meta: Extent, _word: Token, name: Token, scope: Any, kind: Any, *clauses: Any
    ) -> s.OutputDecl | s.Invalid:
        return _output(self._ident(name), scope, kind, clauses, self._span(meta))

    def range(self, meta: Extent, _word: Token, low: Any, high: Any) -> s.Range:
        return s.Range(low, high, self._span(meta))

    def starts(self, meta: Extent, _word: Token, value: Any) -> tuple[str, Any, Span]:
        return "starts", value, self._span(meta)

    def tightens(self, meta: Extent, _word: Token, direction: Token) -> tuple[str, Any, Span]:
        return "tightens", str(direction), self._span(meta)

    def relaxes(self, meta: Extent, _word: Token, duration: Any) -> tuple[str, Any, Span]:
        return "relaxes", duration, self._span(meta)

    def latches(self, meta: Extent, _word: Token, condition: Any) -> tuple[str, Any, Span]:
        return "latches", condition, self._span(meta)

    def named_type(self, meta: Extent, name: Token) -> s.NamedType:
        return s.NamedType(str(name), self._span(meta))

    def levels_type(self, meta: Extent, *members: Token) -> s.LevelsType:
        return s.LevelsType(tuple(map(self._ident, members)), self._span(meta))

    def set_type(self, meta: Extent, _word: Token, *items: Token) -> s.SetType:
        return s.SetType(tuple(map(self._ident, items)), self._span(meta))

    def for_each(
        self,
        meta: Extent,
        _word: Token,
        entity: Token,
        variable: Token | None,
        including: Token | None,
        _exits: Token | None,
    ) -> s.ForEach:
        bound = None if variable is None else self._ident(variable)
        return s.ForEach(self._ident(entity), bound, including is not None, self._span(meta))

    def rule(
        self,
        meta: Extent,
        _word: Token,
        name: Token,
        observing: Token | None,
        scope: Any,
        when: Any,
        unless: Any,
        excuse: Any,
        *rest: Any,
    ) -> s.RuleDecl:
        *effects, because = rest
        return s.RuleDecl(
            self._ident(name),
            observing is not None,
            scope,
            when,
            unless,
            excuse,
            tuple(effects),
            because,
            self._span(meta),
        )

    def when(self, _meta: Extent, condition: Any) -> Any:
        return condition

    unless = when

    def excuse(self, meta: Extent, _word: Token, until: Token, when: Any, ticket: Token) -> s.Excuse:
        return s.Excuse(x.Quantity(str(until), self._at(until)), when, self._text(ticket), self._span(meta))

    def because(self, _meta: Extent, text: Token) -> x.Text:
        return self._text(text)

    # effects

    def tighten_to(self, meta: Extent, _word: Token, target: x.Path, value: Any) -> s.TightenEffect:
        return s.TightenEffect(target, "to", value, None, None, self._span(meta))

    def tighten_for(self, meta: Extent, _word: Token, target: x.Path, value: Any, hold: Any) -> s.TightenEffect:
        return s.TightenEffect(target, "to", value, hold, None, self._span(meta))

    def tighten_until(self, meta: Extent, _word: Token, target: x.Path, value: Any, until: Any) -> s.TightenEffect:
        return s.TightenEffect(target, "to", value, None, until, self._span(meta))

    def tighten_by(self, meta: Extent, _word: Token, target: x.Path, value: Any) -> s.TightenEffect:
        return s.TightenEffect(target, "by", value, None, None, self._span(meta))

    def scale(self, meta: Extent, _word: Token, target: x.Path, value: Any) -> s.TightenEffect:
        return s.TightenEffect(target, "scale", value, None, None, self._span(meta))

    def deny(self, meta: Extent, _word: Token) -> s.DenyEffect:
        return s.DenyEffect(self._span(meta))

    def forbid(self, meta: Extent, _word: Token, item: Token, target: Any) -> s.ItemEffect:
        return s.ItemEffect("forbid", self._level(item), (), target, self._span(meta))

    def permit(self, meta: Extent, _word: Token, item: Token, arguments: Any, target: Any) -> s.ItemEffect:
        return s.ItemEffect("permit", self._level(item), arguments or (), target, self._span(meta))

    def arguments(self, _meta: Extent, *values: Any) -> tuple[Any, ...]:
        return values[:-1]

    def alert(self, meta: Extent, _word: Token, level: Token) -> s.AlertEffect:
        return s.AlertEffect(self._level(level), self._span(meta))

    # tests and invariants

    def test(self, meta: Extent, _word: Token, name: Token, *steps: Any) -> s.TestDecl:
        return s.TestDecl(self._text(name), steps, self._span(meta))

    def given(self, meta: Extent, _word: Token, *assigns: Any) -> t.Given:
        return t.Given(assigns, self._span(meta))

    def assign(self, meta: Extent, path: x.Path, value: Any) -> t.Assign:
        return t.Assign(path, value, self._span(meta))

    def expect(self, meta: Extent, _word: Token, condition: Any) -> t.Expect:
        return t.Expect(condition, self._span(meta))

    def at_time(self, meta: Extent, _word: Token, time: Token) -> t.At:
        return t.At(x.Quantity(str(time), self._at(time)), self._span(meta))

    def every(self, meta: Extent, _word: Token, cadence: Token) -> t.Every:
        return t.Every(x.Quantity(str(cadence), self._at(cadence)), self._span(meta))

    def every_series(self, meta: Extent, _word: Token, cadence: Token, path: x.Path, *runs: Any) -> t.Series:
        return t.Series(path, runs, x.Quantity(str(cadence), self._at(cadence)), self._span(meta))

    def series(self, meta: Extent, _word: Token, path: x.Path, *runs: Any) -> t.Series:
        return t.Series(path, runs, None, self._span(meta))

    def run(self, meta: Extent, value: Any, times: Token | None) -> t.Run:
        return t.Run(value, 1 if times is None else int(times[1:]), self._span(meta))

    def table(self, meta: Extent, text: Token) -> t.Table:
        return _table(text, self._span(meta))

    def missing(self, meta: Extent, _word: Token) -> t.Missing:
        return t.Missing(self._span(meta))

    def always(self, meta: Extent, _word: Token, name: Token, scope: Any, when: Any, then: Any) -> s.AlwaysDecl:
        return s.AlwaysDecl(self._text(name), scope, when, then, self._span(meta))

    # expressions

    def or_expr(self, meta: Extent, *operands: Any) -> x.Or:
        return x.Or(operands, self._span(meta))

    def and_expr(self, meta: Extent, *operands: Any) -> x.And:
        return x.And(operands, self._span(meta))

    def not_expr(self, meta: Extent, _word: Token, operand: Any) -> x.Not:
        return x.Not(operand, self._span(meta))

    def throughout(self, meta: Extent, operand: Any, duration: Any) -> x.Timed:
        return x.Timed("throughout", operand, duration, self._span(meta))

    def within(self, meta: Extent, operand: Any, duration: Any) -> x.Timed:
        return x.Timed("within", operand, duration, self._span(meta))

    def compare(self, meta: Extent, left: Any, operator: Token, right: Any) -> x.Binary:
        return x.Binary(str(operator), left, right, self._span(meta))

    add = multiply = compare

    def of(self, meta: Extent, left: Any, right: Any) -> x.Binary:
        return x.Binary("of", left, right, self._span(meta))

    def is_known(self, meta: Extent, operand: Any, _known: Token) -> x.IsKnown:
        return x.IsKnown(operand, False, self._span(meta))

    def is_unknown(self, meta: Extent, operand: Any, _unknown: Token) -> x.IsKnown:
        return x.IsKnown(operand, True, self._span(meta))

    def is_level(self, meta: Extent, left: Any, right: Any) -> x.Is:
        return x.Is(left, right, False, self._span(meta))

    def is_not(self, meta: Extent, left: Any, right: Any) -> x.Is:
        return x.Is(left, right, True, self._span(meta))

    def in_set(self, meta: Extent, operand: Any, *items: Any) -> x.In:
        return x.In(operand, items[:-1], False, self._span(meta))

    def not_in_set(self, meta: Extent, operand: Any, *items: Any) -> x.In:
        return x.In(operand, items[:-1], True, self._span(meta))

    def includes(self, meta: Extent, operand: Any, item: Token) -> x.Has:
        return x.Has(operand, self._level(item), False, self._span(meta))

    def excludes(self, meta: Extent, operand: Any, item: Token) -> x.Has:
        return x.Has(operand, self._level(item), True, self._span(meta))

    def negative(self, meta: Extent, _word: Token, operand: Any) -> x.Unary:
        return x.Unary(operand, self._span(meta))

    negative_constant = negative

    def call(self, meta: Extent, function: Token, *arguments: Any) -> x.Call:
        return x.Call(str(function), arguments[:-1], self._span(meta))

    def fold(
        self, meta: Extent, function: Token, body: Any, variable: Token | None, where: Any, over: Any, _close: Token
    ) -> x.Fold:
        bound = None if variable is None else self._ident(variable)
        return x.Fold(str(function), body, bound, where, over, self._span(meta))

    def quantity(self, meta: Extent, text: Token) -> x.Quantity:
        return x.Quantity(" ".join(text.split()), self._span(meta))

    def level(self, _meta: Extent, text: Token) -> x.Level:
        return self._level(text)

    def text(self, _meta: Extent, text: Token) -> x.Text:
        return self._text(text)

    def yes(self, meta: Extent, _word: Token) -> x.Flag:
        return x.Flag(True, self._span(meta))

    def no(self, meta: Extent, _word: Token) -> x.Flag:
        return x.Flag(False, self._span(meta))

    def path_expr(self, meta: Extent, dotted: Token, *steps: Any) -> x.Path:
        path = dotted_path(dotted, self._at(dotted))
        return path if not steps else x.Path(path.head, path.steps + steps, self._span(meta))

    def field(self, meta: Extent, _word: Token, name: Token) -> x.Field:
        return x.Field(str(name), self._span(meta))

    def index(self, meta: Extent, _word: Token, key: Any, _close: Token) -> x.Index:
        return x.Index(key, self._span(meta))


def dotted_path(text: str, span: Span) -> x.Path:
    """The path written as names with dots between them, such as `account.drawdown`."""
    head, *names = text.split(".")
    at = span.start + len(head)
    fields = []
    for name in names:
        fields.append(x.Field(name, Span(span.path, at, at + 1 + len(name))))
        at += 1 + len(name)
    return x.Path(head, tuple(fields), span)


def _output(name: x.Ident, scope: Any, kind: Any, clauses: tuple[Any, ...], span: Span) -> s.OutputDecl | s.Invalid:
    found: dict[str, Any] = {}
    for clause in clauses:
        word, value, where = ("range", clause, clause.span) if isinstance(clause, s.Range) else clause
        if word in found:
            return s.Invalid(f"`{name.text}` says `{'in' if word == 'range' else word}` twice", where)
        found[word] = value
    return s.OutputDecl(name, scope, kind, span=span, **found)


def _table(text: Token, span: Span) -> t.Table:
    rows: list[tuple[t.Cell, ...]] = []
    offset = span.start
    for line in text.split("\n"):
        if line.lstrip().startswith("|"):  # else a comment between rows
            rows.append(tuple(_cells(line, span.path, offset)))
        offset += len(line) + 1
    return t.Table(rows[0], tuple(rows[1:]), span)


def _cells(line: str, path: str, offset: int) -> list[t.Cell]:
    bars = []
    for mark in _CELL_MARK.finditer(line):
        if mark[1] is not None:
            line = line[: mark.start()]
            break
        if mark[0] == "|":
            bars.append(mark.start())
    if line[bars[-1] + 1 :].strip():
        bars.append(len(line.rstrip()))
    cells = []
    for left, right in pairwise(bars):
        raw = line[left + 1 : right]
        start = offset + left + 1 + len(raw) - len(raw.lstrip())
        cells.append(t.Cell(raw.strip(), Span(path, start, start + max(1, len(raw.strip())))))
    return cells
