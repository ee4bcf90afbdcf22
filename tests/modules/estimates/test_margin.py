"""Where margin runs out, by tiers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.estimates.balance import Liquidation, liquidations
from modules.estimates.margin import (
    FARTHEST,
    Held,
    distance_alone,
    distances_together,
    fault_of,
    liquidation_price,
    maintenance,
    safe_leverage,
)
from modules.inputs import MarginTier, Position

TIERS = (
    MarginTier(10_000, 0.004, 125),
    MarginTier(100_000, 0.005, 100, 10),
    MarginTier(1_000_000, 0.01, 50, 510),
)
ONE = (MarginTier(1e9, 0.005, 125),)


@pytest.mark.parametrize(
    ("notional", "needed"), [(0, 0), (10_000, 40), (50_000, 240), (100_000, 490), (500_000, 4_490), (2_000_000, 19_490)]
)
def test_maintenance_is_rate_times_notional_less_the_deduction(notional: float, needed: float) -> None:
    assert maintenance(TIERS, notional) == pytest.approx(needed)


def test_a_table_without_deductions_is_read_as_one_without_jumps() -> None:
    bare = tuple(MarginTier(t.up_to, t.rate, t.most_leverage) for t in TIERS)
    assert fault_of(bare) == ""
    assert maintenance(bare, 500_000) == pytest.approx(4_490)


@pytest.mark.parametrize(
    ("tiers", "fault"),
    [
        ((), "the venue tells no margin tiers"),
        (TIERS[::-1], "the venue's margin tiers are out of order"),
        ((MarginTier(100, 0.02, 10), MarginTier(200, 0.01, 5)), "the venue's margin tiers are out of order"),
        ((MarginTier(100, 1.5, 10),), "the venue's margin tiers have rates that cannot be"),
        ((MarginTier(math.nan, 0.01, 10),), "the venue's margin tiers hold what is no number"),
        ((MarginTier(100, 0.01, math.nan),), "the venue's margin tiers hold what is no number"),
        (
            (MarginTier(100, 0.01, 10), MarginTier(200, 0.02, 5, 7)),
            "the venue's margin tiers contradict each other at 100",
        ),
    ],
)
def test_a_table_that_cannot_be_is_not_believed(tiers: tuple[MarginTier, ...], fault: str) -> None:
    assert fault_of(tiers) == fault


def test_a_position_of_one_tier_ends_where_the_formula_of_the_venue_says() -> None:
    # A long of 10 from 100 at 5x: 200 + 10 (p - 100) = 0.005 x 10 p, so p = 800 / 9.95.
    assert liquidation_price(ONE, 1, 10, 100, 200) == pytest.approx(800 / 9.95)
    # A short: 200 - 10 (p - 100) = 0.05 p, so p = 1200 / 10.05.
    assert liquidation_price(ONE, -1, 10, 100, 200) == pytest.approx(1200 / 10.05)


def test_a_long_that_is_paid_in_full_cannot_be_liquidated() -> None:
    assert liquidation_price(ONE, 1, 10, 100, 1000) == 0
    assert liquidation_price(ONE, 1, 10, 100, 5000) == 0


@given(st.sampled_from([1, -1]), st.floats(1, 3000), st.floats(1.5, 40))
def test_at_its_price_the_margin_is_down_to_maintenance(sign: int, quantity: float, leverage: float) -> None:
    backing = quantity * 100 / leverage
    level = liquidation_price(TIERS, sign, quantity, 100, backing)
    left = backing + sign * quantity * (level - 100) - maintenance(TIERS, quantity * level)
    assert left == pytest.approx(0, abs=1e-6 * quantity)
    assert sign * (100 - level) > 0


def test_what_is_lost_already_is_no_distance_away() -> None:
    held = Held(1, 10, 80, ONE)
    assert distance_alone(held, 100, 150) == 0
    assert distance_alone(Held(1, 10, 100, ONE), 100, 1) == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_safe_leverage_puts_liquidation_where_it_is_wanted(sign: int) -> None:
    leverage = safe_leverage(ONE, sign, 1_000, 0.06)
    level = liquidation_price(ONE, sign, 10, 100, 1_000 / leverage)
    assert level == pytest.approx(100 * (1 - sign * 0.06))


def test_safe_leverage_is_no_more_than_the_venue_allows() -> None:
    assert safe_leverage(TIERS, 1, 500_000, 0.001) == 50
    assert safe_leverage(TIERS, 1, 5_000_000, 0.5) == 0


def test_prices_that_move_together_liquidate_before_one_alone_would() -> None:
    # 1000 of equity behind two longs of 2500: together they end where 5000 f = 4000 + 25 f, one alone where 2500 f =
    # 1512.5 + 12.5 f, for the other needs 12.5.
    book = {"a": Held(1, 25, 100, ONE), "b": Held(1, 25, 100, ONE)}
    down, up = distances_together(1_000, book)
    assert down == pytest.approx(1 - 4_000 / 4_975)
    assert up == FARTHEST
    assert distance_alone(book["a"], 100, 1_000 - 12.5) == pytest.approx(1 - 1_512.5 / 2_487.5)


def test_a_hedged_book_ends_only_where_maintenance_does() -> None:
    book = {"a": Held(1, 25, 100, ONE), "b": Held(-1, 25, 100, ONE)}
    down, up = distances_together(1_000, book)
    assert down == 1.0
    assert up == pytest.approx(1_000 / 25 - 1)


def test_a_book_without_equity_is_at_its_end() -> None:
    assert distances_together(0, {"a": Held(1, 25, 100, ONE)}) == (0, 0)


def position(side: str = "LONG", leverage: float | None = 5.0, mark: float = 100.0) -> Position:
    return Position("BTCUSDT", side, 25, 100, mark, 0, leverage)


def test_the_nearest_end_counts() -> None:
    tiers = {"BTCUSDT": ONE}
    alone = liquidations({"a": position()}, tiers, 1_000_000)["a"]
    assert isinstance(alone, Liquidation)
    assert alone.distance == pytest.approx(1 - 80 / 99.5)
    together = liquidations({"a": position(), "b": position()}, tiers, 600)["a"]
    assert isinstance(together, Liquidation)
    assert together.distance == pytest.approx(1 - 4_400 / 4_975)


def test_shared_margin_needs_every_position_to_be_known() -> None:
    unknown = Position("XUSDT", "LONG", 1, 1, 1, 0)
    found = liquidations({"a": position(), "b": unknown}, {"BTCUSDT": ONE}, 10)
    assert isinstance(found["a"], Liquidation)
    assert found["a"].distance == pytest.approx(1 - 80 / 99.5)
    assert found["b"] == "the venue tells no margin tiers of XUSDT"


@pytest.mark.parametrize(
    "lacking",
    [{"leverage": None}, {"leverage": 0.0}, {"leverage": math.nan}, {"entry": math.nan}, {"entry": 0.0}],
)
def test_a_position_whose_margin_nobody_knows_is_not_far_from_its_end(lacking: dict[str, Any]) -> None:
    found = liquidations({"a": replace(position(), **lacking)}, {"BTCUSDT": ONE}, 1_000_000)
    assert found["a"] == "the margin that is set aside for it is not known"


@given(st.sampled_from([1, -1]), st.integers(0, 2), st.floats(0.01, 0.5), st.floats(0.01, 100))
def test_an_end_where_two_tiers_meet_is_found(sign: int, tier: int, away: float, quantity: float) -> None:
    edge = TIERS[tier].up_to / quantity
    price = edge * (1 + sign * away)
    backing = maintenance(TIERS, quantity * edge) - sign * quantity * (edge - price)
    assert liquidation_price(TIERS, sign, quantity, price, backing) == pytest.approx(edge)


def test_the_chance_of_getting_there() -> None:
    # ln(100 / 80.309) = 0.2193; 3 % a day is 0.0794 a week: 2 x P(normal > 2.763).
    assert Liquidation(100, 80.309).probability(7 * 0.03**2) == pytest.approx(0.0057, abs=1e-4)
    assert Liquidation(100, 0).probability(float("nan")) == 0
    assert Liquidation(100, 100).probability(float("nan")) == 1
    assert Liquidation(100, 80).probability(float("nan")) is None


@given(st.floats(1, 30), st.floats(0.5, 1e6))
def test_less_backing_is_never_further_away(leverage: float, more: float) -> None:
    near = distance_alone(Held(1, 10, 100, TIERS), 100, 1_000 / leverage)
    far = distance_alone(Held(1, 10, 100, TIERS), 100, 1_000 / leverage + more)
    assert 0 <= near <= far <= FARTHEST
