"""Kelly's fraction, and what is known of a record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from modules.estimates.kelly import Record, careful_fraction, careful_win_rate, fraction, record_of


def test_the_fraction_of_a_bet_with_an_edge() -> None:
    assert fraction(0.6, 1) == pytest.approx(0.2)
    assert fraction(0.55, 1.5) == pytest.approx(0.25)


@pytest.mark.parametrize(("win_rate", "payoff"), [(0.4, 1.5), (0.3, 1), (0, 5), (0.9, 0), (0.9, -1)])
def test_without_an_edge_nothing_is_bet(win_rate: float, payoff: float) -> None:
    assert fraction(win_rate, payoff) == 0


def test_the_careful_end_of_55_wins_in_100_trades() -> None:
    record = Record(100, 0.55, 1.5)
    assert careful_fraction(record) == pytest.approx(0.143, abs=5e-4)
    assert careful_win_rate(record) == pytest.approx(beta.ppf(0.1, 55.5, 45.5))


@given(st.integers(1, 500), st.integers(2, 20), st.floats(0, 1), st.floats(0.1, 5))
def test_more_of_the_same_record_bets_no_less(trades: int, times: int, rate: float, payoff: float) -> None:
    won = round(rate * trades) / trades
    few, many = Record(trades, won, payoff), Record(trades * times, won, payoff)
    if careful_fraction(few) > 0:
        assert careful_fraction(many) >= careful_fraction(few) - 1e-12


@given(st.integers(1, 500), st.floats(0, 0.9), st.floats(0, 0.1), st.floats(0.1, 5))
def test_a_better_record_never_bets_less(trades: int, rate: float, better: float, payoff: float) -> None:
    worse = careful_fraction(Record(trades, rate, payoff))
    assert 0 <= worse <= careful_fraction(Record(trades, rate + better, payoff)) + 1e-12 <= 1


def test_a_record_by_what_trades_made() -> None:
    record = record_of([2.0, -1.0, 1.0, None, float("nan"), -0.5, 0.0])
    assert record == Record(5, 0.4, 2.0)


@pytest.mark.parametrize("trades", [[], [None, None], [float("nan")]])
def test_without_trades_there_is_no_record(trades: list[float | None]) -> None:
    assert record_of(trades) is None


def test_what_never_lost_is_taken_to_lose_all_that_is_at_risk() -> None:
    assert record_of([1.0, 2.0]) == Record(2, 1.0, 1.5)


@pytest.mark.parametrize("trades", [[-1.0], [0.0], [-1.0] * 30])
def test_what_never_won_bets_nothing(trades: list[float]) -> None:
    record = record_of(trades)
    assert record is not None
    assert careful_fraction(record) == 0
