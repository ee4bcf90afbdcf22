"""Books that a store keeps, followed across restarts: what is decided does not depend on when anybody started."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, cast
from unittest.mock import patch

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.interpreter import Interpreter
from evaluators.python.evaluator import PythonBook
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.store_follower import BOOKMARKED_EVERY, StoreFollower, _Followed
from evaluators.telling import Told
from evaluators.timelines import DEFAULT_MAX_GAP
from policy_dsl.bundle import load_text
from policy_dsl.catalogue import FactModel, Rows, catalogue_of, fact
from policy_dsl.diagnostics import PolicyError
from policy_dsl.program import Program
from policy_dsl.types import TEXT
from tests.catalogue_for_tests import MODELS
from tests.evaluators.stored_states import CATALOGUE, codes, snapshot
from tests.strategies import vocabulary
from tests.strategies.programs import programs
from tests.strategies.timelines import timelines

RULES = """
policy t version 1.0.0 "a stop that a person re-arms, and a mode that relaxes"

output mode: SAFE < NORMAL starts NORMAL relaxes after 3m
output stop: HALTED < ARMED starts ARMED latches until operator.stop_requested

rule deep
  when account.drawdown > 5%
  tighten mode to SAFE
  tighten stop to HALTED
"""
DEEP = 60_000_000


def program() -> Program:
    return load_text({"t.rules": RULES}, CATALOGUE).program


def opened(path: Path, made: Program) -> Store:
    store = Store(path, vocabulary.CATALOGUE)
    store.save_bundle(made.hash, {"t.rules": RULES})
    return store


def states(drawdowns: Sequence[int | None]) -> list[Snapshot]:
    return [replace(snapshot(m), facts={"account.drawdown": d}) for m, d in enumerate(drawdowns)]


@settings(max_examples=min(25, settings().max_examples // 2))
@given(data=st.data())
def test_a_run_cut_anywhere_and_resumed_decides_as_one_that_was_not(data: st.DataObject) -> None:
    made = data.draw(programs(temporal=True))
    timeline = data.draw(timelines(made, books=2, longest=6))
    expected = Interpreter(made, max_gap=timeline.max_gap).timeline(timeline.snapshots)
    with TemporaryDirectory() as directory, opened(Path(directory) / "state.duckdb", made) as store:
        # A follower that has seen nothing is one that was started just now.
        fresh = [StoreFollower(store, made, max_gap=timeline.max_gap).decide(s) for s in timeline.snapshots]
        assert fresh == expected
        resumed = StoreFollower(store, made, max_gap=timeline.max_gap)
        for book in store.books:
            last = next(d for d in reversed(expected) if d.book == book)
            assert resumed.resume(book) == last


@settings(max_examples=min(25, settings().max_examples // 2))
@given(data=st.data())
def test_a_book_left_anywhere_goes_on_from_its_bookmark_as_from_its_first_snapshot(data: st.DataObject) -> None:
    made = data.draw(programs(temporal=True))
    timeline = data.draw(timelines(made, books=2, longest=8))
    expected = Interpreter(made, max_gap=timeline.max_gap).timeline(timeline.snapshots)
    with (
        patch("evaluators.store_follower.BOOKMARKED_EVERY", 1),
        patch("evaluators.store_follower._LETTERS_A_SNAPSHOT", 1_000_000),
        TemporaryDirectory() as directory,
        opened(Path(directory) / "state.duckdb", made) as store,
    ):
        replayed: list[int] = []
        found = []
        for state in timeline.snapshots:
            follower = StoreFollower(
                store, made, max_gap=timeline.max_gap, on_replay=lambda _, count: replayed.append(count)
            )
            found.append(follower.decide(state))
        assert found == expected
        assert max(replayed) <= 2, "the rest is left out"


def test_a_latch_and_a_hold_outlive_the_process_that_set_them(tmp_path: Path) -> None:
    made = program()
    with opened(tmp_path / "state.duckdb", made) as store:
        first = StoreFollower(store, made)
        assert [first.decide(s).outputs["t.stop"] for s in states([0, DEEP, 0])] == [1, 0, 0]
    with opened(tmp_path / "state.duckdb", made) as store:
        second = StoreFollower(store, made)
        found = [second.decide(s).outputs for s in states([0] * 6)[3:]]
        assert [(o["t.mode"], o["t.stop"]) for o in found] == [(0, 0), (1, 0), (1, 0)]
        reset = replace(states([0] * 7)[6], facts={"account.drawdown": 0, "operator.stop_requested": True})
        assert second.decide(reset).outputs["t.stop"] == 1


CHILD = """
import sys
from tests.evaluators.test_store_follower import DEEP, opened, program, states
from evaluators.store_follower import StoreFollower
from pathlib import Path
follower = StoreFollower(opened(Path(sys.argv[1]), program()), program())
for state in states([0, DEEP, *[0] * 10_000]):
    print(follower.decide(state).ts, flush=True)
