"""Rules over time on recorded days: what the crash latches and who lets go, and every evaluator the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.back_ends import BACK_ENDS
from evaluators.decision import Decision
from evaluators.recording import Recording
from evaluators.snapshot import Snapshot
from evaluators.timestamps import parse_time
from modules.facts import CATALOGUE
from modules.importer import import_files
from policy_dsl.bundle import Bundle
from policy_dsl.types import Levels, Value
from tests.rules.decisions import configured, default_bundle

HOUR = 3_600_000
MAX_GAP = 3 * HOUR
CRASH = parse_time("2025-10-10T22:00:00Z")
"""The hourly snapshot that is the first to see the crash of 21:00."""
TOO_SOON = parse_time("2025-10-11T09:00:00Z")
"""A reset while drawdown and streak stand."""
RELEASE = parse_time("2025-10-13T10:00:00Z")
"""The snapshot that shows the reset of half an hour before, when they no longer do."""

RECORDED = ("freqtrade_backtest", "qt_testnet_exits", "qt_testnet_fills", "signals", "observations")
CAUSES = {"ess.drawdown", "ess.losing_streak", "ess.errors", "ess.manual_stop", "ess.stale_data"}


@pytest.fixture(scope="module")
def candles(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The hourly candles as two paper funds; the one of futures has two resets."""
    to = tmp_path_factory.mktemp("candles") / "recording"
    resets = (TOO_SOON, RELEASE - HOUR // 2)
    summary = import_files([shared_data / "candles_1h.parquet"], to, resets=resets)
    assert summary.books["futures"].resets == [TOO_SOON, RELEASE]
    assert summary.books["spot"].resets == []
    return Recording.open(to, CATALOGUE)


@pytest.fixture(scope="module")
def futures(candles: Recording) -> list[Snapshot]:
    return list(candles.snapshots("futures"))


@pytest.fixture(scope="module")
def decisions(futures: list[Snapshot]) -> list[Decision]:
    """What Python decides of every hour of futures."""
    return decided("python", futures)


@pytest.fixture(scope="module")
def others(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Trades, signals and observations, each a book."""
    to = tmp_path_factory.mktemp("others") / "recording"
    names = ("trades.parquet", "signals.jsonl", "symbol_performance.json", "policy_observations.jsonl")
    import_files([shared_data / name for name in names], to)
    return Recording.open(to, CATALOGUE)


def decided(evaluator: str, snapshots: list[Snapshot], bundle: Bundle | None = None) -> list[Decision]:
    program = (bundle or default_bundle()).program
    return BACK_ENDS[evaluator](program, max_gap=MAX_GAP)(snapshots)


def level(decision: Decision, output: str) -> str:
    kind, rank = default_bundle().program.output(output).type, decision.outputs[output]
    assert isinstance(kind, Levels)
    assert isinstance(rank, int)
    return kind.members[rank]


def course(decisions: list[Decision], output: str) -> list[tuple[int, str]]:
    """The value at the first snapshot and each change, with its time."""
    found: list[tuple[int, str]] = []
    for decision in decisions:
        value = level(decision, output)
        if not found or found[-1][1] != value:
            found.append((decision.ts, value))
    return found


def test_the_stop_is_latched_from_the_crash_until_the_reset_that_finds_no_cause(
    futures: list[Snapshot], decisions: list[Decision]
) -> None:
    assert course(decisions, "ess.state") == [(futures[0].ts, "ARMED"), (CRASH, "HALTED"), (RELEASE, "ARMED")]
    caused = {d.ts: {f.rule for f in d.firings} & CAUSES for d in decisions}
    assert caused[CRASH] == caused[TOO_SOON] == {"ess.drawdown", "ess.losing_streak"}
    gone = parse_time("2025-10-12T09:00:00Z")
    assert all(caused[at] for at in range(CRASH, gone, HOUR))
    assert not any(caused[at] for at in range(gone, RELEASE + HOUR, HOUR))


def test_without_a_reset_the_stop_is_latched_to_the_end(futures: list[Snapshot]) -> None:
    fact: dict[str, Value | None] = {"operator.reset_requested": False}
    left_alone = [Snapshot(s.book, s.ts, {**s.facts, **fact}, s.rows, s.events) for s in futures]
    assert course(decided("python", left_alone), "ess.state") == [(futures[0].ts, "ARMED"), (CRASH, "HALTED")]


def test_the_mode_relaxes_in_steps_when_its_hold_is_over(futures: list[Snapshot], decisions: list[Decision]) -> None:
    bundle = configured('[params]\n"hfos.calm_hold" = "6h"')
    since = [d for d in decided("python", futures, bundle) if d.ts >= CRASH]
    last_halted = RELEASE - HOUR
    assert course(since, "hfos.risk_mode") == [(CRASH, "SAFE"), (last_halted + 6 * HOUR, "DEFENSIVE")]
    at_once = [d for d in decisions if d.ts >= CRASH]
    assert course(at_once, "hfos.risk_mode") == [(CRASH, "SAFE"), (RELEASE, "DEFENSIVE")]


def test_the_candles_have_every_hour(candles: Recording) -> None:
    assert {book: len(list(candles.snapshots(book))) for book in candles.books} == {"futures": 1501, "spot": 721}


def around_the_crash(futures: list[Snapshot], before: int, after: int) -> list[Snapshot]:
    return [s for s in futures if CRASH - before * HOUR <= s.ts <= CRASH + after * HOUR]


def test_python_and_duckdb_agree_on_a_week_around_the_crash_beside_a_month_of_another_book(
    candles: Recording, futures: list[Snapshot]
) -> None:
    week, month = around_the_crash(futures, 72, 96), list(candles.snapshots("spot"))
    assert len(week) == 169
    # DuckDB is asked once: that the books are told at one time changes nothing of what either is decided.
    assert decided("duckdb", week + month) == decided("python", week) + decided("python", month)


@pytest.mark.slow
def test_python_and_duckdb_agree_on_every_hour_of_the_candles(
    candles: Recording, futures: list[Snapshot], decisions: list[Decision]
) -> None:
    month = list(candles.snapshots("spot"))
    assert decided("duckdb", futures + month) == decisions + decided("python", month)


def assert_all_agree(snapshots: list[Snapshot]) -> None:
    by_definition = decided("interpreter", snapshots)
    for evaluator in ("python", "duckdb"):
        assert decided(evaluator, snapshots) == by_definition, evaluator


def test_every_evaluator_agrees_on_the_hours_around_the_crash(futures: list[Snapshot]) -> None:
    assert_all_agree(around_the_crash(futures, 2, 2))


@pytest.mark.slow
@pytest.mark.parametrize("book", ["futures", "spot"])
def test_every_evaluator_agrees_on_every_hour_of_the_candles(candles: Recording, book: str) -> None:
    assert_all_agree(list(candles.snapshots(book)))


@pytest.fixture(scope="module")
def by_duckdb(others: Recording) -> dict[str, list[Decision]]:
    """What DuckDB decides of all books at once, by book."""
    found: dict[str, list[Decision]] = {}
    for decision in decided("duckdb", [s for book in others.books for s in others.snapshots(book)]):
        found.setdefault(decision.book, []).append(decision)
    return found


@pytest.mark.parametrize("book", RECORDED)
def test_every_evaluator_agrees_on_recorded_trades_signals_and_observations(
    others: Recording, by_duckdb: dict[str, list[Decision]], book: str
) -> None:
    assert set(others.books) == set(RECORDED)
    snapshots = list(others.snapshots(book))
    by_python = decided("python", snapshots)
    assert by_duckdb[book] == by_python
    # What is decided of the first ones is the same, whatever comes after them.
    assert decided("interpreter", snapshots[:10]) == by_python[:10]


@pytest.mark.slow
@pytest.mark.parametrize("book", RECORDED)
def test_every_evaluator_agrees_on_them_in_full(others: Recording, book: str) -> None:
    assert_all_agree(list(others.snapshots(book)))
