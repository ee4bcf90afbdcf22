"""Signals, observations and trades as state: nothing is invented, and three rules decide as the predecessor did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from evaluators.interpreter import Interpreter
from evaluators.python import PythonEvaluator
from evaluators.snapshot import Snapshot
from modules.facts import CATALOGUE
from modules.facts.levels import PERFORMANCE
from modules.feeds import SymbolRecord, Trades, read_observations, read_signals, read_symbol_records, read_trades
from modules.feeds.signals import Signal
from modules.recorded_state import observation_state, signal_state, trade_state
from policy_dsl.bundle import load

RULES = Path(__file__).parent / "signals.rules"
BAD, NEUTRAL = PERFORMANCE.rank("BAD"), PERFORMANCE.rank("NEUTRAL")


def signal(at: int, symbol: str, confidence: str = "0.5") -> Signal:
    return Signal(at, symbol, "LONG", Decimal(confidence), 2, "ALLOW", "TRADE_ALLOWED", "passed")


def record(symbol: str, trades: int, wins: int, total_r: str, known_at: int = 0) -> SymbolRecord:
    return SymbolRecord(symbol, trades, wins, Decimal(total_r), known_at)


def snapshots_of(signals: list[Signal], *records: SymbolRecord) -> list[Snapshot]:
    state, _ = signal_state(tuple(signals), {r.symbol: r for r in records})
    return list(state.snapshots(CATALOGUE))


def symbols(snapshot: Snapshot) -> Mapping[str, Mapping[str, object]]:
    found = snapshot.rows["symbol"]
    assert found is not None
    return found


def test_signals_of_one_millisecond_are_one_snapshot() -> None:
    first, second = snapshots_of([signal(10, "A"), signal(10, "B"), signal(11, "A")])
    assert list(first.collection("request") or ()) == ["s00001", "s00002"]
    assert list(second.collection("request") or ()) == ["s00003"]
    assert list(symbols(first)) == ["A", "B"]


def test_confidence_is_the_exact_decimal() -> None:
    (snapshot,) = snapshots_of([signal(1, "A", "0.4199999995")])
    (row,) = (snapshot.collection("request") or {}).values()
    assert row["confidence"] == 420_000_000
    (snapshot,) = snapshots_of([signal(1, "A", "0.4199999994")])
    (row,) = (snapshot.collection("request") or {}).values()
    assert row["confidence"] == 419_999_999


def test_a_record_makes_facts_once_it_was_known() -> None:
    early, late = snapshots_of([signal(10, "A"), signal(5_000, "A")], record("A", 4, 1, "-2", known_at=20))
    assert (symbols(early)["A"]["trades"], symbols(early)["A"]["performance"]) == (0, None)
    row = symbols(late)["A"]
    assert (row["trades"], row["win_rate"], row["average_r"], row["performance"]) == (4, 250_000_000, -500_000_000, BAD)


def test_without_records_nothing_is_known_of_symbols() -> None:
    state, _ = signal_state((signal(10, "A"),), None)
    (snapshot,) = state.snapshots(CATALOGUE)
    assert symbols(snapshot)["A"]["trades"] is None
    assert snapshot.rows["position"] is None


def test_in_a_pass_with_sound_records_only_those_symbols_are_in_the_universe() -> None:
    sound, bad = record("A", 10, 6, "9"), record("B", 10, 1, "-9")
    mixed = snapshots_of([signal(1, "A"), signal(2, "B"), signal(900, "C")], sound, bad)
    assert [next(iter(symbols(s).values()))["in_universe"] for s in mixed] == [True, False, False]
    apart = snapshots_of([signal(1, "A"), signal(2_000, "C")], sound)
    assert [next(iter(symbols(s).values()))["in_universe"] for s in apart] == [True, True]
    only_bad = snapshots_of([signal(1, "B"), signal(2, "C")], bad)
    assert [next(iter(symbols(s).values()))["in_universe"] for s in only_bad] == [True, True]


@pytest.mark.parametrize("evaluator", [Interpreter, PythonEvaluator])
def test_three_rules_decide_every_recorded_signal_as_the_predecessor_did(
    shared_data: Path, evaluator: type[Interpreter | PythonEvaluator]
) -> None:
    records = read_symbol_records(shared_data / "symbol_performance.json")
    state, verdicts = signal_state(read_signals(shared_data / "signals.jsonl"), records)
    judge = evaluator(load(RULES, CATALOGUE).program)
    said, reasons = {}, {}
    for snapshot in state.snapshots(CATALOGUE):
        decision = judge.decide(snapshot)
        for key in snapshot.collection("request") or ():
            fired = {f.rule for f in decision.firings if f.key == key}
            said[key], reasons[key] = verdict_of(fired), deed_of(fired)
    assert len(verdicts) == 510
    assert said == {v.request: v.verdict for v in verdicts}
    assert Counter(said.values()) == {"BLOCK_CONFIDENCE": 253, "ALLOW": 252, "BLOCK_SYMBOL": 5}
    assert all(v.reason.startswith(reasons[v.request]) for v in verdicts)
    assert {v.ts for v in verdicts} == set(state.ts.tolist())


def verdict_of(fired: set[str]) -> str:
    """The observer looked at the symbol's record first, then at the confidence, and knew no list of symbols."""
    if "signals.bad_symbol" in fired:
        return "BLOCK_SYMBOL"
    return "BLOCK_CONFIDENCE" if "signals.low_confidence" in fired else "ALLOW"


