"""Work that goes on until somebody ends it: Ctrl-C or SIGTERM lets what is at hand be finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT, SIGTERM, signal
from threading import Event
from time import monotonic
from types import FrameType


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
