"""What is kept of earlier snapshots, a few numbers a window: each a state machine fed one snapshot at a time.

`recall(ts)` says what the snapshots before leave to one at `ts` and changes nothing; `keep(ts, value)` takes in the
snapshot. Both take constant time on average. Times are milliseconds and increase. A window of a row is told by `vanish`
of the first snapshot that lacks the row; `missing` is when the row's collection was missing last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from evaluators.decision import Firing
from policy_dsl.program import Direction, Output
from policy_dsl.quantities import INT64_MAX, INT64_MIN
from policy_dsl.types import Value

NEVER = INT64_MIN
"""A time before all others."""

Firings = tuple[Firing, ...]
"""The rules that fired at the snapshot a value is from."""


class Leaving:
    """What is made up of fixed parts and of those that snapshots change: `KEEPS` names the latter."""

    __slots__ = ()
    KEEPS: ClassVar[tuple[str, ...]]

    def left(self) -> tuple[Any, ...]:
        """All that the snapshots so far leave, as plain values; it shares what is mutable."""
        return tuple(getattr(self, name) for name in self.KEEPS)

    def take_up(self, left: Sequence[Any]) -> None:
        """Go on from what another one of the same fixed parts left."""
        for name, value in zip(self.KEEPS, left, strict=True):
            setattr(self, name, value)


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


# --- what outputs keep -----------------------------------------------------------------------------------------------


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


ValueWindow = ThroughoutWindow | WithinWindow | ExtremeWindow | AverageWindow | ChangeWindow | PreviousWindow
"""Windows over the value of an expression."""

OutputWindow = StrictestWindow | SinceWindow | UntilWindow
"""Windows over what is asked of an output."""

AnyWindow = ValueWindow | OutputWindow