def deed_of(fired: set[str]) -> str:
    """How the executor's reason began; it looked at the list of symbols before the confidence."""
    if "signals.bad_symbol" in fired:
        return "Symbol in policy.disallowed_symbols"
    if "signals.unlisted_symbol" in fired:
        return "Symbol not in policy.allowed_symbols"
    return "Confidence 0." if fired else "Passed all filters"


def test_observations_become_the_risk_state_they_saw(shared_data: Path) -> None:
    state, verdicts = observation_state(read_observations(shared_data / "policy_observations.jsonl"))
    found = list(state.snapshots(CATALOGUE))
    assert len(found) == len(verdicts) == 88
    assert found[0].facts["market.regime"] == 2
    assert found[0].facts["account.drawdown"] == 0
    assert found[0].facts.get("account.equity") is None
    assert symbols(found[0])["BTCUSDT"]["performance"] == NEUTRAL
    assert verdicts[0].verdict == "ALLOW"


def test_trades_that_close_together_are_events_of_one_snapshot() -> None:
    trades = Trades(
        "b", np.array([5, 5, 9]), ["A", "B", None], np.array([0, 1, -1]), np.array([0, 3, -1]),
        np.array([-1.0, 2.0, np.nan]), np.array([-0.01, 0.02, np.nan]), np.array([-1.0, 1.0, np.nan]),
    )  # fmt: skip
    first, second = trade_state(trades).snapshots(CATALOGUE)
    assert [(e["symbol"], e["side"], e["exit"], e["profit"], e["profit_ratio"]) for e in first.events["trade"]] == [
        ("A", 0, 0, -1_000_000, -10_000_000), ("B", 1, 3, 2_000_000, 20_000_000),
    ]  # fmt: skip
    (nothing_known,) = second.events["trade"]
    assert {name: value for name, value in nothing_known.items() if value is not None} == {"closed_at": 9}
    assert (first.facts["account.losing_streak"], second.facts["account.losing_streak"]) == (0, None)


@pytest.mark.parametrize(
    ("book", "streak"), [("freqtrade_backtest", 3), ("qt_testnet_exits", 15), ("qt_testnet_fills", 6)]
)
def test_losing_streaks_of_the_recorded_trades(shared_data: Path, book: str, streak: int) -> None:
    (trades,) = (t for t in read_trades(shared_data / "trades.parquet") if t.book == book)
    found = list(trade_state(trades).snapshots(CATALOGUE))
    streaks = [s.facts["account.losing_streak"] for s in found]
    assert max(s for s in streaks if s is not None) == streak
    assert sum(len(s.events["trade"]) for s in found) == len(trades.closed)
    assert all(a.ts < b.ts for a, b in pairwise(found))
