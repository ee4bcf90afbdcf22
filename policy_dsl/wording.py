"""What a syntax error says: the parser's terminals in the words of the language."""

from __future__ import annotations

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
        words = [*words[:_MOST_EXPECTED], "..."]
    return "expected " + (words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1])


def explain_token(token: Token, expected: set[str]) -> tuple[str, str, str | None]:
    """Code, message and help for a token that cannot stand where it does."""
    hint = describe_expected(expected)
    if token.type == "$END":
        return "RF101", "the file ends in the middle of a declaration", hint
    text = str(token)
    if len(text) > _LONGEST_SHOWN:
        text = text[: _LONGEST_SHOWN - 3] + "..."
    if text in _FOREIGN:
        hint = _FOREIGN[text]
    elif near := did_you_mean(text, [t.lower() for t in expected if t.isalpha() and t not in _TERMINALS]):
        hint = near
    return "RF101", f"`{text}` cannot stand here", hint


def explain_character(text: str, at: int) -> tuple[str, str, str | None, int]:
    """Code, message, help and width for characters that start no word of the language."""
    for width in (2, 1):
        foreign = text[at : at + width]
        if foreign in _FOREIGN:
            return "RF102", f"`{foreign}` is not part of the language", _FOREIGN[foreign], width
    character = text[at : at + 1]
    if character == '"':
        end = text.find("\n", at)
        width = (len(text) if end < 0 else end) - at
        return "RF103", "text that is not closed", 'text ends with `"` on the line where it starts', width
    if character.isalnum() or character == "_":
        end = at
        while end < len(text) and (text[end].isalnum() or text[end] in "_."):
            end += 1
        word = text[at : min(end, at + 40)]
        return "RF102", f"`{word}` is not a word of the language", _case_hint(word), max(1, end - at)
    shown = character if character.isprintable() else f"U+{ord(character):04X}" if character else "end"
    return "RF102", f"`{shown}` is not part of the language", None, 1


def _case_hint(word: str) -> str | None:
    if word[0].isalpha() and not word.isascii():
        return "names are written in plain letters a-z"
    if word[0].isalpha():
        return f"names are lower case (`{word.lower()}`), levels are upper case (`{word.upper()}`)"
    return None
