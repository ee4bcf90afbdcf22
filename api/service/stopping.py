"""Work that goes on until somebody ends it: Ctrl-C or SIGTERM lets what is at hand be finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT, SIGTERM, signal
from threading import Event, Thread
from time import monotonic
from types import FrameType

from modules.venues.venue import Venue

OWED_SECONDS = 2.0
"""How long a venue may owe an answer once somebody has asked for the end."""

LOOKS_SECONDS = 0.2


@contextmanager
def stopping() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C interrupts."""
    asked = Event()

    def ask(number: int, _: FrameType | None) -> None:
        if asked.is_set() and number == SIGINT:
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal(number, ask) for number in (SIGINT, SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal(number, handler)


@contextmanager
def hanging_up(venue: Venue, asked: Event) -> Iterator[None]:
    """Within the block a venue that hangs once `asked` is set is hung up on: what waits for it raises HungUp."""
    is_over = Event()

    def look() -> None:
        while not is_over.wait(LOOKS_SECONDS):
            if asked.is_set() and venue.silence() > OWED_SECONDS:
                venue.hang_up()
                return

    looking = Thread(target=look, name="hanging up", daemon=True)
    looking.start()
    try:
        yield
    finally:
        is_over.set()
        looking.join()


def ticks(every: float, asked: Event, longest: float | None = None) -> Iterator[None]:
    """A turn now and every `every` seconds, until `asked` is set or `longest` seconds are over.

    Where a turn takes longer, those that it covers are left out.
    """
    began = monotonic()
    due = began
    while not asked.is_set():
        yield
        while due <= monotonic():
            due += every
        if longest is not None and due - began > longest:
            return
        asked.wait(due - monotonic())
