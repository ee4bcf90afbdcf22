"""Defects of the predecessor's modules that must not come back, where they lay in how facts were read or made."""

from __future__ import annotations

from typing import Any

import pytest

from modules.assembly import Supplied, assemble
from modules.estimates.records import category_of, performance_by_interval
from modules.position_intelligence import PositionIntelligenceLayer
from modules.supply import Supply

NOW = 1_760_000_000_000
PIL = PositionIntelligenceLayer()


def known(by: str, supply: Supply) -> tuple[dict[str, Any], dict[str, str]]:
    """The facts of one row each that a supply comes to, and why others are missing."""
    found = assemble("main", NOW, [Supplied(by, (by,), NOW, supply)])
    return dict(found.snapshot.facts), dict(found.reasons)


@pytest.mark.parametrize("text", ["false", "true", "no", 0, 1, {}])
def test_pal7_a_flag_in_words_or_figures_is_missing_and_neither_yes_nor_no(text: Any) -> None:
    facts, reasons = known("operator", Supply({"operator.stop_requested": text}))
    assert facts["operator.stop_requested"] is None
    assert "which is not a flag that can be believed" in reasons["operator.stop_requested"]


@pytest.mark.parametrize("rank", [0, -3])
def test_pal11_a_place_before_the_first_one_is_none(rank: int) -> None:
    feed = Supplied("feed", ("feed",), NOW, Supply(rows={"symbol": {"A": {}}}))
    ranker = Supply(rows={"symbol": {"A": {"opportunity_rank": rank}}})
    found = assemble("main", NOW, [feed, Supplied("ranker", ("OpportunityRanker",), NOW, ranker)])
    assert (found.snapshot.collection("symbol") or {})["A"]["opportunity_rank"] is None
    assert "out of range" in found.reasons['symbol["A"].opportunity_rank']


@pytest.mark.parametrize("r", [-5.0, -3.0, -0.6])
def test_pil_b3_a_loss_is_a_loss_however_young_or_old_its_position_is(r: float) -> None:
    told = {"symbol": "BTCUSDT", "side": "LONG", "current_R": r, "unrealized_pnl_pct": r / 50}
    for entry_time in (None, "yesterday", "2026-01-07T12:00:00", NOW):
        assert PIL.classify_position(told | {"entry_time": entry_time}).category == "LOSER"


def test_pil_a4_what_is_no_number_is_unknown_and_no_loser() -> None:
    told = {"symbol": "BTCUSDT", "side": "LONG", "current_R": float("nan"), "unrealized_pnl_pct": float("nan")}
    found = PIL.classify_position(told)
    assert not found.is_known
    assert found.reasons


def test_pil_b5_the_edges_of_the_categories_are_exact() -> None:
    assert [category_of(r) for r in (-0.5, -0.5000001)] == ["STRUGGLING", "LOSER"]


@pytest.mark.parametrize("trades", [3, 10, 100, 5_000])
def test_universe_8_a_symbol_that_always_makes_a_little_is_never_bad(trades: int) -> None:
    assert performance_by_interval(trades, 0.25, 0.0) == "GOOD"
    assert performance_by_interval(trades, 0.25, 0.2) in {"NEUTRAL", "GOOD"}
