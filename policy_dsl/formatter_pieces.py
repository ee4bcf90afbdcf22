"""The pieces that a rule file is laid out from: the lines of each clause, and where in the source it stood."""

from __future__ import annotations

import re
from dataclasses import dataclass

from policy_dsl import syntax_expressions as x
from policy_dsl.diagnostics import Source, Span
from policy_dsl.formatter_expressions import written
from policy_dsl.formatter_layout import Document, laid_out, row

INDENT = 2

_STRING_OR_COMMENT = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|#[^\n]*')


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

    def has_comment(self, start: int, end: int) -> bool:
        """Whether a comment starts in `[start, end)`."""
        return any(m[0].startswith("#") for m in _STRING_OR_COMMENT.finditer(self.text, start, end))


def as_piece(document: Document, indent: int, start: int, end: int) -> Piece:
    """A piece that is laid out from `document`."""
    first, *rest = laid_out(document, indent)
    return Piece(start, end, (" " * indent + first, *rest), indent)


def clause(word: str, value: x.Expr, origin: Origin) -> Piece:
    """A keyword, or several, and what it introduces."""
    return as_piece(row(word, " ", written(value)), INDENT, origin.start(word, value.span), value.span.end)
