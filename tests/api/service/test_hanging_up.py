"""Work at a venue that goes on until somebody ends it: a venue that hangs by then holds its end up for moments."""

from __future__ import annotations

import socket
from threading import Event, Timer
from time import monotonic

import pytest

from api.service.stopping import OWED_SECONDS, hanging_up
from modules.venues import HungUp
from modules.venues.ccxt_venue import CcxtVenue
from tests.modules.venues.binance_server import serving


def test_a_venue_that_hangs_is_hung_up_on_once_somebody_asks_for_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        silent = CcxtVenue(endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        asked, began = Event(), monotonic()
        Timer(0.5, asked.set).start()
        with hanging_up(silent, asked), pytest.raises(HungUp):
            silent.tickers()
        assert OWED_SECONDS < monotonic() - began < OWED_SECONDS + 7, "which its own patience would be longer than"


def test_one_that_answers_is_asked_to_the_end() -> None:
    with serving() as exchange:
        venue, asked = CcxtVenue(endpoint=exchange.url), Event()
        asked.set()
        with hanging_up(venue, asked):
            assert venue.markets()
        assert venue.depth("BTCUSDT").bids
        venue.hang_up()
