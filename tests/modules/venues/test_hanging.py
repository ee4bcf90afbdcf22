"""A venue that hangs costs a snapshot its answers and some time, orders nothing, and nobody who ends the fund."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from threading import enumerate as enumerate_threads
from time import monotonic
from typing import Any

import pytest
from structlog.testing import capture_logs

from modules.feeds.history import HourlyHistory
from modules.runtime.controls import Controls
from modules.runtime.ledger import Ledger
from modules.runtime.venue_world import VENUE, VenueWorld, budget
from modules.venues import HungUp, NotEnoughMargin, OutOfTime, Status, Unreachable
from modules.venues.allowance import Allowance, allowing, asked_together
from modules.venues.ccxt_asking import Manners
from modules.venues.ccxt_venue import CcxtVenue
from tests.modules.runtime.hands import UNKNOWN
from tests.modules.venues.binance_server import Exchange, Fault
from tests.modules.venues.binance_stops import NOW
from tests.modules.venues.clients import BUY, KEYS, venue

PATIENCE = 30.0
"""Seconds that a test waits for what is sure to come, however busy the machine is."""


@pytest.fixture
def silent() -> Iterator[CcxtVenue]:
    """An exchange that takes every connection and never answers; a single try is as patient as by default."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as taken:
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        asked = CcxtVenue(credentials=KEYS, live=True, endpoint=endpoint, config={"timeout_on_exit": 0})
        yield asked
        asked.hang_up()


def took(call: Callable[[], Any]) -> float:
    began = monotonic()
    call()
    return monotonic() - began


def held_back(path: str, until: Event, method: str = "GET") -> Fault:
    """An answer that is right, and comes once `until` is set."""

    def late(body: Any) -> Any:
        until.wait(PATIENCE)
        return body

    return Fault(path, method, edit=late, times=99)


def held_back_together(*paths: str) -> list[Fault]:
    """Answers each of which comes once all of them are asked for."""
    asked, all_asked = set[str](), Event()

    def waiting(path: str) -> Fault:
        def late(body: Any) -> Any:
            asked.add(path)
            if asked == set(paths):
                all_asked.set()
            all_asked.wait(PATIENCE)
            return body

        return Fault(path, edit=late, times=99)

    return [waiting(path) for path in paths]


# --- a snapshot ------------------------------------------------------------------------------------------------------


def test_all_questions_of_a_snapshot_have_one_time_together(silent: CcxtVenue) -> None:
    world = VenueWorld(silent, Ledger(), Controls(), budget=0.8)
    began = monotonic()
    found = world.inputs(NOW, None, {})
    # With a time of its own each would have ten seconds.
    assert 0.7 < monotonic() - began < 8.0
    assert (found.market.listings, found.market.tickers) == (None, {})
    assert (found.book.account, found.book.positions, found.book.orders) == (None, None, None)
    assert {failure.kind for failure in found.machinery.failures} == {"OutOfTime"}
    assert found.machinery.services is not None
    assert found.machinery.services[VENUE].answers is False


def test_whoever_waited_for_a_step_in_which_a_venue_hung_does_not_wait_for_it_again(silent: CcxtVenue) -> None:
    asked: list[str] = []

    def act(*_: Any) -> None:
        # The venue said nothing at all: the hands do not ask what was asked, and have a second for another question.
        for ask in (silent.positions, silent.account, silent.funding):
            with pytest.raises(OutOfTime) as error:
                ask()
            asked.append(str(error.value))

    # Half of it is for the market, and what that takes longer on a busy machine leaves time for the other questions.
    world = VenueWorld(silent, Ledger(), Controls(), budget=2.0, act=act)
    found = world.inputs(NOW, None, {})
    world.obey(UNKNOWN, found)
    with capture_logs() as logs:
        again = world.inputs(NOW + 1, None, {})
    asked += [line["error"] for line in logs]
    assert [why for why in asked if "not asked again, for it had no answer a moment ago" not in why] == []
    assert len(asked) == 3 + len(found.machinery.failures)
    assert again.book.account is None
    assert len(again.machinery.failures) == 2 * len(found.machinery.failures)
    time.sleep(1.0)
    world.budget = 0.2
    with capture_logs() as logs:
        world.inputs(NOW + 2, None, {})
    assert any("no answer within" in line["error"] for line in logs)


def test_what_hangs_takes_nothing_from_what_is_answered(exchange: Exchange) -> None:
    asked = venue(exchange, timeout=10.0)
    asked.markets()
    exchange.faults.append(Fault("ticker/24hr", hang=2.5, times=99))
    found = VenueWorld(asked, Ledger(), Controls(), budget=2.0).inputs(NOW, None, {})
    assert found.market.tickers == {}
    assert found.market.funding == {"BTCUSDT": 0.0001, "ETHUSDT": 0.0001}
    assert found.book.account is not None
    assert (found.book.positions, found.book.orders) == ({}, {})
    assert [failure.kind for failure in found.machinery.failures] == ["OutOfTime"]


def test_questions_that_do_not_wait_for_each_other_are_asked_at_once(exchange: Exchange) -> None:
    asked = venue(exchange, timeout=10.0)
    asked.markets()
    # One after the other, the first of each would have no answer before its time is over.
    exchange.faults += held_back_together("ticker/24hr", "ticker/bookTicker", "premiumIndex")
    exchange.faults += held_back_together("account", "positionRisk", "openOrders")
    world = VenueWorld(asked, Ledger(), Controls())
    found = world.inputs(NOW, None, {})
    assert found.machinery.failures == []
    assert set(found.market.tickers) == {"BTCUSDT", "ETHUSDT"}


