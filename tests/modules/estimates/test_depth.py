"""Walking an order book: figures by hand, and the laws that every book keeps."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.estimates.depth import collar, held, impact, is_sound, middle, walk, within
from modules.inputs import Depth

BOOK = Depth(
    0,
    bids=((99.9, 2.0), (99.8, 3.0), (99.6, 5.0), (99.1, 10.0)),
    asks=((100.0, 2.0), (100.1, 3.0), (100.3, 5.0), (100.8, 10.0)),
)


@st.composite
def books(draw: st.DrawFn) -> Depth:
    """Sound books around 100."""
    gaps = st.lists(st.floats(0.01, 1), min_size=1, max_size=6)
    sizes = st.floats(0.1, 50)

    def side(sign: int) -> tuple[tuple[float, float], ...]:
        away, out = 0.0, []
        for gap in draw(gaps):
            away += gap
            out.append((100 + sign * away, draw(sizes)))
        return tuple(out)

    return Depth(0, side(-1), side(1))


def test_the_design_s_example_is_17_9_basis_points() -> None:
    # (2 x 100 + 3 x 100.1 + 2 x 100.3) / 7 = 100.12857, against a mid of 99.95.
    found = impact(BOOK, True, 7.0)
    assert found is not None
    assert found * 1e4 == pytest.approx(17.87, abs=0.01)


def test_a_walk_tells_quantity_cost_and_worst_price() -> None:
    found = walk(BOOK.asks, 7.0)
    assert (found.quantity, found.worst) == (7.0, 100.3)
    assert found.cost == pytest.approx(700.9)
    assert found.average == pytest.approx(700.9 / 7)


def test_a_walk_ends_where_the_book_does() -> None:
    assert walk(BOOK.asks, 1e9).quantity == held(BOOK.asks) == 20.0
    assert walk((), 1.0).quantity == 0.0
    assert math.isnan(walk(BOOK.asks, 0.0).average)


def test_impact_is_unknown_beyond_the_snapshot_and_not_one_level_before() -> None:
    assert impact(BOOK, True, 20.0) is not None
    assert impact(BOOK, True, 20.000001) is None


@pytest.mark.parametrize("quantity", [0.0, -1.0, math.nan])
def test_impact_of_nothing_is_unknown(quantity: float) -> None:
    assert impact(BOOK, True, quantity) is None


@pytest.mark.parametrize(
    "book",
    [
        Depth(0, (), ()),
        Depth(0, BOOK.bids, ()),
        Depth(0, ((100.0, 1.0),), BOOK.asks),
        Depth(0, ((100.5, 1.0),), BOOK.asks),
        Depth(0, BOOK.bids, ((100.1, 1.0), (100.0, 1.0))),
        Depth(0, BOOK.bids, ((100.0, 1.0), (100.0, 1.0))),
        Depth(0, ((99.8, 1.0), (99.9, 1.0)), BOOK.asks),
        Depth(0, BOOK.bids, ((100.0, 0.0),)),
        Depth(0, BOOK.bids, ((math.nan, 1.0),)),
        Depth(0, BOOK.bids, ((math.inf, 1.0),)),
        Depth(0, ((-1.0, 1.0),), BOOK.asks),
    ],
)
def test_a_book_that_cannot_be_has_no_impact(book: Depth) -> None:
    assert not is_sound(book)
    assert impact(book, True, 0.5) is None


def test_levels_within_a_price() -> None:
    assert within(BOOK.asks, True, 100.1) == BOOK.asks[:2]
    assert within(BOOK.bids, False, 99.8) == BOOK.bids[:2]
    assert within(BOOK.asks, True, 99.0) == ()


def test_a_collar_lies_against_the_trader() -> None:
    assert collar(100.0, True, 0.01) == pytest.approx(101.0)
    assert collar(100.0, False, 0.01) == pytest.approx(99.0)


@given(books(), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_larger_order_never_has_less_impact(book: Depth, first: float, second: float) -> None:
    small, large = sorted((first, second))
    total = held(book.asks)
    found = [impact(book, True, share * total) for share in (small, large)]
    assert found[0] is not None
    assert found[1] is not None
    assert 0 < found[0] <= found[1] + 1e-12


@given(books(), st.floats(0.01, 1))
def test_sides_are_mirror_images(book: Depth, share: float) -> None:
    mid = middle(book)
    mirror = Depth(
        0,
        tuple((2 * mid - price, size) for price, size in book.asks),
        tuple((2 * mid - price, size) for price, size in book.bids),
    )
    quantity = share * held(book.asks)
    assert impact(mirror, False, quantity) == pytest.approx(impact(book, True, quantity), abs=1e-9)
