"""A whole fund on paper: what a snapshot takes, of what, and how much memory the fund holds.

200 symbols with a year of hours, 50 positions, four models with a record of predictions, two requests a snapshot. A
snapshot every five seconds is in simulated time; nothing waits. The base is a snapshot in which no module with an
interval of its own is due: the others are ratios to it, and the parts of a snapshot are shares of it. Only ratios of
one run mean anything; `--absolute` adds milliseconds, for a look at one machine.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]  # because it ships no types

from evaluators.snapshot import Snapshot
from modules.estimates.hours import HOUR_MS
from modules.feeds.candles import Candles
from modules.inputs import Inputs, ModelRecord, Predictions, Request
from modules.judge import Answer, packaged_bundle
from modules.runtime.composition import Composed, compose
from modules.runtime.lasting import lasting
from modules.venues.amounts import floored
from modules.venues.paper import PaperExchange
from modules.venues.paper_market import PaperMarket
from modules.venues.venue import Kind, NewOrder

SYMBOLS, POSITIONS, DAYS, MINUTES = 200, 50, 400, 180
START_MS = 1_752_537_600_000
"""2025-07-15T00:00:00Z."""

EVERY_MS = 5_000
MODELS = ("xgboost", "lightgbm", "nhits", "patchtst")
BUDGET_MB = 600
THREADS = "OPENBLAS_NUM_THREADS"
KNOWN = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "UNIUSDT", "ADAUSDT", "DOGEUSDT", "LINKUSDT", "AVAXUSDT")


def names() -> tuple[str, ...]:
    """Symbols, some of which have a sector."""
    return tuple(sorted((*KNOWN, *(f"M{i:03d}USDT" for i in range(SYMBOLS - len(KNOWN))))))


def bars(rng: np.random.Generator, first: int, cadence_ms: int, count: int, price: Any) -> Candles:
    """A market that moves together in part, from `price` on."""
    together, own = rng.normal(0, 1, (count, 1)), rng.normal(0, 1, (count, SYMBOLS))
    step = 0.008 * np.sqrt(cadence_ms / HOUR_MS)
    close = price * np.exp(np.cumsum(step * (0.6 * together + 0.8 * own), axis=0))
    opened = np.vstack([price[None, :], close[:-1]])
    reach = np.exp(np.abs(rng.normal(0, step / 2, (2, count, SYMBOLS))))
    value = 1e9 / (1 + np.arange(SYMBOLS)) * (cadence_ms / 86_400_000) * np.exp(rng.normal(0, 0.3, (count, SYMBOLS)))
    times = first + cadence_ms * np.arange(count, dtype=np.int64)
    high, low = np.maximum(opened, close) * reach[0], np.minimum(opened, close) / reach[1]
    return Candles("paper", cadence_ms, times, names(), opened, high, low, close, value / close)


@dataclass
class Market:
    """A year of hours, and minutes after it."""

    hours: Candles
    paper: PaperMarket
    _shown: dict[int, Candles] = field(default_factory=dict)

    @classmethod
    def made(cls, seed: int = 0) -> Market:
        """The same one for a seed."""
        rng = np.random.default_rng(seed)
        year = bars(rng, START_MS - DAYS * 24 * HOUR_MS, HOUR_MS, DAYS * 24 + 2, rng.uniform(0.5, 500, SYMBOLS))
        minutes = bars(rng, START_MS, 60_000, MINUTES, year.close[-3])
        return cls(year, PaperMarket(minutes, np.full(minutes.close.shape, 4e-4), seed))

    def candles(self, ts: int) -> Candles:
        """The hours that are over, the same object until there is one more."""
        count = int(np.searchsorted(self.hours.closed, ts, side="right"))
        if count not in self._shown:
            panels = {n: getattr(self.hours, n)[:count] for n in ("open", "high", "low", "close", "volume")}
            self._shown = {count: Candles("paper", HOUR_MS, self.hours.opened[:count], self.hours.symbols, **panels)}
        return self._shown[count]


def records(seed: int = 0) -> dict[str, ModelRecord]:
    """Four models with 400 predictions each."""
    rng = np.random.default_rng(seed)

    def record() -> ModelRecord:
        probability = rng.uniform(0.4, 0.8, 400)
        came = (rng.random(400) < probability).astype(float)
        told = Predictions(
            START_MS - HOUR_MS * np.arange(400, 0, -1, dtype=np.int64), probability, came, rng.random(400) < 0.5,
            (rng.random(400) < 0.5).astype(float), np.where(came > 0, 1.5, -1.0),
        )  # fmt: skip
        features = rng.normal(0, 1, (1000, 8))
        return ModelRecord(told, START_MS - 24 * HOUR_MS, "NORMAL", features[:700], features[700:])

    return {name: record() for name in MODELS}


@dataclass
class Timed:
    """The world of a fund, and how long it took to look and to act."""

    inner: Any
    looked: float = 0.0
    acted: float = 0.0

    def inputs(self, ts: int, before: Snapshot | None, requests: Mapping[str, Request]) -> Inputs:
        """As the world does."""
        started = perf_counter()
        found: Inputs = self.inner.inputs(ts, before, requests)
        self.looked = perf_counter() - started
        return found

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        """As the world does."""
        started = perf_counter()
        self.inner.obey(answer, inputs)
        self.acted = perf_counter() - started


@dataclass
class Writing:
    """What writes to a store, and how long it took last."""

    write: Callable[..., Any]
    seconds: float = 0.0

    def __call__(self, *given: Any) -> Any:
        """As the store does."""
        started = perf_counter()
        found = self.write(*given)
        self.seconds = perf_counter() - started
        return found


@dataclass(frozen=True)
class Took:
    """One snapshot: seconds in all, those of them in which this process had a processor, and by part."""

    total: float
    busy: float
    parts: Mapping[str, float]
    due: frozenset[str]


def one(composed: Composed, world: Timed, writing: Writing, ts: int, requests: Mapping[str, Request]) -> Took:
    """Live through a snapshot."""
    runner = composed.runner
    started, began = perf_counter(), process_time()
    composed.fund.step(ts, requests)
    total, busy = perf_counter() - started, process_time() - began
    ran = {name: run.seconds for name, run in runner.runs.items() if run.at == ts}
    faults = {name: run.fault for name, run in runner.runs.items() if run.fault is not None}
    assert not faults, faults
    parts = {**ran, "look at the venue": world.looked, "store": writing.seconds, "act": world.acted}
    parts["decide and tell why"] = total - sum(parts.values())
    every = {module.name: module.interval for module in runner.modules}
    return Took(total, busy, parts, frozenset(name for name in ran if every[name] * 1000 > EVERY_MS))


def opened(paper: PaperExchange) -> None:
    """Hold fifty positions."""
    tickers, listings = paper.tickers(), paper.markets()
    for number, symbol in enumerate(sorted(tickers, key=lambda s: -tickers[s].volume_24h)[:POSITIONS]):
        side = "LONG" if number % 3 else "SHORT"
        quantity = floored(5_000 / tickers[symbol].price, listings[symbol].step)
        paper.place(NewOrder(f"open-{symbol}", symbol, side, quantity, Kind.MARKET))


def lived(snapshots: int, folder: Path, see: Callable[[str], None]) -> tuple[list[Took], float, float]:
    """The snapshots of half an hour and a bit, and the memory of the process before and after, in MB."""
    process = psutil.Process()
    see("making a market")
    market = Market.made()
    paper = PaperExchange(market.paper, start=START_MS + 61 * 60_000, capital=1_000_000.0)
    opened(paper)
    gc.collect()
    before = process.memory_info().rss / 1e6
    told = records()
    composed = compose(paper, folder, packaged_bundle(), candles=market.candles, models=lambda _: told, patience=600.0)
    with lasting():  # as in `ringfence serve`
        world = Timed(composed.fund.world)
        composed.fund.world = world
        writing = Writing(composed.store.write)
        composed.store.write = writing  # type: ignore[method-assign, assignment]  # because it is measured
        took = []
        ts = paper.time()
        for number in range(snapshots):
            see(f"snapshot {number + 1} of {snapshots}")
            # The last few come half an hour later, and one after the next hour.
            ts += {snapshots - 6: 31 * 60_000, snapshots - 3: 31 * 60_000}.get(number, EVERY_MS)
            paper.advance(max(ts, paper.time()))
            price = paper.tickers()["BTCUSDT"].price
            asked = {
                f"r{n}": Request(
                    "BTCUSDT", "LONG", ts, 2_000.0, leverage=3.0, model=MODELS[n], confidence=0.7, votes=3,
                    urgency="NORMAL", stop=price * 0.97, target=price * 1.08,
                )
                for n in range(2)
            }  # fmt: skip
            took.append(one(composed, world, writing, ts, asked))
    after = process.memory_info().rss / 1e6
    composed.close()
    return took, before, after


def report(took: list[Took], before: float, after: float, *, absolute: bool) -> None:
    """Shares and ratios; milliseconds only where they are asked for."""
    plain = [t for t in took[2:] if not t.due]
    base = statistics.median(t.total for t in plain)

    def told(seconds: float) -> str:
        return f"  {seconds * 1000:8.1f} ms" if absolute else ""

    print(f"a snapshot in which no interval is over (median of {len(plain)}): 1.00{told(base)}")
    print(f"  of which with a processor       {statistics.median(t.busy for t in plain) / base:6.1%}")
    parts = sorted({part for t in plain for part in t.parts})
    for part in sorted(parts, key=lambda p: -statistics.median(t.parts.get(p, 0.0) for t in plain)):
        took_it = statistics.median(t.parts.get(part, 0.0) for t in plain)
        print(f"  {part:28} {took_it / base:6.1%} of it{told(took_it)}")
    for number, t in enumerate(took):
        if t.due or number == 0:
            most = sorted(t.parts.items(), key=lambda item: -item[1])[:5]
            print(f"snapshot {number + 1} ({', '.join(sorted(t.due))}): {t.total / base:.2f}{told(t.total)}")
            print(f"  of which with a processor    {t.busy / base:6.2f}{told(t.busy)}")
            for part, seconds in most:
                print(f"  {part:28} {seconds / base:6.2f}{told(seconds)}")
    print(f"resident memory: {after / BUDGET_MB:.0%} of the {BUDGET_MB} MB that it may take")
    print(f"  of which before there was a fund (the market, and libraries): {before / BUDGET_MB:.0%}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshots", type=int, default=40)
    parser.add_argument("--absolute", action="store_true", help="milliseconds too")
    given = parser.parse_args()
    if THREADS not in os.environ:
        # As in a fund that the command line runs. Numpy reads it when it is loaded: begin anew.
        os.execve(sys.executable, sys.orig_argv, {**os.environ, THREADS: "1"})  # noqa: S606 -- this very program
    with tempfile.TemporaryDirectory() as folder:
        took, before, after = lived(max(given.snapshots, 12), Path(folder) / "fund", lambda _: None)
    report(took, before, after, absolute=given.absolute)


if __name__ == "__main__":
    main()
