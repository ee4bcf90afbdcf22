"""What was done to the models, when and why: every training with its end, and every exchange of versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from modules.venues.journal import Journal, Unkept, journal_at

BEGAN, TRAINED, FAILED, CHANGED = "began", "trained", "failed", "changed"
"""What an event may be: of a training, or an exchange of the versions that count."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done to a model at `at` (ms since 1970 UTC); `what` is one of the four words above."""

    at: int
    model: str
    what: str
    because: str


@dataclass(slots=True)
class History:
    """The events in the file at `path`, or in memory. `began` is when a training of each model last began.

    A training that was running when an earlier process ended came to nothing, and that is on record too.
    """

    path: Path | None = None
    events: list[Event] = field(default_factory=list)
    began: dict[str, int] = field(default_factory=dict)
    _running: set[str] = field(default_factory=set)
    _journal: Journal | Unkept = field(init=False)

    def __post_init__(self) -> None:
        """Read what an earlier process has written. Raises JournalError where the file is damaged or in use."""
        self._journal = journal_at(self.path)
        for record in self._journal.records:
            self._apply(Event(**record))
        for model in sorted(self._running):
            self.note(self.began[model], model, FAILED, "the process ended before it was on record what became of it")

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()

    def note(self, at: int, model: str, what: str, because: str) -> None:
        """Put an event on record; it counts once it is on the disk. Raises OSError where it cannot be."""
        event = Event(at, model, what, because)
        self._journal.append({"at": at, "model": model, "what": what, "because": because})
        self._apply(event)

    def _apply(self, event: Event) -> None:
        self.events.append(event)
        if event.what == BEGAN:
            self.began[event.model] = event.at
            self._running.add(event.model)
        elif event.what in {FAILED, TRAINED}:
            self._running.discard(event.model)
