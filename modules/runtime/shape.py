"""Whether what a module returns has the shape of a supply, so that one that has not costs its own facts alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from modules.facts import CATALOGUE
from modules.supply import Supply


def misshapen(supply: object) -> str | None:
    """What is wrong with the shape of what a module returned, in words; None for a supply as it should be.

    Values are not looked at: each is checked against its fact when the snapshot is assembled.
    """
    if not isinstance(supply, Supply):
        return f"it returned a {type(supply).__name__}"
    if not _is_row(supply.single):
        return "its single facts are no mapping from paths"
    reasons: Any = supply.reasons
    if not isinstance(reasons, Mapping) or not (_are_texts(reasons) and _are_texts(reasons.values())):
        return "its reasons are no mapping from facts to text"
    return _misshapen_rows(supply.rows) or _misshapen_events(supply.events)


def _misshapen_rows(rows: Any) -> str | None:
    if not isinstance(rows, Mapping):
        return "its rows are no mapping from entities"
    for name, keyed in rows.items():
        if name not in CATALOGUE.entities:
            return f"it has rows of {name!r}, which is no entity"
        if not isinstance(keyed, Mapping) or not (_are_texts(keyed) and all(map(_is_row, keyed.values()))):
            return f"its rows of `{name}` are no mapping from keys to facts"
    return None


def _misshapen_events(events: Any) -> str | None:
    if not isinstance(events, Mapping):
        return "its events are no mapping from entities"
    for name, happened in events.items():
        if name not in CATALOGUE.entities:
            return f"it has events of {name!r}, which is no entity"
        if not isinstance(happened, tuple) or not all(map(_is_row, happened)):
            return f"its events of `{name}` are no tuple of facts"
    return None


def _is_row(row: Any) -> bool:
    return isinstance(row, dict | Mapping) and _are_texts(row)


def _are_texts(values: Iterable[Any]) -> bool:
    # Nearly always they are, and then the types tell it at once.
    return {*map(type, values)} <= {str} or all(isinstance(value, str) for value in values)
