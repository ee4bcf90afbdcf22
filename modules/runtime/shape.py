"""Whether what a module returns has the shape of a supply, so that one that has not costs its own facts alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from modules.facts import CATALOGUE
from modules.supply import Supply

MOST_ROWS = 20_000
"""Rows of one entity, or events of one kind, in a supply: no exchange lists as much, and each is decided and stored."""

LONGEST_REASON = 1_000
"""Letters of a reason, which is for a person to read."""


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
        if len(keyed) > MOST_ROWS:
            return f"it has {len(keyed)} rows of `{name}`, and {MOST_ROWS} are the most"
    return None


def _misshapen_events(events: Any) -> str | None:
    if not isinstance(events, Mapping):
        return "its events are no mapping from entities"
    for name, happened in events.items():
        if name not in CATALOGUE.entities:
            return f"it has events of {name!r}, which is no entity"
        if not isinstance(happened, tuple) or not all(map(_is_row, happened)):
            return f"its events of `{name}` are no tuple of facts"
        if len(happened) > MOST_ROWS:
            return f"it has {len(happened)} events of `{name}`, and {MOST_ROWS} are the most"
    return None


def _is_row(row: Any) -> bool:
    return isinstance(row, dict | Mapping) and _are_texts(row)


def _are_texts(values: Iterable[Any]) -> bool:
    found = list(values)
    # Nearly always they are, and then the types tell it at once.
    return ({*map(type, found)} <= {str} or all(isinstance(value, str) for value in found)) and _can_be_stored(found)


def _can_be_stored(texts: Iterable[str]) -> bool:
    """Whether they hold characters alone: half of a pair, as broken JSON brings it, can be written nowhere."""
    whole = "".join(texts)
    if whole.isascii():
        return True
    try:
        whole.encode()
    except UnicodeEncodeError:
        return False
    return True


def plain(supply: Supply) -> Supply:
    """The same supply in mappings of its own, which nobody else goes on writing to."""
    return Supply(
        dict(supply.single),
        {name: {key: dict(row) for key, row in keyed.items()} for name, keyed in supply.rows.items()},
        {name: tuple(dict(row) for row in happened) for name, happened in supply.events.items()},
        {path: why[:LONGEST_REASON] for path, why in supply.reasons.items()},
    )
