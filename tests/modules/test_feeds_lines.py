"""Signals, policy observations and symbol records: what is in them, exactly, and what is wrong with them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from modules.feeds import Content, content_of, read_observations, read_signals, read_symbol_records
from policy_dsl.diagnostics import PolicyError

SIGNAL: dict[str, Any] = {
    "timestamp": "2025-11-22T13:32:18.282999+00:00",
    "signal": {"symbol": "BTCUSDT", "action": "BUY", "confidence": 0.5, "model": {"consensus_count": 3}},
    "policy_verdict": "ALLOW",
    "actual_decision": "TRADE_ALLOWED",
    "actual_reason": "passed",
}
OBSERVATION: dict[str, Any] = {
    "timestamp": "2025-11-22T14:05:10.628300+00:00",
    "inputs": {
        "regime_tag": "TRENDING",
        "vol_level": "HIGH",
        "risk_state": {
            "daily_pnl_pct": -1.5,
            "current_drawdown_pct": -2.5,
            "losing_streak": 2,
            "open_trades_count": 4,
            "total_exposure_pct": 12.0,
        },
        "symbol_performance": [{"symbol": "SOLUSDT", "winrate": 0.6, "avg_R": 1.25, "performance_tag": "GOOD"}],
    },
    "policy": {"allow_new_trades": True},
}
RECORD: dict[str, Any] = {
    "trade_count": 15, "wins": 5, "total_R": -0.8, "last_updated": "2025-11-22T11:17:56.242328+00:00",
}  # fmt: skip


def lines(folder: Path, *documents: object) -> Path:
    path = folder / "lines.jsonl"
    path.write_text("".join(d if isinstance(d, str) else json.dumps(d) + "\n" for d in documents), encoding="utf-8")
    return path


def changed(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The document with the value at `path` set, or taken away if it is None."""
    out = copy.deepcopy(document)
    *parents, last = path.split(".")
    place = out
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return out


def faults(read: Callable[[Path], object], path: Path) -> list[tuple[str, str]]:
    with pytest.raises(PolicyError) as refused:
        read(path)
    assert all(d.span is not None and d.span.path == str(path) for d in refused.value.diagnostics)
    return [(d.code, d.message) for d in refused.value.diagnostics]


def test_a_signal_keeps_every_digit_of_its_confidence(tmp_path: Path) -> None:
    text = json.dumps(SIGNAL).replace("0.5", "0.420000000000000012345")
    (signal,) = read_signals(lines(tmp_path, text))
    assert signal.confidence == Decimal("0.420000000000000012345")
    assert (signal.symbol, signal.side, signal.votes, signal.verdict) == ("BTCUSDT", "LONG", 3, "ALLOW")


def test_times_are_cut_to_the_millisecond(tmp_path: Path) -> None:
    (signal,) = read_signals(lines(tmp_path, SIGNAL))
    assert signal.at % 1000 == 282


@pytest.mark.parametrize(
    ("path", "value", "code", "message"),
    [
        ("timestamp", None, "RF803", "row 2: field `timestamp` is missing"),
        ("timestamp", "noon", "RF804", "row 2: field `timestamp`: `noon` is not a time"),
        ("timestamp", "2025-11-22", "RF804", "row 2: field `timestamp`: `2025-11-22` has no time zone"),
        ("signal.symbol", 5, "RF804", "row 2: field `signal.symbol` is 5, and must be text"),
        ("signal.action", "HOLD", "RF804", 'row 2: field `signal.action` is "HOLD", and must be one of BUY, SELL'),
        ("signal.confidence", "high", "RF804", 'row 2: field `signal.confidence` is "high", and must be a number'),
        ("signal.confidence", 1.5, "RF805", "row 2: `signal.confidence` is 1.5, and must be from 0 to 1"),
        ("signal.confidence", 1e-300, "RF804", 'row 2: field `signal.confidence` is "1E-300", and must be a number'),
        ("signal.confidence", True, "RF804", "row 2: field `signal.confidence` is true, and must be a number"),
        ("signal.model.consensus_count", 1.5, "RF804",
         'row 2: field `signal.model.consensus_count` is "1.5", and must be a whole number'),
        ("policy_verdict", "", "RF804", 'row 2: field `policy_verdict` is "", and must be text'),
    ],
)  # fmt: skip
def test_a_bad_signal_is_refused(tmp_path: Path, path: str, value: object, code: str, message: str) -> None:
    found = faults(read_signals, lines(tmp_path, SIGNAL, changed(SIGNAL, path, value)))
    assert (code, message) in found


