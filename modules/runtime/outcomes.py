"""What came of a request that was allowed."""

from __future__ import annotations

from dataclasses import dataclass

from modules.venues.intents import Execution


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended, `end`; None where it has no end, and then `why`: nothing was sent, or nobody knows yet.

    `before` says that it ended before it was asked for now: it is told and not done again.
    """

    end: Execution | None
    why: str = ""
    before: bool = False
