"""Rows by the value of a field, so that a look for those of one value does not go through all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Rows = Mapping[str, Mapping[str, Any]]

Sorted = tuple[Mapping[Any, Rows], Rows]
"""Rows by the value of a field, and those where it is missing, which are among those of every value too."""


def sorted_by(rows: Rows | None, field: str) -> Sorted:
    """The rows by the value of a field."""
    found: dict[Any, dict[str, Mapping[str, Any]]] = {}
    for key, row in (rows or {}).items():
        found.setdefault(row.get(field), {})[key] = row
    unknown = found.pop(None, None)
    if unknown is None:
        return found, {}
    return {value: {**unknown, **known} for value, known in found.items()}, unknown


def rows_of(rows: Rows | None, sorted_rows: Sorted, value: Any) -> Rows:
    """The rows in which a field has a value, or may have; all of them for a value that nobody knows."""
    return (rows or {}) if value is None else sorted_rows[0].get(value, sorted_rows[1])
