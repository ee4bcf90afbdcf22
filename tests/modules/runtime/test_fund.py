"""The loop: each snapshot is stored and decided before anything is done, over restarts, whatever fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from evaluators.snapshot import Snapshot
from evaluators.store import Store
from modules.facts import CATALOGUE
from modules.inputs import Account, Book, Inputs, Machinery, Operator, Request
from modules.judge import Answer, Judge, packaged_bundle
from modules.runtime.fund import Fund, NoWorld, World
from modules.runtime.runner import Runner
from modules.sources import BookSource, ClockSource, FeedSource, OperatorSource
from policy_dsl.diagnostics import PolicyError

NOW = 1_760_000_000_000
MINUTE = 60_000
ACCOUNT = Account(NOW, 1000.0, 1000.0, 0.0, 1000.0, 1000.0, 1000.0, 1000.0)


@dataclass
class Told:
    """A world that is told what it is like, and remembers what it was asked to do."""

    equity: float = 1000.0
    operator: Operator = field(default_factory=Operator)
    obeyed: list[Answer] = field(default_factory=list)
    fails: bool = False

    def inputs(self, ts: int, before: Snapshot | None, requests: Mapping[str, Request]) -> Inputs:
        book = Book(replace(ACCOUNT, equity=self.equity), {}, {}, (), requests)
        return Inputs("main", ts, book=book, machinery=Machinery(operator=self.operator), before=before)

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        assert inputs.ts == answer.decision.ts
        self.obeyed.append(answer)
        if self.fails:
            raise ConnectionError("the venue is gone")


def fund(path: Path, world: World, **settings: Any) -> Fund:
    runner = Runner((BookSource(), FeedSource(), OperatorSource(), ClockSource()))
    return Fund(Store(path / "fund.duckdb", CATALOGUE), packaged_bundle(), runner, world, 3 * MINUTE, **settings)


def test_a_fund_that_knows_nothing_is_halted_with_reasons(tmp_path: Path) -> None:
    found = fund(tmp_path, NoWorld()).step(NOW)
    assert found.answer.of("ess.state") == "HALTED"
    assert found.answer.of("orchestrator.allow_trades") is False
    assert found.assembled.reasons["account.equity"] == "the venue's account is not known"
    certain = {f.rule for f in found.told.decision.firings if f.definite}
    assert not certain & {"ess.drawdown", "ess.losing_streak", "ess.reconciliation_gap", "ess.stale_data"}


def test_a_drawdown_stops_the_fund_and_the_world_hears_of_it(tmp_path: Path) -> None:
    world = Told(equity=900.0)
    found = fund(tmp_path, world).step(NOW)
    assert found.answer.because["ess.drawdown"].startswith("drawdown 10% is over")
    assert [a.of("ess.state") for a in world.obeyed] == ["HALTED"]


def test_what_was_decided_is_stored_before_anything_is_done(tmp_path: Path) -> None:
    world = Told(fails=True)
    run = fund(tmp_path, world)
    decided = run.step(NOW).told.decision
    assert [s.decision for s in run.store.decisions("main")] == [decided]
    assert len(world.obeyed) == 1
    # The loop goes on after an action that failed.
    assert run.step(NOW + MINUTE).ts == NOW + MINUTE


def test_a_latch_outlives_the_process_and_a_reset_while_the_cause_stands_does_nothing(tmp_path: Path) -> None:
    world = Told(equity=900.0)
    first = fund(tmp_path, world)
    assert ("ess.drawdown", True) in {(f.rule, f.definite) for f in first.step(NOW).told.decision.firings}
    first.store.close()
    again = fund(tmp_path, world)
    world.operator = Operator(reset_requested=True, reason="I want to")
    assert again.step(NOW + MINUTE).answer.of("ess.state") == "HALTED"
    again.store.close()


def test_times_that_go_back_are_refused_and_change_nothing(tmp_path: Path) -> None:
    run = fund(tmp_path, Told())
    run.step(NOW)
    with pytest.raises(PolicyError, match="RF777"):
        run.step(NOW - 1)
    assert run.last is not None
    assert run.last.ts == NOW
    assert [s.ts for s in run.store.snapshots("main")] == [NOW]


def test_requests_are_judged_with_the_snapshot_and_exits_are_never_locked(tmp_path: Path) -> None:
    asked = {
        "in": Request("BTCUSDT", "LONG", NOW, 100.0),
        "out": Request("BTCUSDT", "SHORT", NOW, 100.0, reduce_only=True),
    }
    found = fund(tmp_path, Told(equity=900.0)).step(NOW, asked)
    assert found.answer.of("verdict", "in") == "DENY"
    assert found.answer.of("verdict", "out") == "ALLOW"


def test_a_judge_says_the_same_of_a_state_that_stands_by_itself(tmp_path: Path) -> None:
    found = fund(tmp_path, Told(equity=900.0)).step(NOW)
    assert Judge().answer_to(found.assembled.snapshot).decision == found.told.decision
