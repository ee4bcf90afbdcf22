"""When the steps of a fund come: at an even interval, one at a time, none made up for after a delay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES  # type: ignore[import-untyped]  # because it ships no types
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]  # because it ships no types

from modules.venues.venue import HungUp

log = structlog.get_logger()

RECOVERY_SECONDS = 60
"""How often the venue is asked again about orders of which nobody knows what became."""


def _silent_scheduler() -> Any:
    # What it has to say comes by its events, in the form of every other line.
    silent = logging.Logger("schedule", level=logging.CRITICAL + 1)  # noqa: LOG001 -- it must have no parent
    return BackgroundScheduler(timezone=UTC, logger=silent)


@dataclass(slots=True)
class Schedule:
    """Calls `step` every `every` seconds, the first time at once, and `recover` each minute, on threads of its own.

    A step that fails is logged, and the next one comes at its time: what it did not store is not decided. One that is
    still at work when the next is due costs that one.
    """

    step: Callable[[], object]
    every: float
    recover: Callable[[], object] = lambda: None
    _scheduler: Any = field(default_factory=_silent_scheduler)

    def start(self) -> None:
        """Begin; returns at once."""
        settings = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
        now = datetime.now(UTC)
        self._scheduler.add_listener(_tell_left_out, EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_job(_guarded, "interval", [self.step], seconds=self.every, next_run_time=now, **settings)
        self._scheduler.add_job(_guarded, "interval", [self.recover], seconds=RECOVERY_SECONDS, **settings)
        self._scheduler.start()

    def pause(self) -> None:
        """Begin no step any more."""
        if self._scheduler.running:
            self._scheduler.pause()

    def stop(self) -> None:
        """Let the step that is at work end, and begin none after it.

        It ends at once where the venue that it asks was told to hang up.
        """
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)


def _tell_left_out(event: Any) -> None:
    log.warning(
        "a step is left out: the one before it is still at work", due=[str(at) for at in event.scheduled_run_times]
    )


def _guarded(call: Callable[[], object]) -> None:
    try:
        call()
    except HungUp:
        log.info("a step was broken off: the fund ends")
    except BaseException:
        # The loop outlives whatever a step raises: `/ready` tells that no snapshot was decided. No person interrupts
        # this thread.
        log.exception("a step failed")
