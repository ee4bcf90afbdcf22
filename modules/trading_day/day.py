"""One fund lives through one day: its market, its signals and its mishaps, snapshot by snapshot in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from evaluators.explanation import Reason
from modules.estimates.sectors import sector_of
from modules.inputs import ModelRecord, Request
from modules.runtime.composition import Composed, compose
from modules.runtime.fund import Step
from modules.runtime.ledger import Lot
from modules.runtime.watched_world import WatchedWorld
from modules.simulated_market import MINUTE_MS
from modules.trading_day.arms import Arm
from modules.trading_day.batches import BatchedStore
from modules.trading_day.brief import BriefFund
from modules.trading_day.exchange import DayExchange
from modules.trading_day.growth import ADD, Growth
from modules.trading_day.lived import Asked, Lived, Moment, Trade
from modules.trading_day.market import DAY, DayMarket, day_market
from modules.trading_day.mishaps import Mishaps
from modules.trading_day.past import closed_trades, model_records
from modules.trading_day.services import SimulatedServices, watched
from modules.trading_day.shared import SharedModules
from modules.trading_day.signals import Signal, signals, way_out
from policy_dsl.bundle import Bundle

CAPITAL = 100_000.0
MAX_GAP = 180_000
"""Longest distance of two snapshots that is no gap, ms."""

BUSY_MS = 10_000
"""Between two snapshots in a storm of errors."""

CLOSE_LOOK_MS, CLOSE_LOOKS = 5_000, 13
"""Between two snapshots after a service was killed, and how many there are: Self-Healing looks every 5 seconds."""

OPERATOR_WAITS = 15
"""Minutes that the operator of the day lets pass before asking for a reset, and between two of those."""

DENY, HALTED = "DENY", "HALTED"
OnMinute = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """A day as it is the same for every run of it."""

    seed: int
    market: DayMarket
    troubles: Mishaps
    signals: tuple[Signal, ...]
    records: Mapping[str, ModelRecord]
    shared: SharedModules = field(default_factory=SharedModules)


def plan(seed: int, midnight: int, troubles: Mishaps) -> Plan:
    """The day of a seed that begins at `midnight` (ms since 1970 UTC), with these mishaps."""
    market = day_market(seed, midnight, troubles.fall)
    return Plan(seed, market, troubles, signals(seed, market), model_records(seed, midnight))


def looks_of(day: Plan, minutes: int = DAY, every: int = 1) -> frozenset[int]:
    """When the fund looks (ms): every so many minutes, every one of a mishap, and closer in a storm or after a kill."""
    midnight, troubles = day.market.midnight, day.troubles
    times = {midnight + minute * MINUTE_MS for minute in range(0, minutes, every)}
    times |= {ts for spell in troubles.spells.values() for ts in range(spell.start, spell.end, MINUTE_MS)}
    times |= set(range(troubles.storm.start, troubles.storm.end, BUSY_MS))
    for kill in troubles.kills:
        first = kill.at - kill.at % CLOSE_LOOK_MS + CLOSE_LOOK_MS
        times |= {first + i * CLOSE_LOOK_MS for i in range(CLOSE_LOOKS)}
    return frozenset(t for t in times if t < midnight + minutes * MINUTE_MS)


def live(
    day: Plan,
    arm: Arm,
    bundle: Bundle,
    *,
    minutes: int = DAY,
    every: int = 1,
    on_minute: OnMinute = lambda: None,
) -> Lived:
    """Live through the first `minutes` of a day under the rules of a run, with a look at least every so many."""
    with Run(day, arm, bundle) as run:
        return run.lived(minutes, every, on_minute)


class Run:
    """A fund in a day, and what has been written down of it so far."""

    def __init__(self, day: Plan, arm: Arm, bundle: Bundle) -> None:
        self.day, self.arm = day, arm
        market = day.market
        self.exchange = DayExchange(market, day.troubles, seed=day.seed, capital=CAPITAL)
        self.parts: Composed = compose(
            self.exchange, None, bundle, candles=market.candles_at, models=lambda _: day.records, patience=None,
            max_gap=MAX_GAP,
        )  # fmt: skip
        self.parts.runner.modules = day.shared.among(self.parts.runner.modules)
        self.parts.ledger.trades += closed_trades(day.seed, market.midnight, market.candles.symbols)
        self.services = SimulatedServices(self.exchange.time, day.seed)
        self.world = WatchedWorld(self.parts.fund.world, watched(self.services))
        self.store = BatchedStore(keep=arm is Arm.ALL)
        self.fund = BriefFund(self.store, bundle, self.parts.runner, self.world, MAX_GAP)
        self.waiting = list(day.signals)
        self.kills = list(day.troubles.kills)
        self.moments: list[Moment] = []
        self.curve: list[float] = []
        self.asked: list[Asked] = []
        self.trades: list[Trade] = []
        self.resets: list[int] = []
        self.holding: dict[str, Signal] = {}
        self.known_trades = len(self.parts.ledger.trades)
        self.halted_since: int | None = None
        self.universe_runs: list[int] = []
        self.growth = Growth(bundle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of files and threads."""
        self.store.close()
        self.parts.close()
        self.exchange.close()

    def lived(self, minutes: int, every: int, on_minute: OnMinute) -> Lived:
        """Live through the day, and tell."""
        looks = looks_of(self.day, minutes, every)
        midnight = self.day.market.midnight
        whole = {midnight + minute * MINUTE_MS for minute in range(minutes)}
        for due in sorted(looks | whole):
            self.exchange.advance(max(due, self.exchange.time()))
            self.kill_services(due)
            if due in whole:
                self.curve.append(self.exchange.worth())
                on_minute()
            if due in looks:
                self.step(self.requests(due))
        gaps = zip(self.universe_runs, self.universe_runs[1:], strict=False)
        return Lived(
            self.arm, self.day.seed, midnight, self.day.troubles, tuple(self.moments), tuple(self.curve),
            tuple(self.asked), tuple(self.trades), self.services.recoveries(), tuple(self.exchange.liquidated),
            tuple(self.resets), len(self.parts.ledger.lots), self.store.stored(),
            max(((b - a) // 1000 for a, b in gaps), default=0), every, self.growth.stages(),
        )  # fmt: skip

    # --- what is asked ---------------------------------------------------------------------------------------------

    def requests(self, due: int) -> dict[str, Request]:
        """Ways out first, then what is proposed by now in symbols in which nothing is held."""
        now = self.exchange.time()
        found = {}
        for symbol, lot in sorted(self.parts.ledger.lots.items()):
            price, signal = self.day.market.price(symbol, now), self.holding.get(symbol)
            if price is None or signal is None or symbol not in self.exchange.ledger.held:
                continue
            if signal.is_over(lot.opened, now):
                request = way_out(symbol, lot, now, price)
                found[str(request.client_id)] = request
        while self.waiting and self.day.market.midnight + self.waiting[0].minute * MINUTE_MS <= due:
            signal = self.waiting.pop(0)
            price = self.day.market.price(signal.symbol, now)
            if price is not None and signal.symbol not in self.holding:
                found[signal.id] = signal.request(now, price)
        return found

    def kill_services(self, due: int) -> None:
        """Kill what was to be killed by now."""
        while self.kills and self.kills[0].at <= due:
            self.services.kill(self.kills.pop(0))

    # --- a snapshot ------------------------------------------------------------------------------------------------

    def step(self, requests: dict[str, Request]) -> None:
        """One snapshot with these requests, and what came of it."""
        at = self.exchange.time()
        before = dict(self.parts.ledger.lots)
        self.follow_operator(at)
        step = self.fund.step(at, requests)
        self.book_trades(before)
        self.note_requests(step, requests)
        self.growth.note(step, {**self.parts.ledger.lots, **before})
        self.moments.append(self.moment(step))
        is_halted = step.answer.of("ess.state") == HALTED
        self.halted_since = None if not is_halted else self.halted_since or at
        ran = self.fund.runner.runs.get("universe_os")
        if ran is not None and (not self.universe_runs or self.universe_runs[-1] != ran.at):
            self.universe_runs.append(ran.at)

    def follow_operator(self, at: int) -> None:
        """After a quarter of an hour of an emergency stop the operator asks for a reset, and again after another."""
        since = self.halted_since
        if since is not None and at - max(since, *self.resets, 0) >= OPERATOR_WAITS * MINUTE_MS:
            self.parts.controls.reset(at, "operator of the simulated day", "a look at the fund after a stop")
            self.resets.append(at)

    def book_trades(self, before: dict[str, Lot]) -> None:
        """Write down the trades that the ledger has closed since, and which positions have grown."""
        for closed in self.parts.ledger.trades[self.known_trades :]:
            signal, lot = self.holding.pop(closed.symbol, None), before.get(closed.symbol)
            if signal is not None and lot is not None:
                self.trades.append(
                    Trade(
                        signal.id, closed.symbol, closed.side, lot.opened, closed.closed, closed.profit,
                        closed.r_multiple, self.was_added_to(closed.symbol, lot.opened, closed.closed),
                    )
                )  # fmt: skip
        self.known_trades = len(self.parts.ledger.trades)

    def was_added_to(self, symbol: str, opened: int, closed: int) -> bool:
        """Whether an add of PAL in the symbol was filled meanwhile."""
        return any(
            work.end is not None and work.end.filled > 0 and opened <= work.ticket.at <= closed
            for name, work in self.parts.execution.intents.worked.items()
            if name.startswith(ADD) and work.ticket.symbol == symbol
        )

    def note_requests(self, step: Step, requests: dict[str, Request]) -> None:
        """Write down what became of each proposal."""
        for key in sorted(requests):
            request = requests[key]
            if request.reduce_only:
                continue
            verdict = str(step.answer.of("verdict", key))
            denying = [r for r in step.told.reasons if _denies(r, key)] if verdict == DENY else []
            denied = tuple(r.rule for r in denying)
            worked = self.parts.execution.intents.worked.get(key)
            end = None if worked is None else worked.end
            filled = 0.0 if end is None else end.filled
            slippage = None if end is None else end.slippage
            sure = tuple(r.rule for r in denying if r.definite)
            self.asked.append(Asked(key, step.ts, request.symbol, verdict, denied, filled, slippage, sure))
            if filled > 0:
                self.holding[request.symbol] = next(s for s in self.day.signals if s.id == key)

    def moment(self, step: Step) -> Moment:
        """The fund after this snapshot."""
        snapshot, answer = step.assembled.snapshot, step.answer
        positions = snapshot.collection("position") or {}
        seen = self.world.seen
        account = None if seen is None else seen.book.account
        held = None if seen is None else seen.book.positions
        gross = sector = None
        if account is not None and held is not None and account.equity > 0:
            gross = sum(p.notional for p in held.values()) / account.equity
            by_sector: dict[str | None, float] = {}
            for position in held.values():
                name = sector_of(position.symbol)
                by_sector[name] = by_sector.get(name, 0.0) + position.notional / account.equity
            sector = max(by_sector.values(), default=0.0)
        return Moment(
            ts=step.ts,
            equity=self.exchange.worth(),
            risk_mode=str(answer.of("hfos.risk_mode")),
            is_halted=answer.of("ess.state") == HALTED,
            allows_trades=bool(answer.of("orchestrator.allow_trades")),
            bound=tuple(sorted({reason.rule for reason in step.told.reasons})),
            sure=tuple(sorted({reason.rule for reason in step.told.reasons if reason.definite})),
            gross=gross,
            sector=sector,
            faults=tuple(sorted(name for name, run in self.fund.runner.runs.items() if run.fault is not None)),
            positions=len(positions),
            classified=sum(row.get("category") is not None for row in positions.values()),
        )


def _denies(reason: Reason, key: str) -> bool:
    return "verdict" in reason.binds and reason.key == key
