"""What modules supply becomes a snapshot: every value is checked, and each that is missing has a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.assembly import Assembled, Supplied, assemble
from modules.facts import CATALOGUE
from modules.readings import column
from modules.state_columns import encode
from modules.supply import Supply, joined, merged

NOW = 1_760_000_000_000
MINUTE = 60_000


def of(owner: str, supply: Supply, at: int = NOW) -> Supplied:
    return Supplied(owner.lower(), (owner,), at, supply)


def made(*parts: Supplied) -> Assembled:
    return assemble("main", NOW, parts)


def test_values_are_taken_in_the_units_of_documents() -> None:
    found = made(
        of("book", Supply({"account.equity": 1000.5, "account.losing_streak": 3})),
        of("MSC AI", Supply({"market.regime": "TRENDING", "market.breadth": 0.25})),
        of("operator", Supply({"operator.stop_requested": True})),
    )
    assert found.snapshot.facts == {
        "account.equity": 1_000_500_000,
        "account.losing_streak": 3,
        "market.regime": 2,
        "market.breadth": 250_000_000,
        "operator.stop_requested": True,
    }


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "supplied nan, which is not a ratio that can be believed"),
        (float("inf"), "supplied inf, which is not a ratio that can be believed"),
        ("3 %", "supplied '3 %', which is not a ratio that can be believed"),
        (10**400, f"supplied {10**400}, which is not a ratio that can be believed"),
        (True, "supplied True, which is not a ratio that can be believed"),
        (-0.1, "supplied -0.1, which is out of range"),
        (1e10, "supplied 10000000000.0, which is not a ratio that can be believed"),
    ],
)
def test_a_value_that_cannot_be_believed_is_missing_and_costs_no_other(value: Any, why: str) -> None:
    found = made(of("book", Supply({"account.drawdown": value, "account.daily_loss": 0.01})))
    assert found.snapshot.facts == {"account.drawdown": None, "account.daily_loss": 10_000_000}
    assert found.reasons["account.drawdown"] == f"book {why}"
    assert "account.daily_loss" not in found.reasons


def test_a_word_that_is_no_level_is_missing() -> None:
    found = made(of("MSC AI", Supply({"market.regime": "SIDEWAYS", "market.volatility": 1})))
    assert found.snapshot.facts == {"market.regime": None, "market.volatility": None}


def test_nobody_supplies_the_facts_of_others() -> None:
    found = made(of("PBA", Supply({"account.equity": 5.0, "account.nothing": 1.0})))
    assert found.snapshot.facts == {}
    assert found.reasons["account.equity"] == "pba supplied it, and it is not its to supply"
    assert found.reasons["account.nothing"] == "pba supplied it, and it is not its to supply"


def test_what_is_too_old_is_missing() -> None:
    in_time = made(of("book", Supply({"account.equity": 5.0}), NOW - 2 * MINUTE))
    assert in_time.snapshot.facts == {"account.equity": 5_000_000}
    late = made(of("book", Supply({"account.equity": 5.0}), NOW - 2 * MINUTE - 1))
    assert late.snapshot.facts == {"account.equity": None}
    assert late.reasons["account.equity"] == "book last ran 120 s ago: too old"


def test_rows_come_together_and_only_those_that_the_anchor_knows() -> None:
    found = made(
        of("feed", Supply(rows={"symbol": {"ETHUSDT": {"spread": 0.001}, "BTCUSDT": {}}})),
        of("Universe OS", Supply(rows={"symbol": {"BTCUSDT": {"tier": "CORE"}, "GONEUSDT": {"tier": "CORE"}}})),
    )
    assert found.snapshot.rows["symbol"] == {"BTCUSDT": {"spread": None, "tier": 3}, "ETHUSDT": {"spread": 1_000_000}}


def test_a_collection_without_its_anchor_is_missing_and_requests_are_none() -> None:
    found = made(of("PIL", Supply(rows={"position": {"p1": {"r_multiple": 1.0}}})))
    assert found.snapshot.rows["position"] is None
    assert found.snapshot.rows["request"] == {}
    assert found.reasons["position"] == "book supplies no rows"


def test_an_empty_collection_is_known_to_be_empty() -> None:
    found = made(of("book", Supply(rows={"position": {}})))
    assert found.snapshot.rows["position"] == {}
    assert "position" not in found.reasons


def test_reasons_of_facts_that_are_there_are_not_told() -> None:
    supply = Supply({"account.equity": 5.0}, reasons={"account.equity": "unknown", "account.drawdown": "no peak"})
    assert made(of("book", supply)).reasons["account.drawdown"] == "no peak"
    assert "account.equity" not in made(of("book", supply)).reasons


def test_events_of_several_come_together_and_bad_fields_are_missing() -> None:
    found = made(
        of("book", Supply(events={"trade": ({"symbol": "BTCUSDT", "profit": 2.5, "closed_at": NOW / 1000},)})),
        of("AELM", Supply(events={"order": ({"symbol": "BTCUSDT", "outcome": "LOST"},)})),
    )
    assert found.snapshot.events["trade"] == ({"symbol": "BTCUSDT", "profit": 2_500_000, "closed_at": NOW},)
    assert found.snapshot.events["order"] == ({"symbol": "BTCUSDT", "outcome": None},)


NUMBERS = st.none() | st.floats() | st.integers(-(10**20), 10**20) | st.floats(width=32).map(np.float32)


@given(st.lists(NUMBERS | st.booleans() | st.sampled_from(["CORE", "no tier", ""]), max_size=6))
@pytest.mark.parametrize("path", ["position.notional", "symbol.tier", "symbol.in_universe", "request.symbol"])
def test_values_are_read_as_recordings_read_them(path: str, values: list[Any]) -> None:
    """What is of the fact's type and in its range is, value for value, what a column of a recording holds."""
    fact = CATALOGUE.fact(path)
    assert fact is not None
    read = column(fact, values, "feed").values
    kept = [v if made is not None else None for v, made in zip(values, read, strict=True)]
    again = encode(kept, fact)
    assert read == (again if isinstance(again, list) else again.tolist())


