"""Rule text to syntax tree.

Every syntax error of a file is reported in one run: after one, parsing goes on at the next declaration.
"""

from __future__ import annotations

import gc
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from importlib.resources import files
from typing import Any, cast

from lark import Lark, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.utils import TextSlice

from policy_dsl import syntax as s
from policy_dsl import syntax_expressions as x
from policy_dsl import syntax_steps as t
from policy_dsl.builder import Builder
from policy_dsl.diagnostics import Findings, Source, Span
from policy_dsl.hidden import report_hidden
from policy_dsl.lexer import RuleLexer
from policy_dsl.wording import Said, explain_character, explain_token

MAX_DEPTH = 64
"""How deep an expression may nest; deeper ones are refused, so that no pass can run out of stack."""

_EXPLAINED = 50
_MOST_ERRORS = 500

_DECLARATIONS = ("policy", "param", "levels", "output", "rule", "test", "always")
_LINE_START = re.compile(rf"^[ \t]*(?:{'|'.join(_DECLARATIONS)})\b", re.MULTILINE)
# A string that is not closed goes to the end of its line here, so that no text is looked at twice.
_STRING_OR_COMMENT = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|(#[^\n]*)')
_DECLARED = re.compile(r"\s*(?:param|levels|output)\s+([a-z][a-z0-9_]*)")
_STRING_OR_BRACKET = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|#[^\n]*|([(\[{])|([)\]}])')
_NESTING = re.compile(r"\b(?:not|of|throughout|within|and|or)\b|[-+*/(]")

_local = threading.local()


@dataclass(frozen=True, slots=True)
class _Machine:
    lark: Lark
    builder: Builder

    def read(self, source: Source, start: int, end: int, what: str) -> Any:
        """What the builder makes of a part of a file; spans are those of the whole file."""
        self.builder.path = source.path
        with without_gc():
            return self.lark.parse(TextSlice(source.text, start, end), start=what)


def _machine() -> _Machine:
    """The parser of this thread: the builder inside it knows which file it is reading."""
    machine: _Machine | None = getattr(_local, "machine", None)
    if machine is None:
        builder = Builder()
        lark = Lark(
            files("policy_dsl").joinpath("grammar.lark").read_text(encoding="utf-8"),
            parser="lalr",
            lexer=RuleLexer,
            start=["start", "expr", "value"],
            transformer=builder,
            maybe_placeholders=True,
        )
        machine = _local.machine = _Machine(lark, builder)
    return machine


@contextmanager
def without_gc() -> Iterator[None]:
    """Building a large tree makes no garbage; collecting meanwhile doubles the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def parse(source: Source, findings: Findings) -> s.File:
    """The syntax tree of one rule file; what could not be read is left out and reported in `findings`."""
    if deep := _too_deep(source):
        findings.error("RF104", f"brackets nest more than {MAX_DEPTH} deep", deep, "split the condition into rules")
        return s.File(source.path, None, ())
    # Elsewhere than in texts and comments they are no part of the language anyway.
    report_hidden(source, (words.span() for words in _STRING_OR_COMMENT.finditer(source.text)), findings)
    unread: list[str] = []
    items = _parse_text(source, 0, len(source.text), findings, unread)
    policy, declarations = _sort_out(items, findings)
    if policy is None and not any(d.is_error for d in findings.items if d.span and d.span.path == source.path):
        at = Span(source.path, 0, min(1, len(source.text)))
        findings.error("RF106", "the file does not start with `policy`", at, 'write `policy NAME version 1.0.0 "..."`')
    return s.File(source.path, policy, declarations, comments(source), tuple(unread))


def parse_expression(source: Source, span: Span, findings: Findings) -> x.Expr | None:
    """The expression that stands in `span` of `source`; None and a finding if it is not one."""
    node: x.Expr | None = _parse_alone(source, span, findings, "expr")
    return node


def parse_value(source: Source, span: Span, findings: Findings) -> x.Expr | t.Missing | None:
    """The value of a test that stands in `span` of `source`; None and a finding if it is not one."""
    node: x.Expr | t.Missing | None = _parse_alone(source, span, findings, "value")
    return node


def _parse_alone(source: Source, span: Span, findings: Findings, what: str) -> Any:
    try:
        node = _machine().read(source, span.start, span.end, what)
    except UnexpectedInput as error:
        _report(error, source, span.end, findings)
        return None
    return node if _shallow(node, findings) else None


def comments(source: Source) -> tuple[s.Comment, ...]:
    """Every comment of the file, in order."""
    return tuple(
        s.Comment(match[1].rstrip(), Span(source.path, match.start(1), match.start(1) + len(match[1].rstrip())))
        for match in _STRING_OR_COMMENT.finditer(source.text)
        if match[1] is not None
    )


def _parse_text(source: Source, start: int, end: int, findings: Findings, unread: list[str] | None) -> list[Any]:
    """The declarations in a part of a file. An error ends it, unless `unread` takes the names that are lost."""
    try:
        items = list(_machine().read(source, start, end, "start"))
    except UnexpectedInput as error:
        if unread is None:
            _report(error, source, end, findings)
            return []
        return _recover(source, findings, unread)
    return [item for item in items if not _may_be_deep(source.text, item.span) or _shallow(item, findings)]


def _recover(source: Source, findings: Findings, unread: list[str]) -> list[Any]:
    """Read declaration by declaration, so that one error does not hide the next."""
    starts = [m.start() for m in _LINE_START.finditer(source.text)]
    if not starts or source.text[: starts[0]].strip():
        starts.insert(0, 0)
    before = len(findings.items)
    items: list[Any] = []
    for start, end in zip(starts, [*starts[1:], len(source.text)], strict=True):
        found = len(findings.items)
        items += _parse_text(source, start, end, findings, None)
        if len(findings.items) > found and (lost := _DECLARED.match(source.text, start)):
            unread.append(lost[1])
        if len(findings.items) - before >= _MOST_ERRORS:
            message = f"this file has {_MOST_ERRORS} syntax errors or more, and is read no further"
            findings.error("RF101", message, Span(source.path, start, end))
            break
    if len(findings.items) == before:  # each part reads alone but the whole does not: a declaration inside another
        findings.error("RF101", "the declarations of this file do not follow each other", Span(source.path, 0, 1))
    return items


def _sort_out(items: list[Any], findings: Findings) -> tuple[s.Policy | None, tuple[s.Declaration, ...]]:
    policy: s.Policy | None = None
    declarations: list[s.Declaration] = []
    for index, item in enumerate(items):
        if isinstance(item, s.Invalid):
            findings.error("RF107", item.message, item.span)
        elif not isinstance(item, s.Policy):
            declarations.append(item)
        elif policy is not None:
            findings.error("RF106", "one file holds one policy", item.span, "move the second policy into its own file")
        else:
            policy = item
            if index:
                findings.error("RF106", "`policy` comes first in a file", item.span)
    return policy, tuple(declarations)


def _report(error: UnexpectedInput, source: Source, end: int, findings: Findings) -> None:
    """Report what stopped the parser in a part of a file that ends at `end`."""
    if isinstance(error, UnexpectedToken):
        # What the parser would accept is dear to find out; after so many errors nobody reads it.
        few = len(findings.items) < _EXPLAINED
        expected = set((error.accepts if few else None) or error.expected)
        said = explain_token(error.token, expected, source.text, end)
    elif isinstance(error, UnexpectedCharacters):
        said = explain_character(source.text, cast(int, error.pos_in_stream), set(error.allowed or ()))
    else:
        said = Said("RF101", "this ends too early", None, end, end)
    findings.error(said.code, said.message, Span(source.path, said.start, said.end), said.help)


def _too_deep(source: Source) -> Span | None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(source.text):
        if match[1] is not None:
            depth += 1
            if depth > MAX_DEPTH:
                return Span(source.path, match.start(), match.end())
        elif match[2] is not None:
            depth = max(0, depth - 1)
    return None


def _may_be_deep(text: str, span: Span) -> bool:
    """Whether a declaration has as many nesting words as it takes to be too deep; most have far fewer."""
    return len(_NESTING.findall(text, span.start, span.end)) >= MAX_DEPTH // 2


def _shallow(item: Any, findings: Findings) -> bool:
    """Whether nothing in a declaration nests too deep; walks with its own stack, so that any depth is safe."""
    stack = [(item, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            findings.error(
                "RF104", f"this nests more than {MAX_DEPTH} deep", node.span, "split the condition into rules"
            )
            return False
        for name in node.__slots__:
            value = getattr(node, name)
            if isinstance(value, tuple):
                stack += [(v, depth + 1) for v in value if is_dataclass(v)]
            elif is_dataclass(value):
                stack.append((value, depth + 1))
    return True
