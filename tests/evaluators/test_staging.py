"""The snapshots of a test: what is given goes on, rows come and go, events happen once, and the clock runs."""

from __future__ import annotations

from datetime import datetime

import pytest

from evaluators.snapshot import Snapshot
from evaluators.staging import BOOK, Staged, calm_snapshot, staged, states
from modules.facts import default_catalogue
from policy_dsl.bundle import load_text
from policy_dsl.case_times import START
from policy_dsl.cases import Case

CATALOGUE = default_catalogue()
MINUTE = 60_000


def case(steps: str) -> Case:
    text = f'policy a version 1.0.0\noutput halt: flag starts no\ntest "t"\n{steps}\n'
    (found,) = load_text({"a.rules": text}, CATALOGUE).cases
    return found


def line(steps: str, variant: int = 0) -> list[Snapshot]:
    return [s.snapshot for s in staged(case(steps), variant, "b", CATALOGUE)]


def times(found: list[Snapshot]) -> list[int]:
    return [s.ts - START for s in found]


# --- when ------------------------------------------------------------------------------------------------------------


def test_a_test_without_time_is_one_snapshot() -> None:
    (only,) = line("given account.drawdown = 4% expect halt")
    assert (only.book, only.ts, only.facts["account.drawdown"]) == ("b", START, 40_000_000)
    assert only.facts["account.losing_streak"] == 0


def test_a_snapshot_is_taken_every_minute_and_at_every_step() -> None:
    found = line("at 90s given account.drawdown = 4% at 3m expect halt")
    assert times(found) == [0, MINUTE, 90_000, 2 * MINUTE, 3 * MINUTE]
    assert [s.facts["account.drawdown"] for s in found] == [0, 0, 40_000_000, 40_000_000, 40_000_000]


def test_the_cadence_may_be_another() -> None:
    assert times(line("every 10m at 25m expect halt")) == [0, 10 * MINUTE, 20 * MINUTE, 25 * MINUTE]


def test_what_is_expected_stands_at_its_snapshot() -> None:
    found: list[Staged] = list(staged(case("at 1m expect halt at 3m expect halt expect not halt"), 0, "b", CATALOGUE))
    assert [(s.at, len(s.expected)) for s in found] == [(0, 0), (MINUTE, 1), (2 * MINUTE, 0), (3 * MINUTE, 2)]


def test_states_are_those_at_which_something_is_expected() -> None:
    made = case(
        """at 1m expect halt at 3m given account.drawdown = 4% at 5m
        | market.volatility | halt |
        | LOW               | no   |
        | HIGH              | no   |"""
    )
    found = states(made, CATALOGUE)
    assert [(s.book, s.ts - START, s.facts["market.volatility"]) for s in found] == [
        (f"{BOOK}-0", MINUTE, 1),
        (f"{BOOK}-0", 5 * MINUTE, 0),
        (f"{BOOK}-1", MINUTE, 1),
        (f"{BOOK}-1", 5 * MINUTE, 2),
    ]


def test_a_series_gives_one_value_a_snapshot_and_its_last_stays() -> None:
    found = line("every 1m account.drawdown = 1% x2, missing, 2% at 5m expect halt")
    assert [s.facts["account.drawdown"] for s in found] == [10**7, 10**7, None, 2 * 10**7, 2 * 10**7, 2 * 10**7]


def test_a_step_between_two_snapshots_has_the_value_of_the_one_before() -> None:
    found = line("every 1m account.drawdown = 1%, 2%, 3% at 90s expect halt at 2m expect halt")
    assert times(found) == [0, MINUTE, 90_000, 2 * MINUTE]
    assert [s.facts["account.drawdown"] for s in found] == [10**7, 2 * 10**7, 2 * 10**7, 3 * 10**7]


# --- clock -----------------------------------------------------------------------------------------------------------


def clocks(found: list[Snapshot]) -> list[tuple[object, ...]]:
    return [(s.ts, s.facts["clock.now"], s.facts["clock.hour"], s.facts["clock.weekday"]) for s in found]


def told(moment: str) -> tuple[int, int, int, int]:
    at = datetime.fromisoformat(moment)
    ts = round(at.timestamp() * 1000)
    return ts, ts, at.hour, at.weekday()


def test_the_clock_goes_by_itself_from_the_start_of_2026() -> None:
    assert clocks(line("every 9h at 27h expect halt")) == [
        told("2026-01-01T00:00Z"),
        told("2026-01-01T09:00Z"),
        told("2026-01-01T18:00Z"),
        told("2026-01-02T03:00Z"),
    ]


def test_the_clock_given_at_the_start_moves_the_whole_test() -> None:
    assert clocks(line("given clock.now = 1999-12-31T23:59Z at 1m expect halt")) == [
        told("1999-12-31T23:59Z"),
        told("2000-01-01T00:00Z"),
    ]


def test_a_later_time_moves_what_follows() -> None:
    assert clocks(line("at 1m given clock.now = 2026-06-01 at 2m expect halt")) == [
        told("2026-01-01T00:00Z"),
        told("2026-06-01T00:00Z"),
        told("2026-06-01T00:01Z"),
    ]


def test_a_clock_that_is_missing_goes_on_unseen() -> None:
    found = line("at 1m given clock.now = missing at 3m given clock.now = 2026-01-01T00:03Z at 4m expect halt")
    assert times(found) == [n * MINUTE for n in range(5)]
    assert [s.facts["clock.now"] for s in found] == [START, None, None, START + 3 * MINUTE, START + 4 * MINUTE]


def test_what_else_is_given_of_the_clock_stays() -> None:
    found = line("given clock.hour = 3 every 12h at 1d expect halt")
    assert [s.facts["clock.hour"] for s in found] == [3, 3, 3]
    assert [s.facts["clock.weekday"] for s in found] == [3, 3, 4]


