"""The exchange that does not answer, and services that die and are brought back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from modules.supervision import BackendError
from modules.trading_day.exchange import DayExchange
from modules.trading_day.market import DayMarket, day_market
from modules.trading_day.mishaps import Kill
from modules.trading_day.services import SimulatedServices, watched
from modules.venues.amounts import floored
from modules.venues.venue import Kind, NewOrder, Unreachable, VenueError
from tests.modules.trading_day.made_days import MIDNIGHT, TROUBLES, at


@pytest.fixture(scope="module")
def market() -> DayMarket:
    return day_market(1, MIDNIGHT, replace(TROUBLES.fall, start=1000), history_days=2)


@pytest.fixture
def exchange(market: DayMarket) -> DayExchange:
    return DayExchange(market, TROUBLES, seed=1, capital=100_000.0)


def buy(exchange: DayExchange, name: str) -> NewOrder:
    price, step = exchange.market.price("BTCUSDT", exchange.time()), exchange.market.listings()["BTCUSDT"].step
    assert price is not None
    return NewOrder(name, "BTCUSDT", "LONG", floored(5_000 / price, step), Kind.MARKET)


def calls(exchange: DayExchange) -> list[Callable[[], Any]]:
    return [
        exchange.markets, exchange.tickers, exchange.funding, exchange.account, exchange.positions,
        exchange.open_orders, lambda: exchange.depth("BTCUSDT"), lambda: exchange.place(buy(exchange, "b")),
        lambda: exchange.order("BTCUSDT", "a"), lambda: exchange.cancel("BTCUSDT", "a"),
        lambda: exchange.set_leverage("BTCUSDT", 2.0), lambda: exchange.candles("BTCUSDT", MIDNIGHT),
        lambda: exchange.hours("BTCUSDT", MIDNIGHT),
    ]  # fmt: skip


def test_in_an_outage_nothing_is_answered_and_nothing_is_done(exchange: DayExchange) -> None:
    assert exchange.place(buy(exchange, "a")).filled > 0
    exchange.advance(TROUBLES.outage.start)
    before = exchange.ledger.balance
    for call in calls(exchange):
        with pytest.raises(Unreachable):
            call()
    assert exchange.ledger.balance == before
    assert exchange.worth() > 0
    exchange.advance(TROUBLES.outage.end)
    assert exchange.order("BTCUSDT", "a").filled > 0
    assert list(exchange.positions()) == ["BTCUSDT"]


def storm(exchange: DayExchange) -> list[bool]:
    """Which of two hundred calls in a storm fail."""
    exchange.advance(TROUBLES.storm.start)
    failed = []
    for _ in range(200):
        try:
            exchange.account()
        except VenueError:
            failed.append(True)
        else:
            failed.append(False)
    return failed


def test_in_a_storm_six_of_ten_calls_fail_and_always_the_same_ones(exchange: DayExchange, market: DayMarket) -> None:
    failed = storm(exchange)
    assert 100 < sum(failed) < 140
    assert storm(DayExchange(market, TROUBLES, seed=1, capital=1.0)) == failed
    assert storm(DayExchange(market, TROUBLES, seed=2, capital=1.0)) != failed


@dataclass
class Clock:
    now: int = at(5)

    def __call__(self) -> int:
        return self.now


def test_a_killed_service_is_down_until_a_restart_has_come_up() -> None:
    clock = Clock()
    services = SimulatedServices(clock, 1)
    watch = watched(services)
    assert all(s.answers and not s.is_degraded for s in watch.look(clock()).values())
    services.kill(Kill(clock(), "signals"))
    down = watch.look(clock())["signals"]
    assert (down.answers, down.affects_trading) == (False, True)
    clock.now += 5_000
    assert watch.repair({"signals": ["RESTART"]}, clock()) == [("signals", "RESTART")]
    assert services.is_alive("signals")
    assert not services.works("signals")
    assert watch.look(clock())["signals"].is_degraded
    clock.now += 60_000
    assert services.works("signals")
    (recovery,) = services.recoveries()
    assert recovery.back is not None
    assert 5_000 < recovery.back - recovery.at < 40_000


def test_a_service_that_nobody_restarts_is_not_back() -> None:
    services = SimulatedServices(Clock(), 1)
    services.kill(Kill(at(5), "signals"))
    assert [r.back for r in services.recoveries()] == [None]
    with pytest.raises(BackendError, match="no service is called"):
        services.restart("nothing")


def test_two_kills_of_one_service_have_a_recovery_each() -> None:
    clock = Clock()
    services = SimulatedServices(clock, 1)
    for minute in (5, 9):
        clock.now = at(minute)
        services.kill(Kill(clock(), "signals"))
        clock.now += 5_000
        services.restart("signals")
    first, second = services.recoveries()
    assert first.back is not None
    assert second.back is not None
    assert at(5) < first.back < at(6)
    assert at(9) < second.back < at(10)