def test_signals_out_of_order_are_refused(tmp_path: Path) -> None:
    early = changed(SIGNAL, "timestamp", "2025-11-22T13:00:00+00:00")
    ((code, message),) = faults(read_signals, lines(tmp_path, SIGNAL, early))
    assert code == "RF806"
    assert message.startswith("row 2: the signal of 2025-11-22T13:00:00Z comes after the one of ")


@pytest.mark.parametrize("line", ["{broken\n", "[1]\n", '{"signal": NaN}\n'])
def test_a_line_that_is_no_document_is_refused(tmp_path: Path, line: str) -> None:
    found = faults(read_signals, lines(tmp_path, SIGNAL, line))
    assert [code for code, _ in found] == ["RF804"]
    assert found[0][1].startswith("row 2: the line is not ")


def test_losses_of_an_observation_are_never_negative(tmp_path: Path) -> None:
    (seen,) = read_observations(lines(tmp_path, OBSERVATION))
    assert (seen.drawdown, seen.daily_loss, seen.exposure) == (Decimal("0.025"), Decimal("0.015"), Decimal("0.12"))
    assert (seen.regime, seen.volatility, seen.losing_streak, seen.open_positions) == ("TRENDING", "HIGH", 2, 4)
    gain = changed(OBSERVATION, "inputs.risk_state.daily_pnl_pct", 1.5)
    assert read_observations(lines(tmp_path, gain))[0].daily_loss == 0


def test_observations_at_one_time_are_refused(tmp_path: Path) -> None:
    found = faults(read_observations, lines(tmp_path, OBSERVATION, OBSERVATION))
    assert found == [("RF806", "row 2: the observation of 2025-11-22T14:05:10.628Z is there twice")]


def test_a_level_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    found = faults(read_observations, lines(tmp_path, changed(OBSERVATION, "inputs.vol_level", "WILD")))
    assert found == [
        ("RF804", 'row 1: field `inputs.vol_level` is "WILD", and must be one of LOW, NORMAL, HIGH, EXTREME')
    ]


def test_symbol_records_are_read(tmp_path: Path) -> None:
    record = read_symbol_records(lines(tmp_path, {"ETHUSDT": RECORD}))["ETHUSDT"]
    assert (record.trades, record.wins, record.total_r) == (15, 5, Decimal("-0.8"))


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        ({"A": {**RECORD, "wins": 16}}, "RF805", "the record of `A` has 16 wins in 15 trades"),
        ({"A": 5}, "RF804", "the record of `A` is not a JSON object"),
        ([1], "RF804", "`lines.jsonl` is not a JSON object of symbols"),
        ("{", "RF801", "it is not JSON at line 1"),
    ],
)
def test_bad_symbol_records_are_refused(tmp_path: Path, document: object, code: str, message: str) -> None:
    found = faults(read_symbol_records, lines(tmp_path, document))
    assert found[0][0] == code
    assert found[0][1].endswith(message)


def test_content_is_told_by_the_fields(tmp_path: Path) -> None:
    assert content_of(lines(tmp_path, SIGNAL, SIGNAL)) is Content.SIGNALS
    assert content_of(lines(tmp_path, OBSERVATION)) is Content.OBSERVATIONS
    assert content_of(lines(tmp_path, json.dumps({"A": RECORD}, indent=2))) is Content.SYMBOL_RECORDS
    assert faults(content_of, lines(tmp_path, {"a": 1}))[0][0] == "RF808"
    assert faults(content_of, lines(tmp_path, "{broken"))[0][0] == "RF801"


@pytest.mark.parametrize("read", [read_signals, read_observations, read_symbol_records])
def test_an_empty_or_missing_file_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    assert faults(read, lines(tmp_path))[0][0] == "RF802"
    assert faults(read, tmp_path / "none.jsonl")[0][0] == "RF801"


def test_the_recorded_lines_are_sound(shared_data: Path) -> None:
    assert len(read_signals(shared_data / "signals.jsonl")) == 510
    assert len(read_observations(shared_data / "policy_observations.jsonl")) == 88
    assert len(read_symbol_records(shared_data / "symbol_performance.json")) == 9
