"""A venue between the desk and another one, that fails as it is told and counts what is asked of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, cast

from modules.venues import Venue


class Flaky:
    """`before[name]` and `after[name]` hold what happens around the next calls of `name`, None for nothing.

    An exception is raised, anything else is called. What fails `after` has been done all the same.
    """

    def __init__(self, inner: Venue) -> None:
        self.inner = inner
        self.before: defaultdict[str, list[Exception | Callable[[], object] | None]] = defaultdict(list)
        self.after: defaultdict[str, list[Exception | Callable[[], object] | None]] = defaultdict(list)
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found):
            return found

        def call(*given: Any) -> Any:
            self.calls[name] += 1
            _happen(self.before[name])
            answer = found(*given)
            _happen(self.after[name])
            return answer

        return call

    def as_venue(self) -> Venue:
        """Itself, as the protocol that it speaks."""
        return cast(Venue, self)


def _happen(waiting: list[Exception | Callable[[], object] | None]) -> None:
    event = waiting.pop(0) if waiting else None
    if isinstance(event, Exception):
        raise event
    if event is not None:
        event()
