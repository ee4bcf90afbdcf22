"""What one book leaves to its next snapshot, for a program over snapshots and their recall."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, NamedTuple, cast

from evaluators.decision import Firing
from evaluators.expressions import evaluate
from evaluators.history import happened
from evaluators.scene import BoundRow
from evaluators.snapshot import Fields, Past, Snapshot
from evaluators.windows import (
    NEVER,
    AnyWindow,
    AverageWindow,
    ChangeWindow,
    ExtremeWindow,
    OutputWindow,
    PreviousWindow,
    SinceWindow,
    StrictestWindow,
    ThroughoutWindow,
    UntilWindow,
    WithinWindow,
)
from policy_dsl.program import (
    TRUE,
    Output,
    Previous,
    Since,
    Strictest,
    Throughout,
    Until,
    Window,
    WindowFold,
    Within,
)
from policy_dsl.recall import EventTrack, Track
from policy_dsl.types import Value

Key = str | tuple[str, ...]
"""The key of a row, or the keys of several."""

Firings = tuple[Firing, ...]

NO_EVENTS: Mapping[str, Fields] = {}


class Origin(NamedTuple):
    """Where a value that an output keeps is from: asked last at `at` (ms), while the rules of `firings` fired.

    `until` (ms) is when it will have ended, None for a latch.
    """

    track: Track
    key: Key | None
    value: Value
    at: int
    until: int | None
    firings: Firings


def window_of(track: Track, max_gap: int) -> Callable[[], AnyWindow]:
    """Makes the window of a track, empty."""
    match track.source:
        case Throughout(duration=duration):
            return partial(ThroughoutWindow, duration, max_gap)
        case Within(duration=duration):
            return partial(WithinWindow, duration)
        case Window(fold=WindowFold.CHANGE, duration=duration):
            return partial(ChangeWindow, duration, max_gap)
        case Window(fold=WindowFold.AVERAGE, duration=duration):
            return partial(AverageWindow, duration)
        case Window(fold=fold, duration=duration):
            return partial(ExtremeWindow, duration, highest=fold is WindowFold.HIGHEST)
        case Previous():
            return PreviousWindow
        case Strictest(duration=duration):
            return partial(StrictestWindow, duration, cast(Output, track.output))
        case Since():
            return partial(SinceWindow, cast(Output, track.output))
        case Until():
            return partial(UntilWindow, cast(Output, track.output))


class RowWindows:
    """The windows of one track, one a row (or a tuple of rows) by key.

    A window of a row that is gone for as long as it looks back says what an empty one says, and is dropped.
    """

    __slots__ = ("empty", "gone", "here", "looks_back", "make", "missing", "of_output", "windows")

    def __init__(self, track: Track, max_gap: int) -> None:
        self.make = window_of(track, max_gap)
        self.empty = self.make()
        self.of_output = track.output is not None
        self.looks_back = getattr(track.source, "duration", 0) + max_gap
        self.windows: dict[Key, AnyWindow] = {}
        self.here: set[Key] = set()
        self.gone: dict[Key, int] = {}
        self.missing = NEVER

    def recall(self, ts: int) -> RowRecall:
        """What is recalled, by key, worked out for the keys that are asked for."""
        return RowRecall(self, ts)

    def keep(self, ts: int, values: Mapping[Key, Any] | None, firings: Firings) -> None:
        """Take in the values of a snapshot by key; None where a collection of the rows is missing."""
        if values is None:
            self.missing, values = ts, {}
        if self.of_output:
            self._keep_outputs(ts, values, firings)
            return
        for key in self.here - values.keys():
            self.windows[key].vanish(ts)  # type: ignore[union-attr]  # because only windows of outputs have none
            self.gone[key] = ts
        for key, value in values.items():
            window = self.windows.get(key)
            if window is None:
                window = self.windows[key] = self.make()
            elif key not in self.here:
                self.gone.pop(key, None)
            window.keep(ts, value)
        self.here = set(values)
        for key in [k for k, at in self.gone.items() if at <= ts - self.looks_back]:
            del self.gone[key], self.windows[key]

    def _keep_outputs(self, ts: int, values: Mapping[Key, Any], firings: Firings) -> None:
        empty = cast(OutputWindow, self.empty)
        for key, value in values.items():
            window = self.windows.get(key)
            if window is None:
                if empty.ignores(ts, value):
                    continue
                window = self.windows[key] = self.make()
            cast(OutputWindow, window).keep(ts, value, firings)
        for key in [k for k, w in self.windows.items() if cast(OutputWindow, w).spent(ts)]:
            del self.windows[key]


class RowRecall(dict[Key, Any]):
    """What is recalled of one track at one time, by key."""

    __slots__ = ("source", "ts")

    def __init__(self, source: RowWindows, ts: int) -> None:
        super().__init__()
        self.source, self.ts = source, ts

    def __missing__(self, key: Key) -> Any:
        window = self.source.windows.get(key, self.source.empty)
        found = self[key] = window.recall(self.ts, self.source.missing)
        return found


class EventWindow:
    """The events of one track that are in the window, by the time of their happening."""

    __slots__ = ("events", "number", "rows", "track")

    def __init__(self, track: EventTrack) -> None:
        self.track = track
        self.events: list[tuple[int, int, Fields]] = []
        self.number = 0
        self.rows: Mapping[str, Fields] = NO_EVENTS

    def recall(self, snapshot: Snapshot) -> Mapping[str, Fields]:
        """The events in the window of the snapshot, those included that it brings, as rows."""
        news = snapshot.events.get(self.track.event)
        if not self.events and not news:
            return NO_EVENTS
        start = snapshot.ts - self.track.duration
        first = bisect_right(self.events, start, key=_time)
        kept = self.rows if first == 0 else {_name(n): fields for _, n, fields in self.events[first:]}
        if not news:
            return kept
        brought = {_name(n): fields for at, n, fields in self._brought(snapshot) if at > start}
        return {**kept, **brought}

    def keep(self, snapshot: Snapshot) -> None:
        """Take in the events that a snapshot brings, and drop those that have left the window."""
        brought = list(self._brought(snapshot)) if snapshot.events.get(self.track.event) else []
        first = bisect_right(self.events, snapshot.ts - self.track.duration, key=_time)
        if not brought and first == 0:
            return
        self.number += len(brought)
        del self.events[:first]
        for event in brought:
            insort(self.events, event, key=_time)
        self.rows = {_name(n): fields for _, n, fields in self.events}

    def _brought(self, snapshot: Snapshot) -> Iterator[tuple[int, int, Fields]]:
        """The news of the snapshot that may be picked, each with its time and a number of its own."""
        track, number = self.track, self.number
        for event in snapshot.events.get(track.event, ()):
            row = BoundRow(track.event, "", event)
            if track.where == TRUE or evaluate(track.where, snapshot, {track.variable: row}, {}) is not False:
                yield happened(event, track.time, snapshot.ts), number, event
                number += 1


def _time(event: tuple[int, int, Fields]) -> int:
    return event[0]


def _name(number: int) -> str:
    return f"{number:08d}"


@dataclass(slots=True)
class Recollection:
    """The windows of one book: `recall` before a snapshot is decided, `keep` after it."""

    tracks: tuple[Track, ...]
    windows: list[Any]
    events: dict[str, EventWindow]

    @classmethod
    def of(cls, tracks: Sequence[Track], events: Sequence[EventTrack], max_gap: int) -> Recollection:
        """The recollection of a book that has no snapshot yet."""
        windows = [RowWindows(t, max_gap) if t.variables else window_of(t, max_gap)() for t in tracks]
        return cls(tuple(tracks), windows, {t.entity: EventWindow(t) for t in events})

    def recall(self, ts: int) -> Past:
        """What earlier snapshots leave to one at `ts` (ms), one entry a track."""
        return [window.recall(ts) for window in self.windows]

    def recall_all(self, snapshot: Snapshot) -> Past:
        """The same for the rows of `snapshot`, unaffected by what is kept afterwards."""
        past = self.recall(snapshot.ts)
        for track, entry in zip(self.tracks, past, strict=True):
            if track.variables:
                rows = [snapshot.collection(entity) or {} for _, entity in track.variables]
                for keys in product(*rows):
                    entry[keys[0] if len(keys) == 1 else keys]
        return past

    def rows(
        self, snapshot: Snapshot, rows: Mapping[str, Mapping[str, Fields] | None]
    ) -> Mapping[str, Mapping[str, Fields] | None]:
        """These rows of the snapshot, and with them the events in their windows."""
        if not self.events:
            return rows
        return {**rows, **{name: window.recall(snapshot) for name, window in self.events.items()}}

    def keep(self, snapshot: Snapshot, values: Sequence[Any], firings: Firings) -> None:
        """Take in a decided snapshot: the values of the tracks' operands, and the rules that fired."""
        ts = snapshot.ts
        for track, window, value in zip(self.tracks, self.windows, values, strict=True):
            if track.variables or track.output is not None:
                window.keep(ts, value, firings)
            else:
                window.keep(ts, value)
        for events in self.events.values():
            events.keep(snapshot)

    def origins(self, ts: int) -> Iterator[Origin]:
        """Where the values are from that outputs keep and that are in force at `ts` (ms)."""
        for track, window in zip(self.tracks, self.windows, strict=True):
            if track.output is None:
                continue
            by_key: Mapping[Any, OutputWindow] = window.windows if track.variables else {None: window}
            for key, kept in by_key.items():
                found = kept.origin(ts)
                if found is not None:
                    yield Origin(track, key, *found)
