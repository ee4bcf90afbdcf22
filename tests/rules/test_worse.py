"""A fund in greater trouble never acts less: what is worse grants no less, and is no looser, however large it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from evaluators.decision import Decision
from evaluators.snapshot import Snapshot
from modules.facts import CATALOGUE
from policy_dsl.quantities import INT64_MAX
from tests.properties.strictness import loosened
from tests.rules.decisions import decide, default_bundle, outputs, shown, state

BOOK: dict[str, Any] = {
    "operator": {"flatten_on_stop": True},
    "sector": {"L1": {}},
    "symbol": {"BTCUSDT": {}},
    "position": {"p1": {"symbol": "BTCUSDT"}},
    "service": {"execution": {}},
    "model": {"xgboost": {}},
    "request": {"r1": {"symbol": "BTCUSDT"}},
}
WORSE = (
    "account.drawdown", "account.daily_loss", "account.open_loss", "account.losing_streak", "account.gross_exposure",
    "account.risk", "account.margin_usage", "account.correlated_exposure", "account.correlated_positions",
    "account.reconciliation_gap", "system.errors_per_minute", "market.data_age", "sector.exposure_share",
    "position.leverage", "position.drawdown_from_peak", "request.exposure_after", "request.leverage", "request.impact",
    "symbol.price_age", "symbol.atr", "symbol.exposure", "model.cusum", "model.age", "service.last_seen",
)  # fmt: skip
STEPS = (*(10**digits for digits in range(3, 19)), INT64_MAX)
"""Quanta, each tenfold the one before, to the largest there is."""


MENDING = ("ess.actions", "pba.actions", "healing.actions", "retraining.actions")
"""Sets of what takes risk off or repairs: more of it is no looser."""


def mending(decision: Decision) -> frozenset[str]:
    """What is granted of that, by output, row and item."""
    found = shown(decision, default_bundle().program)
    rows = [f"{name}.{key}.{item}" for name in MENDING[1:] for key, items in found[name].items() for item in items]
    return frozenset([*rows, *found["ess.actions"]])


def with_fact(path: str, quanta: int) -> Snapshot:
    """The book with one fact at a figure."""
    calm = state(BOOK)
    entity, _, name = path.partition(".")
    if path in calm.facts:
        return replace(calm, facts={**calm.facts, path: quanta})
    rows = {key: {**row, name: quanta} for key, row in (calm.collection(entity) or {}).items()}
    return replace(calm, rows={**calm.rows, entity: rows})


@pytest.mark.parametrize("path", WORSE)
def test_what_is_worse_loosens_nothing_and_mends_no_less(path: str) -> None:
    program = default_bundle().program
    fact = CATALOGUE.fact(path)
    assert fact is not None
    decisions = [decide(with_fact(path, quanta)) for quanta in STEPS if fact.in_range(quanta)]
    assert len(decisions) == len(STEPS)
    for better, worse in pairwise(decisions):
        assert [o for o in loosened(program, better, worse) if not o.startswith(MENDING)] == []
        assert mending(better) <= mending(worse)


@pytest.mark.parametrize("drawdown", [0.06, 1.0, 1.05, 100.0])
def test_a_drawdown_beyond_the_whole_peak_stops_closes_and_is_certain(drawdown: float) -> None:
    document = {"account": {"drawdown": drawdown}, "operator": {"flatten_on_stop": True}}
    assert list(outputs(document)["ess.actions"]) == ["CANCEL_ORDERS", "FLATTEN"]
    assert [f.definite for f in decide(state(document)).firings if f.rule == "ess.drawdown"] == [True]


@pytest.mark.parametrize("exposure", [0.81, 99.0, 101.0, 1e6])
def test_a_book_of_any_size_over_its_limit_is_trimmed(exposure: float) -> None:
    document = {**BOOK, "account": {"gross_exposure": exposure}}
    assert list(outputs(document)["pba.actions"]["p1"]) == ["REDUCE"]


def test_what_no_64_bits_hold_is_missing_and_halts_for_want_of_it() -> None:
    found = outputs({"account": {"drawdown": 1e12}, "operator": {"flatten_on_stop": True}})
    assert (found["ess.state"], found["ess.actions"]) == ("HALTED", {})
