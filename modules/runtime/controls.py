"""What people ask of the fund by hand: kept on disk before it counts, and never without a name and a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

from evaluators.refusals import refusal
from modules.facts.levels import RISK_MODE
from modules.inputs import Operator
from modules.inputs.machinery import NO_HAND
from modules.venues.journal import Journal, JournalError, Unkept, journal_at
from policy_dsl.files import words_of

HOLD, RELEASE, NEW_PEAK = "hold", "release", "new_peak"
FLATTEN, KEEP = "flatten", "keep"
"""How a call is written down: `hold MODE` lets the risk mode be no bolder, `release` takes that back, `new_peak` lets
equity count from then on; `flatten` lets a stop close positions, `keep` takes that back."""


class NotKeptError(Exception):
    """What tightens holds as long as this process runs: the disk has refused to keep it."""


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
    re-arms anything is for the rules to say. A hand on the risk mode stands until it is released.

    Where the disk refuses a call, nothing counts that would loosen anything, and PolicyError (RF783) says so. A stop
    and a hand on the risk mode hold all the same, and NotKeptError says that they are not on disk.
    """

    path: Path | None = None
    calls: list[Call] = field(default_factory=list)
    _operator: Operator = field(default_factory=Operator)
    _journal: Journal | Unkept = field(init=False)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        """Read what was asked before. Raises JournalError where the file is damaged or in use."""
        self._journal = journal_at(self.path)
        try:
            self._journal.replay(lambda record: self._apply(_call_of(record)))
        except JournalError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()

    def stop(self, at: int, person: str, reason: str) -> None:
        """Ask for the emergency stop.

        Raises PolicyError (RF851) without a person or a reason; NotKeptError where it holds and is not on disk.
        """
        self._call(Call(at, "stop", person, reason), tightens=True)

    def reset(self, at: int, person: str, reason: str) -> None:
        """Withdraw a stop, and ask for one reset. Raises PolicyError (RF851) without a person or a reason."""
        self._call(Call(at, "reset", person, reason))

    def flatten_on_stop(self, at: int, person: str, reason: str, *, flatten: bool) -> None:
        """Say whether a stop closes positions. Raises PolicyError (RF851) without a person or a reason."""
        self._call(Call(at, FLATTEN if flatten else KEEP, person, reason))

    def hold_risk_mode(self, at: int, mode: str, person: str, reason: str) -> None:
        """Let the fund's risk mode be no bolder than `mode`, a name of `risk_mode`, until somebody releases it.

        Raises ValueError for another word; PolicyError: RF852 for a mode bolder than a hand allows already, RF851
        without a person or a reason; NotKeptError where it holds and is not on disk.
        """
        if mode not in RISK_MODE.members:
            raise ValueError(f"`{mode}` is no risk mode: one of {', '.join(RISK_MODE.members)}")
        self._call(Call(at, f"{HOLD} {mode}", person, reason), tightens=True)

    def release_risk_mode(self, at: int, person: str, reason: str) -> None:
        """Take the hand off the risk mode: it is the rules' alone again. Raises PolicyError (RF851) as `stop`."""
        self._call(Call(at, RELEASE, person, reason))

    def reset_peak(self, at: int, person: str, reason: str) -> None:
        """Count drawdown and losing streak from `at` on: what was lost before is lost, and trading may go on.

        A fund that is halted makes no trade that could end its streak, nor earns its way back to the old peak. Where
        nobody knows the equity of 00:00 UTC, the day's loss counts from then too.

        Re-arms nothing. Raises PolicyError (RF851) without a person or a reason.
        """
        self._call(Call(at, NEW_PEAK, person, reason))

    def operator(self) -> Operator:
        """The controls as they stand; nothing is taken for shown."""
        with self._lock:
            return self._operator

    def stop_requested(self) -> bool:
        """Whether somebody asks for the emergency stop now, in whatever snapshot it shows."""
        return self.operator().stop_requested

    def hand(self) -> Call | None:
        """The call that holds the risk mode, None where no hand is on it."""
        with self._lock:
            return self._hand()

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

    def _call(self, call: Call, *, tightens: bool = False) -> None:
        check_signed(call.what, call.person, call.reason)
        with self._lock:
            self._refuse_bolder(call)
            self._write(call, tightens=tightens)

    def _refuse_bolder(self, call: Call) -> None:
        """One person does not let go what another holds, except by saying so."""
        mode, hand = _held(call), self._hand()
        if mode is not None and hand is not None and RISK_MODE.rank(mode) > RISK_MODE.rank(self._operator.risk_mode):
            raise refusal(
                "RF852",
                f"{hand.person} holds the risk mode at {self._operator.risk_mode}, and {mode} is bolder",
                "release it first, with a person and a reason",
            )

    def _hand(self) -> Call | None:
        standing = self._operator.risk_mode != NO_HAND
        return next((c for c in reversed(self.calls) if standing and _held(c) is not None), None)

    def _write(self, call: Call, *, tightens: bool = False) -> None:
        try:
            self._journal.append(asdict(call))
        except OSError as error:
            why = f"`{self.path}` cannot be written: {words_of(error)}"
            if not tightens:
                raise refusal("RF783", why, "make room on the disk, then ask again") from error
            self._apply(call)
            raise NotKeptError(why) from error
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
                self._operator = replace(self._operator, flatten_on_stop=call.what == FLATTEN)
            case "release":
                self._operator = replace(self._operator, risk_mode=NO_HAND)
            case "new_peak":
                self._operator = replace(self._operator, peak_from=call.at)
            case _ if (mode := _held(call)) is not None:
                self._operator = replace(self._operator, risk_mode=mode)
            case _:
                pass  # It is on record, and no control.
        if call.what != "shown":
            self.calls.append(call)


def check_signed(what: str, person: str, reason: str) -> None:
    """Raises PolicyError (RF851) where a call has no person or no reason."""
    if not person.strip() or not reason.strip():
        raise refusal("RF851", f"a {what.partition(' ')[0]} needs a person and a reason")


def _call_of(record: Mapping[str, Any]) -> Call:
    """A call as it was written down. Raises TypeError for what is none."""
    if {name: type(value) for name, value in record.items()} != {"at": int, "what": str, "person": str, "reason": str}:
        raise TypeError("it is no call of a person")
    return Call(**record)


def _held(call: Call) -> str | None:
    """The mode that a call holds the fund to, None for another call. Raises JournalError for a mode that is none."""
    word, _, mode = call.what.partition(" ")
    if word != HOLD:
        return None
    if mode not in RISK_MODE.members:
        raise JournalError(f"the controls hold a risk mode `{mode}`, which is none")
    return mode