"""


def test_a_latch_survives_kill_nine(tmp_path: Path) -> None:
    path, made = tmp_path / "state.duckdb", program()
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child, child.stdout as acknowledged:
        for _ in range(4):
            last = int(acknowledged.readline())
        child.send_signal(signal.SIGKILL)
        child.wait()
        last = max([last, *(int(line) for line in acknowledged)])
    with opened(path, made) as store:
        newest = store.latest(snapshot().book)
        assert newest is not None
        assert newest.ts >= last
        stored = list(store.decisions())
        assert max(d.decision.ts for d in stored) >= last, "what was acknowledged is there"
        decided = StoreFollower(store, made).decide(replace(newest, ts=newest.ts + 60_000))
        assert decided.outputs["t.stop"] == 0


def test_a_repeat_is_the_same_decision_and_leaves_no_trace(tmp_path: Path) -> None:
    made = program()
    with opened(tmp_path / "state.duckdb", made) as store:
        follower = StoreFollower(store, made)
        first, second = states([DEEP, 0])
        assert follower.decide(first) == follower.decide(first)
        assert follower.decide(second).outputs == {"t.mode": 0, "t.stop": 0, "verdict": {}}
        assert StoreFollower(store, made).decide(second) == follower.decide(second)
        assert len(list(store.snapshots(first.book))) == 2


def said(told: Told) -> tuple[object, ...]:
    """All of it but the snapshot: one that was stored spells out the facts that it lacks."""
    return told.decision, told.reasons, told.would_be, told.kept


def test_a_decision_told_is_the_one_decided_and_a_repeat_is_told_again(tmp_path: Path) -> None:
    made = program()
    with opened(tmp_path / "state.duckdb", made) as store:
        first = StoreFollower(store, made)
        told = [first.tell(s) for s in states([0, DEEP, 0])]
        assert [t.decision for t in told] == Interpreter(made).timeline(states([0, DEEP, 0]))
        assert told[1].reasons
        assert [k.output for k in told[2].kept] == ["t.mode", "t.stop"]
        assert said(first.tell(states([0, DEEP, 0])[2])) == said(told[2])
        assert len(list(store.snapshots(snapshot().book))) == 3
        second = StoreFollower(store, made)
        assert said(second.tell(states([0, DEEP, 0])[2])) == said(told[2])
        assert second.tell(states([0, DEEP, 0, 0])[3]).kept == first.tell(states([0, DEEP, 0, 0])[3]).kept


def test_what_comes_too_late_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    made = program()
    with opened(tmp_path / "state.duckdb", made) as store:
        follower = StoreFollower(store, made)
        early, deep, late = states([DEEP, 0, 0])
        follower.decide(deep)
        assert codes(lambda: follower.decide(early)) == ["RF777"]
        assert codes(lambda: follower.decide(replace(early, ts=deep.ts))) == ["RF777"]
        assert follower.decide(late).outputs == {"t.mode": 1, "t.stop": 1, "verdict": {}}


def test_what_cannot_be_stored_is_not_remembered_either(tmp_path: Path) -> None:
    made = program()
    with opened(tmp_path / "state.duckdb", made) as store:
        follower = StoreFollower(store, made)
        calm, deep, after = states([0, DEEP, 0])
        follower.decide(calm)
        with pytest.raises(PolicyError, match="RF742"):
            follower.decide(replace(deep, facts={**deep.facts, "account.nothing": 1}))
        assert follower.decide(after).outputs == {"t.mode": 1, "t.stop": 1, "verdict": {}}


def test_other_rules_look_back_at_the_same_history(tmp_path: Path) -> None:
    made = program()
    longer = load_text({"t.rules": RULES.replace("relaxes after 3m", "relaxes after 10m")}, CATALOGUE).program
    with opened(tmp_path / "state.duckdb", made) as store:
        follower = StoreFollower(store, made)
        for state in states([DEEP, 0, 0, 0]):
            follower.decide(state)
        store.save_bundle(longer.hash, {"t.rules": "other"})
        [*_, after] = states([0] * 5)
        assert StoreFollower(store, longer).decide(after).outputs["t.mode"] == 0


class WordFacts(FactModel, entity="word", rows=Rows.EVENT):
    """Something that no rule here reads."""

    said: Annotated[str | None, TEXT] = fact("a word", owner="healing", calm="")


@pytest.fixture
def left(tmp_path: Path) -> Iterator[tuple[Store, Program]]:
    """A store of twenty snapshots that latched a stop, with a bookmark every ten."""
    made = program()
    with (
        patch("evaluators.store_follower.BOOKMARKED_EVERY", 10),
        opened(tmp_path / "state.duckdb", made) as store,
    ):
        follower = StoreFollower(store, made)
        for state in states([0, DEEP, *[0] * 18]):
            follower.decide(state)
        yield store, made


def replayed(store: Store, made: Program, *, max_gap: int = DEFAULT_MAX_GAP) -> int:
    """How many snapshots of the book a follower replays when it is met; the stop is latched in any case."""
    told: list[int] = []
    follower = StoreFollower(store, made, max_gap=max_gap, on_replay=lambda _, count: told.append(count))
    last = follower.resume("main")
    assert last is not None
    assert last.outputs["t.stop"] == 0
    return told[-1]


def test_a_restart_replays_what_came_after_the_bookmark(left: tuple[Store, Program]) -> None:
    store, made = left
    assert replayed(store, made) == 10


def test_a_bookmark_of_another_gap_or_other_rules_does_not_count(left: tuple[Store, Program]) -> None:
    store, made = left
    assert replayed(store, made, max_gap=DEFAULT_MAX_GAP + 1) == 20
    other = load_text({"t.rules": RULES.replace("relaxes after 3m", "relaxes after 10m")}, CATALOGUE).program
    assert replayed(store, other) == 20


def test_a_bookmark_of_other_code_does_not_count(left: tuple[Store, Program]) -> None:
    store, made = left
    with patch("evaluators.bookmarks._code", lambda: "other"):
        assert replayed(store, made) == 20


def test_a_bookmark_of_another_catalogue_does_not_count(tmp_path: Path, left: tuple[Store, Program]) -> None:
    store, made = left
    store.close()
    with Store(tmp_path / "state.duckdb", catalogue_of([*MODELS, vocabulary.FaultFacts, WordFacts])) as reopened:
        assert replayed(reopened, made) == 20


@pytest.mark.parametrize("damage", ["leaves = leaves || ' '", "ts = ts + INTERVAL 1 MINUTE", "digest = ''"])
def test_a_damaged_bookmark_does_not_count(tmp_path: Path, left: tuple[Store, Program], damage: str) -> None:
    store, made = left
    store.close()
    with duckdb.connect(tmp_path / "state.duckdb") as connection:
        connection.execute(f"UPDATE log.bookmark SET {damage}")
    with opened(tmp_path / "state.duckdb", made) as reopened:
        assert replayed(reopened, made) == 20


def test_a_long_replay_leaves_bookmarks_too(tmp_path: Path) -> None:
    made = program()
    with opened(tmp_path / "state.duckdb", made) as store:
        store.append_many(states([DEEP, *[0] * 2_500]))
        assert replayed(store, made) == 2_501
        assert replayed(store, made) == 501


def test_a_long_bookmark_is_written_less_often() -> None:
    book = cast(PythonBook, None)
    assert _Followed(book, since=BOOKMARKED_EVERY).is_due
    assert not _Followed(book, since=BOOKMARKED_EVERY, letters=1_000_000).is_due
    assert _Followed(book, since=2_000, letters=1_000_000).is_due


def test_a_long_replay_is_told(tmp_path: Path) -> None:
    made, told = program(), []
    with opened(tmp_path / "state.duckdb", made) as store:
        store.append_many(states([0] * 2_500))
        follower = StoreFollower(store, made, on_replay=lambda book, count: told.append((book, count)))
        follower.decide(states([0] * 2_501)[-1])
    assert told == [("main", 1_000), ("main", 2_000), ("main", 2_500)]
