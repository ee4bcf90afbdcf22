"""Signals that asked to trade, and what was decided about them, as the predecessor recorded both."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from evaluators.timestamps import format_time
from modules.feeds.faults import Faults
from modules.feeds.lines import Fields, read_lines

SIDES = {"BUY": "LONG", "SELL": "SHORT"}


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal. `at` is milliseconds since 1970 UTC (rounded down), `confidence` exact, `votes` models that agree.

    `verdict` is what the policy observer said, `decision` and `reason` what the executor did and why.
    """

    at: int
    symbol: str
    side: str
    confidence: Decimal
    votes: int
    verdict: str
    decision: str
    reason: str


Signals = tuple[Signal, ...]
"""Signals in the order of their recording, which is the order of their times."""


def read_signals(path: Path) -> Signals:
    """The signals of a JSONL file.

    Raises PolicyError with RF801 to RF806; equal times are fine, as a batch has one.
    """
    faults = Faults(path)
    signals: list[Signal] = []
    for index, document in read_lines(path, faults):
        signal = _signal(Fields(document, index, faults))
        if not 0 <= signal.confidence <= 1:
            faults.add_row("RF805", index, f"`signal.confidence` is {signal.confidence}, and must be from 0 to 1")
        if signals and signal.at < signals[-1].at:
            message = f"the signal of {format_time(signal.at)} comes after the one of {format_time(signals[-1].at)}"
            faults.add_row("RF806", index, message, "sort the file by time")
        signals.append(signal)
    faults.stop_if_any()
    return tuple(signals)


def _signal(fields: Fields) -> Signal:
    return Signal(
        at=fields.time("timestamp"),
        symbol=fields.text("signal.symbol"),
        side=fields.one_of("signal.action", SIDES),
        confidence=fields.number("signal.confidence"),
        votes=fields.whole("signal.model.consensus_count"),
        verdict=fields.text("policy_verdict"),
        decision=fields.text("actual_decision"),
        reason=fields.text("actual_reason"),
    )
