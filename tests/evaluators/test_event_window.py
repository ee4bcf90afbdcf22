"""Folds over events, looked up: whatever is remembered of them, each snapshot is decided as if nothing were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.decision import Decision
from evaluators.event_window import EventWindows
from evaluators.interpreter import Interpreter
from evaluators.python import PythonEvaluator
from evaluators.python.evaluator import PythonBook
from evaluators.snapshot import Fields, Snapshot
from modules.facts import CATALOGUE
from policy_dsl.bundle import load
from policy_dsl.program import Program
from policy_dsl.recall import EventTrack

MINUTE = 60_000

RULES = {
    # Rules that only observe come first by name, so that theirs are the first windows that the whole program asks for.
    "a.rules": """policy a version 1.0.0
  "Watches."

rule watches
  when count(trade where trade.side is SHORT over 3m) >= 1
  tighten b.stop to STOP
  because "a short was closed"

rule watches_symbols for each symbol
  when count(trade where trade.symbol is symbol over 2m) >= 1
  tighten b.entries to LOCKED
  because "something was closed"
""",
    "b.rules": """policy b version 1.0.0
  "Binds."

output stop: STOP < GO
  starts GO
  relaxes after 2m

output entries for each symbol: LOCKED < OPEN
  starts OPEN

output size for each symbol: money in 0 USD to 1000 USD
  starts 1000 USD

rule longs
  when count(trade where trade.side is LONG over 3m) >= 2
  tighten stop to STOP
  because "two longs were closed"

rule closed for each symbol
  when any(trade where trade.symbol is symbol over 2m)
  tighten entries to LOCKED
  because "a trade was closed"

rule losses for each symbol
  when sum(trade.profit where trade.symbol is symbol and trade.side is LONG over 4m) < 0 USD
  tighten entries to LOCKED until latest(trade.closed_at where trade.symbol is symbol over 4m) + 3m
  because "longs lost {sum(trade.profit where trade.symbol is symbol and trade.side is LONG over 4m)}"

rule wide for each symbol
  when symbol.spread > 1% and count(trade where trade.symbol is symbol over 3m) >= 1
  tighten size to 500 USD for 2m
  because "the spread is wide after a trade"

rule busy for each symbol
  when count(trade over 1m) >= 2
  tighten size to 100 USD
  because "{count(trade over 1m)} trades were closed"
""",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Program:
    folder = tmp_path_factory.mktemp("rules")
    for name, text in RULES.items():
        Path(folder, name).write_text(text)
    Path(folder, "ringfence.toml").write_text('[modes]\na = "observe"\n')
    return load(folder, CATALOGUE).program


def trade(draw: st.DrawFn, ts: int) -> Fields:
    maybe = st.none()
    return {
        "symbol": draw(st.sampled_from(["A", "B", None])),
        "side": draw(st.sampled_from([0, 1]) | maybe),
        "profit": draw(st.sampled_from([-5_000_000, 3_000_000]) | maybe),
        "closed_at": draw(st.sampled_from([ts, ts - MINUTE, ts - 3 * MINUTE]) | maybe),
    }


@st.composite
def lines(draw: st.DrawFn) -> list[Snapshot]:
    """Snapshots of a book: trades that come late or without a time, symbols that come and go."""
    ts, found = 1_000_000_000, []
    for _ in range(draw(st.integers(2, 9))):
        ts += draw(st.sampled_from([MINUTE // 2, MINUTE, 2 * MINUTE]))
        keys = draw(st.none() | st.sets(st.sampled_from(["A", "B", "C"])))
        spread = st.sampled_from([0, 20_000_000]) | st.none()
        rows = None if keys is None else {key: {"spread": draw(spread)} for key in sorted(keys)}
        trades = tuple(trade(draw, ts) for _ in range(draw(st.sampled_from([0, 0, 1, 2]))))
        found.append(Snapshot("main", ts, {}, {"symbol": rows}, {"trade": trades} if trades else {}))
    return found


def told(decision: Decision) -> tuple[object, ...]:
    return dict(decision.outputs), decision.firings, dict(decision.would_be), decision.observed


@given(line=lines())
def test_what_was_found_before_never_shows(made: Program, line: list[Snapshot]) -> None:
    reference, book = Interpreter(made).following(), PythonBook(PythonEvaluator(made))
    for snapshot in line:
        assert told(book.decide(snapshot)) == told(reference.decide(snapshot))


@given(line=lines(), looks=st.data())
def test_a_look_at_a_snapshot_leaves_nothing_behind(made: Program, line: list[Snapshot], looks: st.DataObject) -> None:
    evaluator = PythonEvaluator(made)
    reference, book = Interpreter(made).following(), PythonBook(evaluator)
    for snapshot in line:
        other = looks.draw(st.sampled_from(line))
        looked_at = replace(other, ts=max(other.ts, snapshot.ts))
        seen = book.recall(looked_at)
        evaluator.decide(seen)
        assert told(book.decide(snapshot)) == told(reference.decide(snapshot))


def test_a_snapshot_that_was_begun_and_never_kept_leaves_nothing_behind() -> None:
    windows = EventWindows([EventTrack("~trade.0", "trade", MINUTE, None)], [[[("~trade.0", "symbol")]]])
    begun = Snapshot("main", 1_000, {}, {}, {"trade": ({"symbol": "A"},)})
    rows, ((found,),) = windows.recall(begun)
    assert len(rows["~trade.0"]) == 1
    found["A"] = 1
    rows, ((found,),) = windows.recall(Snapshot("main", 2_000, {}))
    assert (dict(rows["~trade.0"]), found) == ({}, {})


def test_rules_that_observe_share_the_windows_of_those_that_bind(made: Program) -> None:
    evaluator = PythonEvaluator(made)
    assert evaluator.whole is not None
    assert sorted(track.duration // MINUTE for track in evaluator.enforced.recalled.events) == [1, 2, 3, 4]
    assert evaluator.whole.recalled.events == ()
    changed = {track.output.id for track in evaluator.whole.recalled.tracks if track.output is not None}
    assert changed == {"~raw.b.stop"}
