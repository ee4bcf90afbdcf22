"""What the paper book asks for, as request rows: each with what the book would be after it and those before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from scipy.special import ndtr

from modules.estimates.liquidity import impact
from modules.estimates.sectors import sector_of
from modules.facts.levels import SIDE
from modules.paper_book import PaperBook, Want
from modules.state_columns import RowLog

REQUEST_FIELDS = (
    "symbol", "side", "effect", "model", "confidence", "votes", "urgency", "notional", "leverage", "risk", "margin",
    "price_deviation", "impact", "duplicate", "crosses_own_order", "repeats_last_minute", "exposure_after",
    "sector_share_after", "symbol_share_after", "risk_after", "leverage_after", "correlated_after",
    "free_margin_after",
)  # fmt: skip


@dataclass(slots=True)
class After:
    """The book as it would be, request after request; notional by symbol is what is held or asked for."""

    notional: dict[int, float]
    risk: float
    margin: float

    @property
    def gross(self) -> float:
        """Sum of notional."""
        return sum(self.notional.values())


@dataclass(slots=True)
class RequestLog:
    """Rows of requests. The key sorts in the order in which they are counted: exits first, then strongest trend."""

    rows: RowLog = field(default_factory=lambda: RowLog(REQUEST_FIELDS))

    def note(self, book: PaperBook, bar: int, ts: int, groups: Mapping[int, int]) -> None:
        """Take down what the book asks for after `bar`; `groups` gives the cluster of every symbol concerned."""
        notional: dict[int, float] = {}
        for holding in book.holdings:
            notional[holding.symbol] = notional.get(holding.symbol, 0.0) + holding.notional
        after = After(notional, sum(h.risk for h in book.holdings), sum(h.margin for h in book.holdings))
        for place, want in enumerate(book.wants):
            symbol = book.market.candles.symbols[want.symbol]
            self.rows.add(ts, f"r{place + 1:02d}-{symbol}", *self._values(book, bar, want, after, groups))

    def _values(
        self, book: PaperBook, bar: int, want: Want, after: After, groups: Mapping[int, int]
    ) -> tuple[object, ...]:
        market, style = book.market, book.style
        names = market.candles.symbols
        close = want.holding.mark if want.holding is not None else float(market.candles.close[bar, want.symbol])
        notional, margin = want.quantity * close, want.quantity * close / style.leverage
        risk = want.quantity * want.distance + 2 * style.fee * notional
        _count(after, want, notional, margin, risk)
        sector = sector_of(names[want.symbol])
        in_sector = sum(v for s, v in after.notional.items() if sector_of(names[s]) == sector)
        together = sum(v for s, v in after.notional.items() if groups[s] == groups[want.symbol])
        daily_volatility = math.sqrt(float(market.variance[bar, want.symbol]) * market.bars_a_day)
        t = want.sign * float(market.trend_t[bar, want.symbol])

        def share(amount: float) -> float:
            return amount / book.equity if book.equity > 0 else math.nan

        return (
            names[want.symbol], SIDE.members[0 if want.sign > 0 else 1], "OPEN" if want.holding is None else "CLOSE",
            "trend", float(ndtr(t if want.holding is None else -t)), int(market.votes[bar, want.symbol]), "NORMAL",
            notional, style.leverage, risk, margin, 0.0,
            impact(notional, float(market.volume_24h[bar, want.symbol]), daily_volatility),
            False, False, 0, share(after.gross), share(in_sector) if sector is not None else math.nan,
            share(after.notional[want.symbol]), share(after.risk),
            after.gross / after.margin if after.margin > 0 else 0.0, share(together), book.equity - after.margin,
        )  # fmt: skip


def _count(after: After, want: Want, notional: float, margin: float, risk: float) -> None:
    """Let the request happen."""
    if want.holding is None:
        after.notional[want.symbol] = after.notional.get(want.symbol, 0.0) + notional
        after.margin += margin
        after.risk += risk
    else:
        after.notional[want.symbol] = max(0.0, after.notional[want.symbol] - notional)
        after.margin -= want.holding.margin
        after.risk -= want.holding.risk
