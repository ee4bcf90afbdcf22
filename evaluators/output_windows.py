"""Windows over what is asked of an output: each recalls and keeps as `windows` says, and knows its origin."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from evaluators.windows import NEVER, Firings, Leaving
from policy_dsl.program import Direction, Output
from policy_dsl.types import Value


def _strictest_of(output: Output) -> Callable[[Any, Any], Any]:
    return min if output.direction is Direction.DOWN else max


class StrictestWindow(Leaving):
    """The strictest value of an output in the window; where it was asked last, it waits the longest to relax."""

    __slots__ = ("duration", "start", "stricter", "values")
    KEEPS = ("values",)

    def __init__(self, duration: int, output: Output) -> None:
        assert output.starts is not None
        self.duration, self.start, self.stricter = duration, output.starts, _strictest_of(output)
        self.values: deque[tuple[int, Value, Firings]] = deque()

    def recall(self, ts: int, _missing: int = NEVER) -> Value:
        """The value; the output's start where there is none."""
        start = ts - self.duration
        for at, value, _ in self.values:
            if at > start:
                return value
        return self.start

    def keep(self, ts: int, value: Value, firings: Firings = ()) -> None:
        """Take in a value; one that is as loose as the start leaves no trace."""
        values = self.values
        if not values and value == self.start:
            return
        if len(values) == 1 and values[0][1] == value:
            values[0] = (ts, value, firings)
            return
        start = ts - self.duration
        while values and values[0][0] <= start:
            values.popleft()
        if value != self.start:
            while values and self.stricter(values[-1][1], value) == value:
                values.pop()
            values.append((ts, value, firings))

    def origin(self, ts: int) -> tuple[Value, int, int | None, Firings] | None:
        """The value, when it was asked last, when it will have relaxed, and the rules that fired then."""
        for at, value, firings in self.values:
            if at > ts - self.duration:
                return value, at, at + self.duration, firings
        return None

    def ignores(self, _ts: int, value: Value) -> bool:
        """Whether a value leaves no trace."""
        return value == self.start

    def spent(self, ts: int) -> bool:
        """Whether it is, for all snapshots after `ts`, as one that has seen nothing."""
        return self.recall(ts) == self.start


class SinceWindow(Leaving):
    """The strictest value of an output since its latch was released last."""

    __slots__ = ("asked", "start", "stricter", "value")
    KEEPS = ("asked", "value")

    def __init__(self, output: Output) -> None:
        assert output.starts is not None
        self.value = self.start = output.starts
        self.stricter = _strictest_of(output)
        self.asked: tuple[int, Firings] | None = None

    def recall(self, _ts: int, _missing: int = NEVER) -> Value:
        """The value; the output's start where nothing is latched."""
        return self.value

    def keep(self, ts: int, value: tuple[Value, bool | None], firings: Firings = ()) -> None:
        """Take in a value that was asked definitely, and whether the latch is released."""
        asked, release = value
        if asked == self.start and release is not True:
            return
        if release is True:
            self.value, self.asked = self.start, None
        stricter = self.stricter(self.value, asked)
        if stricter != self.value:
            self.value, self.asked = stricter, (ts, firings)

    def origin(self, _ts: int) -> tuple[Value, int, int | None, Firings] | None:
        """The value, when it was latched, no time for its end, and the rules that fired then."""
        return None if self.asked is None else (self.value, self.asked[0], None, self.asked[1])

    def ignores(self, _ts: int, value: tuple[Value, bool | None]) -> bool:
        """Whether a value leaves no trace."""
        return value[0] == self.start

    def spent(self, _ts: int) -> bool:
        """Whether it is as one that has seen nothing."""
        return self.asked is None


class UntilWindow(Leaving):
    """The values of an output that are in force until times of their own; those that another outdoes are dropped."""

    __slots__ = ("start", "stricter", "values")
    KEEPS = ("values",)

    def __init__(self, output: Output) -> None:
        assert output.starts is not None
        self.start, self.stricter = output.starts, _strictest_of(output)
        self.values: list[tuple[int, Value, int, Firings]] = []

    def recall(self, ts: int, _missing: int = NEVER) -> Value:
        """The strictest in force; the output's start where none is."""
        value = self.start
        for end, asked, _, _ in self.values:
            if end > ts:
                value = self.stricter(value, asked)
        return value

    def keep(self, ts: int, value: tuple[Value, int], firings: Firings = ()) -> None:
        """Take in a value and its end."""
        asked, end = value
        if self.ignores(ts, value) and not self.values:
            return
        kept = [old for old in self.values if old[0] > ts and not self._outdone(old, asked, end)]
        if end > ts and not any(self._outdone((end, asked, ts, ()), value, at) for at, value, _, _ in kept):
            kept.append((end, asked, ts, firings))
        self.values = kept

    def _outdone(self, old: tuple[int, Value, int, Firings], value: Value, end: int) -> bool:
        """Whether a value that is as strict lasts as long."""
        return end >= old[0] and self.stricter(old[1], value) == value

    def origin(self, ts: int) -> tuple[Value, int, int | None, Firings] | None:
        """The strictest in force, when it was asked, its end, and the rules that fired then."""
        value = self.recall(ts)
        found = [(end, at, firings) for end, asked, at, firings in self.values if end > ts and asked == value]
        if not found:
            return None
        end, at, firings = max(found, key=lambda origin: origin[0])
        return value, at, end, firings

    def ignores(self, ts: int, value: tuple[Value, int]) -> bool:
        """Whether a value leaves no trace."""
        return value[1] <= ts or value[0] == self.start

    def spent(self, ts: int) -> bool:
        """Whether it is, for all snapshots after `ts`, as one that has seen nothing."""
        return all(end <= ts for end, _, _, _ in self.values)


OutputWindow = StrictestWindow | SinceWindow | UntilWindow
