"""A proposal replayed by itself: what it would have made, and whether the fund would have borne it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modules.feeds.candles import Candles, Panel
from modules.trading_day.limits import Looks
from modules.trading_day.lived import Asked
from modules.trading_day.market import DayMarket
from modules.trading_day.replay import FEE, is_denied_by_pba_alone, replayed, tried
from modules.trading_day.signals import Signal
from tests.modules.trading_day.made_days import MIDNIGHT, MINUTE, MINUTES, at, run

SPREAD = 0.0002
LONG = Signal("s", 5, "BTCUSDT", "LONG", "xgboost", 0.8, 3, "NORMAL", 10_000.0, 0.01, 0.03, 30)


def market_of(close: Panel) -> DayMarket:
    """One symbol that closes so, each bar open where the last one closed and reaching no further."""
    path = np.asarray(close, dtype=float)[:, None]
    opened = np.vstack([path[:1], path[:-1]])
    candles = Candles(
        "day", MINUTE, MIDNIGHT - MINUTE + MINUTE * np.arange(len(path), dtype=np.int64), ("BTCUSDT",), opened,
        np.maximum(opened, path), np.minimum(opened, path), path, np.full(path.shape, 1e6),
    )  # fmt: skip
    return DayMarket(candles, np.full(path.shape, SPREAD), hours=(candles,), traded=np.full(path.shape, 1e9))


def flat(minutes: int = MINUTES) -> Panel:
    return np.full(minutes, 100.0)


def test_a_price_that_stands_still_costs_fees_and_spread() -> None:
    found = tried(market_of(flat()), LONG, 5, MINUTES)
    assert found is not None
    assert found.first == 6
    assert len(found.worth) == LONG.hold
    assert found.profit == pytest.approx(-10_000 * (2 * FEE + SPREAD), rel=0.02)


def test_a_target_is_taken_and_a_stop_is_where_the_price_reaches_it() -> None:
    up, down = flat(), flat()
    up[20:], down[20:] = 104.0, 98.5
    won, lost = (tried(market_of(path), LONG, 5, MINUTES) for path in (up, down))
    assert won is not None
    assert lost is not None
    assert len(won.worth) == len(lost.worth) == 15
    assert won.profit == pytest.approx(400, rel=0.1)
    # The bar opens at 100, and so the stop at 99 trades where it stands.
    assert lost.profit == pytest.approx(-100 - 10_000 * (2 * FEE + SPREAD / 2), rel=0.02)
    assert lost.r_multiple == pytest.approx(lost.profit / 101, rel=0.02)


def test_a_short_is_the_mirror() -> None:
    down = flat()
    down[20:] = 96.0
    found = tried(market_of(down), replace(LONG, side="SHORT"), 5, MINUTES)
    assert found is not None
    assert found.profit > 0


def test_what_is_open_at_the_end_or_more_than_the_book_has_no_fate() -> None:
    assert tried(market_of(flat()), replace(LONG, hold=1_000), 5, MINUTES) is None
    assert tried(market_of(flat()), replace(LONG, notional=1e12), 5, MINUTES) is None


def asked(verdict: str = "DENY", denied_by: tuple[str, ...] = ("pba.correlation",), filled: float = 0.0) -> Asked:
    return Asked("s", at(5), "BTCUSDT", verdict, denied_by, filled)


def test_harm_is_a_loss_or_more_than_the_fund_bears() -> None:
    up = flat()
    up[10:15], up[15:] = 99.2, 104.0
    market = market_of(up)
    (fine,) = replayed(run(asked=[asked()], curve=(100_000.0,) * MINUTES), market, [LONG], 0.03)
    assert fine.alone
    assert fine.is_harmless is True
    # The trade is 80 down on its way, which a fund worth 2,000 does not bear.
    (harm,) = replayed(run(asked=[asked()], curve=(2_000.0,) * MINUTES), market, [LONG], 0.03)
    assert harm.profit == fine.profit
    assert harm.breaches
    assert harm.is_harmless is False
    # What was filled is in the curve already, and is not counted twice.
    (own,) = replayed(run(asked=[asked("ALLOW", (), filled=1.0)], curve=(2_000.0,) * MINUTES), market, [LONG], 0.03)
    assert own.is_harmless is True


def test_who_denied_it_alone() -> None:
    assert is_denied_by_pba_alone(asked())
    assert not is_denied_by_pba_alone(asked(denied_by=("pba.correlation", "locks.fund_locked")))
    assert not is_denied_by_pba_alone(asked("ALLOW", ()))


def test_a_denial_is_for_room_where_one_of_its_rules_looks_at_the_whole_book() -> None:
    looks = {"pba.correlation": Looks.BALANCE, "pba.total_exposure": Looks.ROOM}
    both = ("pba.correlation", "pba.total_exposure")
    found = replayed(
        run(asked=[asked(), asked(denied_by=both), asked(denied_by=(*both, "ess.halted"))]),
        market_of(flat()), [LONG], 0.03, looks,
    )  # fmt: skip
    assert [r.for_room for r in found] == [False, True, False]
