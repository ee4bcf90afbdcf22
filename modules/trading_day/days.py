"""Several days, each lived in every run, on as many processes as there are processors."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from evaluators.python import PythonEvaluator
from modules.facts import CATALOGUE
from modules.judge import RULES
from modules.trading_day.arms import Arm, rules_of
from modules.trading_day.day import live, plan
from modules.trading_day.limits import limits
from modules.trading_day.lived import Days, LivedDay
from modules.trading_day.market import DAY
from modules.trading_day.mishaps import mishaps
from modules.trading_day.replay import replayed
from policy_dsl.bundle import Bundle, load
from policy_dsl.quantities import MS_PER_DAY, Unit, from_quanta

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_DAY = 1_767_744_000_000
"""2026-01-07T00:00:00Z: the day of the first seed; each one after it has the next."""

MOST_DRAWDOWN = "hfos.defensive_drawdown"
"""The param that says how much the fund may lose before it is on the defensive."""

NEEDED = frozenset(
    {
        "aelm.max_participation", "aelm.max_slippage", "aelm.order_type", "ess.actions", "ess.state", "healing.actions",
        "hfos.risk_mode", "orchestrator.allow_trades", "verdict", MOST_DRAWDOWN,
    }
)  # fmt: skip
"""Outputs and params without which a day cannot be lived or told."""

QUICK = 180
"""Minutes of a day that is only to be looked at: the same mishaps in three hours."""

LOOK_SECONDS = 0.2
"""How often the progress of other processes is looked at."""

OnMinutes = Callable[[int, int], None]
"""Told how many minutes of all runs have been lived through, and how many there are."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which days: so many, from the seed `seed` on, of so many `minutes`, under the rules in `rules`.

    The fund looks every so many minutes, and closer where something is wrong. Only the `first` minutes of each day are
    lived; None: all. `arms` are the runs, that with all policies among them. `processes` is None for as many as there
    are processors.
    """

    days: int
    seed: int = 0
    minutes: int = DAY
    every: int = 2
    first: int | None = None
    arms: tuple[Arm, ...] = tuple(Arm)
    rules: Path = RULES
    processes: int | None = None

    @property
    def lived(self) -> int:
        """Minutes of each day that are lived."""
        return self.minutes if self.first is None else self.first

    @property
    def whole(self) -> int:
        """Minutes of all runs together."""
        return self.days * len(self.arms) * self.lived


def lived_days(wanted: Wanted, on_minutes: OnMinutes = lambda _done, _of: None) -> Days:
    """Live through the days. The same wish gives the same days, bit for bit, on however many processes.

    Raises PolicyError for rules that do not check, and ValueError for rules that lack what a day is told by.
    """
    bundle = load(wanted.rules, CATALOGUE)
    lacking = sorted(NEEDED - {o.id for o in bundle.program.outputs} - {p.id for p in bundle.program.params})
    if lacking:
        raise ValueError(f"the rules have no {', '.join(f'`{name}`' for name in lacking)}, which a simulated day needs")
    bundles = {arm: rules_of(arm, bundle) for arm in wanted.arms}
    processes = min(wanted.processes or os.cpu_count() or 1, wanted.days)
    if processes == 1:
        counted = _Count(wanted.whole, on_minutes)
        return tuple(lived_day(wanted, number, bundles, counted.one) for number in range(wanted.days))
    return _on_many(wanted, processes, bundles, on_minutes)


def lived_day(wanted: Wanted, number: int, bundles: Mapping[Arm, Bundle], on_minute: Callable[[], None]) -> LivedDay:
    """Every run of one day; `number` is its place, from 0 on."""
    with _quiet():
        seed, midnight = wanted.seed + number, FIRST_DAY + number * MS_PER_DAY
        day = plan(seed, midnight, mishaps(seed, midnight, wanted.minutes))
        runs = {
            arm: live(day, arm, bundles[arm], minutes=wanted.lived, every=wanted.every, on_minute=on_minute)
            for arm in wanted.arms
        }
        most, looks = _most_drawdown(bundles[Arm.ALL]), limits(bundles[Arm.ALL])
        return LivedDay(runs, replayed(runs[Arm.ALL], day.market, day.signals, most, looks), looks)


def _most_drawdown(bundle: Bundle) -> float:
    """What the rules bear: the drawdown from which the fund is on the defensive."""
    (value,) = (p.value for p in bundle.program.params if p.id == MOST_DRAWDOWN)
    assert isinstance(value, int)
    return from_quanta(value, Unit.RATIO)


class _Count:
    def __init__(self, whole: int, told: OnMinutes) -> None:
        self.done, self.whole, self.told = 0, whole, told

    def one(self) -> None:
        self.done += 1
        self.told(self.done, self.whole)


@dataclass(slots=True)
class _Process:
    """What another process was given at its start: the count of minutes that all share, and the rules of each run."""

    count: Synchronized[int] | None = None
    bundles: Mapping[Arm, Bundle] = field(default_factory=dict)
    evaluators: tuple[PythonEvaluator, ...] = ()
    """Kept, so that the rules of a run are compiled once for all days."""

    def one_more(self) -> None:
        if self.count is not None:
            with self.count.get_lock():
                self.count.value += 1


_here = _Process()


def _begin(count: Synchronized[int], bundles: Mapping[Arm, Bundle]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once; the process that began it says so
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _here.count, _here.bundles = count, bundles
    _here.evaluators = tuple(PythonEvaluator(bundle.program) for bundle in bundles.values())


def _elsewhere(wanted: Wanted, number: int) -> LivedDay:
    return lived_day(wanted, number, _here.bundles, _here.one_more)


def _on_many(wanted: Wanted, processes: int, bundles: Mapping[Arm, Bundle], on_minutes: OnMinutes) -> Days:
    # Fresh processes: this one has threads and an open database, which a fork would copy half.
    context = multiprocessing.get_context("spawn")
    count: Synchronized[int] = context.Value("q", 0)
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(count, bundles)) as pool:
        try:
            with interrupts_wait():
                running = [pool.submit(partial(_elsewhere, wanted, number)) for number in range(wanted.days)]
            left: set[Future[LivedDay]] = set(running)
            while left:
                ended, left = wait(left, LOOK_SECONDS, FIRST_COMPLETED)
                on_minutes(count.value, wanted.whole)
                for future in ended:
                    future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        return tuple(future.result() for future in running)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Ctrl-C is heard afterwards; by processes that start meanwhile once they let it, not amid their imports."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the log lines of the fund: an outage is full of them, and they are not what a day is asked for."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
