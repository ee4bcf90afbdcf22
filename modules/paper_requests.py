"""What is asked for at each close, as request rows: each with what the book would be after it and those before it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scipy.special import ndtr

from modules.estimates.kelly import Record, careful_fraction
from modules.estimates.liquidation import MAINTENANCE, liquidation_price
from modules.estimates.liquidity import impact
from modules.estimates.margin import safe_leverage
from modules.estimates.sectors import sector_of
from modules.facts.levels import SIDE
from modules.inputs import MarginTier
from modules.paper_book import PaperBook, Want
from modules.state_columns import RowLog

REQUEST_FIELDS = (
    "symbol", "side", "effect", "model", "confidence", "votes", "urgency", "notional", "leverage", "risk", "margin",
    "price_deviation", "impact", "duplicate", "crosses_own_order", "repeats_last_minute", "exposure_after",
    "sector_share_after", "symbol_share_after", "risk_after", "leverage_after", "correlated_after",
    "correlated_positions_after", "free_margin_after", "reward_risk", "stop_ranges", "safe_leverage",
    "liquidation_distance", "kelly_trades", "kelly_notional",
)  # fmt: skip


OWN_MODEL = "trend"
"""Who proposes what the paper book wants."""

WELL_BEFORE = 2.0
"""Times as far away as its stop that the liquidation price of a request is at its safe leverage."""

TIERS = (MarginTier(math.inf, MAINTENANCE, math.inf),)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. `symbol` is a column, `sign` the side of the position; money is quote currency.

    `risk` is the loss if its stop is hit, fees included; the stop is `stop` of the price away and the target `reward`
    times as far. `frees` is the margin and the risk that a CLOSE gives back.
    """

    symbol: int
    sign: int
    effect: str
    model: str
    confidence: float
    votes: int
    notional: float
    leverage: float
    risk: float
    stop: float = math.nan
    reward: float = math.nan
    frees: tuple[float, float] = (0.0, 0.0)
    urgency: str = "NORMAL"
    price_deviation: float = 0.0
    duplicate: bool = False
    repeats: int = 0

    @property
    def margin(self) -> float:
        """Margin that it would set aside."""
        return self.notional / self.leverage


@dataclass(slots=True)
class After:
    """The book as it would be, request after request; notional by symbol is what is held or asked for."""

    notional: dict[int, float]
    risk: float
    margin: float

    @classmethod
    def of(cls, book: PaperBook) -> After:
        """The book as it is."""
        notional: dict[int, float] = {}
        for holding in book.holdings:
            notional[holding.symbol] = notional.get(holding.symbol, 0.0) + holding.notional
        return cls(notional, sum(h.risk for h in book.holdings), sum(h.margin for h in book.holdings))

    @property
    def gross(self) -> float:
        """Sum of notional."""
        return sum(self.notional.values())

    def count(self, ask: Ask) -> None:
        """Let the request happen."""
        held = self.notional.get(ask.symbol, 0.0)
        if ask.effect == "CLOSE":
            self.notional[ask.symbol] = max(0.0, held - ask.notional)
            self.margin -= ask.frees[0]
            self.risk -= ask.frees[1]
        else:
            self.notional[ask.symbol] = held + ask.notional
            self.margin += ask.margin
            self.risk += ask.risk


def ask_of(book: PaperBook, bar: int, want: Want) -> Ask:
    """The request that a want of the book is; confidence is the probability that the trend has the sign it shows."""
    market, style, held = book.market, book.style, want.holding
    close = held.mark if held is not None else float(market.candles.close[bar, want.symbol])
    notional = want.quantity * close
    t = want.sign * float(market.trend_t[bar, want.symbol])
    return Ask(
        symbol=want.symbol,
        sign=want.sign,
        effect="OPEN" if held is None else "CLOSE",
        model=OWN_MODEL,
        confidence=float(ndtr(t if held is None else -t)),
        votes=int(market.votes[bar, want.symbol]),
        notional=notional,
        leverage=style.leverage,
        risk=want.quantity * want.distance + 2 * style.fee * notional,
        stop=want.distance / close if held is None else math.nan,
        reward=style.target_r if held is None else math.nan,
        frees=(held.margin, held.risk) if held is not None else (0.0, 0.0),
    )


@dataclass(slots=True)
class RequestLog:
    """Rows of requests. The key sorts in the order in which they are counted: the book's own first, exits before."""

    rows: RowLog = field(default_factory=lambda: RowLog(REQUEST_FIELDS))

    def note(
        self,
        book: PaperBook,
        bar: int,
        ts: int,
        asks: Iterable[Ask],
        groups: Mapping[int, int],
        records: Mapping[str, Record],
    ) -> None:
        """Take down what is asked for after `bar`; `groups` gives the cluster of every symbol held or asked for.

        `records` are those of closed trades, by the model that proposed them.
        """
        after = After.of(book)
        for place, ask in enumerate(asks):
            after.count(ask)
            symbol = book.market.candles.symbols[ask.symbol]
            self.rows.add(
                ts,
                f"r{place + 1:02d}-{symbol}",
                *_asked(book, bar, ask),
                *_after(book, ask, after, groups),
                *_worth(book, bar, ask, records.get(ask.model)),
            )


def _asked(book: PaperBook, bar: int, ask: Ask) -> tuple[object, ...]:
    """The first fields of a row: the request itself."""
    market = book.market
    variance = float(market.variance[bar, ask.symbol]) * market.bars_a_day
    moved = impact(ask.notional, float(market.volume_24h[bar, ask.symbol]), math.sqrt(variance))
    return (
        market.candles.symbols[ask.symbol], SIDE.members[0 if ask.sign > 0 else 1], ask.effect, ask.model,
        ask.confidence, ask.votes, ask.urgency, ask.notional, ask.leverage, ask.risk, ask.margin, ask.price_deviation,
        moved, ask.duplicate, False, ask.repeats,
    )  # fmt: skip


def _after(book: PaperBook, ask: Ask, after: After, groups: Mapping[int, int]) -> tuple[float, ...]:
    """The other fields: the book after the request."""
    names, equity = book.market.candles.symbols, book.equity
    sector = sector_of(names[ask.symbol])
    in_sector = sum(v for s, v in after.notional.items() if sector_of(names[s]) == sector)
    together = [v for s, v in after.notional.items() if v > 0 and groups[s] == groups[ask.symbol]]

    def share(amount: float) -> float:
        return amount / equity if equity > 0 else math.nan

    return (
        share(after.gross), share(in_sector) if sector is not None else math.nan, share(after.notional[ask.symbol]),
        share(after.risk), after.gross / after.margin if after.margin > 0 else 0.0, share(sum(together)),
        len(together), equity - after.margin,
    )  # fmt: skip


def _worth(book: PaperBook, bar: int, ask: Ask, record: Record | None) -> tuple[float, ...]:
    """The last fields of a row: what stands against its risk, where it would be liquidated, what a record bears.

    NaN for an exit, which is not sized.
    """
    if ask.effect == "CLOSE":
        return (math.nan,) * 6
    atr = float(book.market.atr[bar, ask.symbol])
    safe = safe_leverage(TIERS, ask.sign, ask.notional, WELL_BEFORE * ask.stop)
    away = abs(1.0 - liquidation_price(1.0, ask.sign, ask.leverage))
    lost = ask.risk / ask.notional
    bears = math.nan if record is None else max(0.0, careful_fraction(record) * book.equity / lost)
    return (
        ask.reward,
        ask.stop / atr if atr > 0 else math.nan,
        safe,
        away,
        0.0 if record is None else float(record.trades),
        bears,
    )
