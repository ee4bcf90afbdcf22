"""What is kept of earlier snapshots, a few numbers a window: each a state machine fed one snapshot at a time.

`recall(ts)` says what the snapshots before leave to one at `ts` and changes nothing; `keep(ts, value)` takes in the
snapshot. Both take constant time on average. Times are milliseconds and increase. A window of a row is told by `vanish`
of the first snapshot that lacks the row; `missing` is when the row's collection was missing last. The windows are in
`value_windows` and `output_windows`, those of events in `event_window`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from evaluators.decision import Firing
from policy_dsl.quantities import INT64_MIN

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
