"""The paper book: its accounts balance, its stops fill where a market would, and it cannot see ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.market_state import market_state
from modules.paper_book import PaperBook, Trade
from modules.paper_holding import Bar, Exit, Holding, Style
from tests.modules.samples import SHORT, first_bars, made_candles, shaken_after

STYLE = Style(slots=3, pace=2, rest=3, universe=6, enter=0.3, leave=0.3, shorts=True, stop_days=0.7, target_r=1.5)


def held(sign: int = 1, entry: float = 100.0, stop: float = 0.0, target: float = 0.0, leverage: float = 5.0) -> Holding:
    return Holding("p", 0, sign, 2.0, entry, stop or entry - sign * 10, target or entry + sign * 20, leverage, 0, 1.0)


def test_money_is_neither_made_nor_lost() -> None:
    book = PaperBook(market_state(made_candles(7), SHORT), STYLE)
    realised, count = 0.0, 0
    for bar in range(120):
        book.step(bar)
        realised += sum(t.profit for t in book.trades)
        count += len(book.trades)
        fees_of_open = sum(h.entry_fee for h in book.holdings)
        unrealised = sum(h.profit(h.mark) for h in book.holdings)
        assert book.balance == pytest.approx(STYLE.capital + realised - fees_of_open)
        assert book.equity == pytest.approx(book.balance + unrealised)
        assert book.peak_equity >= book.equity
        assert 0 <= book.drawdown <= 1
        assert book.daily_loss >= 0
    assert count > 10


@given(seed=st.integers(0, 10_000))
def test_the_book_keeps_its_limits(seed: int) -> None:
    candles = made_candles(seed)
    book = PaperBook(market_state(candles, SHORT), STYLE)
    streak = 0
    for bar in range(120):
        wanted = list(book.wants)
        equity = book.equity
        book.step(bar)
        assert len(book.holdings) <= STYLE.slots
        assert len({h.symbol for h in book.holdings}) == len(book.holdings)
        assert [f.want for f in book.fills] == wanted
        for want in wanted:
            if want.holding is None:
                price = candles.close[bar - 1, want.symbol]
                assert want.quantity * price <= STYLE.most * equity * (1 + 1e-9)
                assert want.quantity * want.distance <= STYLE.risk * equity * (1 + 1e-9)
        for trade in book.trades:
            streak = streak + 1 if trade.profit < 0 else 0
        assert book.losing_streak == streak
        assert book.worst_equity <= book.equity + 1e-6


@pytest.mark.parametrize("later", ["unknown", "doubled"])
@given(seed=st.integers(0, 10_000))
def test_the_book_cannot_see_ahead(later: str, seed: int) -> None:
    candles = made_candles(seed)
    other = first_bars(candles, 70) if later == "unknown" else shaken_after(candles, 70, 2.0)
    books = [PaperBook(market_state(c, SHORT), STYLE) for c in (candles, other)]
    for bar in range(70):
        for book in books:
            book.step(bar)
        first, second = (
            (
                b.balance,
                b.equity,
                b.worst_equity,
                b.losing_streak,
                [replace(w, holding=None) for w in b.wants],
                b.trades,
            )
            for b in books
        )
        assert first == second


def test_a_want_without_a_price_expires() -> None:
    candles = made_candles(7)
    book = PaperBook(market_state(candles, SHORT), STYLE)
    bar = 0
    while not book.wants:
        book.step(bar)
        bar += 1
    silent = shaken_after(candles, bar, np.nan)
    book.market = replace(book.market, candles=silent)
    book.step(bar)
    assert [f.price for f in book.fills] == [None] * len(book.fills)
    assert book.fills
    assert book.equity == STYLE.capital


def test_a_blind_book_asks_for_nothing_and_keeps_its_positions() -> None:
    book = PaperBook(market_state(made_candles(7), SHORT), STYLE)
    for bar in range(60):
        book.step(bar)
    keys = [h.key for h in book.holdings]
    assert keys
    book.blind = True
    book.step(60)
    assert book.wants == []
    opened = sum(f.want.holding is None and f.price is not None for f in book.fills)
    assert len(book.holdings) + len(book.trades) == len(keys) + opened


@pytest.mark.parametrize(
    ("sign", "bar", "end"),
    [
        (1, Bar(100, 105, 95, 101), None),
        (1, Bar(100, 105, 90, 101), Exit(90, "STOP_LOSS")),
        (1, Bar(100, 105, 86, 101), Exit(88, "STOP_LOSS")),
        (1, Bar(85, 105, 84, 101), Exit(85, "STOP_LOSS")),
        (1, Bar(100, 125, 84, 101), Exit(87, "STOP_LOSS")),
        (1, Bar(100, 125, 99, 101), Exit(120, "TAKE_PROFIT")),
        (1, Bar(130, 135, 129, 131), Exit(120, "TAKE_PROFIT")),
        (-1, Bar(100, 105, 95, 99), None),
        (-1, Bar(100, 114, 95, 99), Exit(112, "STOP_LOSS")),
        (-1, Bar(100, 101, 79, 99), Exit(80, "TAKE_PROFIT")),
    ],
)
def test_a_bar_ends_a_position_at_the_price_a_market_would(sign: int, bar: Bar, end: Exit | None) -> None:
    assert held(sign).exit_in(bar, slip=0.5) == end


@pytest.mark.parametrize("sign", [1, -1])
def test_no_exit_is_worse_than_liquidation(sign: int) -> None:
    holding = held(sign)
    crashed = holding.liquidation - sign * 5
    end = holding.exit_in(Bar(crashed, max(crashed, 100), min(crashed, 100), crashed), slip=0.5)
    assert end == Exit(holding.liquidation, "LIQUIDATION")
    assert holding.profit(holding.liquidation) == pytest.approx(-holding.margin, rel=0.05)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_stop_trails_the_best_close_and_never_goes_back(sign: int) -> None:
    holding = held(sign)
    holding.mark_at(100 + sign * 8)
    assert holding.stop == 100 - sign * 2
    holding.mark_at(100 + sign * 3)
    assert holding.stop == 100 - sign * 2
    low, high = sorted((100 - sign * 3, 100 + sign * 3))
    end = holding.exit_in(Bar(100 + sign * 3, high, low, 100.0), slip=0.0)
    assert end == Exit(100 - sign * 2, "TRAILING_STOP")
    assert holding.r_multiple == pytest.approx(0.3)
    assert holding.peak_r == pytest.approx(0.8)
    assert holding.drawdown_from_peak == pytest.approx(5 / 8)


def test_profit_of_a_trade_is_net_of_both_fees() -> None:
    book = PaperBook(market_state(made_candles(7), SHORT), STYLE)
    book.holdings = [held()]
    book._close(0, book.holdings[0], Exit(110.0, "SIGNAL"))
    (trade,) = book.trades
    assert replace(trade, profit=0.0, profit_ratio=0.0, r_multiple=0.0) == Trade(0, 1, "SIGNAL", 0.0, 0.0, 0.0)
    assert trade.profit == pytest.approx(20 - 0.11 - 1.0)
    assert trade.profit_ratio == pytest.approx(18.89 / 200)
    assert trade.r_multiple == pytest.approx(18.89 / 20)
    assert book.balance == pytest.approx(STYLE.capital + 20 - 0.11)


def test_the_worst_of_the_bar_counts_as_drawdown() -> None:
    candles = made_candles(7)
    book = PaperBook(market_state(candles, SHORT), replace(STYLE, stop_days=4.0))
    for bar in range(60):
        book.step(bar)
    assert book.holdings
    low = sum(
        h.profit(h.adverse(Bar(0, candles.high[59, h.symbol], candles.low[59, h.symbol], 0))) for h in book.holdings
    )
    assert book.worst_equity == pytest.approx(book.balance + low)
    assert book.drawdown == pytest.approx((book.peak_equity - book.worst_equity) / book.peak_equity)
