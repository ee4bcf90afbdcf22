"""Position Intelligence: R, its peak over restarts, what was added, and a word for every position."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.snapshot import Snapshot
from modules.assembly import Supplied, assemble
from modules.feeds.candles import Candles
from modules.inputs import Book, Inputs, Market, Position
from modules.module import Module
from modules.position_intelligence import UNKNOWN, PositionIntelligenceLayer
from modules.sources import BookSource
from tests.modules.samples import START_MS
from tests.rules.decisions import decide, default_bundle, shown

MINUTE = 60_000
OPENED = START_MS
PIL = PositionIntelligenceLayer()


def held(mark: float, *, quantity: float = 1.0, entry: float = 100.0, **other: Any) -> Position:
    """A long of one unit from 100 with its first stop at 90, so that 10 a unit is 1 R."""
    fields: dict[str, Any] = {"first_quantity": 1.0, "first_entry": 100.0, "first_stop": 90.0, "opened": OPENED}
    return Position("BTCUSDT", "LONG", quantity, entry, mark, **(fields | other))


def at(minute: int, position: Position | None, before: Snapshot | None = None, key: str = "p1") -> Inputs:
    positions = {} if position is None else {key: position}
    return Inputs("main", OPENED + minute * MINUTE, book=Book(positions=positions), before=before)


def stored(inputs: Inputs) -> Snapshot:
    """The snapshot as it would be stored."""
    parts = [Supplied(m.name, m.owners, inputs.ts, m.compute(inputs)) for m in (BookSource(), PIL)]
    return assemble("main", inputs.ts, parts).snapshot


def row(inputs: Inputs, key: str = "p1") -> dict[str, Any]:
    return dict(PIL.compute(inputs).row("position", key))


def lived(*positions: Position | None) -> Snapshot | None:
    """The snapshot after these minutes, the first of them the minute before the opening."""
    before: Snapshot | None = None
    for minute, position in enumerate((None, *positions)):
        before = stored(at(minute - 1, position, before))
    return before


def test_it_is_a_module() -> None:
    assert isinstance(PIL, Module)
    assert (PIL.name, PIL.policy, PIL.port, PIL.interval) == ("pil", None, 8013, 0)


@pytest.mark.parametrize(
    ("mark", "r", "category"),
    [
        (125, 2.5, "WINNER"),
        (110, 1.0, "WINNER"),
        (109.99, 0.999, "POTENTIAL_WINNER"),
        (102.5, 0.25, "POTENTIAL_WINNER"),
        (100.8, 0.08, "BREAKEVEN"),
        (97, -0.3, "STRUGGLING"),
        (94, -0.6, "LOSER"),
    ],
)
def test_r_is_profit_in_units_of_the_risk_first_taken(mark: float, r: float, category: str) -> None:
    found = row(at(0, held(mark)))
    assert found["r_multiple"] == pytest.approx(r)
    assert found["category"] == category


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"current_R": 1e308}, "current_R is 1e+308, which is out of range"),
        ({"current_R": -1_001.0}, "current_R is -1001.0, which is out of range"),
        ({"current_R": 2.0, "peak_R": 1e12}, "peak_R is 1000000000000.0, which is out of range"),
        ({"entry_price": 100.0, "first_stop": 99.9999, "mark_price": 150.0}, "the prices make R 500000"),
    ],
)
def test_a_figure_out_of_range_is_unknown_before_it_becomes_a_word(told: dict[str, Any], why: str) -> None:
    found = PIL.classify_position({"symbol": "BTCUSDT", "side": "LONG", **told})
    assert any(reason.startswith(why) for reason in found.reasons)
    assert (found.category == UNKNOWN) == ("peak_R" not in told)
    assert found.r_multiple == (2.0 if "peak_R" in told else None)


def test_a_position_whose_first_stop_is_hardly_a_risk_has_no_category() -> None:
    supply = PIL.compute(at(0, held(150.0, first_stop=99.9999)))
    assert "category" not in supply.row("position", "p1")
    assert supply.reasons['position["p1"].category'].startswith("R of 500000 is out of range")


@given(st.integers(1, 100_000), st.integers(1, 99), st.sampled_from([-2, -1, 1, 4]), st.sampled_from([1, -1]))
def test_exactly_at_a_bound_the_word_is_that_of_the_better_side(
    entry: int, part: int, quarters: int, sign: int
) -> None:
    """Prices of four decimals whose R is -0.5, -0.25, 0.25 or 1 on paper, and mostly a little off in doubles."""
    risk = 400 * max(1, entry * part // 400)
    prices = [
        price / 10_000 for price in (400 * entry, 400 * entry - sign * risk, 400 * entry + sign * quarters * risk // 4)
    ]
    first, stop, mark = prices
    if stop < 0 or mark <= 0:
        return
    side = "LONG" if sign > 0 else "SHORT"
    found = row(at(0, replace(held(mark, entry=first, first_entry=first, first_stop=stop), side=side)))
    words = {-2: "STRUGGLING", -1: "BREAKEVEN", 1: "POTENTIAL_WINNER", 4: "WINNER"}
    assert (found["r_multiple"], found["category"]) == (pytest.approx(quarters / 4), words[quarters])


@pytest.mark.parametrize("peak", [1.1, 1.9, 2.3, 2.95, 7.7])
def test_a_profit_of_which_exactly_the_limit_is_gone_is_not_protected_yet(peak: float) -> None:
    for kept, is_protected in ((0.8, False), (0.799_999_99, True)):
        before = lived(held(100 + 10 * peak))
        permitted = shown(decide(stored(at(1, held(100 + 10 * peak * kept), before))), default_bundle().program)
        assert ("TIGHTEN_STOP" in permitted["pal.actions"]["p1"]) is is_protected


@pytest.mark.parametrize("mark", [150.0, 110.0, 101.0, 96.0, 80.0])
def test_how_long_a_position_is_held_changes_nothing_that_is_said_of_it(mark: float) -> None:
    found = [row(at(minute, held(mark))) for minute in (0, 14, 29, 30, 24 * 60 + 1, 400 * 24 * 60)]
    assert len({(f["r_multiple"], f["category"], f["scaled"]) for f in found}) == 1


def test_a_short_is_the_mirror_of_a_long() -> None:
    short = replace(held(75), side="SHORT", first_stop=110.0)
    assert row(at(0, short)) == row(at(0, held(125)))


def test_a_stop_that_was_moved_does_not_move_the_yardstick() -> None:
    assert row(at(0, held(125, stop=120.0)))["r_multiple"] == 2.5


def test_an_add_at_a_higher_price_lowers_r_and_keeps_the_risk_first_taken() -> None:
    assert row(at(0, held(125, quantity=1.25, entry=104)))["r_multiple"] == pytest.approx(2.1)


@pytest.mark.parametrize(
    ("position", "why"),
    [
        (held(125, first_stop=None), "its first stop is not known, so nobody knows what it risked"),
        (held(125, first_stop=101.0), "its first stop at 101 is no loss from its entry at 100"),
        (held(float("nan")), "entry 100 and mark nan are not both prices"),
        (held(0.0), "entry 100 and mark 0 are not both prices"),
        (replace(held(125), side="long"), "its side is `long`, neither LONG nor SHORT"),
    ],
)
def test_what_cannot_be_measured_is_unknown_and_says_why(position: Position, why: str) -> None:
    supply = PIL.compute(at(0, position))
    assert "r_multiple" not in supply.row("position", "p1")
    assert "category" not in supply.row("position", "p1")
    assert supply.reasons['position["p1"].category'] == why


def test_the_peak_survives_a_restart_by_way_of_the_stored_snapshot() -> None:
    before = lived(held(110), held(130))
    found = dict(PositionIntelligenceLayer().compute(at(2, held(115), before)).row("position", "p1"))
    assert found["peak_r"] == 3.0
    assert found["drawdown_from_peak"] == pytest.approx(0.5)


def test_a_profit_that_became_a_loss_has_lost_more_than_all_of_it() -> None:
    found = row(at(1, held(90), lived(held(120))))
    assert found["drawdown_from_peak"] == pytest.approx(1.5)


def test_before_any_profit_nothing_is_lost_of_it() -> None:
    found = row(at(1, held(95), lived(held(97))))
    assert (found["peak_r"], found["drawdown_from_peak"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    "other",
    [{"opened": OPENED + 90_000}, {"side": "SHORT", "first_stop": 110.0, "opened": OPENED + 90_000}],
)
def test_a_key_that_is_used_again_starts_afresh(other: dict[str, Any]) -> None:
    before = lived(held(130), held(130))
    found = row(at(2, replace(held(105), **other), before))
    assert found["peak_r"] == pytest.approx(max(0.0, 0.5 if "side" not in other else -0.5))


def test_what_has_closed_is_forgotten() -> None:
    before = lived(held(130), None)
    assert before is not None
    assert before.collection("position") == {}
    assert PIL.compute(at(2, None, before)).rows == {"position": {}}


def test_two_positions_in_one_symbol_are_two() -> None:
    both = Inputs("main", OPENED, book=Book(positions={"b": held(125), "a": held(95)}))
    rows = PIL.compute(both).rows["position"]
    assert list(rows) == ["a", "b"]
    assert [r["category"] for r in rows.values()] == ["STRUGGLING", "WINNER"]


def test_every_position_is_classified_where_its_figures_are_known() -> None:
    many = {f"p{i:02d}": held(80 + i) for i in range(50)}
    rows = PIL.compute(Inputs("main", OPENED, book=Book(positions=many))).rows["position"]
    assert len([r for r in rows.values() if "category" in r]) == 50


def test_without_a_list_of_positions_nothing_is_said_of_them() -> None:
    supply = PIL.compute(Inputs("main", OPENED))
    assert supply.rows == {}
    assert supply.reasons["position.category"] == "nobody knows the positions"


def test_a_position_nobody_watched_has_no_known_peak() -> None:
    supply = PIL.compute(at(60, held(125)))
    assert supply.row("position", "p1")["r_multiple"] == 2.5
    assert "peak_r" not in supply.row("position", "p1")
    assert "opened before anybody watched" in supply.reasons['position["p1"].drawdown_from_peak']


def candles(high: list[float]) -> Candles:
    shape = (len(high), 1)
    tops = np.array(high).reshape(shape)
    opened = OPENED + MINUTE * np.arange(len(high), dtype=np.int64)
    flat = np.full(shape, 100.0)
    return Candles("main", MINUTE, opened, ("BTCUSDT",), flat, tops, flat, flat, flat)


def test_candles_since_the_opening_stand_in_for_a_peak_nobody_watched() -> None:
    inputs = replace(at(4, held(125)), market=Market(candles=candles([101, 140, 120, 126])))
    assert row(inputs)["peak_r"] == 4.0


@pytest.mark.parametrize("high", [[101, float("nan"), 120, 126], [101, 140]])
def test_candles_with_holes_say_nothing_of_the_peak(high: list[float]) -> None:
    inputs = replace(at(4, held(125)), market=Market(candles=candles(high)))
    assert "peak_r" not in row(inputs)


def test_a_snapshot_without_positions_does_not_make_a_peak_of_what_is_left() -> None:
    watched = lived(held(150))
    blind = stored(Inputs("main", OPENED + MINUTE, before=watched))
    assert blind.collection("position") is None
    assert "peak_r" not in row(at(2, held(125), blind))


def test_what_was_added_counts_for_the_whole_life_whatever_was_taken_off() -> None:
    steps = [
        held(110),
        held(120, quantity=1.25, entry=104),
        held(120, quantity=0.625, entry=104),
        held(120, quantity=0.875, entry=(65 + 30) / 0.875),
    ]
    before, seen = lived(), []
    for minute, position in enumerate(steps):
        inputs = at(minute, position, before)
        seen.append(row(inputs)["scaled"])
        before = stored(inputs)
    assert seen == pytest.approx([0, 0.3, 0.3, 0.6])


def test_small_adds_that_are_never_taken_off_do_not_slip_through() -> None:
    before = lived(held(100))
    quantity = 1.0
    for minute in range(1, 30):
        quantity += 1e-7
        inputs = at(minute, held(100, quantity=quantity), before)
        before = stored(inputs)
    assert row(inputs)["scaled"] == pytest.approx(29e-7)


def test_adds_that_nobody_watched_are_unknown() -> None:
    supply = PIL.compute(at(60, held(120, quantity=0.9, entry=104)))
    assert "scaled" not in supply.row("position", "p1")
    assert "nobody watched what was added" in supply.reasons['position["p1"].scaled']


def test_without_the_size_at_the_opening_nobody_knows_what_was_added() -> None:
    assert "scaled" not in row(at(0, held(120, first_quantity=None)))


@given(st.floats(50, 200), st.floats(50, 200), st.floats(50, 200))
def test_the_peak_never_falls_and_never_lies_below_r(one: float, two: float, three: float) -> None:
    peaks = []
    before = lived()
    for minute, mark in enumerate((one, two, three)):
        inputs = at(minute, held(mark), before)
        found = row(inputs)
        assert found["peak_r"] >= max(0.0, found["r_multiple"])
        assert found["drawdown_from_peak"] >= 0
        peaks.append(found["peak_r"])
        before = stored(inputs)
    # What is stored is rounded to a thousand-millionth of an R.
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(peaks))


# --- the plan's call --------------------------------------------------------------------------------------------------

POSITION = {
    "symbol": "BTCUSDT",
    "side": "LONG",
    "unrealized_pnl_pct": 0.05,
    "current_R": 2.5,
    "pil_classification": "WINNER",
}


def test_the_call_of_the_plan() -> None:
    pil = PositionIntelligenceLayer()
    classification = pil.classify_position(POSITION)
    assert classification.category == "WINNER"
    assert (classification.peak_r, classification.drawdown_from_peak) == (2.5, 0.0)
    assert classification.is_known


def test_the_figures_count_and_not_the_label_that_came_along() -> None:
    loser = POSITION | {"current_R": -0.8, "unrealized_pnl_pct": -0.02}
    assert PIL.classify_position(loser).category == "LOSER"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"current_R": None}, "R is not known: neither told nor to be had from side, entry, first stop and mark"),
        ({"current_R": float("nan")}, "current_R is nan, which is no number"),
        ({"current_R": "2.5"}, "current_R is '2.5', which is no number"),
        ({"current_R": True}, "current_R is True, which is no number"),
        ({"current_R": [2.5], "side": ["LONG"]}, "its side ['LONG'] is neither LONG nor SHORT"),
        ({"current_R": -2.5}, "R is -2.5, and the profit 0.05: one of them has the wrong sign"),
        (
            {"entry_price": 100.0, "first_stop": 90.0, "current_price": 105.0},
            "R is told as 2.5, and the prices make it 0.5",
        ),
    ],
)
def test_an_unknown_is_stated_and_not_guessed(other: dict[str, Any], reason: str) -> None:
    found = PIL.classify_position(POSITION | other)
    assert found.category == UNKNOWN
    assert found.r_multiple is None
    assert not found.is_known
    assert reason in found.reasons


def test_r_comes_from_prices_where_they_are_told() -> None:
    told = {"symbol": "X", "side": "SHORT", "entry_price": 100, "first_stop": 110, "current_price": 85}
    assert PIL.classify_position(told).r_multiple == 1.5


@pytest.mark.parametrize(
    ("other", "peak", "gone"),
    [
        ({"peak_R": 5.0}, 5.0, 0.5),
        ({"peak_R": 1.0}, 2.5, 0.0),
        ({"drawdown_from_peak": 0.5}, 5.0, 0.5),
        ({"peak_R": 5.0, "drawdown_from_peak": 0.0}, 5.0, 0.5),
        ({"drawdown_from_peak": 20}, None, None),
    ],
)
def test_a_drawdown_is_checked_against_r_and_peak(other: dict[str, Any], peak: float, gone: float) -> None:
    found = PIL.classify_position(POSITION | other)
    assert (found.peak_r, found.drawdown_from_peak) == (peak, gone)


def test_nothing_handed_over_is_nothing_known() -> None:
    assert PIL.classify_position({}).category == UNKNOWN
