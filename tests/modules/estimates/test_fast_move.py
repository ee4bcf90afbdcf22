"""The move of the market within the hour, in recorded candles: nothing of the future, nothing of too few."""

from __future__ import annotations

import numpy as np
import pytest

from modules.estimates.fast_move import closes_at, median_move, recorded_moves
from modules.feeds.candles import Candles
from tests.modules.samples import HOUR_MS, first_bars, made_candles, shaken_after

MINUTE = 60_000


def bars(close: list[list[float]], cadence: int) -> Candles:
    panel = np.array(close, dtype=np.float64)
    opened = cadence * np.arange(len(panel), dtype=np.int64)
    names = tuple("ABCDE"[: panel.shape[1]])
    return Candles("made", cadence, opened, names, panel, panel, panel, panel, panel)


def test_of_hourly_candles_it_is_the_median_change_from_close_to_close() -> None:
    candles = made_candles(3)
    found = recorded_moves(candles)
    assert found.shape == (120, 1)
    assert np.isnan(found[0, 0])
    assert found[1:, 0] == pytest.approx(np.median(candles.close[1:] / candles.close[:-1] - 1, axis=1))


def test_of_shorter_candles_it_is_that_of_an_hour_at_every_close() -> None:
    close = [[100.0]] * 12 + [[100.0 - i] for i in range(1, 13)] + [[88.0]] * 12
    found = recorded_moves(bars(close, 5 * MINUTE))[:, 0]
    assert np.isnan(found[:12]).all()
    assert found[12] == pytest.approx(-0.01)
    assert found[23] == pytest.approx(-0.12)
    assert found[35] == pytest.approx(0)


def test_candles_longer_than_two_hours_tell_nothing_of_an_hour() -> None:
    assert np.isnan(recorded_moves(bars([[100.0], [50.0], [50.0]], 4 * HOUR_MS))).all()


def test_a_symbol_without_a_candle_does_not_count_unless_too_many_are_without() -> None:
    gone = float("nan")
    close = [[100.0] * 4, [90.0, 90.0, gone, gone], [90.0, gone, gone, gone], [81.0, gone, gone, gone]]
    found = recorded_moves(bars(close, HOUR_MS))[:, 0]
    assert found[1] == pytest.approx(-0.1)
    assert np.isnan(found[2])
    # Two have not been seen for so long that they are no part of the market any more.
    assert found[3] == pytest.approx(-0.1)


def test_a_symbol_that_is_listed_later_counts_from_its_second_hour() -> None:
    none = float("nan")
    found = recorded_moves(bars([[100.0, none], [90.0, 10.0], [90.0, 5.0]], HOUR_MS))[:, 0]
    assert found[1] == pytest.approx(-0.1)
    assert found[2] == pytest.approx(-0.25)


def test_nothing_is_known_of_the_future() -> None:
    candles = made_candles(5)
    whole = recorded_moves(candles)
    np.testing.assert_array_equal(recorded_moves(first_bars(candles, 60)), whole[:60])
    np.testing.assert_array_equal(recorded_moves(shaken_after(candles, 60, 0.7))[:60], whole[:60])


def test_no_candles_have_no_closes() -> None:
    assert np.isnan(closes_at(first_bars(made_candles(1), 0), np.array([5]), 0, 9)).all()


@pytest.mark.parametrize("price", [0.0, -1.0, float("inf"), float("nan")])
def test_what_is_no_price_has_no_move(price: float) -> None:
    before, now = np.array([[100.0, 100.0, 100.0]]), np.array([[90.0, 90.0, price]])
    assert median_move(before, now)[0, 0] == pytest.approx(-0.1)
    assert np.isnan(median_move(now[:, 2:], before[:, 2:])[0, 0])
