"""How a service shows that it does its work: by a file that it touches, or by its answer to a question."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import time
from typing import Protocol
from urllib.parse import urlsplit

ANSWER_SECONDS = 2.0
"""How long a service may take to begin its answer."""


class Heartbeat(Protocol):
    """The sign of a service."""

    @property
    def within(self) -> float:
        """Seconds: after a longer silence it does not do its work."""
        ...

    def silence(self) -> float | None:
        """Seconds since its newest beat, now; None where there is none to be had."""
        ...


@dataclass(frozen=True, slots=True)
class TouchedFile:
    """A file whose time of change is that of the newest beat; a time in the future is none."""

    path: Path
    within: float

    def silence(self) -> float | None:
        """Seconds since the file was changed."""
        try:
            age = time() - self.path.stat().st_mtime
        except OSError:
            return None
        return None if age < -self.within else max(0.0, age)


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of this machine that is fetched, and whose good status (2xx) is a beat; nothing of it is read."""

    url: str
    within: float

    def silence(self) -> float | None:
        """0 where it answers well."""
        parts = urlsplit(self.url)
        asked = HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
        try:
            asked.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
            return 0.0 if asked.getresponse().status // 100 == 2 else None  # noqa: PLR2004 -- HTTP's own number
        except (OSError, HTTPException, ValueError):
            return None
        finally:
            asked.close()
