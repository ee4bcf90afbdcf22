"""What one book leaves to its next snapshot, for a program over snapshots and their recall."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, product
from typing import Any, NamedTuple, TypeVar, cast

from evaluators.event_window import Dependence, EventWindows
from evaluators.output_windows import OutputWindow, SinceWindow, StrictestWindow, UntilWindow
from evaluators.snapshot import Past, Snapshot
from evaluators.value_windows import (
    AverageWindow,
    ChangeWindow,
    ExtremeWindow,
    PreviousWindow,
    ThroughoutWindow,
    ValueWindow,
    WithinWindow,
)
from evaluators.windows import NEVER, Firings
from policy_dsl.nodes import Previous, Since, Strictest, Throughout, Until, Window, Within
from policy_dsl.operators import WindowFold
from policy_dsl.program import Output
from policy_dsl.recall import Recalled, Track
from policy_dsl.types import Value

Key = str | tuple[str, ...]
"""The key of a row, or the keys of several."""

AnyWindow = ValueWindow | OutputWindow

_Window = TypeVar("_Window", bound=AnyWindow)


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


def _windows_of(track: Track, max_gap: int) -> Any:
    if not track.variables:
        return window_of(track, max_gap)()
    return RowWindows(track, max_gap) if track.output is None else OutputWindows(track, max_gap)


def _taken_up(window: _Window, left: Sequence[Any]) -> _Window:
    window.take_up(left)
    return window


class RowWindows:
    """The windows of one track over values, one a row (or a tuple of rows) by key.

    A window of a row that is gone for as long as it looks back says what an empty one says, and is dropped.
    """

    __slots__ = ("empty", "gone", "here", "looks_back", "make", "missing", "windows")

    def __init__(self, track: Track, max_gap: int) -> None:
        self.make = cast(Callable[[], ValueWindow], window_of(track, max_gap))
        self.empty = self.make()
        self.looks_back = getattr(track.source, "duration", 0) + max_gap
        self.windows: dict[Key, ValueWindow] = {}
        self.here: set[Key] = set()
        self.gone: dict[Key, int] = {}
        self.missing = NEVER

    def left(self) -> tuple[Any, ...]:
        """All that the snapshots so far leave."""
        return {key: window.left() for key, window in self.windows.items()}, self.here, self.gone, self.missing

    def take_up(self, left: Sequence[Any]) -> None:
        """Go on from what other windows of the same track left."""
        windows, self.here, self.gone, self.missing = left
        self.windows = {key: _taken_up(self.make(), of_window) for key, of_window in windows.items()}

    def recall(self, ts: int) -> RowRecall:
        """What is recalled, by key."""
        return RowRecall(self, ts)

    def keep(self, ts: int, values: Mapping[Key, Any] | None, _firings: Firings = ()) -> None:
        """Take in the values of a snapshot by key; None where a collection of the rows is missing."""
        if values is None:
            self.missing, values = ts, {}
        windows = self.windows
        if self.here != values.keys():
            self._come_and_go(ts, values)
        for key, value in values.items():
            windows[key].keep(ts, value)
        if self.gone:
            for key in [k for k, at in self.gone.items() if at <= ts - self.looks_back]:
                del self.gone[key], windows[key]

    def _come_and_go(self, ts: int, values: Mapping[Key, Any]) -> None:
        for key in self.here - values.keys():
            self.windows[key].vanish(ts)
            self.gone[key] = ts
        for key in values.keys() - self.here:
            if key not in self.windows:
                self.windows[key] = self.make()
            self.gone.pop(key, None)
        self.here = set(values)


class RowRecall(dict[Key, Any]):
    """What is recalled of one track at one time, by key; of a row that was not seen, what an empty window says."""

    __slots__ = ("source", "ts")

    def __init__(self, source: RowWindows, ts: int) -> None:
        missing = source.missing
        super().__init__({key: window.recall(ts, missing) for key, window in source.windows.items()})
        self.source, self.ts = source, ts

    def __missing__(self, key: Key) -> Any:
        found = self[key] = self.source.empty.recall(self.ts, self.source.missing)
        return found


class OutputWindows:
    """The windows of one track over what an output keeps for rows, by key: of those rows alone that it keeps it for."""

    __slots__ = ("empty", "lasts", "make", "nothing", "windows")

    def __init__(self, track: Track, max_gap: int) -> None:
        self.make = cast(Callable[[], OutputWindow], window_of(track, max_gap))
        self.empty = self.make()
        self.nothing = Kept({}, self.empty.recall(NEVER))
        # What was just asked for lasts beyond the snapshot, but for what `Since` keeps: that, a release may have ended.
        self.lasts = not isinstance(track.source, Since)
        self.windows: dict[Key, OutputWindow] = {}

    def left(self) -> tuple[Any, ...]:
        """All that the snapshots so far leave."""
        return ({key: window.left() for key, window in self.windows.items()},)

    def take_up(self, left: Sequence[Any]) -> None:
        """Go on from what other windows of the same track left."""
        (windows,) = left
        self.windows = {key: _taken_up(self.make(), of_window) for key, of_window in windows.items()}

    def recall(self, ts: int) -> Kept:
        """What is kept, by key."""
        if not self.windows:
            return self.nothing
        return Kept({key: window.recall(ts) for key, window in self.windows.items()}, self.nothing.otherwise)

    def keep(self, ts: int, values: Mapping[Key, Any] | None, firings: Firings) -> None:
        """Take in what a snapshot asks for by key, where it may leave a trace; None where there are no rows."""
        windows = self.windows
        if not values and not windows:
            return
        asked = values or {}
        for key, value in asked.items():
            window = windows.get(key)
            if window is None:
                if self.empty.ignores(ts, value):
                    continue
                window = windows[key] = self.make()
            window.keep(ts, value, firings)
        if self.lasts and len(windows) == len(asked):
            return  # there are none that nothing was asked of, or they go later: what has ended is not recalled
        left = windows.keys() - asked.keys() if self.lasts else windows
        for key in [key for key in left if windows[key].spent(ts)]:
            del windows[key]


class Kept(dict[Key, Any]):
    """What an output keeps for rows, by key; `otherwise` for all rows that it keeps nothing for."""

    __slots__ = ("otherwise",)

    def __init__(self, values: Mapping[Key, Any], otherwise: Any) -> None:
        super().__init__(values)
        self.otherwise = otherwise

    def __missing__(self, key: Key) -> Any:
        return self.otherwise


class Part(NamedTuple):
    """A program that decides of the snapshots of a book: what it looks back at, and what its findings depend on."""

    recalled: Recalled
    dependences: Sequence[Sequence[Dependence]]


class Recollection:
    """The windows of one book, for all programs that decide of it: `recall` before a snapshot is decided, `keep` after.

    The first program is that of the rules that bind.
    """

    __slots__ = ("_binding", "_keeps", "_recalls", "events", "tracks", "windows")

    def __init__(self, parts: Sequence[Part], max_gap: int) -> None:
        """The recollection of a book that has no snapshot yet."""
        self.tracks = tuple(track for part in parts for track in part.recalled.tracks)
        self.windows: list[Any] = [_windows_of(track, max_gap) for track in self.tracks]
        events = [track for part in parts for track in part.recalled.events]
        self.events = EventWindows(events, [part.dependences for part in parts])
        self._binding = len(parts[0].recalled.tracks)
        self._recalls: list[Callable[[int], Any]] = [window.recall for window in self.windows]
        keeps = iter([window.keep for window in self.windows])
        self._keeps: list[list[Callable[[int, Any, Firings], None]]] = [
            list(islice(keeps, len(part.recalled.tracks))) for part in parts
        ]

    def recall(self, ts: int) -> Past:
        """What earlier snapshots leave to one at `ts` (ms), one entry a track."""
        return [recall(ts) for recall in self._recalls]

    def recall_all(self, snapshot: Snapshot) -> Past:
        """The same for the rows of `snapshot`, unaffected by what is kept afterwards."""
        past = self.recall(snapshot.ts)
        for track, entry in zip(self.tracks, past, strict=True):
            if track.variables:
                rows = [snapshot.collection(entity) or {} for _, entity in track.variables]
                for keys in product(*rows):
                    entry[keys[0] if len(keys) == 1 else keys]
        return past

    def keep(self, snapshot: Snapshot, told: Sequence[tuple[Sequence[Any], Firings]]) -> None:
        """Take in a decided snapshot: of each program the values of its tracks' operands, and the rules that fired."""
        ts = snapshot.ts
        for keeps, (values, firings) in zip(self._keeps, told, strict=True):
            for keep, value in zip(keeps, values, strict=True):
                keep(ts, value, firings)
        self.events.keep(snapshot)

    def left(self) -> tuple[Any, ...]:
        """All that the snapshots so far leave, as plain values."""
        return tuple(window.left() for window in self.windows), self.events.left()

    def take_up(self, left: Sequence[Any]) -> None:
        """Go on from what the recollection of another book, for the same programs, left."""
        windows, events = left
        for window, of_window in zip(self.windows, windows, strict=True):
            window.take_up(of_window)
        self.events.take_up(events)

    def origins(self, ts: int) -> Iterator[Origin]:
        """Where the values are from that outputs keep and that are in force at `ts` (ms), of the rules that bind."""
        for track, window in zip(self.tracks[: self._binding], self.windows, strict=False):
            if track.output is None:
                continue
            by_key: Mapping[Any, OutputWindow] = window.windows if track.variables else {None: window}
            for key, kept in by_key.items():
                found = kept.origin(ts)
                if found is not None:
                    yield Origin(track, key, *found)
