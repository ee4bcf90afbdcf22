"""The book after requests: what adds, what takes off, what turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.estimates.book_after import Ask, Book, Line, ask_of, counted

BTC, SHORT_BTC = ("BTC", "LONG"), ("BTC", "SHORT")


def book(notional: float = 1_000.0, risk: float | None = 50.0, margin: float | None = 200.0) -> Book:
    return counted([(BTC, Line(notional, risk, margin))], 200.0)


def ask(side: str, notional: float, *, adds: bool, reduce_only: bool = False) -> Ask:
    return Ask("BTC", side, adds, Line(notional, notional / 10, notional / 5), reduce_only)


def test_an_add_adds_notional_risk_and_margin() -> None:
    made = book().after(ask("LONG", 500, adds=True))
    assert made.lines == {BTC: Line(1_500, 100, 300)}
    assert (made.gross, made.risk, made.least, made.most) == (1_500, 100, 300, 300)


def test_half_a_position_frees_half_of_its_risk_and_margin() -> None:
    made = book().after(ask("LONG", 500, adds=False))
    assert made.lines == {BTC: Line(500, 25, 100)}
    assert (made.least, made.most) == (100, 100)


def test_the_whole_of_it_leaves_nothing() -> None:
    made = book().after(ask("LONG", 1_000 * (1 + 1e-12), adds=False))
    assert (made.lines, made.gross, made.risk, made.least) == ({}, 0, 0, 0)


def test_two_exits_of_one_position_turn_it_unless_the_venue_holds_them_to_their_word() -> None:
    once = ask("LONG", 800, adds=False)
    assert book().after(once).after(once).lines[SHORT_BTC].notional == pytest.approx(600)
    kept = ask("LONG", 800, adds=False, reduce_only=True)
    assert book().after(kept).after(kept).gross == 0


def test_an_opening_against_a_position_closes_it_first() -> None:
    made = book().after(ask("SHORT", 1_500, adds=True))
    assert made.lines == {SHORT_BTC: Line(500, 50, 100)}


def test_margin_that_is_not_known_lies_between_none_and_all() -> None:
    made = Book().plus(BTC, Line(1_000, 10, None))
    assert (made.least, made.most) == (0, 1_000)
    freed, _ = counted([(BTC, Line(1_000, 10, None))], 700).less(BTC, 400)
    assert (freed.least, freed.most) == (300, 700)


def test_a_stop_that_is_not_known_is_forgiven_once_its_position_is_gone() -> None:
    bare = book(risk=None)
    assert bare.risk is None
    assert bare.after(ask("LONG", 1_000, adds=False)).risk == 0


@pytest.mark.parametrize("notional", [None, float("nan"), float("inf"), -5.0, True, "5"])
def test_a_request_without_a_size_does_not_count(notional: object) -> None:
    assert ask_of("BTC", "LONG", "OPEN", (notional, 1.0, 1.0), reduce_only=False) == "its size is not known"


@pytest.mark.parametrize(
    ("symbol", "side", "effect"), [(None, "LONG", "OPEN"), ("B", "long", "OPEN"), ("B", "LONG", None)]
)
def test_a_request_that_is_not_understood_does_not_count(symbol: object, side: object, effect: object) -> None:
    found = ask_of(symbol, side, effect, (1.0, 1.0, 1.0), reduce_only=False)
    assert found == "what it would do to the book is not known"


amounts = st.floats(1, 1e6)


@given(amounts, amounts, st.sampled_from(["LONG", "SHORT"]))
def test_what_is_sold_and_bought_back_by_turns_adds_up(held: float, asked: float, side: str) -> None:
    signed = held + (asked if side == "LONG" else -asked)
    made = book(notional=held).after(ask(side, asked, adds=True))
    assert made.gross == pytest.approx(abs(signed), rel=1e-6, abs=1e-3)


@given(st.lists(st.tuples(st.sampled_from("ABC"), amounts), max_size=6))
def test_adds_in_any_order_make_one_book(adds: list[tuple[str, float]]) -> None:
    asks = [Ask(symbol, "LONG", True, Line(n, n / 10, n / 2)) for symbol, n in adds]
    one, other = Book(), Book()
    for forward, backward in zip(asks, reversed(asks), strict=True):
        one, other = one.after(forward), other.after(backward)
    assert one.gross == pytest.approx(other.gross)
    assert one.risk == pytest.approx(other.risk)