# --- rows ------------------------------------------------------------------------------------------------------------


def keys(found: list[Snapshot], entity: str) -> list[list[str] | None]:
    rows = [s.rows[entity] for s in found]
    return [None if r is None else sorted(r) for r in rows]


def test_rows_come_and_go() -> None:
    found = line(
        """at 1m given position["p1"].symbol = "ETHUSDT"
        at 2m given position["p2"].notional = 5 USD
        at 3m given position["p1"] = missing
        at 4m given position["p1"].notional = 7 USD expect halt"""
    )
    assert keys(found, "position") == [[], ["p1"], ["p1", "p2"], ["p2"], ["p1", "p2"]]
    again = (found[4].rows["position"] or {})["p1"]
    assert (again["notional"], again["symbol"]) == (7_000_000, "BTCUSDT")


def test_rows_that_are_referred_to_are_there_and_calm() -> None:
    found = line('given position["p1"].symbol = "ETHUSDT" at 1m given position["p1"] = missing expect halt')
    assert keys(found, "symbol") == [["ETHUSDT"], []]
    assert (found[0].rows["symbol"] or {})["ETHUSDT"]["tier"] == CATALOGUE.entities["symbol"].facts["tier"].calm


def test_a_row_that_is_gone_is_not_there_for_being_referred_to() -> None:
    found = line(
        """given position["p1"].symbol = "A", symbol["A"].tier = CORE
        at 1m given symbol["A"] = missing
        at 2m given symbol["A"].tier = CORE expect halt"""
    )
    assert keys(found, "symbol") == [["A"], [], ["A"]]


def test_a_collection_is_missing_until_a_row_of_it_is_given() -> None:
    found = line(
        """given position["p1"].notional = 5 USD
        at 1m given position = missing
        at 3m given position["p2"].notional = 7 USD expect halt"""
    )
    assert keys(found, "position") == [["p1"], None, None, ["p1", "p2"]]


def test_a_series_of_a_row_makes_the_row_and_stops_where_it_is_gone() -> None:
    found = line(
        """every 1m position["p1"].notional = 1 USD, 2 USD, 3 USD, 4 USD
        at 1m given position["p1"] = missing
        at 3m given position["p1"].leverage = 2x expect halt"""
    )
    rows = [s.rows["position"] or {} for s in found]
    assert [r["p1"]["notional"] if "p1" in r else None for r in rows] == [1_000_000, None, None, 4_000_000]


def test_earlier_snapshots_keep_what_they_had() -> None:
    found = line('given position["p1"].notional = 1 USD at 1m given position["p1"].notional = 2 USD expect halt')
    assert [(s.rows["position"] or {})["p1"]["notional"] for s in found] == [1_000_000, 2_000_000]


def test_snapshots_share_rows_that_do_not_change() -> None:
    first, second, *_ = line('given position["p1"].notional = 1 USD at 1m expect halt')
    assert first.rows is second.rows


# --- events ----------------------------------------------------------------------------------------------------------


def test_an_event_is_in_the_snapshot_of_its_moment_alone() -> None:
    found = line(
        """at 1m given trade["t1"].exit = STOP_LOSS, trade["t2"].profit = -50 USD, trade["t1"].profit = 5 USD
        at 2m expect halt"""
    )
    assert [len(s.events.get("trade", ())) for s in found] == [0, 2, 0]
    one, two = found[1].events["trade"]
    exits = CATALOGUE.entities["trade"].facts["exit"]
    assert (one["profit"], two["profit"], two["exit"]) == (5_000_000, -50_000_000, exits.calm)
    assert one["exit"] != exits.calm
    assert one["closed_at"] == two["closed_at"] == START + MINUTE


def test_an_event_may_say_its_time_or_lack_it() -> None:
    found = line(
        """at 1m given trade["t1"].closed_at = 2025-12-31, trade["t2"].closed_at = missing, trade["t3"].profit = missing
        at 2m expect halt"""
    )
    assert [(e["closed_at"], e["profit"]) for e in found[1].events["trade"]] == [
        (START - 86_400_000, 10_000_000),
        (None, 10_000_000),
        (START + MINUTE, None),
    ]


def test_an_event_without_a_time_of_its_own_is_calm() -> None:
    found = line('at 1m given error["e1"].kind = "timeout" expect halt')
    assert found[1].events == {"error": ({"service": "execution", "kind": "timeout"},)}


def test_what_an_event_refers_to_stays() -> None:
    found = line('at 1m given trade["t1"].symbol = "ETHUSDT" at 2m expect halt')
    assert keys(found, "symbol") == [[], ["ETHUSDT"], ["ETHUSDT"]]


def test_an_event_of_a_table_is_one_of_its_row() -> None:
    steps = 'at 1m\n| trade["t1"].exit | halt |\n| STOP_LOSS | no |\n| missing | no |'
    exits = [line(steps, variant)[1].events["trade"][0]["exit"] for variant in (0, 1)]
    assert exits[1] is None
    assert exits[0] is not None


def test_the_calm_snapshot_is_that_of_a_test_that_gives_nothing() -> None:
    (only,) = line("expect halt")
    calm = calm_snapshot(CATALOGUE)
    assert (calm.ts, calm.facts, calm.rows, calm.events) == (only.ts, only.facts, only.rows, {})
    assert calm.book == BOOK


@pytest.mark.parametrize("entity", ["position", "request", "symbol"])
def test_collections_are_known_and_empty_where_nothing_is_given(entity: str) -> None:
    assert calm_snapshot(CATALOGUE).rows[entity] == {}
