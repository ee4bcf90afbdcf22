"""A judge that is not asked why says the same, and no reasons."""

from __future__ import annotations

from modules.assembly import Supplied
from modules.judge import Judge
from modules.supply import Supply


def test_without_why_the_answer_is_the_same_and_has_no_reasons() -> None:
    judge = Judge()
    rows = {"request": {"r": {"symbol": "BTCUSDT", "side": "LONG", "effect": "OPEN", "notional": 1_000.0}}}
    asked = [Supplied("hands", ("caller", "book"), 1_760_000_000_000, Supply(rows=rows))]
    told, brief = judge.answer(1_760_000_000_000, asked), judge.answer(1_760_000_000_000, asked, why=False)
    assert told.because
    assert brief.because == {}
    assert brief.outputs == told.outputs
    assert brief.decision == told.decision
