"""Modules run at their intervals and for themselves: one that fails, hangs or lies costs its facts, never the loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event
from typing import Any, ClassVar

import pytest

from modules.inputs import Inputs
from modules.module import Module
from modules.runtime.runner import Runner
from modules.supply import Supply

NOW = 1_760_000_000_000


@dataclass
class Counting:
    """Supplies the equity, and counts how often it was asked."""

    name: ClassVar[str] = "counting"
    policy: ClassVar[str | None] = None
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 60
    owners: ClassVar[tuple[str, ...]] = ("book",)
    answers: list[Any] = field(default_factory=list)
    seen: list[Inputs] = field(default_factory=list)

    def compute(self, inputs: Inputs) -> Supply:
        self.seen.append(inputs)
        answer = self.answers.pop(0) if self.answers else Supply({"account.equity": float(len(self.seen))})
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Event):
            answer.wait(10)
            return Supply({"account.equity": -1.0})
        found: Supply = answer
        return found


@dataclass
class Reading:
    """Supplies what it can read of the other."""

    name: ClassVar[str] = "reading"
    policy: ClassVar[str | None] = None
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("PBA",)

    def compute(self, inputs: Inputs) -> Supply:
        return Supply({"account.gross_exposure": inputs.known.single.get("account.equity")})


@pytest.fixture
def counting() -> Counting:
    return Counting()


def runner(*modules: Module, **settings: Any) -> Runner:
    return Runner(modules, **settings)


def equity(run: Runner, ts: int) -> tuple[Any, str | None]:
    supply = run.supplied(Inputs("main", ts))[0].supply
    return supply.single.get("account.equity"), supply.reasons.get("account.equity")


@pytest.fixture
def gate() -> Iterator[Event]:
    opened = Event()
    yield opened
    opened.set()


def test_a_module_runs_at_its_interval_and_not_between(counting: Counting) -> None:
    run = runner(counting)
    assert [equity(run, NOW + s * 1000)[0] for s in (0, 30, 59, 60, 61, 120)] == [1, 1, 1, 2, 2, 3]


def test_modules_see_what_those_before_them_supplied(counting: Counting) -> None:
    found = runner(counting, Reading()).supplied(Inputs("main", NOW))
    assert found[1].supply.single == {"account.gross_exposure": 1.0}


def test_a_module_that_raises_loses_its_facts_and_no_others(counting: Counting) -> None:
    counting.answers = [ZeroDivisionError("division by zero")]
    run = runner(counting, Reading())
    found = run.supplied(Inputs("main", NOW))
    assert found[0].supply.single == {}
    assert found[0].supply.reasons["account.equity"] == "counting failed: it raised ZeroDivisionError: division by zero"
    assert found[1].supply.single == {"account.gross_exposure": None}
    assert equity(run, NOW + 1000) == (2.0, None)


def test_what_it_supplied_before_does_not_outlive_a_failure(counting: Counting) -> None:
    run = runner(counting)
    assert equity(run, NOW)[0] == 1.0
    counting.answers = [ValueError("no")]
    assert equity(run, NOW + 60_000) == (None, "counting failed: it raised ValueError: no")


def test_a_module_that_hangs_loses_its_facts_until_it_is_done(counting: Counting, gate: Event) -> None:
    counting.answers = [gate]
    run = runner(counting, patience=0.02)
    assert equity(run, NOW) == (None, "counting failed: it took over 0.02 s")
    assert equity(run, NOW + 1000) == (None, "counting failed: it still works on an earlier snapshot")
    assert len(counting.seen) == 1
    gate.set()
    run._busy["counting"].result(10)
    # What it came up with in the end is of a snapshot long gone.
    assert equity(run, NOW + 2000)[0] == 2.0


def test_a_module_that_returns_no_supply_loses_its_facts(counting: Counting) -> None:
    counting.answers = [{"account.equity": 5.0}]
    assert equity(runner(counting), NOW) == (None, "counting failed: it returned a dict")


def test_a_module_that_is_switched_off_supplies_nothing_and_comes_back_at_once(counting: Counting) -> None:
    off: set[str] = set()
    run = runner(counting, is_on=lambda name: name not in off)
    assert equity(run, NOW)[0] == 1.0
    off.add("counting")
    assert equity(run, NOW + 1000) == (None, "counting is switched off")
    off.clear()
    assert equity(run, NOW + 2000)[0] == 2.0
