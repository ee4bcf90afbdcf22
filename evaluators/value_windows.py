"""Windows over the value of an expression: each recalls and keeps as `windows` says."""

from __future__ import annotations

from collections import deque

from evaluators.windows import NEVER, Firings, Leaving
from policy_dsl.quantities import INT64_MAX, INT64_MIN
from policy_dsl.types import Value


class ThroughoutWindow(Leaving):
    """Whether a condition held at every snapshot back to the start of the window, as far as those before tell.

    A snapshot counts until the next one: `false` and `doubt` are the ends of the last that was false, and of the last
    doubt (an unknown, a gap, the time before the first snapshot).
    """

    __slots__ = ("doubt", "duration", "false", "gone", "held", "last", "max_gap")
    KEEPS = ("doubt", "false", "gone", "held", "last")

    def __init__(self, duration: int, max_gap: int) -> None:
        self.duration, self.max_gap = duration, max_gap
        self.false = self.doubt = self.last = NEVER
        self.held: bool | None = True
        self.gone = True

    def recall(self, ts: int, _missing: int = NEVER) -> bool | None:
        """False, unknown (None) or true."""
        start = ts - self.duration
        if self.held is False or self.false > start:
            return False
        broken = self.gone or self.held is None or ts - self.last > self.max_gap
        return None if broken or self.doubt > start else True

    def keep(self, ts: int, value: bool | None, _firings: Firings = ()) -> None:
        """Take in the truth of the condition."""
        if self.held is False:
            self.false = ts
        if self.gone or self.held is None or ts - self.last > self.max_gap:
            self.doubt = ts
        self.held, self.last, self.gone = value, ts, False

    def vanish(self, ts: int) -> None:
        """The row is gone."""
        if self.held is False:
            self.false = ts
        self.held, self.gone = True, True


class WithinWindow(Leaving):
    """Whether a condition held at some snapshot of the window."""

    __slots__ = ("doubt", "duration", "last", "true")
    KEEPS = ("doubt", "last", "true")

    def __init__(self, duration: int) -> None:
        self.duration = duration
        self.true = self.doubt = self.last = NEVER

    def recall(self, ts: int, missing: int = NEVER) -> bool | None:
        """True, unknown (None) or false."""
        start = ts - self.duration
        if self.true > start:
            return True
        return None if self.doubt > start or missing > start else False

    def keep(self, ts: int, value: bool | None, _firings: Firings = ()) -> None:
        """Take in the truth of the condition."""
        if value is True:
            self.true = ts
        elif value is None:
            self.doubt = ts
        self.last = ts

    def vanish(self, _ts: int) -> None:
        """The row is gone: while its last snapshot is in the window, so is one that lacks it."""
        self.doubt = self.last


class ExtremeWindow(Leaving):
    """The highest (or lowest) value of the window: a queue in which no value stands before a higher (lower) one."""

    __slots__ = ("doubt", "duration", "highest", "last", "values")
    KEEPS = ("doubt", "last", "values")

    def __init__(self, duration: int, *, highest: bool) -> None:
        self.duration, self.highest = duration, highest
        self.values: deque[tuple[int, int]] = deque()
        self.doubt = self.last = NEVER

    def recall(self, ts: int, missing: int = NEVER) -> int | None:
        """The extreme, None if unknown; what no value can be less extreme than, where there is none."""
        start = ts - self.duration
        if self.doubt > start or missing > start:
            return None
        for at, value in self.values:
            if at > start:
                return value
        return INT64_MIN if self.highest else INT64_MAX

    def keep(self, ts: int, value: int | None, _firings: Firings = ()) -> None:
        """Take in a value."""
        values, start = self.values, ts - self.duration
        while values and values[0][0] <= start:
            values.popleft()
        self.last = ts
        if value is None:
            self.doubt = ts
            return
        if self.highest:
            while values and values[-1][1] <= value:
                values.pop()
        else:
            while values and values[-1][1] >= value:
                values.pop()
        values.append((ts, value))

    def vanish(self, _ts: int) -> None:
        """The row is gone."""
        self.doubt = self.last


class AverageWindow(Leaving):
    """The sum of the values of the window, and how many there are."""

    __slots__ = ("doubt", "duration", "last", "total", "values")
    KEEPS = ("doubt", "last", "total", "values")

    def __init__(self, duration: int) -> None:
        self.duration = duration
        self.values: deque[tuple[int, int]] = deque()
        self.total = 0
        self.doubt = self.last = NEVER

    def recall(self, ts: int, missing: int = NEVER) -> tuple[int, int] | None:
        """Sum and number, None if unknown."""
        start = ts - self.duration
        if self.doubt > start or missing > start:
            return None
        total, count = self.total, len(self.values)
        for at, value in self.values:
            if at > start:
                break
            total, count = total - value, count - 1
        return total, count

    def keep(self, ts: int, value: int | None, _firings: Firings = ()) -> None:
        """Take in a value."""
        values, start = self.values, ts - self.duration
        while values and values[0][0] <= start:
            self.total -= values.popleft()[1]
        self.last = ts
        if value is None:
            self.doubt = ts
        else:
            values.append((ts, value))
            self.total += value

    def vanish(self, _ts: int) -> None:
        """The row is gone."""
        self.doubt = self.last


class ChangeWindow(Leaving):
    """The value that stood at the start of the window: of the last snapshot before, unless that is too long ago."""

    __slots__ = ("duration", "max_gap", "values")
    KEEPS = ("values",)

    def __init__(self, duration: int, max_gap: int) -> None:
        self.duration, self.max_gap = duration, max_gap
        self.values: deque[tuple[int, int | None]] = deque()

    def recall(self, ts: int, _missing: int = NEVER) -> int | None:
        """The value then, None if unknown."""
        start, found = ts - self.duration, None
        for at, value in self.values:
            if at > start:
                break
            found = value if start - at <= self.max_gap else None
        return found

    def keep(self, ts: int, value: int | None, _firings: Firings = ()) -> None:
        """Take in a value."""
        values, start = self.values, ts - self.duration
        values.append((ts, value))
        while len(values) > 1 and values[1][0] <= start:
            values.popleft()

    def vanish(self, ts: int) -> None:
        """The row is gone."""
        self.keep(ts, None)


class PreviousWindow(Leaving):
    """The value at the snapshot before."""

    __slots__ = ("value",)
    KEEPS = ("value",)

    def __init__(self) -> None:
        self.value: Value | None = None

    def recall(self, _ts: int, _missing: int = NEVER) -> Value | None:
        """The value, None if unknown."""
        return self.value

    def keep(self, _ts: int, value: Value | None, _firings: Firings = ()) -> None:
        """Take in a value."""
        self.value = value

    def vanish(self, _ts: int) -> None:
        """The row is gone."""
        self.value = None


ValueWindow = ThroughoutWindow | WithinWindow | ExtremeWindow | AverageWindow | ChangeWindow | PreviousWindow
