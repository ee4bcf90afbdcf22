"""The events in the window of a fold, and what folds over them have found, for as long as it stays so."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from evaluators.history import happened
from evaluators.snapshot import Fields, Snapshot
from evaluators.sorted_rows import Sorted, sorted_by
from evaluators.windows import Leaving
from policy_dsl.quantities import INT64_MAX
from policy_dsl.recall import EventTrack

FOREVER = INT64_MAX
"""A time after all others."""

MOST_FOUND = 16_384
"""Keys that results are remembered for."""

LOOKED_AFTER = 256
"""Snapshots between two looks at how many those are."""

Dependence = tuple[str, str | None]
"""The entity of the events' rows, and the field that must be a key for an event to concern it; None: each one does."""


class EventRows(dict[str, Fields]):
    """Events as rows by key. They never change, so they are sorted only once by each field."""

    __slots__ = ("_sorted",)

    def __init__(self, rows: Iterable[tuple[str, Fields]] = ()) -> None:
        super().__init__(rows)
        self._sorted: dict[str, Sorted] = {}

    def sorted_by(self, field: str) -> Sorted:
        """The rows by the value of a field."""
        found = self._sorted.get(field)
        if found is None:
            found = self._sorted[field] = sorted_by(self, field)
        return found


Results = dict[Any, Any]
"""What was found, by key."""


class Findings:
    """What was made of the events in their windows, until events come or leave.

    `results` are in the order of what they depend on.
    """

    __slots__ = ("_concerned", "results")

    def __init__(self, dependences: Sequence[Sequence[Dependence]]) -> None:
        self.results: tuple[Results, ...] = tuple({} for _ in dependences)
        self._concerned: dict[str, list[tuple[str | None, Results]]] = {}
        for found, results in zip(dependences, self.results, strict=True):
            for entity, field in found:
                self._concerned.setdefault(entity, []).append((field, results))

    def forget(self, entity: str, events: Iterable[Fields]) -> None:
        """Drop what depends on events that come or leave; what was found for a row without a key depends on all."""
        changed = list(events)
        for field, results in self._concerned.get(entity, ()):
            keys = {None} if field is None else {event.get(field) for event in changed}
            if None in keys:
                results.clear()
            for key in (None, *keys):
                results.pop(key, None)

    @property
    def overflow(self) -> bool:
        """Whether more is remembered than is good: rows come with new keys for ever."""
        return any(len(results) > MOST_FOUND for results in self.results)

    def forget_all(self) -> None:
        """Drop everything."""
        for results in self.results:
            results.clear()


class _Change(NamedTuple):
    """What a snapshot does to a window: how many of the oldest events leave, which come, the rows then."""

    snapshot: Snapshot
    leaving: int
    coming: list[tuple[int, int, Fields]]
    rows: EventRows

    def events(self, before: Sequence[tuple[int, int, Fields]]) -> Iterator[Fields]:
        """The events that come or leave, of those before."""
        return (fields for _, _, fields in (*before[: self.leaving], *self.coming))


class EventWindow(Leaving):
    """The events of one track that are in the window, by the time of their happening."""

    __slots__ = ("_change", "events", "leaves", "number", "rows", "track")
    KEEPS = ("events", "number")

    def __init__(self, track: EventTrack) -> None:
        self.track = track
        self.events: list[tuple[int, int, Fields]] = []
        self.number = 0
        self.rows = EventRows()
        self.leaves = FOREVER
        """The time (ms) from which on the oldest event has left the window."""
        self._change: _Change | None = None

    def stays(self, snapshot: Snapshot) -> bool:
        """Whether the window is as it was: no event comes, none leaves."""
        return snapshot.ts < self.leaves and not snapshot.events.get(self.track.event)

    def recall(self, snapshot: Snapshot) -> EventRows:
        """The events in the window of the snapshot, those included that it brings, as rows."""
        return self.rows if self.stays(snapshot) else self._at(snapshot).rows

    def changed(self, snapshot: Snapshot) -> Iterator[Fields]:
        """The events that come with a snapshot that changes the window, or leave it."""
        return self._at(snapshot).events(self.events)

    def keep(self, snapshot: Snapshot) -> None:
        """Take in the events that a snapshot brings, and drop those that have left the window."""
        if self.stays(snapshot):
            return
        change = self._at(snapshot)
        self.number += len(snapshot.events.get(self.track.event) or ())
        del self.events[: change.leaving]
        for event in change.coming:
            insort(self.events, event, key=_time)
        self._change = None
        self._show(change.rows)

    def take_up(self, left: Sequence[Any]) -> None:
        """Go on from what another window of the same track left."""
        super().take_up(left)
        self._show(EventRows((_name(number), fields) for _, number, fields in self.events))

    def _show(self, rows: EventRows) -> None:
        self.rows = rows
        self.leaves = self.events[0][0] + self.track.duration if self.events else FOREVER

    def _at(self, snapshot: Snapshot) -> _Change:
        """The change that a snapshot makes."""
        if self._change is None or self._change.snapshot is not snapshot:
            start = snapshot.ts - self.track.duration
            leaving = bisect_right(self.events, start, key=_time)
            coming = [event for event in self._brought(snapshot) if event[0] > start]
            staying = self.events[leaving:] if leaving else self.events
            rows = EventRows((_name(number), fields) for _, number, fields in (*staying, *coming))
            self._change = _Change(snapshot, leaving, coming, rows)
        return self._change

    def _brought(self, snapshot: Snapshot) -> Iterator[tuple[int, int, Fields]]:
        """The news of the snapshot, each with its time and a number of its own."""
        for number, event in enumerate(snapshot.events.get(self.track.event, ()), self.number):
            yield happened(event, self.track.time, snapshot.ts), number, event


