"""The snapshots of one book in time: names of books, and which snapshot may come after which."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

from evaluators.snapshot import Fields, Snapshot
from evaluators.timestamps import format_time
from policy_dsl.types import Value

DEFAULT_CADENCE = 60_000
"""Milliseconds between two snapshots, where nobody declares it."""

GAP_IN_CADENCES = 3
"""A gap is longer than so many cadences, where nobody configures it."""

DEFAULT_MAX_GAP = GAP_IN_CADENCES * DEFAULT_CADENCE

BOOK_FORM = "a book has up to 64 letters, digits, `_`, `-` and `.`, and does not start with `-` or `.`"
_BOOK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


class Order(enum.Enum):
    """How a snapshot stands to the newest one of its book."""

    LATER = "later"
    REPEAT = "repeat"
    """The same again, which is no news."""
    CLASH = "clash"
    """Older, or of the same time and different: refused."""


def longest_gap(configured: int | None, cadence: int) -> int:
    """The longest distance (ms) of two snapshots that is no gap: as configured, else three times the cadence."""
    return GAP_IN_CADENCES * cadence if configured is None else configured


def is_book(name: str) -> bool:
    """Whether `name` can be the name of a book: it is also the name of a folder."""
    return _BOOK.fullmatch(name) is not None


def order(newest: Snapshot | None, snapshot: Snapshot) -> Order:
    """How `snapshot` stands to the newest one of its book, if there is any."""
    if newest is None or snapshot.ts > newest.ts:
        return Order.LATER
    return Order.REPEAT if snapshot.ts == newest.ts and same(newest, snapshot) else Order.CLASH


def clash(book: str, ts: int, newest: int) -> str:
    """The message for a snapshot of `ts` that cannot come after one of `newest`."""
    how = "is there already, with other content" if ts == newest else f"comes after the one of {format_time(newest)}"
    return f"book `{book}`: the snapshot of {format_time(ts)} {how}"


def same(a: Snapshot, b: Snapshot) -> bool:
    """Whether two snapshots say the same: absent and None are one, and so are no requests and none mentioned."""
    return _plain(a) == _plain(b)


def _plain(snapshot: Snapshot) -> object:
    rows = {
        entity: {key: _known(fields) for key, fields in found.items()}
        for entity in {*snapshot.rows, "request"}
        if (found := snapshot.collection(entity)) is not None
    }
    events = {name: [_known(fields) for fields in listed] for name, listed in snapshot.events.items() if listed}
    return snapshot.book, snapshot.ts, _known(snapshot.facts), rows, events


def _known(fields: Fields) -> Mapping[str, tuple[type, Value]]:
    """The known values with their types: `True` is not `1` here."""
    return {name: (type(value), value) for name, value in fields.items() if value is not None}
