"""What people ask of the fund by hand: kept on disk before it counts, and never without a name and a reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

from evaluators.refusals import refusal
from modules.inputs import Operator
from modules.venues.journal import Journal


@dataclass(frozen=True, slots=True)
class Call:
    """One thing that a person asked for at `at` (ms since 1970 UTC)."""

    at: int
    what: str
    person: str
    reason: str


@dataclass(slots=True)
class Controls:
    """The controls in the file at `path`, or in memory.

    A stop stands until it is withdrawn; a reset is asked for once, and shows in the next snapshot alone. Whether it
    re-arms anything is for the rules to say.
    """

    path: Path | None = None
    calls: list[Call] = field(default_factory=list)
    _operator: Operator = field(default_factory=Operator)
    _journal: Journal | None = None
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        """Read what was asked before. Raises JournalError where the file is damaged or in use."""
        if self.path is not None:
            self._journal = Journal(self.path)
            for record in self._journal.records:
                self._apply(Call(**record))

    def close(self) -> None:
        """Let go of the file."""
        if self._journal is not None:
            self._journal.close()

    def stop(self, at: int, person: str, reason: str) -> None:
        """Ask for the emergency stop. Raises PolicyError (RF851) without a person or a reason."""
        self._call(Call(at, "stop", person, reason))

    def reset(self, at: int, person: str, reason: str) -> None:
        """Withdraw a stop, and ask for one reset. Raises PolicyError (RF851) without a person or a reason."""
        self._call(Call(at, "reset", person, reason))

    def flatten_on_stop(self, at: int, person: str, reason: str, *, flatten: bool) -> None:
        """Say whether a stop closes positions. Raises PolicyError (RF851) without a person or a reason."""
        self._call(Call(at, "flatten" if flatten else "keep", person, reason))

    def note(self, at: int, what: str, person: str, reason: str) -> None:
        """Keep on record that somebody switched something. Raises PolicyError (RF851) without a person or a reason."""
        self._call(Call(at, what, person, reason))

    def shown(self) -> Operator:
        """The controls as the next snapshot sees them; a reset that was shown is over."""
        with self._lock:
            found = self._operator
            if found.reset_requested:
                self._write(Call(0, "shown", "", ""))
            return found

    def _call(self, call: Call) -> None:
        if not call.person.strip() or not call.reason.strip():
            raise refusal("RF851", f"a {call.what} needs a person and a reason")
        with self._lock:
            self._write(call)

    def _write(self, call: Call) -> None:
        if self._journal is not None:
            record: dict[str, Any] = {"at": call.at, "what": call.what, "person": call.person, "reason": call.reason}
            self._journal.append(record)
        self._apply(call)

    def _apply(self, call: Call) -> None:
        match call.what:
            case "stop":
                self._operator = replace(self._operator, stop_requested=True, reason=call.reason)
            case "reset":
                self._operator = replace(self._operator, stop_requested=False, reset_requested=True, reason=call.reason)
            case "shown":
                self._operator = replace(self._operator, reset_requested=False)
            case "flatten" | "keep":
                self._operator = replace(self._operator, flatten_on_stop=call.what == "flatten")
            case _:
                pass  # It is on record, and no control.
        if call.what != "shown":
            self.calls.append(call)
