"""What a syntax error says: the parser's terminals in the words of the language."""

from __future__ import annotations

import re
from typing import NamedTuple

from lark.lexer import Token

from policy_dsl.diagnostics import did_you_mean

_TERMINALS = {
    "NAME": "a name",
    "PATH": "a name",
    "LEVEL": "a level such as `HIGH`",
    "QUANTITY": "a number",
    "DATE": "a date",
    "STRING": "text in quotes",
    "VERSION": "a version such as `1.0.0`",
    "TABLE": "a table",
    "COMPARATOR": "a comparison",
    "SIGN": "`+` or `-`",
    "FACTOR": "`*` or `/`",
    "MINUS": "`-`",
    "EQUAL": "`=`",
    "COLON": "`:`",
    "COMMA": "`,`",
    "DOT": "`.`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LESSTHAN": "`<`",
    "REPEAT": "a repetition such as `x5`",
    "$END": "the end of the file",
}

# The words that can start a value are named once, not one by one.
_VALUE = {"QUANTITY", "DATE", "STRING", "LEVEL", "PATH", "YES", "NO"}
_FUNCTIONS = {
    *("MIN", "MAX", "ABS", "PREVIOUS", "COUNT", "SUM", "HIGHEST"),
    *("LOWEST", "AVERAGE", "CHANGE", "ANY", "ALL", "LATEST"),
}

_FOREIGN = {
    "==": "write `is` to compare, as in `risk_mode is SAFE`",
    "=": "write `is` to compare, as in `risk_mode is SAFE`",
    "!=": "write `is not`",
    "<>": "write `is not`",
    "&&": "write `and`",
    "||": "write `or`",
    "!": "write `not`",
    "'": 'text stands in double quotes: `"BTCUSDT"`',
    "$": "money is written `5_000 USD`",
    ";": "declarations need no `;`",
    "//": "comments start with `#`",
}


_WORD = re.compile(r"[^\W][\w.]*")
_MOST_EXPECTED = 8
_LONGEST_SHOWN = 40


def describe_expected(terminals: set[str]) -> str | None:
    """A help line naming what could have stood here."""
    words: list[str] = []
    rest = set(terminals) - {"SPACE", "COMMENT"}
    if {"QUANTITY", "PATH"} <= rest:
        words.append("a value")
        rest -= _VALUE | _FUNCTIONS | {"MINUS", "LPAR", "NOT"}
    words += [_TERMINALS.get(t, f"`{t.lower()}`") for t in sorted(rest)]
    if not words:
        return None
    if len(words) > _MOST_EXPECTED:
        words = [*words[:_MOST_EXPECTED], "others"]
    return "expected " + (words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1])


class Said(NamedTuple):
    """A syntax error in words: code, message, help, and the characters `[start, end)` it is about."""

    code: str
    message: str
    help: str | None
    start: int
    end: int


def explain_token(token: Token, expected: set[str], text: str, end: int) -> Said:
    """What to say of a token that cannot stand where it does, in a part of `text` that goes to `end`."""
    hint = describe_expected(expected)
    if token.type == "$END":
        at = _last(text, end)
        return Said("RF101", "this ends too early", hint, at, at)
    at = token.start_pos or 0
    sign = text[at : at + 2]
    if sign in _FOREIGN:
        return _foreign(sign, at)
    word = _WORD.search(text, _word_start(text, at))
    if word is not None and word.start() <= at and not word[0].islower() and not word[0].isupper():
        return _strange(word[0], word.start())
    shown = str(token).split("\n", 1)[0]
    width = len(shown)
    if token in _FOREIGN and "IS" in expected:
        hint = _FOREIGN[token]
    elif near := did_you_mean(shown, [t.lower() for t in expected if t.isalpha() and t not in _TERMINALS]):
        hint = near
    if width > _LONGEST_SHOWN:
        shown = shown[: _LONGEST_SHOWN - 3] + "..."
    return Said("RF101", f"`{shown}` cannot stand here", hint, at, at + width)


def explain_character(text: str, at: int, expected: set[str]) -> Said:
    """What to say of characters that start no word of the language."""
    for width in (2, 1):
        if text[at : at + width] in _FOREIGN:
            return _foreign(text[at : at + width], at)
    character = text[at : at + 1]
    if character == '"':
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        return Said("RF103", "text that is not closed", 'text ends with `"` on the line where it starts', at, end)
    word = _WORD.match(text, at)
    if word is not None:
        return _strange(word[0], at)
    shown = character if character.isprintable() else f"U+{ord(character):04X}"
    return Said("RF102", f"`{shown}` is not part of the language", describe_expected(expected), at, at + 1)


def _last(text: str, end: int) -> int:
    """Where the last word before `end` ends."""
    while end > 0 and text[end - 1].isspace():
        end -= 1
    return end


def _word_start(text: str, at: int) -> int:
    """Where the word around `at` starts."""
    while at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_."):
        at -= 1
    return at


def _foreign(sign: str, at: int) -> Said:
    return Said("RF102", f"`{sign}` is not part of the language", _FOREIGN[sign], at, at + len(sign))


def _strange(word: str, at: int) -> Said:
    shown = word if len(word) <= _LONGEST_SHOWN else word[: _LONGEST_SHOWN - 3] + "..."
    return Said("RF102", f"`{shown}` is not a word of the language", _case_hint(shown), at, at + len(word))


def _case_hint(word: str) -> str | None:
    if word[0].isalpha() and not word.isascii():
        return "names are written in plain letters a-z"
    if "." in word:
        return f"names are lower case: `{word.lower()}`"
    if word[0].isalpha():
        return f"names are lower case (`{word.lower()}`), levels are upper case (`{word.upper()}`)"
    return None
