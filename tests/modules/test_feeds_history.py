"""The hours of a market: whole, the same object from one hour to the next, and no symbol paid for by another."""

from __future__ import annotations

import numpy as np
import pytest

from modules.estimates.hours import HOUR_MS, hourly
from modules.feeds.candles import Candles
from modules.feeds.history import PANELS, HourlyHistory
from modules.venues.paper import PaperExchange
from modules.venues.venue import RateLimited, Unreachable
from tests.modules.venues.flaky import Flaky

START = PaperExchange().time()
"""Half a day after the first bar of the market."""


def made(most: int = 200) -> tuple[PaperExchange, Flaky, HourlyHistory]:
    paper = PaperExchange()
    venue = Flaky(paper)
    return paper, venue, HourlyHistory(venue.as_venue(), most=most)


def later(paper: PaperExchange, ms: int) -> int:
    paper.advance(paper.time() + ms)
    return paper.time()


def test_the_hours_are_those_of_the_market() -> None:
    paper, _, history = made()
    found = history(paper.time())
    assert found is not None
    bars = paper.market.candles
    until = paper.market.bar(paper.time()) + 1
    whole = Candles(
        bars.book, bars.cadence_ms, bars.opened[:until], bars.symbols, *(getattr(bars, n)[:until] for n in PANELS)
    )
    expected = hourly(whole)
    assert found.symbols == expected.symbols
    assert found.opened.tolist() == expected.opened.tolist()
    for name in PANELS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name))


def test_the_same_object_stands_until_an_hour_is_over() -> None:
    paper, venue, history = made()
    first = history(paper.time())
    asked = venue.calls["hours"]
    assert history(later(paper, HOUR_MS - 1)) is first
    assert venue.calls["hours"] == asked
    second = history(later(paper, 1))
    assert first is not None
    assert second is not None
    assert second is not first
    assert len(second.opened) == len(first.opened) + 1
    assert second.close[:-1].tolist() == first.close.tolist()
    # Only the new hour was asked for, and what was shown before was not touched.
    assert venue.calls["hours"] == asked + len(first.symbols)
    assert np.isfinite(second.close[-1]).all()


def test_no_hour_is_shown_before_it_is_over() -> None:
    paper, _, history = made()
    found = history(later(paper, HOUR_MS // 2))
    assert found is not None
    assert found.closed[-1] <= paper.time()


def test_a_symbol_that_cannot_be_had_costs_no_other_and_is_asked_for_again() -> None:
    paper, venue, history = made()
    history(paper.time())
    venue.before["hours"] = [Unreachable("no answer")]
    second = history(later(paper, HOUR_MS))
    assert second is not None
    broken = second.symbols[0]
    assert list(history.faults) == [broken]
    assert np.isfinite(second.close[-1]).tolist() == [s != broken for s in second.symbols]
    assert history(later(paper, 30_000)) is second
    third = history(later(paper, 30_000))
    assert third is not None
    assert np.isfinite(third.close[-1]).all()
    assert history.faults == {}
    # What was shown with the gap still has it: whoever keeps something worked out of it is not deceived.
    assert not np.isfinite(second.close[-1]).all()


@pytest.mark.parametrize("errors", [[RateLimited("slower", 1.0)], [Unreachable("no answer")] * 3])
def test_a_part_of_the_market_is_not_shown_as_the_market(errors: list[Exception]) -> None:
    paper, venue, history = made()
    venue.before["hours"] = [None, None, *errors]
    assert history(paper.time()) is None
    assert len(history.faults) == 8
    found = history(later(paper, 60_000))
    assert found is not None
    assert np.isfinite(found.close[-1]).all()


def test_a_venue_that_is_down_is_not_asked_for_every_symbol() -> None:
    paper, venue, history = made()
    venue.before["hours"] = [Unreachable("no answer")] * 100
    assert history(paper.time()) is None
    assert venue.calls["hours"] == 3


def test_a_venue_that_does_not_say_what_it_lists_leaves_what_is_known() -> None:
    paper, venue, history = made()
    first = history(paper.time())
    venue.before["markets"] = [Unreachable("no answer")]
    assert history(later(paper, HOUR_MS)) is first
    assert history(later(paper, 60_000)) is not first


def test_symbols_come_and_go() -> None:
    paper, _, history = made(most=3)
    first = history(paper.time())
    assert first is not None
    assert len(first.symbols) == 3
    listings = dict(paper._engine.listings)
    gone = first.symbols[1]
    del paper._engine.listings[gone]
    second = history(later(paper, HOUR_MS))
    assert second is not None
    assert gone not in second.symbols
    assert len(second.symbols) == 3
    for symbol in set(first.symbols) & set(second.symbols):
        old, new = first.symbols.index(symbol), second.symbols.index(symbol)
        assert second.close[:-1, new].tolist() == first.close[:, old].tolist()
    assert np.isfinite(second.close).all()
    paper._engine.listings.update(listings)


def test_what_is_held_is_followed_whatever_it_trades() -> None:
    paper, venue, _ = made()
    least = min(paper.tickers().items(), key=lambda item: item[1].volume_24h)[0]
    history = HourlyHistory(venue.as_venue(), always=lambda: [least, "NOSUCHUSDT"], most=2)
    found = history(paper.time())
    assert found is not None
    assert least in found.symbols
    assert len(found.symbols) == 2


def test_only_so_many_days_are_kept() -> None:
    paper = PaperExchange()
    history = HourlyHistory(paper, days=1)
    paper.advance(paper.time() + 11 * HOUR_MS)
    first = history(paper.time())
    assert first is not None
    assert len(first.opened) == 23


def test_fetching_may_go_on_behind_the_fund() -> None:
    paper, _, history = made()
    history.behind = True
    assert history(paper.time()) is None
    assert history._busy is not None
    history._busy.result(timeout=60)
    assert history(paper.time()) is not None
    history.close()


def test_closing_does_not_wait_for_every_symbol() -> None:
    paper, venue, history = made()
    history.behind = True
    venue.before["hours"] = [lambda: setattr(history, "_closing", True)]
    assert history(paper.time()) is None
    assert history._busy is not None
    history._busy.result(timeout=60)
    assert venue.calls["hours"] == 1
    assert history(paper.time()) is None
    history.close()


def test_an_earlier_time_sees_no_later_hour() -> None:
    paper, _, history = made()
    now = paper.time()
    history(now)
    earlier = history(now - 2 * HOUR_MS - 1)
    assert earlier is not None
    assert earlier.closed[-1] == now // HOUR_MS * HOUR_MS - 3 * HOUR_MS
    assert history(START - 13 * HOUR_MS) is None
