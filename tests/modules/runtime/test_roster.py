"""The roster: every module by the name that switches it, after those whose facts it reads; a whole fund on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluators.store import Store
from modules.facts import CATALOGUE
from modules.inputs import Request
from modules.judge import packaged_bundle
from modules.module import Module
from modules.runtime.actions import Actions
from modules.runtime.controls import Controls
from modules.runtime.fund import Fund
from modules.runtime.ledger import Ledger
from modules.runtime.roster import roster
from modules.runtime.runner import Runner
from modules.runtime.switches import POLICIES
from modules.runtime.venue_world import VenueWorld
from modules.smart_execution import SmartExecution
from modules.venues.paper import PaperExchange

SOURCES = {"book", "feed", "operator", "clock"}


@pytest.fixture
def venue() -> PaperExchange:
    return PaperExchange()


def test_modules_go_by_the_names_and_policies_that_switch_them(venue: PaperExchange) -> None:
    modules = [m for m in roster(SmartExecution(venue), Controls()) if m.name not in SOURCES]
    assert all(isinstance(m, Module) for m in modules)
    assert {m.name: m.policy for m in modules}.items() <= POLICIES.items()


def test_who_reads_the_facts_of_others_comes_after_them(venue: PaperExchange) -> None:
    names = [m.name for m in roster(SmartExecution(venue), Controls())]
    order = ("book", "feed", "msc_ai", "universe_os", "opportunity_ranker", "pil", "pba")
    assert [n for n in names if n in order] == list(order)


@pytest.fixture
def fund(tmp_path: Path, venue: PaperExchange) -> Iterator[Fund]:
    controls, execution = Controls(), SmartExecution(venue)
    hands = Actions(venue, execution)
    world = VenueWorld(venue, Ledger(), controls, ended=hands.ended, act=hands.obey)
    runner = Runner(roster(execution, controls), patience=60)
    with Store(tmp_path / "fund.duckdb", CATALOGUE) as store:
        yield Fund(store, packaged_bundle(), runner, world, 180_000)
    runner.close()


def test_a_whole_fund_decides_on_paper_and_trades_nothing_that_it_cannot_judge(
    fund: Fund, venue: PaperExchange
) -> None:
    asked = {"r": Request("BTCUSDT", "LONG", venue.time(), 500.0, leverage=2.0, model="xgboost", confidence=0.9)}
    step = fund.step(venue.time(), asked)
    assert {name: run.fault for name, run in fund.runner.runs.items() if run.fault is not None} == {}
    assert step.answer.of("verdict", "r") == "DENY"
    assert step.assembled.snapshot.facts["account.equity"] == 100_000_000_000
    assert step.assembled.snapshot.rows["request"] is not None
    assert step.assembled.snapshot.rows["request"]["r"]["effect"] == 0
    assert step.assembled.reasons["model"] == "Model Supervisor supplies no rows"
    assert venue.positions() == {}
