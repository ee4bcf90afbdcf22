"""Names and text inside SQL: the only place that puts either into a statement."""

from __future__ import annotations


def quote(name: str) -> str:
    """`name` as a quoted SQL identifier, whatever it contains.

    Raises ValueError for a name that no SQL dialect can hold: empty, with a NUL, or not encodable as UTF-8.
    """
    if not name or "\0" in name or not _encodable(name):
        raise ValueError(f"{name!r} cannot be an SQL identifier")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as an SQL string literal, whatever it contains; backslashes stand for themselves.

    Raises ValueError for text with a NUL or text that is not encodable as UTF-8.
    """
    if "\0" in text or not _encodable(text):
        raise ValueError(f"{text!r} cannot be an SQL literal")
    return "'" + text.replace("'", "''") + "'"


def _encodable(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)
