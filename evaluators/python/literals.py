"""Values and names as Python source: the only two ways in which anything of a rule file reaches generated code."""

from __future__ import annotations

from policy_dsl.types import Value


def literal(value: Value | None) -> str:
    """The Python literal of a value.

    The plain type's own `repr`, whatever subclass the value is of: it quotes, and escapes line ends and all else that
    does not print.
    """
    if isinstance(value, str):
        return str.__repr__(value)
    if value is None or isinstance(value, bool):
        return repr(value)
    return int.__repr__(value)


def texts(values: tuple[str, ...]) -> str:
    """The literal of a tuple of text."""
    inside = ", ".join(literal(value) for value in values)
    return f"({inside},)" if len(values) == 1 else f"({inside})"


def comment(kind: str, name: str) -> str:
    """A comment that names something of the program; the name is quoted, so it cannot end the line."""
    return f"# {kind} {literal(name)}"