def test_what_stays_is_read_once_and_stays_the_same() -> None:
    feed = of("feed", Supply(rows={"symbol": {"BTCUSDT": {"spread": 0.001}, "ETHUSDT": {"spread": 2.0}}}))
    universe = of("Universe OS", Supply(rows={"symbol": {"BTCUSDT": {"tier": "CORE"}, "GONEUSDT": {"tier": "CORE"}}}))
    first, second = made(feed, universe), made(feed, universe)
    assert feed.reading is feed.reading
    assert first.snapshot == second.snapshot
    assert first.reasons == second.reasons
    # The rows of a snapshot are its own.
    here, there = (found.snapshot.rows["symbol"] or {} for found in (first, second))
    assert here["BTCUSDT"] is not there["BTCUSDT"]


def test_rows_grow_old_fact_by_fact() -> None:
    """A spread is believed for 5 minutes, a funding rate for hours."""
    feed = of("feed", Supply(rows={"symbol": {"BTCUSDT": {"spread": 0.001, "funding_rate": 0.0001}}}), NOW - 6 * MINUTE)
    found = made(feed)
    assert found.snapshot.rows["symbol"] == {"BTCUSDT": {"spread": None, "funding_rate": 100_000}}
    assert found.reasons['symbol["BTCUSDT"].spread'] == "feed last ran 360 s ago: too old"


def test_supplies_come_together_and_leave_those_that_were_as_they_were() -> None:
    first = Supply({"account.equity": 1.0}, {"symbol": {"BTCUSDT": {"spread": 1.0}}}, reasons={"a": "b"})
    second = Supply({"account.equity": 2.0}, {"symbol": {"BTCUSDT": {"tier": "CORE"}}, "model": {}})
    both = joined(first, second)
    assert both.single == {"account.equity": 2.0}
    assert both.rows == {"symbol": {"BTCUSDT": {"spread": 1.0, "tier": "CORE"}}, "model": {}}
    assert first.rows == {"symbol": {"BTCUSDT": {"spread": 1.0}}}
    assert merged([first, second]) == both
    assert merged([]) == Supply()
