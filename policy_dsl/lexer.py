"""Splits rule text into tokens.

A word is a keyword only where the grammar accepts it, so facts and outputs may be called what they are
(`account.count`, `healing.state`). The grammar's terminals are joined into one regular expression that skips blanks and
comments by itself; which of a match's readings is meant is asked of the parser's state. Lark's own contextual lexer
does the same with an expression a state and a match for every blank, in half as much time again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lark import Token, UnexpectedCharacters
from lark.lexer import Lexer, LexerState, PatternStr

_ORDER = ("PATH", "LEVEL", "DATE", "QUANTITY", "STRING", "TABLE")
"""The terminals that the joined expression tells apart, in the order in which they are tried."""


class RuleLexer(Lexer):
    """The lexer that rule files are parsed with. `conf` is Lark's, with the grammar's terminals."""

    __future_interface__ = 2  # Lark's word for: `lex` is given the parser's state

    def __init__(self, conf: Any) -> None:
        patterns = {t.name: t.pattern.to_regexp() for t in conf.terminals}
        self.words = {t.pattern.value: t.name for t in conf.terminals if isinstance(t.pattern, PatternStr)}
        self.marks = _marks(self.words, patterns)
        blank = "|".join(f"(?:{patterns[name]})" for name in conf.ignore)
        marks = "|".join(re.escape(mark) for mark in sorted(self.marks, key=len, reverse=True))
        kinds = "|".join(f"(?P<{name}>{patterns[name]})" for name in _ORDER)
        # Blanks are given up to nobody (`*+`): tried in parts, a hundred of them before a foreign sign would never end.
        self.token = re.compile(rf"(?:{blank})*+(?:{kinds}|(?P<MARK>{marks})|(?P<END>\Z))")
        self.blanks = re.compile(rf"(?:{blank})*+")
        self.version, self.repeat = re.compile(patterns["VERSION"]), re.compile(patterns["REPEAT"])

    def lex(self, lexer_state: LexerState, parser_state: Any) -> Iterator[Token]:
        """Yield the tokens of the text. Raises UnexpectedCharacters where none starts."""
        text, position, last = lexer_state.text.text, lexer_state.text.start, lexer_state.text.end
        states, match = parser_state.parse_conf.states, self.token.match
        while True:
            found = match(text, position, last)
            accepted = states[parser_state.position]
            if found is None:
                raise self._unexpected(text, position, last, accepted)
            kind = found.lastgroup or "END"
            if kind == "END":
                return
            start, position = found.span(kind)
            if kind == "PATH":
                kind, position = self._word(text, start, position, accepted)
            elif kind == "MARK":
                kind = next((name for name in self.marks[text[start:position]] if name in accepted), kind)
            elif "VERSION" in accepted and (version := self.version.match(text, start, last)) is not None:
                kind, position = "VERSION", version.end()
            token = Token(kind, text[start:position], start, None, None, None, None, position)
            lexer_state.last_token = token
            yield token

    def _word(self, text: str, start: int, end: int, accepted: Mapping[str, Any]) -> tuple[str, int]:
        """What a lower-case word is here, and where it ends: a path takes all that dots join, a name one word."""
        word = text[start:end]
        keyword = self.words.get(word)
        if keyword is not None and keyword in accepted:
            return keyword, end
        if "PATH" in accepted:
            return "PATH", end
        if "REPEAT" in accepted and self.repeat.fullmatch(word):
            return "REPEAT", end
        if "NAME" in accepted:
            return "NAME", start + len(word.partition(".")[0])
        return keyword or "NAME", end

    def _unexpected(self, text: str, position: int, last: int, accepted: Mapping[str, Any]) -> UnexpectedCharacters:
        """The error for characters that start no token, at the first that is not blank."""
        skipped = self.blanks.match(text, position, last)
        at = position if skipped is None else skipped.end()
        return UnexpectedCharacters(text, at, 1, at + 1, allowed=set(accepted))  # type: ignore[no-untyped-call]  # because Lark's exceptions declare no types


def _marks(words: Mapping[str, str], patterns: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The terminals that each punctuation mark may be: `<` compares, and orders levels."""
    found: dict[str, list[str]] = {mark: [name] for mark, name in words.items() if not mark[0].isalpha()}
    for mark in ("<", ">", "<=", ">=", "+", "-", "*", "/"):
        for name in ("COMPARATOR", "SIGN", "FACTOR"):
            if re.fullmatch(patterns[name], mark):
                found.setdefault(mark, []).append(name)
    return {mark: tuple(names) for mark, names in found.items()}