class EventWindows:
    """The windows of all folds over events of a book, by the entity of their rows."""

    __slots__ = ("_kept", "_recalled", "_unchanging", "findings", "kinds", "leaves", "results", "rows", "windows")

    def __init__(self, tracks: Sequence[EventTrack], dependences: Sequence[Sequence[Sequence[Dependence]]]) -> None:
        self.windows = {track.entity: EventWindow(track) for track in tracks}
        self.kinds = frozenset(track.event for track in tracks)
        self.rows: Mapping[str, EventRows] = {name: window.rows for name, window in self.windows.items()}
        self.findings = tuple(map(Findings, dependences))
        self.results = tuple(findings.results for findings in self.findings)
        self.leaves = FOREVER
        """The time (ms) from which on an event has left its window."""
        self._kept = 0
        self._unchanging: Snapshot | None = None
        """The snapshot recalled last, if it changes no window."""
        self._recalled: Snapshot | None = None
        """The snapshot with changes whose windows `findings` are of, until it is kept."""

    def recall(self, snapshot: Snapshot) -> tuple[Mapping[str, EventRows], tuple[tuple[Results, ...], ...]]:
        """The rows of each fold, and what each program found of them, for whoever decides and keeps the snapshot.

        Whoever decides it may look up and add results, of what it knows to depend on these events alone.
        """
        if self._recalled is not None and self._recalled is not snapshot:
            self._forget_all()
        self._unchanging = snapshot if self._stays(snapshot) else None
        if self._unchanging is not None:
            self._recalled = None
            return self.rows, self.results
        if self._recalled is None:
            for name, window in self.windows.items():
                if not window.stays(snapshot):
                    for findings in self.findings:
                        findings.forget(name, window.changed(snapshot))
        self._recalled = snapshot
        return self.shown(snapshot), self.results

    def shown(self, snapshot: Snapshot) -> Mapping[str, EventRows]:
        """The rows of each fold, for whoever looks at the snapshot."""
        return {name: window.recall(snapshot) for name, window in self.windows.items()}

    def keep(self, snapshot: Snapshot) -> None:
        """Take in the events that a snapshot brings, and drop those that have left."""
        self._kept += 1
        if self._kept % LOOKED_AFTER == 0 and any(findings.overflow for findings in self.findings):
            self._forget_all()
        if self._unchanging is snapshot or self._stays(snapshot):
            return
        if self._recalled is not snapshot:
            self._forget_all()
        for window in self.windows.values():
            window.keep(snapshot)
        self._recalled = None
        self._show()

    def left(self) -> tuple[Any, ...]:
        """All that the snapshots so far leave; what was found of it is found anew."""
        return tuple(window.left() for window in self.windows.values())

    def take_up(self, left: Sequence[Any]) -> None:
        """Go on from what other windows of the same tracks left."""
        for window, of_window in zip(self.windows.values(), left, strict=True):
            window.take_up(of_window)
        self._show()

    def _show(self) -> None:
        self.rows = {name: window.rows for name, window in self.windows.items()}
        self.leaves = min((window.leaves for window in self.windows.values()), default=FOREVER)

    def _forget_all(self) -> None:
        for findings in self.findings:
            findings.forget_all()

    def _stays(self, snapshot: Snapshot) -> bool:
        """Whether a snapshot changes no window."""
        return snapshot.ts < self.leaves and not any(map(snapshot.events.get, self.kinds))


def _time(event: tuple[int, int, Fields]) -> int:
    return event[0]


def _name(number: int) -> str:
    return f"{number:08d}"
