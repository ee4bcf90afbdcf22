"""Which symbols move together, and which nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from modules.estimates.correlation import Togetherness, togetherness
from modules.estimates.volatility import forecast_variance, present_variance

KNOWN = Togetherness({"a": 1, "b": 1, "c": 2, "x": None})


def test_a_cluster_is_its_own_and_what_may_be_in_it() -> None:
    assert KNOWN.joined("a", {}) == {"a", "b", "x"}
    assert KNOWN.joined("c", {}) == {"c", "x"}


def test_the_largest_cluster_counts_what_may_be_in_it() -> None:
    assert KNOWN.largest({"a": 1, "b": 1, "c": 3, "x": 5}) == {"c", "x"}
    assert KNOWN.largest({"a": 2, "b": 2, "c": 3, "x": 5}) == {"a", "b", "x"}


def test_a_symbol_that_is_not_known_counts_in_the_largest_cluster() -> None:
    amounts = {"a": 2.0, "b": 2.0, "c": 3.0}
    assert KNOWN.joined("x", amounts) == {"a", "b", "x"}
    assert KNOWN.joined("new", amounts) == {"a", "b", "x", "new"}


def test_where_nothing_is_known_all_is_one() -> None:
    none = Togetherness({"a": None, "b": None})
    assert none.largest({"a": 1, "b": 2}) == {"a", "b"}
    assert Togetherness({}).largest({}) == frozenset()


def returns(columns: int, rows: int = 200) -> NDArray[np.float64]:
    return np.random.default_rng(3).normal(0, 0.01, (rows, columns))


def test_clusters_of_those_that_have_enough_returns() -> None:
    found = returns(3)
    found[:, 1] = found[:, 0] + found[:, 1] / 20
    found = np.column_stack(
        [found, np.zeros(200), np.full(200, np.nan), np.append(np.full(170, np.nan), returns(1, 30))]
    )
    made = togetherness(("a", "b", "c", "still", "absent", "young"), found).cluster
    assert made["a"] == made["b"] != made["c"]
    assert [made[s] for s in ("still", "absent", "young")] == [None, None, None]
    assert made["c"] is not None


def test_with_too_few_returns_nobody_knows() -> None:
    assert set(togetherness(("a", "b"), returns(2, 19)).cluster.values()) == {None}
    assert togetherness((), np.empty((0, 0))).cluster == {}


@pytest.mark.parametrize("rows", [0, 5, 200])
def test_the_present_forecast_is_the_last_of_all_forecasts(rows: int) -> None:
    rng = np.random.default_rng(rows)
    bars = rng.exponential(1e-4, (rows, 6))
    bars[rng.random(bars.shape) < 0.1] = np.nan
    expected = forecast_variance(bars, 20)[-1] if rows else np.full(6, np.nan)
    assert present_variance(bars, 20) == pytest.approx(expected, nan_ok=True)
