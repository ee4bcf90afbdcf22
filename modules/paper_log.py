"""What the paper book was like at every close, as columns and rows of facts."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modules.estimates import kelly
from modules.estimates.correlation import clusters
from modules.estimates.kelly import WHOLE_RISK
from modules.estimates.liquidation import touch_probability
from modules.estimates.records import category_of, performance_by_interval
from modules.estimates.sectors import sector_of
from modules.facts.levels import SIDE
from modules.paper_book import PaperBook
from modules.paper_holding import Holding
from modules.paper_requests import OWN_MODEL, Ask, RequestLog, ask_of
from modules.state_columns import EntityColumns, RowLog

POSITION_FIELDS = (
    "symbol", "side", "notional", "original_notional", "scaled", "r_multiple", "peak_r", "drawdown_from_peak",
    "unrealized", "category", "age", "leverage", "risk", "stop_distance", "liquidation_distance",
    "liquidation_probability_7d",
)  # fmt: skip
ACCOUNT_FIELDS = (
    "equity", "balance", "free_margin", "used_margin", "drawdown", "daily_loss", "open_loss", "losing_streak",
    "open_positions", "gross_exposure", "net_exposure", "risk", "margin_usage", "correlated_exposure",
    "correlated_positions", "reconciliation_gap",
)  # fmt: skip
CLUSTER_BARS = 240
CLUSTERS_KEPT_BARS = 24
DAYS_OF_PROBABILITY = 7


@dataclass(slots=True)
class Record:
    """Closed trades so far."""

    trades: int = 0
    wins: int = 0
    total_r: float = 0.0
    square_r: float = 0.0
    won_r: float = 0.0
    losses: int = 0
    longs: int = 0

    def add(self, r_multiple: float, is_long: bool) -> None:
        """Count one more."""
        self.trades += 1
        self.wins += r_multiple > 0
        self.total_r += r_multiple
        self.square_r += r_multiple**2
        self.won_r += max(0.0, r_multiple)
        self.losses += r_multiple < 0
        self.longs += is_long

    @property
    def win_rate(self) -> float:
        """Trades won / trades; NaN without any."""
        return self.wins / self.trades if self.trades else math.nan

    @property
    def deviation(self) -> float:
        """Sample standard deviation of R; 0 with fewer than two trades."""
        if self.trades <= 1:
            return 0.0
        return math.sqrt(max(0.0, self.square_r - self.trades * self.average_r**2) / (self.trades - 1))

    @property
    def payoff(self) -> float:
        """Mean R won / mean R lost, a loss being 1 R before the first one; 0 where nothing was won."""
        lost = (self.won_r - self.total_r) / self.losses if self.losses else WHOLE_RISK
        return self.won_r / self.wins / lost if self.wins else 0.0

    @property
    def average_r(self) -> float:
        """Sum of R / trades; NaN without any."""
        return self.total_r / self.trades if self.trades else math.nan


@dataclass(slots=True)
class PaperLog:
    """Facts of the paper book, bar by bar. A row is keyed by position, request, sector, model, or place of an event.

    `proposals` are requests of others by bar, which the book does not act on.
    """

    book: PaperBook
    proposals: Mapping[int, Sequence[Ask]] = field(default_factory=dict)
    account: dict[str, NDArray[np.float64]] = field(init=False)
    positions: RowLog = field(default_factory=lambda: RowLog(POSITION_FIELDS))
    sectors: RowLog = field(default_factory=lambda: RowLog(("exposure_share",)))
    models: RowLog = field(default_factory=lambda: RowLog(("win_rate", "average_r", "samples", "long_share")))
    trades: RowLog = field(
        default_factory=lambda: RowLog(("symbol", "side", "exit", "profit", "profit_ratio", "r_multiple", "closed_at"))
    )
    orders: RowLog = field(default_factory=lambda: RowLog(("symbol", "side", "notional", "outcome")))
    requests: RequestLog = field(default_factory=RequestLog)
    records: dict[int, Record] = field(default_factory=lambda: defaultdict(Record))
    everything: Record = field(default_factory=Record)
    _clusters: tuple[tuple[int, ...], int, Mapping[int, int]] = ((), -1, {})

    def __post_init__(self) -> None:
        bars = len(self.book.market.candles.opened)
        self.account = {name: np.full(bars, np.nan) for name in ACCOUNT_FIELDS}

    def count(self) -> None:
        """Count the trades that the newest bar closed."""
        for trade in self.book.trades:
            self.records[trade.symbol].add(trade.r_multiple, trade.sign > 0)
            self.everything.add(trade.r_multiple, trade.sign > 0)

    def note(self, bar: int, symbol_facts: Mapping[str, NDArray[Any]]) -> None:
        """Take down the state after `bar`, once counted; `symbol_facts` are panels whose row of this bar is filled."""
        candles = self.book.market.candles
        ts = int(candles.closed[bar])
        self._note_events(ts)
        asks = [*(ask_of(self.book, bar, w) for w in self.book.wants), *self.proposals.get(bar, ())]
        groups = self._groups(bar, asks)
        self._note_account(bar, groups)
        for holding in self.book.holdings:
            self._note_position(ts, bar, holding)
        self._note_sectors(ts)
        self.models.add(
            ts, OWN_MODEL, self.everything.win_rate, self.everything.average_r, self.everything.trades,
            self.everything.longs / self.everything.trades if self.everything.trades else math.nan,
        )  # fmt: skip
        own = self.everything
        records = {OWN_MODEL: kelly.Record(own.trades, own.win_rate, own.payoff)} if own.trades else {}
        self.requests.note(self.book, bar, ts, asks, groups, records)
        self._fill_symbols(bar, symbol_facts)

    def entities(self) -> dict[str, EntityColumns]:
        """All rows as columns, by entity."""
        logs = {"position": self.positions, "request": self.requests.rows, "sector": self.sectors,
                "model": self.models, "trade": self.trades, "order": self.orders}  # fmt: skip
        return {name: log.columns() for name, log in logs.items()}

    def _note_events(self, ts: int) -> None:
        names = self.book.market.candles.symbols
        for place, trade in enumerate(self.book.trades):
            self.trades.add(
                ts, f"{place:08d}", names[trade.symbol], side_of(trade.sign), trade.why, trade.profit,
                trade.profit_ratio, trade.r_multiple, ts / 1000,
            )  # fmt: skip
        for place, fill in enumerate(self.book.fills):
            want = fill.want
            outcome = "EXPIRED" if fill.price is None else "FILLED"
            notional = want.quantity * (math.nan if fill.price is None else fill.price)
            self.orders.add(ts, f"{place:08d}", names[want.symbol], side_of(want.sign), notional, outcome)

    def _note_account(self, bar: int, groups: Mapping[int, int]) -> None:
        book = self.book
        equity, used = book.equity, sum(h.margin for h in book.holdings)
        open_profit = sum(h.profit(h.mark) for h in book.holdings)
        together: Counter[int] = Counter()
        for holding in book.holdings:
            together[groups[holding.symbol]] += 1
        exposures = {g: sum(h.notional for h in book.holdings if groups[h.symbol] == g) for g in together}
        largest = max(exposures, key=lambda g: exposures[g], default=None)

        def share(amount: float) -> float:
            return amount / equity if equity > 0 else math.nan

        values = (
            equity, book.balance, equity - used, used, book.drawdown, book.daily_loss, share(max(0.0, -open_profit)),
            book.losing_streak, len(book.holdings), share(sum(h.notional for h in book.holdings)),
            share(sum(h.sign * h.notional for h in book.holdings)), share(sum(h.risk for h in book.holdings)),
            used / book.balance if book.balance > 0 else math.nan,
            share(exposures[largest]) if largest is not None else 0.0,
            together[largest] if largest is not None else 0, 0.0,
        )  # fmt: skip
        for name, value in zip(ACCOUNT_FIELDS, values, strict=True):
            self.account[name][bar] = value

    def _note_position(self, ts: int, bar: int, holding: Holding) -> None:
        """One row; what rests on the mark is unknown while no market data arrives."""
        market = self.book.market
        variance = float(market.variance[bar, holding.symbol]) * market.bars_a_day * DAYS_OF_PROBABILITY
        original, mark, end = holding.quantity * holding.entry, holding.mark, holding.liquidation
        seen = 1.0 if not self.book.blind else math.nan
        r = holding.r_multiple
        self.positions.add(
            ts, holding.key, market.candles.symbols[holding.symbol], side_of(holding.sign), seen * holding.notional,
            original, 0.0, seen * r, seen * holding.peak_r, seen * holding.drawdown_from_peak,
            seen * holding.profit(mark) / original, None if self.book.blind else category_of(r),
            (ts - holding.opened) / 1000, seen * holding.notional / holding.margin, seen * holding.risk,
            seen * abs(mark - holding.stop) / mark, seen * abs(mark - end) / mark,
            seen * touch_probability(mark, end, variance) if math.isfinite(variance) else math.nan,
        )  # fmt: skip

    def _note_sectors(self, ts: int) -> None:
        names = self.book.market.candles.symbols
        held: dict[str, float] = {s: 0.0 for name in names if (s := sector_of(name)) is not None}
        for holding in self.book.holdings:
            sector = sector_of(names[holding.symbol])
            if sector is not None:
                held[sector] += holding.notional
        for sector in sorted(held):
            knows = self.book.equity > 0 and not self.book.blind
            share = held[sector] / self.book.equity if knows else math.nan
            self.sectors.add(ts, sector, share)

    def _fill_symbols(self, bar: int, panels: Mapping[str, NDArray[Any]]) -> None:
        if self.book.equity > 0:
            panels["exposure"][bar] = panels["pending_exposure"][bar] = 0.0
            for holding in self.book.holdings:
                panels["exposure"][bar, holding.symbol] += holding.notional / self.book.equity
        panels["trades"][bar] = 0
        for symbol, record in self.records.items():
            panels["trades"][bar, symbol] = record.trades
            panels["win_rate"][bar, symbol] = record.win_rate
            panels["average_r"][bar, symbol] = record.average_r
            panels["performance"][bar, symbol] = performance_by_interval(
                record.trades, record.average_r, record.deviation
            )

    def _groups(self, bar: int, asks: Sequence[Ask]) -> Mapping[int, int]:
        """The cluster of every symbol that is held or asked for, from returns up to the last full day of bars."""
        symbols = tuple(sorted({h.symbol for h in self.book.holdings} | {a.symbol for a in asks}))
        until = bar - bar % CLUSTERS_KEPT_BARS
        if (symbols, until) != self._clusters[:2]:
            returns = self.book.market.returns[max(0, until - CLUSTER_BARS) : until, list(symbols)]
            found = dict(zip(symbols, clusters(returns).tolist(), strict=True)) if symbols else {}
            self._clusters = (symbols, until, found)
        return self._clusters[2]


def side_of(sign: int) -> str:
    """The name of `side` for a sign."""
    return SIDE.members[0] if sign > 0 else SIDE.members[1]


def empty_symbol_facts(shape: tuple[int, int]) -> dict[str, NDArray[Any]]:
    """Panels of the book's own facts of symbols, nothing known yet."""
    names = ("exposure", "pending_exposure", "trades", "win_rate", "average_r")
    return {**{n: np.full(shape, np.nan) for n in names}, "performance": np.full(shape, None, dtype=object)}
