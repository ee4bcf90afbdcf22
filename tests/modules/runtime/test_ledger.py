"""What the fund knows of its own book: how positions began, what was closed, the peak; over restarts too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from modules.inputs import Account, Position
from modules.runtime.ledger import Ledger, Purpose
from modules.venues.journal import JournalError
from modules.venues.venue import Kind, OrderState, Status

DAY = 86_400_000
NOW = 20_000 * DAY


def account(equity: float) -> Account:
    return Account(NOW, equity, equity, 0.0, float("nan"), float("nan"))


def held(quantity: float, entry: float = 100.0, side: str = "LONG") -> dict[str, Position]:
    return {"BTCUSDT": Position("BTCUSDT", side, quantity, entry, entry, NOW)}


def filled(id: str, side: str, quantity: float, average: float, *, reduce_only: bool = False) -> OrderState:
    return OrderState(
        id, "BTCUSDT", side, quantity, quantity, average, Status.FILLED, Kind.MARKET, None, reduce_only, NOW, NOW
    )


def test_a_position_keeps_how_it_began_while_it_grows() -> None:
    ledger = Ledger(fee=0.0)
    ledger.observe(NOW, account(1000), held(1), [filled("a", "LONG", 1, 100)], {"a": Purpose(95.0, "xgboost")})
    ledger.observe(NOW + 1, account(1000), held(2, 105), [filled("b", "LONG", 1, 110)])
    (found,) = ledger.positions(held(2, 105)).values()
    assert (found.first_quantity, found.first_entry, found.first_stop, found.stop) == (1, 100, 95.0, 95.0)
    assert ledger.lots["BTCUSDT"].entry == 105
    assert ledger.trades == []


def test_a_closed_position_is_a_trade_net_of_both_fees() -> None:
    ledger = Ledger(fee=0.001)
    ledger.observe(NOW, account(1000), held(2), [filled("a", "LONG", 2, 100)], {"a": Purpose(95.0, "xgboost")})
    ledger.observe(
        NOW + 1, account(1000), {}, [filled("b", "SHORT", 2, 110, reduce_only=True)], {"b": Purpose(why="TAKE_PROFIT")}
    )
    (trade,) = ledger.trades
    # 2 x 10 made, fees of 0.1 % on 200 and on 220; at risk were 2 x 5.
    assert trade.profit == pytest.approx(20 - 0.2 - 0.22)
    assert trade.profit_ratio == pytest.approx(19.58 / 200)
    assert trade.r_multiple == pytest.approx(1.958)
    assert (trade.exit, trade.model, trade.closed) == ("TAKE_PROFIT", "xgboost", NOW + 1)


def test_a_short_makes_money_where_prices_fall() -> None:
    ledger = Ledger(fee=0.0)
    ledger.observe(NOW, account(1000), held(1, side="SHORT"), [filled("a", "SHORT", 1, 100)])
    ledger.observe(NOW + 1, account(1000), {}, [filled("b", "LONG", 1, 90)])
    assert [t.profit for t in ledger.trades] == [10.0]


def test_a_position_closed_in_parts_is_one_trade() -> None:
    ledger = Ledger(fee=0.0)
    ledger.observe(NOW, account(1000), held(2), [filled("a", "LONG", 2, 100)])
    ledger.observe(NOW + 1, account(1000), held(1), [filled("b", "SHORT", 1, 110)])
    assert ledger.trades == []
    ledger.observe(NOW + 2, account(1000), {}, [filled("c", "SHORT", 1, 80)])
    assert [t.profit for t in ledger.trades] == [-10.0]


def test_a_position_that_is_gone_without_an_order_is_a_trade_of_unknown_profit() -> None:
    ledger = Ledger()
    ledger.observe(NOW, account(1000), held(2), [filled("a", "LONG", 2, 100)])
    ledger.observe(NOW + 1, account(1000), {})
    assert [(t.profit, t.r_multiple, t.exit) for t in ledger.trades] == [(None, None, "OTHER")]


def test_a_position_that_the_ledger_never_saw_begin_has_no_stop() -> None:
    ledger = Ledger()
    ledger.observe(NOW, account(1000), held(2))
    (found,) = ledger.positions(held(2)).values()
    assert (found.first_quantity, found.first_entry, found.first_stop) == (2, 100, None)


def test_the_peak_stays_and_the_day_starts_anew() -> None:
    ledger = Ledger()
    for at, equity in ((NOW, 1000.0), (NOW + 1, 1200.0), (NOW + 2, 900.0), (NOW + DAY, 950.0), (NOW + DAY + 1, 940.0)):
        ledger.observe(at, account(equity), {})
    found = ledger.account(account(940.0), {})
    assert (found.peak_equity, found.day_equity) == (1200.0, 950.0)


MIDNIGHT, HOUR = NOW + DAY, 3_600_000


def day_equity(path: Path | None, *looks: tuple[int, float]) -> list[float | None]:
    """What the ledger takes for the equity of 00:00 after each look (ms from the midnight, equity), in one process."""
    ledger, found = Ledger(path), []
    for at, equity in looks:
        ledger.observe(MIDNIGHT + at, account(equity), {})
        found.append(ledger.account(account(equity), {}).day_equity)
    ledger.close()
    return found


def test_a_ledger_that_knows_no_day_before_counts_from_its_first_equity() -> None:
    assert day_equity(None, (-6 * HOUR, 1000.0), (-5 * HOUR, 900.0)) == [1000.0, 1000.0]


def test_the_day_begins_with_the_last_equity_before_midnight() -> None:
    assert day_equity(None, (-HOUR, 1000.0), (-5_000, 980.0), (5_000, 970.0), (HOUR, 960.0))[2:] == [980.0, 980.0]
    assert day_equity(None, (-5_000, 980.0), (0, 970.0), (HOUR, 960.0))[1:] == [970.0, 970.0]


def test_what_was_lost_while_the_fund_was_down_over_midnight_is_of_the_day(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    day_equity(path, (-3 * HOUR, 1000.0))
    assert day_equity(path, (2 * HOUR, 900.0), (3 * HOUR, 890.0)) == [1000.0, 1000.0]
    assert day_equity(path, (4 * HOUR, 880.0)) == [1000.0]


def test_the_last_equity_of_a_day_is_a_minute_old_at_most_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    day_equity(path, (-HOUR, 1000.0), *((-HOUR + n * 10_000, 1000.0 - n) for n in range(1, 18)))
    assert len(path.read_bytes().splitlines()) == 4, "the balance, and one equity a minute"
    assert day_equity(path, (HOUR, 900.0)) == [988.0]


def test_after_more_than_a_day_nobody_knows_the_equity_of_midnight_until_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    day_equity(path, (-25 * HOUR, 1000.0))
    assert day_equity(path, (2 * HOUR, 900.0), (23 * HOUR, 890.0)) == [None, None]
    assert day_equity(path, (25 * HOUR, 880.0)) == [890.0]


def test_a_person_may_let_a_day_count_of_which_nobody_knows_the_start(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    day_equity(path, (-25 * HOUR, 1000.0), (2 * HOUR, 900.0))
    ledger = Ledger(path)
    ledger.observe(MIDNIGHT + 4 * HOUR, account(850), {}, peak_from=MIDNIGHT + 3 * HOUR)
    assert ledger.day_equity == 850
    ledger.observe(MIDNIGHT + 5 * HOUR, account(800), {}, peak_from=MIDNIGHT + 3 * HOUR)
    assert ledger.day_equity == 850
    ledger.close()


def test_a_ledger_of_an_earlier_version_does_not_know_its_last_equity(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    old = {"kind": "equity", "peak": 1000.0, "day": 20_000, "day_equity": 1000.0, "peak_from": -1}
    path.write_text(json.dumps(old) + "\n", encoding="utf-8")
    assert day_equity(path, (-HOUR, 950.0)) == [1000.0], "the day goes on"
    path.write_text(json.dumps(old) + "\n", encoding="utf-8")
    assert day_equity(path, (HOUR, 950.0)) == [None]


def test_the_funds_own_record_of_its_equity_follows_what_it_traded() -> None:
    ledger = Ledger(fee=0.001)
    ledger.observe(NOW, account(1000), {})
    ledger.observe(NOW + 1, account(1000), held(2), [filled("a", "LONG", 2, 100)])
    marked = {"BTCUSDT": Position("BTCUSDT", "LONG", 2, 100, 110, NOW)}
    assert ledger.account(account(1020), marked).own_equity == pytest.approx(1000 - 0.2 + 20)
    ledger.observe(NOW + 2, account(1020), {}, [filled("b", "SHORT", 2, 110)])
    assert ledger.account(account(1020), {}).own_equity == pytest.approx(1000 - 0.2 + 20 - 0.22)


def test_what_happened_behind_the_funds_back_shows_as_a_gap() -> None:
    ledger = Ledger()
    ledger.observe(NOW, account(1000), {})
    ledger.observe(NOW + 1, account(700), {})
    assert ledger.account(account(700), {}).own_equity == 1000


def test_a_restart_knows_what_was_known(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first = Ledger(path)
    first.observe(NOW, account(1000), held(2), [filled("a", "LONG", 2, 100)], {"a": Purpose(95.0)})
    first.observe(NOW + 1, account(1300), {}, [filled("b", "SHORT", 2, 90)])
    first.observe(NOW + 2, account(1100), held(1), [filled("c", "LONG", 1, 100)], {"c": Purpose(97.0)})
    first.set_stop("BTCUSDT", 99.0)
    first.close()
    again = Ledger(path)
    assert (again.lots, again.trades, again.peak_equity, again.day, again.day_equity) == (
        first.lots, first.trades, 1300.0, 20_000, 1000.0,
    )  # fmt: skip
    assert again.lots["BTCUSDT"].stop == 99.0
    again.close()


def test_one_process_at_a_time_keeps_a_ledger(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "ledger.jsonl")
    with pytest.raises(JournalError, match="open in another process"):
        Ledger(tmp_path / "ledger.jsonl")
    first.close()


def test_an_order_that_turns_a_position_over_closes_one_and_opens_another() -> None:
    ledger = Ledger(fee=0.001)
    ledger.observe(NOW, account(1000), {})
    ledger.observe(NOW, account(1000), held(2), [filled("a", "LONG", 2, 100)], {"a": Purpose(95.0)})
    turned = held(1, 110, side="SHORT")
    ledger.observe(NOW + 1, account(1020), turned, [filled("b", "SHORT", 3, 110)], {"b": Purpose(115.0, "nhits")})
    assert [(t.side, t.closed) for t in ledger.trades] == [("LONG", NOW + 1)]
    assert ledger.trades[0].profit == pytest.approx(20 - 0.2 - 0.22)
    lot = ledger.lots["BTCUSDT"]
    assert (lot.side, lot.quantity, lot.first_stop, lot.model, lot.opened) == ("SHORT", 1.0, 115.0, "nhits", NOW + 1)
    assert ledger.own_balance == pytest.approx(1000 + 20 - 0.2 - 0.33)


def test_a_position_that_was_closed_and_opened_again_between_two_looks_begins_anew() -> None:
    ledger = Ledger(fee=0.0)
    ledger.observe(NOW, account(1000), held(2), [filled("a", "LONG", 2, 100)], {"a": Purpose(95.0)})
    both = [filled("b", "SHORT", 2, 110, reduce_only=True), filled("c", "LONG", 1, 111)]
    ledger.observe(NOW + 1, account(1020), held(1, 111), both, {"c": Purpose(105.0)})
    assert [t.profit for t in ledger.trades] == [20.0]
    lot = ledger.lots["BTCUSDT"]
    assert (lot.first_entry, lot.first_stop, lot.opened) == (111, 105.0, NOW + 1)


def test_an_order_that_only_reduces_opens_nothing_whatever_the_ledger_knew() -> None:
    ledger = Ledger()
    ledger.observe(NOW, account(1000), {}, [filled("a", "SHORT", 2, 100, reduce_only=True)])
    assert ledger.lots == {}


def test_what_a_position_was_opened_for_is_remembered_over_a_restart(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "ledger.jsonl")
    why = Purpose(95.0, "xgboost", target=120.0, confidence=0.8, votes=3)
    first.observe(NOW, account(1000), held(2), [filled("a", "LONG", 2, 100)], {"a": why})
    first.set_guard("BTCUSDT", "rf-guard")
    first.close()
    again = Ledger(tmp_path / "ledger.jsonl")
    lot = again.lots["BTCUSDT"]
    assert (lot.target, lot.confidence, lot.votes, lot.guard) == (120.0, 0.8, 3, "rf-guard")
    assert again.positions(held(2))["BTCUSDT"].target == 120.0
    again.observe(NOW + 1, account(1000), held(2), [filled("a", "LONG", 2, 100)], {"a": why})
    assert again.lots["BTCUSDT"] == lot
    again.close()


def test_the_peak_counts_anew_from_when_a_person_says_so_once_and_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.observe(NOW, account(1200), {})
    ledger.observe(NOW + 1, account(1000), {}, peak_from=NOW + 5)
    assert ledger.peak_equity == 1200, "its time has not come"
    ledger.observe(NOW + 5, account(1000), {}, peak_from=NOW + 5)
    assert (ledger.peak_equity, ledger.day_equity) == (1000, 1200)
    ledger.observe(NOW + 6, account(900), {}, peak_from=NOW + 5)
    assert ledger.peak_equity == 1000, "once"
    ledger.close()
    again = Ledger(path)
    again.observe(NOW + 7, account(800), {}, peak_from=NOW + 5)
    assert again.peak_equity == 1000
    again.observe(NOW + 9, account(850), {}, peak_from=NOW + 8)
    assert again.peak_equity == 850
    again.close()


def test_a_peak_is_not_set_anew_while_the_equity_is_not_known() -> None:
    ledger = Ledger()
    ledger.observe(NOW, account(1200), {})
    ledger.observe(NOW + 1, account(float("nan")), {}, peak_from=NOW + 1)
    assert ledger.peak_equity == 1200
    ledger.observe(NOW + 2, account(1000), {}, peak_from=NOW + 1)
    assert ledger.peak_equity == 1000


def test_a_ledger_made_smaller_knows_what_it_knew(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first = Ledger(path, fee=0.001)
    for turn in range(10):
        ts = NOW + 10 * turn
        first.observe(ts, account(1000 + turn), held(1), [filled(f"a{turn}", "LONG", 1, 100)], {}, peak_from=NOW)
        first.observe(ts + 1, account(1000), {}, [filled(f"b{turn}", "SHORT", 1, 101, reduce_only=True)])
    opening = filled("open", "LONG", 2, 100)
    first.observe(NOW + DAY, account(900), held(2), [opening], {"open": Purpose(95.0, "xgboost", target=120.0)})
    first.send_guard("BTCUSDT", "rf-old")
    first.set_guard("BTCUSDT", "rf-guard")
    first.send_guard("BTCUSDT", "rf-new")
    first.count(NOW + DAY, filled("rf-old", "SHORT", 1, 95, reduce_only=True), Purpose(why="STOP_LOSS"))
    first.close()
    size = path.stat().st_size
    small = Ledger(path, fee=0.001)
    small.compact({"open", "b9"})
    assert path.stat().st_size < size / 2
    for name in ("lots", "trades", "peak_equity", "day", "day_equity", "own_balance", "peak_from", "seen", "seen_at"):
        assert getattr(small, name) == getattr(first, name), name
    # Of the fills those are known by name that may be told once more: by the log of intents, or as a guard.
    assert small.told == {"open", "b9", "rf-old"}
    small.observe(NOW + DAY + 1, account(900), held(1), [opening])
    small.close()
    again = Ledger(path, fee=0.001)
    assert (again.lots, again.trades, again.told) == (small.lots, small.trades, small.told)
    assert again.lots["BTCUSDT"].guards == ("rf-old", "rf-new", "rf-guard")
    again.close()


def test_a_ledger_of_which_most_is_needed_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first = Ledger(path)
    first.observe(NOW, account(1000), held(1), [filled("a", "LONG", 1, 100)])
    first.close()
    before = path.read_bytes()
    again = Ledger(path)
    again.compact({"a"})
    again.close()
    assert path.read_bytes() == before


def test_a_fee_that_the_venue_tells_is_the_one_that_counts() -> None:
    ledger = Ledger(fee=0.001)
    ledger.observe(NOW, account(1000), held(1), [replace(filled("a", "LONG", 1, 100), fee=0.05)])
    ledger.observe(NOW, account(1000), {}, [replace(filled("b", "SHORT", 1, 110, reduce_only=True), fee=0.03)])
    (trade,) = ledger.trades
    assert trade.profit == pytest.approx(10 - 0.05 - 0.03)


def test_a_position_of_which_nobody_is_sure_is_compared_later() -> None:
    ledger = Ledger(fee=0.0)
    ledger.observe(NOW, account(1000), held(1), [filled("a", "LONG", 1, 100)])
    unsure = frozenset({"BTCUSDT"})
    ledger.observe(NOW, account(990), {}, unsure=unsure)
    assert ledger.trades == []
    assert ledger.account(account(990), {}, unsure).own_equity is None
    assert ledger.account(account(1000), held(1), unsure).own_equity is not None
    ledger.observe(NOW, account(990), {}, [filled("stop", "SHORT", 1, 90, reduce_only=True)])
    assert [t.profit for t in ledger.trades] == [-10.0]


def test_a_former_guard_is_known_until_it_is_forgotten(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.observe(NOW, account(1000), held(1), [filled("a", "LONG", 1, 100)])
    ledger.send_guard("BTCUSDT", "g1")
    ledger.set_guard("BTCUSDT", "g1")
    ledger.send_guard("BTCUSDT", "g2")
    ledger.set_guard("BTCUSDT", "g2")
    assert (ledger.lots["BTCUSDT"].guard, ledger.lots["BTCUSDT"].former) == ("g2", ("g1",))
    ledger.forget_guard("BTCUSDT", "g1")
    ledger.close()
    again = Ledger(tmp_path / "ledger.jsonl")
    assert again.lots["BTCUSDT"].guards == ("g2",)
    again.forget_guard("BTCUSDT", "g2")
    assert list(again.lots["BTCUSDT"].guards) == []
    again.close()
