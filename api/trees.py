"""Syntax trees and typed nodes as indented text: one node a line, spans and what is empty left out."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

_LEFT_OUT = {"span"}


def tree(node: Any) -> str:
    """The tree below a node of any stage."""
    return "\n".join(_lines("", node, 0))


def _lines(name: str, value: Any, depth: int) -> Iterator[str]:
    margin = "  " * depth + (f"{name}: " if name else "")
    if isinstance(value, tuple) and any(is_dataclass(v) for v in value):
        yield margin.rstrip()
        for item in value:
            yield from _lines("-", item, depth + 1)
        return
    if not is_dataclass(value):
        yield margin + _leaf(value)
        return
    kept = [(f.name, getattr(value, f.name)) for f in fields(value) if f.name not in _LEFT_OUT]
    kept = [(n, v) for n, v in kept if v is not None and v is not False and v != ()]
    short = [f"{n}={_leaf(v)}" for n, v in kept if _is_short(v)]
    yield f"{margin}{type(value).__name__}({', '.join(short)})"
    for child, inner in kept:
        if not _is_short(inner):
            yield from _lines(child, inner, depth + 1)


def _is_short(value: Any) -> bool:
    """Whether a value stands in the line of its node: a leaf, or a type of the language."""
    if isinstance(value, tuple):
        return not any(is_dataclass(v) for v in value)
    return not is_dataclass(value) or type(value).__module__ == "policy_dsl.types"


def _leaf(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return str(value.value)
    if is_dataclass(value):
        return str(value)
    return repr(value)
