"""What modules supply becomes a snapshot: every value is checked, and each that is missing has a reason."""

from __future__ import annotations

from typing import Any

import pytest

from modules.assembly import Assembled, Supplied, assemble
from modules.supply import Supply

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
        (1.5, "supplied 1.5, which is out of range"),
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
