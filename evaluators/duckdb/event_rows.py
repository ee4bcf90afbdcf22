"""The rows of events: each event once for every snapshot in whose window it is."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.duckdb.frames import EventRows, Frames
from evaluators.duckdb.history import LONGEST
from evaluators.identifiers import quote

Parts = list[tuple[str, str]]


def visible(events: EventRows, frames: Frames, snapshots: str, columns: Sequence[str]) -> Parts:
    """The sub-queries; the last one has `book`, the number `n` of the snapshot, and `columns`.

    `snapshots` is the table with the numbers of the snapshots.
    """
    each = "SELECT * EXCLUDE (n_from, n_to), unnest(range(n_from, n_to + 1)) AS n FROM spans"
    return [*spans(events, frames, snapshots, columns), ("last", each)]


def spans(events: EventRows, frames: Frames, snapshots: str, columns: Sequence[str]) -> Parts:
    """The sub-queries; the last one, `spans`, has each event once, with the numbers of its first and last snapshot.

    An event counts from the snapshot that brings it, until `duration` after it happened: when it says so itself, and
    not after it was heard of.
    """
    heard = "epoch_ms(ts)"
    happened = heard if events.time is None else f"least(coalesce({quote(events.time)}, {heard}), {heard})"
    kept = " AND ".join(f"({test.text}) IS NOT FALSE" for test in events.kept) or "true"
    listed = ", ".join([f"{heard} AS heard", f"{happened} + {min(events.duration, LONGEST) - 1} AS last", *columns])
    book, time, number = _names(frames)
    return [
        ("heard", f"SELECT book, {listed} FROM {quote(events.event)}"),
        ("kept", f"SELECT * FROM heard WHERE {kept}"),
        (
            "first",
            f"""SELECT e.*, s.{number} AS n_from
  FROM kept e JOIN {snapshots} s ON e.book = s.{book} AND e.heard = s.{time}""",
        ),
        (
            "spans",
            f"""SELECT e.* EXCLUDE (heard, last), s.{number} AS n_to
  FROM first e ASOF JOIN {snapshots} s ON e.book = s.{book} AND e.last >= s.{time}""",
        ),
    ]


def beside(frames: Frames, snapshots: str) -> str:
    """The join of visible events `e` with their snapshots `s`."""
    book, _, number = _names(frames)
    return f"JOIN {snapshots} s ON e.book = s.{book} AND e.n = s.{number}"


def _names(frames: Frames) -> tuple[str, str, str]:
    book, time, number = frames.moment(frames.fund)[0], frames.time(frames.fund), frames.number()
    return quote(book.name), quote(time.name), quote(number.name)
