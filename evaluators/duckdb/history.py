"""The rows of a frame in time: window functions over all that had the same keys in the snapshots of one book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.duckdb.fragments import Case, Fragment, compose, either, listed
from evaluators.duckdb.frames import Column, Frame, Frames, InForce, window_place
from evaluators.duckdb.reads import key_of

REQUEST = "request"

LONGEST = 10**16
"""A duration (ms) that reaches back before every time there is. Longer ones are cut to it: nothing overflows."""

SO_FAR = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"

NULL = Fragment("NULL", nullable=True)


@dataclass(frozen=True, slots=True)
class History:
    """What a row of `frame` can learn of its past. Times are in milliseconds."""

    frames: Frames
    frame: Frame

    # --- window functions --------------------------------------------------------------------------------------------

    def before(self, value: Fragment, name: str) -> Fragment:
        """`value` of the row before, NULL on the first one."""
        return self._window("lag({}) {}", name, value, self._over())

    def latest(self, time: Fragment, name: str) -> Fragment:
        """The last `time` so far that is not NULL, that of the row at hand included; no later row has an earlier one.

        So it is the maximum, which DuckDB keeps as it goes: it would look for the last value backwards, row by row.
        """
        return self.so_far("max({})", time, name)

    def so_far(self, template: str, value: Fragment, name: str, group: Sequence[Fragment] = ()) -> Fragment:
        """An aggregate over all rows (of the same `group`) up to the one at hand."""
        return self._window(f"{template} {{}}", name, value, self._over(SO_FAR, group))

    def trailing(self, template: str, value: Fragment, duration: int, name: str) -> Fragment:
        """An aggregate over the rows of the trailing window: later than `duration` before the row at hand."""
        reach = min(duration, LONGEST) - 1
        over = self._over(f"RANGE BETWEEN {reach} PRECEDING AND CURRENT ROW")
        return self._window(f"{template} {{}}", name, value, over)

    def ago(self, value: Fragment, duration: int, name: str) -> Fragment:
        """`value` of the last row that lies `duration` or more before the row at hand, NULL if there is none."""
        inside = self.trailing("count({})", Fragment("*"), duration, "rows in the window")
        return self._window("lag({}, {}) {}", name, value, inside, self._over())

    def in_force(self, best: str, value: Column, end: Column, name: str) -> Fragment:
        """The best `value` of the rows so far whose `end` lies ahead, NULL if there is none.

        `best` is the template of an aggregate, `min({})` or `max({})`.
        """
        (time,) = self.time.columns
        same = (self.frames.moment(self.frame)[0], *(c for key in self.keys for c in key.columns))
        round_, step = window_place((*same, time, value, end))
        origin = InForce(same, time, value, end, best, "<=" if best.startswith("min") else ">=", step)
        return self.frame.source(origin, name, round_).read

    def _window(self, template: str, name: str, *parts: Fragment) -> Fragment:
        return self.frame.window(compose(template, *parts), name).read

    def _over(self, rows: str = "", group: Sequence[Fragment] = ()) -> Fragment:
        book = self.frames.moment(self.frame)[0].read
        ordered = f"OVER (PARTITION BY {{}} ORDER BY {{}}{f' {rows}' if rows else ''})"
        return compose(ordered, listed(", ", [book, *self.keys, *group]), self.time)

    # --- what they run over ------------------------------------------------------------------------------------------

    @property
    def keys(self) -> list[Fragment]:
        """The keys of the row's entities."""
        entities = enumerate(self.frame.entities)
        return [self.frames.carry(key_of(self.frames.of(e)), self.frame, (i,)).read for i, e in entities]

    @property
    def time(self) -> Fragment:
        """The time of the row."""
        return self.frames.time(self.frame).read

    @property
    def number(self) -> Fragment:
        """The number of the row's snapshot in its book."""
        return self.frames.carry(self.frames.number(), self.frame, ()).read

    @property
    def until(self) -> Fragment:
        """The time of the book's next snapshot; that of the last one never comes."""
        fund = History(self.frames, self.frames.fund)
        following = fund._window(f"coalesce(lead({{}}) {{}}, {2**62})", "until", fund.time, fund._over())
        (column,) = following.columns
        return self.frames.carry(column, self.frame, ()).read.known()

    @property
    def time_before(self) -> Fragment:
        """The time of the row before."""
        return self.before(self.time, "time before")

    @property
    def apart(self) -> Fragment:
        """Whether a snapshot between the row and the one before lacks the row; NULL on the first row."""
        before = self.before(self.number, "number before")
        return compose("{} <> {} - 1", before, self.number)

    # --- what can be said of a window --------------------------------------------------------------------------------

    def within(self, when: Fragment, duration: int) -> Fragment:
        """Whether a time lies in the trailing window; NULL where there is none."""
        return compose(f"({{}} > {{}} - {min(duration, LONGEST)})", when, self.time)

    def latest_time(self, condition: Fragment, name: str) -> Fragment:
        """The time of the last row so far on which `condition` was true."""
        return self.latest(Case().when(condition, self.time).otherwise(NULL), name)

    def collection_gone(self) -> list[Fragment]:
        """For each entity of the row, when its collection was last missing."""
        fund = History(self.frames, self.frames.fund)
        found = []
        for entity in dict.fromkeys(self.frame.entities):
            if entity != REQUEST:
                missing = compose("NOT {}", self.frames.known(entity).read)
                (column,) = fund.latest_time(missing, f"{entity} missing").columns
                found.append(self.frames.carry(column, self.frame, ()).read)
        return found

    def unless_stand_in(self, value: Fragment) -> Fragment:
        """`value`, but NULL on the stand-in of a missing collection."""
        standing_in = [self.frames.of(entity).stand_ins for entity in self.frame.entities]
        absent = [compose("{} IS NULL", k).known() for k, can_be in zip(self.keys, standing_in, strict=True) if can_be]
        return Case().when(either(absent), NULL).otherwise(value)
