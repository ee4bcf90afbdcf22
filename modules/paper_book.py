"""The paper book: a deterministic trend follower over candles, which obeys no rules. It is the unprotected fund.

Bar by bar: what was wanted at the close before is filled at the open; stops, targets and liquidations are judged on
the bar's extremes, the adverse one first; everything is marked at the close. What it wants next becomes the requests
of that snapshot. Funding is ignored. The account's drawdown and losses see the worst of the bar: every position that
survives it at its adverse extreme at once, which is the pessimistic end of what the candle allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from modules.market_state import MarketState
from modules.paper_holding import Bar, Exit, Holding, Style
from policy_dsl.quantities import MS_PER_DAY


@dataclass(frozen=True, slots=True)
class Trade:
    """A closed trade; `profit` is net of both fees.

    `profit_ratio` is profit / notional at the opening, `r_multiple` is profit / amount first at risk.
    """

    symbol: int
    sign: int
    why: str
    profit: float
    profit_ratio: float
    r_multiple: float


@dataclass(frozen=True, slots=True)
class Want:
    """What the book asks for at a close: to open (`holding` None) or to close a position."""

    symbol: int
    sign: int
    quantity: float
    distance: float
    holding: Holding | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """What became of a want at the next open; `price` is None where there was none."""

    want: Want
    price: float | None


@dataclass(slots=True)
class PaperBook:
    """The book after the newest bar. Money is quote currency; `worst_equity` is the least equity within that bar.

    `blind` says that no market data arrives: positions go on, nothing is asked for.
    """

    market: MarketState
    style: Style = field(default_factory=Style)
    balance: float = 0.0
    equity: float = 0.0
    worst_equity: float = 0.0
    peak_equity: float = 0.0
    day_equity: float = 0.0
    losing_streak: int = 0
    holdings: list[Holding] = field(default_factory=list)
    wants: list[Want] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    blind: bool = False
    _opened: int = 0
    _day: int = -1
    _rests_until: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.balance = self.equity = self.worst_equity = self.peak_equity = self.day_equity = self.style.capital

    @property
    def drawdown(self) -> float:
        """(peak equity - worst equity of the bar) / peak equity."""
        return max(0.0, (self.peak_equity - min(self.equity, self.worst_equity)) / self.peak_equity)

    @property
    def daily_loss(self) -> float:
        """(equity at the start of the bar's day - worst equity of the bar) / equity at the start; 0 in profit.

        NaN where the day began with nothing left to lose. A snapshot at midnight looks back on the day that ends.
        """
        if self.day_equity <= 0:
            return float("nan")
        return max(0.0, (self.day_equity - min(self.equity, self.worst_equity)) / self.day_equity)

    def step(self, bar: int) -> None:
        """Live through the bar at index `bar`; `trades` and `fills` then hold what happened in it."""
        candles = self.market.candles
        self.trades, self.fills = [], []
        day = int(candles.opened[bar]) // MS_PER_DAY
        if day != self._day:
            self._day, self.day_equity = day, self.equity
        panels = (candles.open, candles.high, candles.low, candles.close)
        prices = np.stack([panel[bar] for panel in panels], axis=1)
        self._fill_wants(bar, prices)
        worst = self._live_through(bar, prices)
        self.equity = self.balance + sum(h.profit(h.mark) for h in self.holdings)
        self.worst_equity = self.balance + worst
        self.peak_equity = max(self.peak_equity, self.equity)
        self.wants = [] if self.blind else self._wants_at(bar)

    def _fill_wants(self, bar: int, prices: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
        for want in self.wants:
            price = float(prices[want.symbol, 0])
            fills = bool(np.isfinite(price))
            self.fills.append(Fill(want, price if fills else None))
            if fills and want.holding is not None:
                self._close(bar, want.holding, Exit(price, "SIGNAL"))
            elif fills:
                self._open(bar, want, price)

    def _open(self, bar: int, want: Want, price: float) -> None:
        self._opened += 1
        name = self.market.candles.symbols[want.symbol]
        fee = self.style.fee * want.quantity * price
        self.balance -= fee
        self.holdings.append(
            Holding(
                key=f"p{self._opened:06d}-{name}",
                symbol=want.symbol,
                sign=want.sign,
                quantity=want.quantity,
                entry=price,
                first_stop=price - want.sign * want.distance,
                target=price + want.sign * self.style.target_r * want.distance,
                leverage=self.style.leverage,
                opened=int(self.market.candles.opened[bar]),
                entry_fee=fee,
            )
        )

    def _close(self, bar: int, holding: Holding, end: Exit) -> None:
        gross = holding.profit(end.price)
        fee = self.style.fee * holding.quantity * end.price
        self.balance += gross - fee
        self.holdings.remove(holding)
        self._rests_until[holding.symbol] = bar + self.style.rest
        profit = gross - fee - holding.entry_fee
        opened, at_risk = holding.quantity * holding.entry, holding.quantity * abs(holding.entry - holding.first_stop)
        self.losing_streak = self.losing_streak + 1 if profit < 0 else 0
        self.trades.append(Trade(holding.symbol, holding.sign, end.why, profit, profit / opened, profit / at_risk))

    def _live_through(self, bar: int, prices: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
        """Judge every position on the bar; returns the survivors' profit at their adverse extremes."""
        worst = 0.0
        for holding in list(self.holdings):
            candle = Bar(*prices[holding.symbol].tolist())
            if not np.isfinite(candle.close):
                worst += holding.profit(holding.mark)
                continue
            end = holding.exit_in(candle, self.style.slip)
            if end is not None:
                self._close(bar, holding, end)
                continue
            worst += holding.profit(holding.adverse(candle))
            holding.mark_at(candle.close)
        return worst

    def _wants_at(self, bar: int) -> list[Want]:
        market, style = self.market, self.style
        t = market.trend_t[bar]
        closing = [h for h in self.holdings if h.sign * t[h.symbol] < -style.leave]
        wants = [Want(h.symbol, h.sign, h.quantity, 0.0, h) for h in closing]
        room = min(style.pace, style.slots - len(self.holdings) + len(closing))
        held = {h.symbol for h in self.holdings}
        for symbol in self._candidates(bar):
            if room <= 0 or self.equity <= 0:
                break
            if symbol in held or self._rests_until.get(symbol, -1) > bar:
                continue
            close = float(market.candles.close[bar, symbol])
            distance = style.stop_days * float(market.atr[bar, symbol]) * float(np.sqrt(market.bars_a_day)) * close
            if 0 < distance < close:
                quantity = min(style.risk * self.equity / distance, style.most * self.equity / close)
                sign = -1 if style.shorts and t[symbol] < 0 else 1
                wants.append(Want(symbol, sign, quantity, distance))
                room -= 1
        return wants

    def _candidates(self, bar: int) -> list[int]:
        """Columns of the most traded symbols with enough of a trend and a known range, strongest trend first."""
        market, style = self.market, self.style
        place, t = market.liquidity_place[bar], market.trend_t[bar]
        sound = (place > 0) & (place <= style.universe) & np.isfinite(market.atr[bar])
        sound &= (t > style.enter) | (style.shorts & (t < -style.enter))
        columns = np.flatnonzero(sound)
        return [int(c) for c in columns[np.argsort(-np.abs(t[columns]), kind="stable")]]