def test_the_time_for_questions_is_half_a_gap_and_ten_seconds_at_most() -> None:
    assert budget(15_000) == 7.5
    assert budget(180_000) == 10.0


def test_calls_that_are_made_at_once_give_what_they_give_in_their_order() -> None:
    with allowing(Allowance(each=3.0)) as now:
        assert asked_together([lambda: now.left("a"), lambda: 2], at_once=True) == [3.0, 2]
    with pytest.raises(ZeroDivisionError):
        asked_together([lambda: 1, lambda: 1 // 0], at_once=True)


def test_who_stops_waiting_for_the_markets_takes_them_from_nobody(exchange: Exchange) -> None:
    asked = venue(exchange, timeout=10.0)
    answers = Event()
    exchange.faults.append(held_back("exchangeInfo", answers))

    def impatient() -> None:
        with allowing(Allowance(monotonic() + 0.2)), pytest.raises(OutOfTime):
            asked.depth("BTCUSDT")

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.submit(impatient), pool.submit(asked.depth, "BTCUSDT")
        one.result()
        answers.set()
        assert other.result().bids
    assert exchange.count("GET", "exchangeInfo") == 1


# --- orders ----------------------------------------------------------------------------------------------------------


def test_an_order_is_sent_when_the_time_for_questions_is_over(exchange: Exchange) -> None:
    asked = venue(exchange)
    with allowing(Allowance(monotonic() - 1)):
        with pytest.raises(OutOfTime, match="time for questions is over"):
            asked.depth("BTCUSDT")
        assert asked.place(BUY).status is Status.FILLED
        asked.place(replace(BUY, client_id="rf-2", quantity=2.0))
    assert exchange.count("POST", "order") == 2


def test_an_order_whose_answer_does_not_come_in_its_time_may_have_arrived(exchange: Exchange) -> None:
    asked = venue(exchange, timeout=10.0, order_timeout=1.0)
    asked.markets()
    answers = Event()
    exchange.faults.append(held_back("order", answers, "POST"))
    began = monotonic()
    with pytest.raises(Unreachable) as error:
        asked.place(BUY)
    assert monotonic() - began < 8.0, "an order has a time of its own"
    answers.set()
    assert not isinstance(error.value, OutOfTime), "there may be time to ask for it"
    assert not error.value.is_certain
    assert asked.order("BTCUSDT", "rf-1").filled == 1.0
    assert exchange.count("POST", "order") == 1


def test_an_order_does_not_queue_behind_questions(exchange: Exchange) -> None:
    asked = CcxtVenue(
        credentials=KEYS,
        live=True,
        endpoint=exchange.url,
        manners=Manners(timeout=5),
        config={"rateLimit": 50, "timeout_on_exit": 0},
    )
    asked.markets()
    asked.open_orders()  # which counts forty times: the next question waits for two seconds
    assert took(lambda: asked.place(BUY)) < 1.8
    with allowing(Allowance(monotonic() + 0.5)), pytest.raises(OutOfTime):
        asked.account()
    time.sleep(2.5)
    assert took(asked.account) < 1.8, "the rate limit recovers while nothing is asked"
    asked.hang_up()


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", ["account", "place"])
def test_hanging_up_breaks_off_whatever_is_asked(silent: CcxtVenue, ask: str) -> None:
    calls: dict[str, Callable[[], Any]] = {"account": silent.account, "place": lambda: silent.place(BUY)}
    call = calls[ask]
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(call)
        time.sleep(0.3)
        assert not asked.done()
        assert took(silent.hang_up) < 8.0
        assert isinstance(asked.exception(PATIENCE), HungUp)
    with pytest.raises(HungUp):
        call()


def test_a_venue_that_owes_an_answer_is_silent_until_it_gives_one(exchange: Exchange, silent: CcxtVenue) -> None:
    assert silent.silence() == 0.0
    for _ in range(2):
        with allowing(Allowance(monotonic() + 0.2)), pytest.raises(OutOfTime):
            silent.account()
    assert silent.silence() > 0.3, "it has owed an answer since it was asked first"
    asked = venue(exchange)
    asked.account()
    assert asked.silence() == 0.0
    exchange.faults.append(Fault("order", "POST", status=400, body='{"code":-2019,"msg":"Margin"}'))
    with pytest.raises(NotEnoughMargin):
        asked.place(BUY)
    assert asked.silence() == 0.0, "a refusal is an answer"


def test_a_name_that_nobody_looks_up_keeps_nothing_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers.wait(PATIENCE) and [])
    asked = CcxtVenue(endpoint="https://venue.invalid")
    with allowing(Allowance(monotonic() + 0.3)), pytest.raises(OutOfTime):
        asked.markets()
    lookups = [thread for thread in enumerate_threads() if thread.name == "lookup"]
    assert lookups
    assert all(thread.daemon for thread in lookups), "the process does not wait for them"
    assert took(asked.hang_up) < 8.0
    answers.set()


def test_closing_breaks_off_the_hours_that_are_fetched(silent: CcxtVenue) -> None:
    history = HourlyHistory(silent, behind=True)
    assert history(NOW) is None
    time.sleep(0.2)
    assert took(history.close) < 8.0
    assert history._busy is not None
    assert history._busy.done()
    with pytest.raises(OutOfTime), allowing(Allowance(monotonic() + 0.1)):
        silent.account()  # the venue itself can still be asked
