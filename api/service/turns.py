"""Whose turn it is to step a fund: one at a time, and a person's hand before whoever asks for requests.

A lock alone is taken anew by a busy thread before one that waits has woken up, so that a stop could wait for as long as
there are callers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Self


class Turns:
    """A lock that those who come `first` get before all others who wait."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._is_taken = False
        self._first = 0

    def acquire(self, timeout: float | None = None, *, first: bool = False) -> bool:
        """Take the turn; False where it was not to be had within `timeout` seconds (None: any time)."""
        with self._changed:
            self._first += first
            try:
                if not self._changed.wait_for(lambda: not self._is_taken and (first or not self._first), timeout):
                    return False
                self._is_taken = True
                return True
            finally:
                self._first -= first
                self._changed.notify_all()

    def release(self) -> None:
        """Give the turn up."""
        with self._changed:
            self._is_taken = False
            self._changed.notify_all()

    @contextmanager
    def turn(self, *, first: bool) -> Iterator[None]:
        """Within the block it is the caller's turn."""
        self.acquire(first=first)
        try:
            yield
        finally:
            self.release()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
