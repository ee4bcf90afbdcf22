"""Values of outputs in the relations of a result: which columns to select, and what a row of them means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluators.decision import OutputValue
from evaluators.duckdb.compiler import OutputPlace
from evaluators.identifiers import quote
from policy_dsl.types import Levels


def columns_of(place: OutputPlace) -> tuple[str, ...]:
    """The columns that hold an output: one, or for a set one an item and one an argument, item by item."""
    if place.column is not None:
        return (place.column,)
    return tuple(c for item, column in place.items.items() for c in (column, *place.arguments[item]))


def exists(place: OutputPlace, prefix: str = "") -> str:
    """SQL for whether a row has the output: one that stands in for a missing collection has none."""
    return f"{prefix}{quote(columns_of(place)[0])} IS NOT NULL" if columns_of(place) else "true"


def whole(place: OutputPlace, prefix: str = "") -> str:
    """SQL for the value as one thing that can be compared."""
    columns = [f"{prefix}{quote(column)}" for column in columns_of(place)]
    return columns[0] if len(columns) == 1 else f"row({', '.join(columns) or 'NULL'})"


def decode(place: OutputPlace, cells: Sequence[Any]) -> OutputValue:
    """The value that `cells`, in the order of `columns_of`, hold: quanta, rank, flag or grants."""
    if place.column is not None:
        kind = place.output.type
        return kind.rank(cells[0]) if isinstance(kind, Levels) else cells[0]
    grants: list[tuple[str, tuple[int, ...]]] = []
    at = 0
    for item in place.items:
        end = at + 1 + len(place.arguments[item])
        if cells[at]:
            grants.append((item, tuple(cells[at + 1 : end])))
        at = end
    return tuple(grants)
