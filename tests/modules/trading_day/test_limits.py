"""What each limit of the balancer looks at: read from its own words, and true of the figures that it names."""

from __future__ import annotations

import pytest

from modules.facts import CATALOGUE
from modules.judge import packaged_bundle
from modules.portfolio_balancer import PortfolioBalancer
from modules.trading_day.limits import OF_A_PART, OF_THE_BOOK, Looks, limits
from policy_dsl.bundle import load_text
from tests.modules.books import TOGETHER, asked, held, state

RULES = """policy pba version 1.0.0
  "Some limits."

rule by_any_name for each request
  when request.exposure_after > 80%
  deny
  because "no room"

rule both for each request
  when request.exposure_after > 80% and request.correlated_after > 60%
  deny
  because "too much together"

rule own for each request
  when request.leverage > 20x
  deny
  because "too much leverage"

rule of_the_others for each request
  when count(request as other where other.leverage > 5x) > 3
  deny
  because "too many at once"

rule of_the_book
  when account.gross_exposure > 80%
  alert WARNING
  because "a limit of the book, and not of a request"
"""


def test_what_a_limit_looks_at_is_in_its_own_words() -> None:
    assert limits(load_text({"pba.rules": RULES}, CATALOGUE)) == {
        "pba.both": Looks.BALANCE,
        "pba.by_any_name": Looks.ROOM,
        "pba.of_the_others": Looks.ROOM,
        "pba.own": Looks.REQUEST,
    }


def test_the_limits_that_come_with_ringfence() -> None:
    found = limits(packaged_bundle())
    assert {rule for rule, looks in found.items() if looks is Looks.BALANCE} == {
        "pba.correlation", "pba.sector_concentration", "pba.symbol_concentration", "pba.too_many_correlated",
    }  # fmt: skip
    assert found["pba.total_exposure"] is found["pba.free_margin"] is Looks.ROOM
    assert found["pba.leverage"] is Looks.REQUEST


@pytest.mark.parametrize("symbol", ["ETHUSDT", "SOLUSDT", "UNIUSDT"])
def test_figures_of_the_whole_book_are_the_same_in_every_symbol(symbol: str) -> None:
    """A book of bitcoin: as much of another coin leaves the same exposure, and another balance."""
    book = {"p": held("BTCUSDT", 2_000)}
    here, there = (
        PortfolioBalancer().compute(state(book, {"r": asked(name, 1_000)}, candles=TOGETHER)).row("request", "r")
        for name in ("BTCUSDT", symbol)
    )
    assert {name: here[name] for name in OF_THE_BOOK} == {name: there[name] for name in OF_THE_BOOK}
    assert here["symbol_share_after"] != there["symbol_share_after"]
    assert set(here) >= OF_THE_BOOK | OF_A_PART
