"""The fact catalogue holds every name that rules and modules share."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from modules.facts import CATALOGUE, default_catalogue
from policy_dsl.catalogue import Fact, Rows
from policy_dsl.quantities import INT64_MAX, INT64_MIN, QUANTA_PER_ONE, Unit
from policy_dsl.types import Levels, Quantity, Reference

NAMES = {
    "account": """equity balance free_margin used_margin drawdown daily_loss open_loss losing_streak open_positions
        gross_exposure net_exposure risk margin_usage correlated_exposure correlated_positions reconciliation_gap""",
    "market": "regime volatility trend_strength turbulence breadth hour_move data_age",
    "clock": "now hour weekday",
    "operator": "stop_requested reset_requested flatten_on_stop risk_mode",
    "fund": "conflicts",
    "system": "error_rate errors_per_minute snapshot_gap cpu memory",
    "symbol": """tier in_universe sector price_age spread volume_24h atr volatility trend_strength trend_direction
        trend_t performance win_rate average_r trades funding_rate opportunity_score opportunity_rank exposure
        pending_exposure""",
    "position": """symbol side notional original_notional scaled r_multiple peak_r drawdown_from_peak unrealized
        category age leverage risk stop_distance liquidation_distance liquidation_probability_7d""",
    "request": """symbol side effect model confidence votes urgency notional leverage risk margin price_deviation
        impact duplicate crosses_own_order repeats_last_minute exposure_after sector_share_after symbol_share_after
        risk_after leverage_after correlated_after correlated_positions_after free_margin_after""",
    "sector": "exposure_share",
    "model": """health trend win_rate average_r calibration brier samples long_share bias_p drift_p age regime""",
    "service": "status error_rate restarts last_seen affects_trading",
    "trade": "symbol side exit profit profit_ratio r_multiple closed_at",
    "error": "service kind",
    "order": "symbol side notional outcome",
}
"""Every shared name; none may be renamed, more may be added."""

OPEN = {
    f"{entity}.{name}"
    for entity, names in {
        "account": """drawdown daily_loss open_loss losing_streak open_positions gross_exposure net_exposure risk
            margin_usage correlated_exposure correlated_positions reconciliation_gap""",
        "market": "data_age",
        "fund": "conflicts",
        "system": "errors_per_minute snapshot_gap",
        "symbol": "price_age atr exposure pending_exposure",
        "sector": "exposure_share",
        "position": "scaled drawdown_from_peak unrealized age leverage stop_distance",
        "request": """leverage price_deviation impact repeats_last_minute exposure_after sector_share_after
            symbol_share_after risk_after leverage_after correlated_after correlated_positions_after""",
        "model": "age cusum since_training challenger_age canary_age",
        "service": "restarts last_seen since_restart",
    }.items()
    for name in names.split()
}
"""Facts that are worse the larger they are, and whose definition gives no largest value."""

SIGNED = {"account.net_exposure", "position.unrealized"}
"""Those of them that are as bad on the other side."""

PARTS_OF_A_WHOLE = (
    "system.error_rate", "service.error_rate", "position.liquidation_probability_7d", "request.confidence",
    "model.win_rate", "market.breadth",
)  # fmt: skip

FACTS = [f for e in CATALOGUE.entities.values() for f in e.facts.values()]


@pytest.mark.parametrize("entity", NAMES)
def test_every_shared_name_is_a_fact(entity: str) -> None:
    have = set(CATALOGUE.entities[entity].facts)
    assert set(NAMES[entity].split()) - have == set()


def test_entities_have_the_rows_that_rules_expect() -> None:
    rows = {kind: {e.name for e in CATALOGUE.of_kind(kind)} for kind in Rows}
    assert rows == {
        Rows.ONE: {"account", "market", "clock", "operator", "fund", "system"},
        Rows.KEYED: {"symbol", "position", "request", "sector", "model", "service"},
        Rows.EVENT: {"trade", "error", "order"},
    }


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.path)
def test_a_fact_says_what_it_is(fact: Fact) -> None:
    assert fact.owner
    assert len(fact.doc) >= 10
    assert not fact.doc.endswith(".")
    assert fact.calm is not None
    assert fact.in_range(fact.calm)


@pytest.mark.parametrize("fact", [f for f in FACTS if isinstance(f.type, Quantity)], ids=lambda f: f.path)
def test_a_number_has_a_range(fact: Fact) -> None:
    assert fact.low is not None or fact.path in SIGNED
    assert fact.high is not None or fact.path in OPEN
    assert fact.low is None or fact.high is None or fact.low < fact.high


@pytest.mark.parametrize("path", sorted(OPEN))
def test_what_is_worse_the_larger_it_is_has_no_upper_end(path: str) -> None:
    fact = CATALOGUE.fact(path)
    assert fact is not None
    assert fact.high is None
    assert fact.in_range(INT64_MAX)
    assert fact.low == 0 or (path in SIGNED and fact.in_range(INT64_MIN))


@pytest.mark.parametrize("path", PARTS_OF_A_WHOLE)
def test_a_part_of_a_whole_is_no_more_than_it(path: str) -> None:
    fact = CATALOGUE.fact(path)
    assert fact is not None
    assert (fact.low, fact.high) == (0, QUANTA_PER_ONE[Unit.RATIO])


@pytest.mark.parametrize("fact", [f for f in FACTS if f.type == Quantity(Unit.MONEY)], ids=lambda f: f.path)
def test_a_hundredfold_of_an_amount_still_fits(fact: Fact) -> None:
    assert fact.high is not None
    assert fact.high * (100 if fact.name != "volume_24h" else 1) < 2**63


def test_references_name_entities_with_keys() -> None:
    targets = {f.type.entity for f in FACTS if isinstance(f.type, Reference)}
    assert targets == {"symbol", "model", "service"}
    assert all(CATALOGUE.entities[t].rows is Rows.KEYED for t in targets)


def test_level_names_are_words_of_the_language() -> None:
    assert all(name.isidentifier() and name == levels.name for name, levels in CATALOGUE.levels.items())


def test_the_worst_or_lowest_level_comes_first() -> None:
    first = {n: v.members[0] for n, v in CATALOGUE.levels.items() if v.ordered}
    assert first == {
        "volatility": "LOW",
        "tier": "BLACKLIST",
        "performance": "BAD",
        "category": "LOSER",
        "health": "CRITICAL",
        "service_status": "DOWN",
        "risk_mode": "SAFE",
        "urgency": "LOW",
        "performance_trend": "DEGRADING",
    }


def test_calm_values_agree_with_each_other() -> None:
    def calm(path: str) -> object:
        fact = CATALOGUE.fact(path)
        assert fact is not None
        return fact.type.members[int(fact.calm or 0)] if isinstance(fact.type, Levels) else fact.calm

    assert calm("account.equity") == calm("account.balance") == calm("account.free_margin") == 100_000 * 10**6
    now = datetime.fromtimestamp(int(str(calm("clock.now"))) / 1000, UTC)
    assert (now.hour, now.weekday()) == (calm("clock.hour"), calm("clock.weekday"))
    assert (calm("market.volatility"), calm("market.regime")) == ("NORMAL", "NORMAL")


def test_the_catalogue_is_made_once() -> None:
    assert default_catalogue() is CATALOGUE
