"""Modules run at their intervals and for themselves: one that fails, hangs or lies costs its facts, never the loop."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event, active_count
from threading import enumerate as enumerate_threads
from typing import Any, ClassVar

import pytest

from modules.assembly import assemble
from modules.inputs import Inputs, Market
from modules.module import Module
from modules.runtime.runner import Runner
from modules.runtime.shape import MOST_ROWS
from modules.sample_market import sample_inputs
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
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Event):
            answer.wait(60)
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


def test_a_snapshot_that_comes_a_moment_early_does_not_make_a_module_wait_for_the_next(counting: Counting) -> None:
    run = runner(counting)
    assert [equity(run, NOW + ms)[0] for ms in (0, 59_499, 59_500, 118_999, 119_000)] == [1, 1, 2, 2, 3]


def test_a_module_knows_when_it_supplied_last(counting: Counting) -> None:
    run = runner(counting)
    counting.answers = [Supply({"account.equity": 1.0}), RuntimeError("no"), Supply({"account.equity": 1.0})]
    for second in (0, 60, 61, 121):
        run.supplied(Inputs("main", NOW + second * 1000))
    assert [seen.told for seen in counting.seen] == [None, NOW, NOW, NOW + 61_000]


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
    run = runner(counting, patience=0.5)
    assert equity(run, NOW) == (None, "counting failed: it took over 0.5 s")
    assert equity(run, NOW + 1000) == (None, "counting failed: it still works on an earlier snapshot")
    assert len(counting.seen) == 1
    gate.set()
    run._busy["counting"].future.result(60)
    # What it came up with in the end is of a snapshot long gone.
    assert equity(run, NOW + 2000)[0] == 2.0


def test_a_run_that_may_take_any_time_is_made_at_once_and_alike(counting: Counting) -> None:
    counting.answers = [ZeroDivisionError("division by zero")]
    run = runner(counting, Reading(), patience=None)
    before = active_count()
    assert equity(run, NOW) == (None, "counting failed: it raised ZeroDivisionError: division by zero")
    assert equity(run, NOW + 1000) == (2.0, None)
    assert run.supplied(Inputs("main", NOW + 2000))[1].supply.single == {"account.gross_exposure": 2.0}
    assert active_count() == before


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


def test_what_happened_happens_in_one_snapshot(counting: Counting) -> None:
    counting.answers.append(Supply({"account.equity": 1.0}, events={"trade": ({"symbol": "BTCUSDT"},)}))
    run = runner(counting)
    first, second = (run.supplied(Inputs("main", ts))[0].supply for ts in (NOW, NOW + 1_000))
    assert len(first.events["trade"]) == 1
    assert second == Supply({"account.equity": 1.0})


def until_done(run: Runner) -> None:
    for work in run._busy.values():
        work.future.exception(60)


def test_a_module_beside_the_snapshots_holds_none_up(counting: Counting, gate: Event) -> None:
    counting.answers.append(gate)
    run = runner(counting, behind=5)
    assert equity(run, NOW) == (None, "counting has not ended its first run")
    assert equity(run, NOW + 5_000) == (None, "counting has not ended its first run")
    gate.set()
    until_done(run)
    assert equity(run, NOW + 10_000) == (-1.0, None)
    assert (run.runs["counting"].at, run.runs["counting"].fault) == (NOW, None)
    assert len(counting.seen) == 1
    # Due again: what it said stays until the next run has ended.
    assert equity(run, NOW + 60_000)[0] == -1.0
    until_done(run)
    assert equity(run, NOW + 65_000) == (2.0, None)
    run.close()


def test_a_module_beside_the_snapshots_that_fails_loses_its_facts_and_is_tried_again(counting: Counting) -> None:
    counting.answers += [Supply({"account.equity": 1.0}), RuntimeError("no feed")]
    run = runner(counting, behind=5)
    equity(run, NOW)
    until_done(run)
    assert equity(run, NOW + 5_000)[0] == 1.0
    equity(run, NOW + 60_000)
    until_done(run)
    assert equity(run, NOW + 65_000) == (None, "counting failed: it raised RuntimeError: no feed")
    until_done(run)
    assert equity(run, NOW + 70_000) == (3.0, None)
    run.close()


def test_a_run_that_was_begun_before_a_module_was_switched_off_never_counts(counting: Counting, gate: Event) -> None:
    counting.answers.append(gate)
    on = [True]
    run = runner(counting, behind=5, is_on=lambda _: on[0])
    equity(run, NOW)
    on[0] = False
    assert equity(run, NOW + 5_000) == (None, "counting is switched off")
    on[0] = True
    assert equity(run, NOW + 10_000) == (None, "counting failed: it still works on an earlier snapshot")
    gate.set()
    until_done(run)
    equity(run, NOW + 15_000)
    until_done(run)
    assert equity(run, NOW + 20_000) == (2.0, None)
    run.close()


def test_a_module_that_had_nothing_to_supply_runs_again_at_once(counting: Counting) -> None:
    counting.answers += [Supply(reasons={"account.equity": "no venue"}), Supply({"account.equity": 2.0})]
    run = runner(counting)
    assert equity(run, NOW) == (None, "no venue")
    assert equity(run, NOW + 1_000) == (2.0, None)
    assert equity(run, NOW + 2_000) == (2.0, None)
    assert len(counting.seen) == 2


@pytest.mark.parametrize("behind", [None, 5.0])
def test_once_there_are_candles_every_module_runs_again(counting: Counting, behind: float | None) -> None:
    run = runner(counting, behind=behind)
    candles = sample_inputs().market
    for after, market in ((0, Market()), (2_000, candles), (3_000, candles), (4_000, candles)):
        run.supplied(Inputs("main", NOW + after, market))
        until_done(run)
    assert [inputs.ts - NOW for inputs in counting.seen] == [0, 2_000]


@pytest.mark.parametrize(
    ("supply", "fault"),
    [
        ({"single": {3: 1.0}}, "its single facts are no mapping from paths"),
        ({"single": None}, "its single facts are no mapping from paths"),
        ({"rows": {"symbol": ["BTCUSDT"]}}, "its rows of `symbol` are no mapping from keys to facts"),
        ({"rows": {"symbol": {1: {}}}}, "its rows of `symbol` are no mapping from keys to facts"),
        ({"rows": {"star": {}}}, "it has rows of 'star', which is no entity"),
        ({"events": {"trade": [{}]}}, "its events of `trade` are no tuple of facts"),
        ({"events": {"star": ()}}, "it has events of 'star', which is no entity"),
        ({"reasons": {"account.equity": 3}}, "its reasons are no mapping from facts to text"),
        ({"rows": {"symbol": {"\ud800": {}}}}, "its rows of `symbol` are no mapping from keys to facts"),
        ({"reasons": {"account.equity": "\ud800"}}, "its reasons are no mapping from facts to text"),
        (
            {"rows": {"symbol": {str(n): {} for n in range(MOST_ROWS + 1)}}},
            f"it has {MOST_ROWS + 1} rows of `symbol`, and {MOST_ROWS} are the most",
        ),
        (
            {"events": {"trade": ({},) * (MOST_ROWS + 1)}},
            f"it has {MOST_ROWS + 1} events of `trade`, and {MOST_ROWS} are the most",
        ),
    ],
)
def test_a_supply_of_another_shape_costs_the_module_its_facts(
    counting: Counting, supply: dict[str, Any], fault: str
) -> None:
    counting.answers.append(Supply(**supply))
    run = runner(counting, Reading())
    assert equity(run, NOW) == (None, f"counting failed: {fault}")
    assert run.runs["counting"].fault == fault
    assert run.runs["reading"].fault is None


class Panic(BaseException):
    """As libraries of other languages raise it, which is no Exception."""


class Wordless(Exception):  # noqa: N818 -- it is one that cannot say what is wrong
    """An error whose words are an error."""

    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize("patience", [5.0, None])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (Panic("index out of bounds"), "Panic: index out of bounds"),
        (CancelledError(), "CancelledError: "),
        (BaseExceptionGroup("two", [KeyboardInterrupt()]), "BaseExceptionGroup: two (1 sub-exception)"),
        (TimeoutError("the feed"), "TimeoutError: the feed"),
        (Wordless(), "Wordless"),
        (ValueError("\ud800" + "x" * 2000), "ValueError: ?" + "x" * 999),
    ],
    ids=["exit", "panic", "cancelled", "group", "time-out", "wordless", "wordy"],
)
def test_whatever_a_module_raises_costs_its_facts_alone(
    counting: Counting, error: BaseException, told: str, patience: float | None
) -> None:
    counting.answers.append(error)
    run = runner(counting, Reading(), patience=patience)
    assert equity(run, NOW) == (None, f"counting failed: it raised {told}")
    assert run.runs["reading"].fault is None
    assert equity(run, NOW + 1000) == (2.0, None)


def test_an_interrupt_of_a_module_is_its_own_in_a_thread_and_a_persons_where_it_is_awaited(counting: Counting) -> None:
    counting.answers.append(KeyboardInterrupt())
    assert equity(runner(counting), NOW) == (None, "counting failed: it raised KeyboardInterrupt: ")
    counting.answers.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        equity(runner(counting, patience=None), NOW)


class Unruly(dict[str, Any]):
    """A mapping that fails whoever reads it a second time."""

    reads = 0

    def __iter__(self) -> Iterator[str]:
        self.reads += 1
        if self.reads > 2:
            raise RuntimeError("no more")
        return super().__iter__()


class Unread(float):
    """A number that can be neither read nor shown."""

    def __float__(self) -> float:
        raise RuntimeError("no number")

    def __repr__(self) -> str:
        raise RuntimeError("no words")


def test_what_a_module_goes_on_writing_to_is_not_what_it_supplied(counting: Counting) -> None:
    shared = {"account.equity": 1.0}
    counting.answers.append(Supply(shared))
    (found,) = runner(counting).supplied(Inputs("main", NOW))
    shared.clear()
    assert assemble("main", NOW, [found]).snapshot.facts == {"account.equity": 1_000_000}


def test_a_mapping_that_fails_in_the_end_fails_within_the_run(counting: Counting) -> None:
    counting.answers.append(Supply(Unruly({"account.equity": 1.0})))
    run = runner(counting, Reading())
    run.supplied(Inputs("main", NOW))
    assert run.runs["reading"].fault is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [(Unread(1.0), "a Unread"), (10**5000, "a int"), ([0] * 1000, f"[{'0, ' * 166}0...")],
    ids=["unread", "too large", "too long"],
)
def test_a_value_that_cannot_be_read_or_shown_costs_itself_alone(counting: Counting, value: Any, shown: str) -> None:
    counting.answers.append(Supply({"account.equity": value, "account.balance": 1.0}))
    found = assemble("main", NOW, runner(counting).supplied(Inputs("main", NOW)))
    assert found.snapshot.facts["account.balance"] == 1_000_000
    assert found.snapshot.facts["account.equity"] is None
    assert found.reasons["account.equity"] == f"counting supplied {shown}, which is not a money that can be believed"


def test_however_many_modules_hang_the_others_run(gate: Event) -> None:
    hanging = [Counting(answers=[gate]) for _ in range(40)]
    for number, module in enumerate(hanging):
        module.name = f"hanging {number}"  # type: ignore[misc]  # because each needs a name of its own here
    run = runner(*hanging, Reading(), patience=0.0)
    run.supplied(Inputs("main", NOW))
    run.patience = 60.0
    run.supplied(Inputs("main", NOW + 1))
    assert run.runs["reading"].fault is None
    assert {run.runs[module.name].fault for module in hanging} == {"it still works on an earlier snapshot"}


def test_a_module_that_hangs_does_not_keep_the_process_from_ending(counting: Counting, gate: Event) -> None:
    counting.answers.append(gate)
    run = runner(counting, patience=0.0)
    run.supplied(Inputs("main", NOW))
    (left,) = [thread for thread in enumerate_threads() if thread.name == "module counting"]
    assert left.daemon
    assert left.is_alive()
