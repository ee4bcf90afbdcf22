"""The facts of the book, the feed, the people and the clock, and what an order would do to the book."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.snapshot import Snapshot
from modules.assembly import Supplied, assemble
from modules.facts import CATALOGUE
from modules.feeds.candles import Candles
from modules.inputs import (
    Account,
    Book,
    ClosedTrade,
    Inputs,
    Listing,
    Machinery,
    Market,
    Operator,
    Position,
    Request,
    Ticker,
)
from modules.sources import BookSource, ClockSource, FeedSource, OperatorSource
from modules.sources.effects import Effect, effect_of

NOW = 1_760_000_000_000
ACCOUNT = Account(NOW, balance=1000.0, equity=900.0, used_margin=100.0, peak_equity=1200.0, day_equity=1000.0)
LONG = Position("BTCUSDT", "LONG", 2.0, 100.0, 110.0, NOW - 3_600_000)
SHORT = replace(LONG, side="SHORT")
NAN = float("nan")


def book(**parts: Any) -> Inputs:
    return Inputs("main", NOW, book=Book(**parts))


def test_losses_are_ratios_that_are_never_negative() -> None:
    found = BookSource().compute(book(account=ACCOUNT)).single
    assert found["account.drawdown"] == 0.25
    assert found["account.daily_loss"] == 0.1
    assert found["account.free_margin"] == 800.0
    risen = BookSource().compute(book(account=replace(ACCOUNT, equity=1300.0, peak_equity=1300.0))).single
    assert (risen["account.drawdown"], risen["account.daily_loss"]) == (0.0, 0.0)


def test_an_account_that_nobody_knows_has_a_reason_and_no_figures() -> None:
    supply = BookSource().compute(book())
    assert supply.single == {}
    of_book = {f"account.{f.name}" for f in CATALOGUE.entities["account"].facts.values() if f.owner == "book"}
    assert set(supply.reasons) == of_book
    assert supply.reasons["account.drawdown"] == "the venue's account is not known"
    assert supply.reasons["account.open_loss"] == "nobody knows the positions"
    assert supply.rows == {"request": {}}


def test_a_day_of_which_nobody_knows_how_it_began_has_no_known_loss() -> None:
    supply = BookSource().compute(book(account=replace(ACCOUNT, day_equity=None)))
    assert "account.daily_loss" not in supply.single
    assert "00:00 UTC" in supply.reasons["account.daily_loss"]


def test_a_drawdown_without_a_peak_is_unknown() -> None:
    supply = BookSource().compute(book(account=replace(ACCOUNT, peak_equity=0.0, day_equity=0.0)))
    assert "account.drawdown" not in supply.single
    assert "account.daily_loss" not in supply.single


def test_the_gap_to_the_venues_record() -> None:
    for lacking in (ACCOUNT, replace(ACCOUNT, venue_equity=900.0), replace(ACCOUNT, own_equity=900.0)):
        assert "account.reconciliation_gap" not in BookSource().compute(book(account=lacking)).single
    found = BookSource().compute(book(account=replace(ACCOUNT, venue_equity=909.0, own_equity=900.0))).single
    assert found["account.reconciliation_gap"] == pytest.approx(0.01)


def test_positions_are_known_empty_or_unknown() -> None:
    assert "position" not in BookSource().compute(book(account=ACCOUNT)).rows
    none = BookSource().compute(book(account=ACCOUNT, positions={}))
    assert none.rows["position"] == {}
    assert (none.single["account.open_positions"], none.single["account.open_loss"]) == (0, 0.0)


def test_a_position_tells_its_risk_from_its_stop_and_nothing_without_one() -> None:
    held = replace(LONG, stop=99.0, first_quantity=1.0, first_entry=100.0, leverage=2.0)
    row = BookSource().compute(book(positions={"p": held})).rows["position"]["p"]
    assert row["notional"] == 220.0
    assert row["original_notional"] == 100.0
    assert row["unrealized"] == pytest.approx(0.1)
    assert row["stop_distance"] == pytest.approx(0.1)
    assert row["risk"] == pytest.approx(22.0)
    assert row["age"] == 3600
    bare = BookSource().compute(book(positions={"p": LONG})).rows["position"]["p"]
    assert not {"risk", "stop_distance", "original_notional"} & set(bare)


@pytest.mark.parametrize(
    ("profits", "streak"),
    [([], 0), ([-1.0, -1.0], 2), ([-1.0, 0.0], 0), ([1.0, -1.0], 1), ([-1.0, None], None), ([None, -1.0], None),
     ([None, 1.0, -1.0], 1), ([-1.0, -1.0, NAN], None), ([NAN, -1.0], None)],
)  # fmt: skip
def test_a_streak_with_an_unknown_result_in_it_is_unknown(profits: list[float | None], streak: int | None) -> None:
    trades = [ClosedTrade("BTCUSDT", "LONG", "SIGNAL", NOW + i, profit) for i, profit in enumerate(profits)]
    for order in (trades, trades[::-1]):
        supply = BookSource().compute(book(trades=order))
        assert supply.single.get("account.losing_streak") == streak
        assert (streak is None) == ("account.losing_streak" in supply.reasons)


@pytest.mark.parametrize(("ahead", "streak"), [(60_000, 0), (60_001, None)])
def test_a_win_that_is_dated_ahead_ends_no_streak(ahead: int, streak: int | None) -> None:
    lost = ClosedTrade("BTCUSDT", "LONG", "SIGNAL", NOW, -1.0)
    found = BookSource().compute(book(trades=(lost, replace(lost, closed=NOW + ahead, profit=1.0))))
    assert found.single.get("account.losing_streak") == streak


def test_what_is_no_number_is_not_taken_for_no_loss() -> None:
    inputs = book(account=replace(ACCOUNT, equity=NAN), positions={"p": replace(LONG, mark=NAN, stop=99.0)})
    parts = [Supplied("book", BookSource.owners, NOW, BookSource().compute(inputs))]
    found = assemble("main", NOW, parts)
    lost = ("account.drawdown", "account.daily_loss", "account.open_loss")
    assert [found.snapshot.facts[path] for path in lost] == [None, None, None]
    assert all("which is not a ratio that can be believed" in found.reasons[path] for path in lost)
    assert (found.snapshot.collection("position") or {})["p"].get("risk") is None


def test_a_stop_that_is_no_price_is_not_a_stop_that_costs_nothing() -> None:
    made = BookSource().compute(book(positions={"p": replace(LONG, stop=NAN)}))
    found = assemble("main", NOW, [Supplied("book", BookSource.owners, NOW, made)])
    assert (found.snapshot.collection("position") or {})["p"].get("risk") is None
    assert 'position["p"].risk' in found.reasons


@pytest.mark.parametrize("stop", [-1.0, float("inf")])
def test_a_stop_beyond_all_prices_costs_nobody_knows_what(stop: float) -> None:
    supply = BookSource().compute(book(positions={"p": replace(LONG, stop=stop)}))
    assert not {"risk", "stop_distance"} & set(supply.rows["position"]["p"])
    assert supply.reasons['position["p"].risk'] == f"its stop at {stop:g} is no price"
    unpriced = BookSource().compute(book(positions={"p": replace(LONG, stop=99.0, mark=NAN)}))
    assert unpriced.reasons['position["p"].risk'] == "a quantity of 2 at a mark of nan cannot be"


@pytest.mark.parametrize(("side", "stop", "risk"), [("LONG", 95.0, 5.0), ("SHORT", 105.0, 5.0), ("LONG", 105.0, None),
                                                    ("SHORT", 95.0, None), ("LONG", -5.0, None)])  # fmt: skip
def test_a_stop_beyond_which_nothing_is_lost_limits_no_loss(side: str, stop: float, risk: float | None) -> None:
    asked = Request("BTCUSDT", side, NOW, notional=100.0, price=100.0, stop=stop)
    row = BookSource().compute(book(positions={}, requests={"r": asked})).rows["request"]["r"]
    assert row.get("risk") == risk


@pytest.mark.parametrize(("equity", "peak", "lacking"), [(-5.0, 100.0, "open_loss"), (5.0, 0.0, "drawdown"),
                                                         (5.0, NAN, "drawdown")])  # fmt: skip
def test_a_share_of_nothing_is_missing_with_its_reason(equity: float, peak: float, lacking: str) -> None:
    account = replace(ACCOUNT, equity=equity, peak_equity=peak, own_equity=1.0, venue_equity=1.0)
    supply = BookSource().compute(book(account=account, positions={}, trades=()))
    assert set(supply.reasons) == {f"account.{lacking}"}
    assert f"account.{lacking}" not in supply.single


def test_a_word_that_is_no_side_is_not_taken_for_a_sale() -> None:
    for reduce_only in (False, True):
        asked = Request("BTCUSDT", "buy", NOW, notional=100.0, reduce_only=reduce_only)
        assert effect_of(asked, {"p": LONG}) == Effect(None, None)


def test_a_person_lets_the_streak_count_anew_for_a_halted_fund_cannot_trade_its_way_out() -> None:
    trades = [ClosedTrade("BTCUSDT", "LONG", "SIGNAL", NOW - 1000 * i, -1.0) for i in (3, 2, 1)]
    for counted_from, streak in ((None, 3), (NOW - 4000, 3), (NOW - 2000, 1), (NOW, 0)):
        operator = Operator(peak_from=counted_from)
        inputs = replace(book(trades=trades), machinery=Machinery(operator=operator))
        assert BookSource().compute(inputs).single["account.losing_streak"] == streak


def test_only_trades_since_the_last_snapshot_are_news() -> None:
    trades = [ClosedTrade("BTCUSDT", "LONG", "SIGNAL", NOW + 1000 * i, 1.0) for i in (-2, -1, 0, 1)]
    inputs = replace(book(trades=trades), before=Snapshot("main", NOW - 2000, {}))
    told = BookSource().compute(inputs).events["trade"]
    assert [event["closed_at"] for event in told] == [NOW / 1000 - 1, NOW / 1000]


def test_the_clock_tells_utc() -> None:
    found = ClockSource().compute(Inputs("main", NOW, before=Snapshot("main", NOW - 60_000, {})))
    assert found.single["clock.hour"] == 8
    assert found.single["clock.weekday"] == 3
    assert found.single["system.snapshot_gap"] == 60
    assert found.reasons == {"system.cpu": "not measured", "system.memory": "not measured"}
    assert "system.snapshot_gap" not in ClockSource().compute(Inputs("main", NOW)).single


def test_what_people_asked_for() -> None:
    found = OperatorSource().compute(Inputs("main", NOW, machinery=Machinery(operator=Operator(reset_requested=True))))
    assert found.single == {
        "operator.stop_requested": False,
        "operator.reset_requested": True,
        "operator.flatten_on_stop": False,
        "operator.risk_mode": "AGGRESSIVE",
    }


def fed(**parts: Any) -> dict[str, Any]:
    return dict(FeedSource().compute(Inputs("main", NOW, market=Market(**parts))).rows.get("symbol", {}))


def test_a_feed_that_is_silent_knows_no_symbols() -> None:
    supply = FeedSource().compute(Inputs("main", NOW))
    assert (supply.single, supply.rows) == ({}, {})
    assert supply.reasons == {
        "market.data_age": "no market event has arrived",
        "market.hour_move": "there are no candles",
    }


def test_a_listed_symbol_without_a_price_has_a_row_and_no_age() -> None:
    assert fed(listings={"NEWUSDT": Listing("NEWUSDT")}) == {"NEWUSDT": {}}


@pytest.mark.parametrize(("ahead", "age"), [(-2_000, 2.0), (0, 0.0), (400, 0.0), (60_000, 0.0), (60_001, None)])
def test_what_is_dated_ahead_is_new_within_reason_and_never_new_for_ever(ahead: int, age: float | None) -> None:
    supply = FeedSource().compute(
        Inputs("main", NOW, market=Market(tickers={"A": Ticker(NOW + ahead, 1.0)}, newest=NOW + ahead))
    )
    assert (supply.single.get("market.data_age"), supply.row("symbol", "A").get("price_age")) == (age, age)
    for path in ("market.data_age", 'symbol["A"].price_age'):
        assert supply.reasons.get(path) == (None if age is not None else "it is dated 60 s ahead: a clock is wrong")


@pytest.mark.parametrize(
    ("bid", "ask", "spread"),
    [(99.0, 101.0, 0.02), (101.0, 99.0, None), (float("nan"), 101.0, None), (0.0, 1.0, None), (100.0, 100.0, 0.0)],
)
def test_crossed_and_absent_quotes_have_no_spread(bid: float, ask: float, spread: float | None) -> None:
    row = fed(tickers={"BTCUSDT": Ticker(NOW - 5000, 100.0, bid, ask)})["BTCUSDT"]
    assert row.get("spread") == (None if spread is None else pytest.approx(spread))
    assert row["price_age"] == 5


@pytest.mark.parametrize("price", [0.0, -1.0, NAN, float("inf")])
def test_a_price_that_is_none_is_never_new(price: float) -> None:
    supply = FeedSource().compute(Inputs("main", NOW, market=Market(tickers={"A": Ticker(NOW, price)}, newest=NOW)))
    assert "price_age" not in supply.row("symbol", "A")
    assert supply.reasons['symbol["A"].price_age'] == "no price has arrived"


# --- how far the market moved within the hour -------------------------------------------------------------------------

HOUR = 3_600_000


def hours(close: list[list[float]], ended: int = 0) -> Candles:
    """Hourly candles of A, B, C and so on, the last of which ended `ended` ms ago."""
    panel = np.array(close, dtype=np.float64)
    opened = NOW - ended - HOUR * np.arange(len(panel), 0, -1, dtype=np.int64)
    return Candles("main", HOUR, opened, tuple("ABCDE"[: panel.shape[1]]), panel, panel, panel, panel, panel)


def prices(*last: float, age: int = 0) -> dict[str, Ticker]:
    """A ticker for A, B, C and so on, none where the price is 0."""
    return {name: Ticker(NOW - age, price) for name, price in zip("ABCDE", last, strict=False) if price}


def moved(**parts: Any) -> float | str:
    supply = FeedSource().compute(Inputs("main", NOW, market=Market(**parts)))
    found = supply.single.get("market.hour_move", supply.reasons.get("market.hour_move"))
    assert ("market.hour_move" in supply.single) != ("market.hour_move" in supply.reasons)
    assert found is not None
    return float(found) if not isinstance(found, str) else found


def test_the_market_moves_as_its_median_symbol_from_the_close_of_an_hour_ago() -> None:
    close = [[50.0] * 3, [100.0] * 3, [999.0] * 3]
    assert moved(candles=hours(close), tickers=prices(88, 90, 130)) == pytest.approx(-0.1)
    assert moved(candles=hours(close[:2], ended=HOUR), tickers=prices(88, 90, 130)) == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("ended", "is_known"), [(HOUR - 1, False), (HOUR, True), (2 * HOUR, True), (2 * HOUR + 1, False)]
)
def test_a_close_stands_for_an_hour_ago_while_it_is_one_to_two_hours_old(ended: int, is_known: bool) -> None:
    found = moved(candles=hours([[100.0]], ended), tickers=prices(90))
    assert (found == pytest.approx(-0.1)) if is_known else isinstance(found, str)


def test_a_close_of_the_hour_before_stands_in_for_one_that_is_missing() -> None:
    close = [[100.0, 100.0], [float("nan"), 100.0], [100.0, 100.0]]
    assert moved(candles=hours(close), tickers=prices(80, 80)) == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("age", "is_known"), [(0, True), (300_000, True), (300_001, False), (-300, True), (-60_000, True), (-60_001, False)]
)
def test_a_price_that_is_not_fresh_tells_nothing(age: int, is_known: bool) -> None:
    found = moved(candles=hours([[100.0], [100.0]]), tickers=prices(90, age=age))
    assert (found == pytest.approx(-0.1)) if is_known else "0 of 1 symbols" in str(found)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 0.0])
def test_a_price_that_is_none_is_not_counted(bad: float) -> None:
    tickers = {"A": Ticker(NOW, bad), "B": Ticker(NOW, 90.0)}
    assert moved(candles=hours([[100.0] * 2] * 2), tickers=tickers) == pytest.approx(-0.1)
    assert "0 of 1" in str(moved(candles=hours([[100.0]] * 2), tickers={"A": Ticker(NOW, bad)}))


def test_the_move_of_fewer_than_half_the_symbols_is_not_that_of_the_market() -> None:
    candles = hours([[100.0] * 5] * 2)
    assert moved(candles=candles, tickers=prices(90, 90, 90)) == pytest.approx(-0.1)
    assert str(moved(candles=candles, tickers=prices(90, 90))).startswith("2 of 5 symbols have both")


def test_symbols_that_are_no_longer_traded_are_not_counted() -> None:
    candles = hours([[100.0] * 5] * 2)
    listed = {"A": Listing("A"), "B": Listing("B"), "C": Listing("C", is_active=False)}
    assert moved(candles=candles, tickers=prices(90, 90), listings=listed) == pytest.approx(-0.1)
    assert "0 of 0" in str(moved(candles=candles, tickers=prices(90, 90), listings={}))


def test_candles_without_bars_tell_no_move() -> None:
    assert "0 of 1" in str(moved(candles=hours([[100.0]] * 2, ended=90 * HOUR), tickers=prices(90)))


# --- what an order would do -------------------------------------------------------------------------------------------


def request(side: str, notional: float | None, *, reduce_only: bool = False) -> Request:
    return Request("BTCUSDT", side, NOW, notional, reduce_only=reduce_only)


@pytest.mark.parametrize(
    ("side", "notional", "held", "expected"),
    [
        ("LONG", 100.0, {}, Effect("OPEN", "LONG")),
        ("LONG", 100.0, {"p": LONG}, Effect("INCREASE", "LONG")),
        ("SHORT", 100.0, {"p": LONG}, Effect("REDUCE", "LONG")),
        ("SHORT", 220.0, {"p": LONG}, Effect("CLOSE", "LONG")),
        ("LONG", 220.0, {"p": SHORT}, Effect("CLOSE", "SHORT")),
        ("SHORT", None, {"p": LONG}, Effect(None, None)),
        ("LONG", 100.0, None, Effect(None, None)),
        ("LONG", 100.0, {"p": replace(LONG, symbol="ETHUSDT")}, Effect("OPEN", "LONG")),
    ],
)
def test_the_book_says_what_an_order_does(
    side: str, notional: float | None, held: dict[str, Position] | None, expected: Effect
) -> None:
    assert effect_of(request(side, notional), held) == expected


def test_a_sale_larger_than_the_long_flips_and_so_opens() -> None:
    assert effect_of(request("SHORT", 221.0), {"p": LONG}) == Effect("OPEN", "SHORT")


def test_a_reduce_only_order_is_an_exit_even_where_nobody_knows_the_book() -> None:
    assert effect_of(request("SHORT", None, reduce_only=True), None) == Effect("REDUCE", "LONG")
    assert effect_of(request("SHORT", 660.0, reduce_only=True), {"p": LONG}) == Effect("CLOSE", "LONG")
    assert effect_of(request("LONG", 660.0, reduce_only=True), {"p": LONG}).effect in {"REDUCE", "CLOSE"}


MIRROR = {"LONG": "SHORT", "SHORT": "LONG", None: None}


@given(
    side=st.sampled_from(["LONG", "SHORT"]),
    notional=st.floats(0.01, 500) | st.none(),
    held=st.sampled_from(["LONG", "SHORT"]),
    reduce_only=st.booleans(),
)
def test_long_and_short_mirror_each_other(side: str, notional: float | None, held: str, *, reduce_only: bool) -> None:
    def does(order: str, position: str) -> Effect:
        asked = Request("BTCUSDT", order, NOW, notional, reduce_only=reduce_only)
        return effect_of(asked, {"p": replace(LONG, side=position)})

    one, other = does(side, held), does(str(MIRROR[side]), str(MIRROR[held]))
    assert (one.effect, one.side) == (other.effect, MIRROR[other.side])
