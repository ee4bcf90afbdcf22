"""The venue of a served fund: paper unless it is said twice, and a real one that is looked at without trading there."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.service.venues import opened_venue
from modules.judge import packaged_bundle
from modules.runtime.composition import compose
from modules.runtime.embedded_venue import ORDERS, EmbeddedExchange, PaperClock, Terms, embedded_venue, wall_clock
from modules.venues.ccxt_venue import CcxtVenue
from modules.venues.journal import JournalError
from modules.venues.paper_fills import PaperFills
from modules.venues.venue import Kind, NewOrder
from policy_dsl.diagnostics import PolicyError
from policy_dsl.quantities import MS_PER_DAY
from tests.modules.venues.binance_server import KEY, SECRET, serving

NOW = 1_760_000_000_000
KEYS = {"RINGFENCE_VENUE_KEY": KEY, "RINGFENCE_VENUE_SECRET": SECRET}


def test_a_real_venue_is_looked_at_and_traded_on_paper(tmp_path: Path) -> None:
    with serving() as exchange:
        looking = {"RINGFENCE_VENUE_ENDPOINT": exchange.url, **KEYS}
        with opened_venue("binanceusdm", tmp_path / "fund", looking) as found:
            assert isinstance(found.venue, PaperFills)
            assert found.what == "binanceusdm, real prices and paper fills"
            composed = compose(found.venue, tmp_path / "fund", packaged_bundle(), patience=60)
            step = composed.fund.step(found.now())
            assert step.assembled.snapshot.facts["account.equity"] == 100_000_000_000
            assert set(step.assembled.snapshot.rows["symbol"] or {}) == {"BTCUSDT", "ETHUSDT"}
            composed.close()
        assert exchange.orders == {}


def test_money_moves_only_where_the_environment_says_so_and_has_keys(tmp_path: Path) -> None:
    with serving() as exchange:
        endpoint = {"RINGFENCE_VENUE_ENDPOINT": exchange.url}
        with opened_venue("binanceusdm", tmp_path, {**endpoint, **KEYS, "RINGFENCE_LIVE": "1"}) as found:
            assert isinstance(found.venue, CcxtVenue)
            assert found.venue.is_live
            assert "LIVE" in found.what
            assert SECRET not in repr(found)
        with (
            pytest.raises(PolicyError, match="no keys"),
            opened_venue("binanceusdm", tmp_path, {"RINGFENCE_LIVE": "on"}),
        ):
            pass
        for off in ({}, {"RINGFENCE_LIVE": "off"}, {"RINGFENCE_LIVE": "0"}):
            with opened_venue("binanceusdm", None, {**endpoint, **KEYS, **off}) as found:
                assert not found.venue.is_live


def test_an_exchange_that_is_given_no_stops_says_so(tmp_path: Path) -> None:
    live = {**KEYS, "RINGFENCE_LIVE": "1"}
    with opened_venue("bybit", tmp_path, live) as watched, opened_venue("binanceusdm", tmp_path, live) as guarded:
        assert "nobody watches them while the fund is down" in watched.what
        assert guarded.what == "binanceusdm, LIVE: orders move money"


def test_an_address_that_is_neither_safe_nor_of_this_machine_is_refused() -> None:
    looking = {"RINGFENCE_VENUE_ENDPOINT": "http://elsewhere.example"}
    with pytest.raises(PolicyError, match="cannot be used"), opened_venue("binanceusdm", None, looking):
        pass


def test_the_market_of_a_folder_stays_and_so_does_what_was_bought(tmp_path: Path) -> None:
    first = embedded_venue(Terms(3, NOW), tmp_path)
    bought = first.place(NewOrder("one", "BTCUSDT", "LONG", 0.01, Kind.MARKET))
    first.close()
    again = embedded_venue(Terms(4, NOW + MS_PER_DAY), tmp_path)
    assert again.order("BTCUSDT", "one") == bought
    assert again.positions()["BTCUSDT"].quantity == 0.01
    with pytest.raises(JournalError):
        embedded_venue(Terms(3, NOW), tmp_path)
    again.close()
    assert (tmp_path / ORDERS).exists()


def test_the_made_up_market_has_a_year_of_hours_that_lead_up_to_it() -> None:
    venue = embedded_venue(Terms(3, NOW))
    assert isinstance(venue, EmbeddedExchange)
    old = venue.hours("BTCUSDT", 0)
    new = venue.hours("BTCUSDT", int(old.opened[-1]) + 3_600_000)
    assert len(old.opened) == 370 * 24
    assert int(new.opened[0]) == int(old.opened[-1]) + 3_600_000
    assert old.close[-1, 0] == pytest.approx(
        venue.market.candles.open[0, venue.market.candles.symbols.index("BTCUSDT")]
    )
    assert ((old.low <= old.close) & (old.close <= old.high)).all()
    assert int(new.opened[-1]) + 3_600_000 <= venue.time()


def test_the_clock_of_a_paper_venue_follows_the_wall_and_never_goes_back() -> None:
    venue, wall = embedded_venue(Terms(3, NOW)), [NOW + 5_000]
    clock = PaperClock(venue, lambda: wall[0])
    assert clock() == venue.time() == NOW + 5_000
    venue.advance(NOW + 60_000)
    assert clock() == NOW + 60_000
    wall[0] = NOW + 61_000
    assert clock() == NOW + 61_000
    assert abs(wall_clock() - PaperClock(embedded_venue(Terms(3, wall_clock())))()) < 60_000
