"""The guarantees of the language on the default policies: less knowledge and worse facts never loosen anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from evaluators.snapshot import Snapshot
from policy_dsl.types import ItemSet
from tests.properties.strictness import loosened
from tests.rules.decisions import Document, decide, default_bundle, outputs, state

ROWS: Document = {
    "symbol": {
        "BTCUSDT": {"trend_t": 3, "trend_t_short": 3, "variance_ratio": 1.2},
        "UNIUSDT": {"sector": "DEFI", "tier": "EXPANSION"},
    },
    "sector": {"L1": {"exposure_share": 0.2}, "DEFI": {"exposure_share": 0.1}},
    "service": {"execution": {}, "feed": {"status": "DEGRADED", "error_rate": 0.3}},
    "model": {"xgboost": {}, "lightgbm": {"win_rate": 0.45}},
    "position": {
        "p1": {"symbol": "BTCUSDT", "category": "WINNER", "r_multiple": 2.5, "peak_r": 3.5, "drawdown_from_peak": 0.15},
        "p2": {"symbol": "UNIUSDT", "side": "SHORT", "category": "LOSER", "r_multiple": -0.5, "leverage": 12},
    },
    "request": {
        "r1": {"symbol": "BTCUSDT", "confidence": 0.72},
        "r2": {"symbol": "BTCUSDT", "effect": "INCREASE", "notional": 900, "confidence": 0.8},
        "r3": {"symbol": "UNIUSDT", "side": "SHORT", "confidence": 0.9},
        "r4": {"symbol": "UNIUSDT", "side": "SHORT", "effect": "CLOSE", "confidence": 0.1},
    },
}
"""Something of everything, so that there is something to lose."""

STATES: dict[str, Document] = {
    "calm": ROWS,
    "quiet trend": ROWS | {"market": {"regime": "TRENDING", "volatility": "LOW"}},
    "volatile": ROWS | {"market": {"volatility": "HIGH", "regime": "RANGING"}, "account": {"losing_streak": 4}},
    "defensive": ROWS | {"account": {"drawdown": 0.04, "gross_exposure": 0.85, "correlated_positions": 6}},
    "crash": ROWS | {"market": {"turbulence": 0.995, "breadth": 0.05}, "account": {"gross_exposure": 0.6}},
    "halted": ROWS | {"account": {"drawdown": 0.06}, "operator": {"flatten_on_stop": True}},
}


def poorer(snapshot: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    """The snapshot without one known fact, or without one whole collection; requests are the question itself."""
    for path in snapshot.facts:
        yield path, replace(snapshot, facts={**snapshot.facts, path: None})
    for entity, rows in snapshot.rows.items():
        if entity != "request":
            yield entity, replace(snapshot, rows={**snapshot.rows, entity: None})
        for key, fields in (rows or {}).items():
            for name in fields:
                changed = {**(rows or {}), key: {**fields, name: None}}
                yield f'{entity}["{key}"].{name}', replace(snapshot, rows={**snapshot.rows, entity: changed})


@pytest.mark.parametrize("name", STATES)
def test_a_fact_taken_away_loosens_nothing(name: str) -> None:
    program, snapshot = default_bundle().program, state(STATES[name])
    before = decide(snapshot)
    looser = {gone: found for gone, less in poorer(snapshot) if (found := loosened(program, before, decide(less)))}
    assert looser == {}


def test_who_knows_nothing_does_nothing() -> None:
    nothing: Document = {entity: {key: {} for key in rows} for entity, rows in ROWS.items()}
    found = outputs(nothing | {"request": {"r1": {}, "r2": {"effect": "OPEN"}, "r3": {"effect": "CLOSE"}}}, calm=False)
    assert found["ess.state"] == "HALTED"
    assert found["hfos.risk_mode"] == "SAFE"
    assert found["orchestrator.allow_trades"] is False
    assert found["orchestrator.max_risk"] == 0
    assert found["verdict"] == {"r1": "DENY", "r2": "DENY", "r3": "ALLOW"}
    grants = ("ess.actions", "pal.actions", "pba.actions", "healing.actions")
    assert [found[name] for name in grants] == [
        {},
        {"p1": {}, "p2": {}},
        {"p1": {}, "p2": {}},
        {"execution": {}, "feed": {}},
    ]


# From good to bad; every step is as strict as the one before, or stricter.
WORSE: dict[str, list[Any]] = {
    "account.drawdown": [0, 0.009, 0.01, 0.02, 0.0201, 0.03, 0.0301, 0.05, 0.0501, 0.3, 1],
    "account.daily_loss": [0, 0.03, 0.0301, 0.2],
    "account.losing_streak": [0, 3, 4, 5, 6, 20],
    "account.open_positions": [0, 5, 7, 8, 30],
    "account.gross_exposure": [0, 0.5, 0.73, 0.8, 0.81, 5],
    "account.correlated_positions": [0, 5, 6, 20],
    "account.risk": [0, 0.15, 0.16, 1],
    "account.reconciliation_gap": [0, 0.01, 0.011, 1],
    "market.volatility": ["LOW", "NORMAL", "HIGH", "EXTREME"],
    "market.turbulence": [0, 0.99, 0.991, 1],
    "market.breadth": [0.5, 0.1, 0.099, 0],
    "market.hour_move": [0.1, 0, -0.08, -0.0801, -0.9],
    "market.data_age": [0, 300, 301, 90_000],
    "system.errors_per_minute": [0, 3, 10, 10.1, 500],
    "system.error_rate": [0, 0.2, 0.21, 1],
    "operator.stop_requested": [False, True],
    "symbol.BTCUSDT.tier": ["CORE", "EXPANSION", "CONDITIONAL", "BLACKLIST"],
    "symbol.BTCUSDT.spread": [0, 0.001, 0.0011, 0.1],
    "symbol.BTCUSDT.performance": ["GOOD", "NEUTRAL", "BAD"],
    "symbol.BTCUSDT.volatility": ["LOW", "NORMAL", "HIGH", "EXTREME"],
    "sector.L1.exposure_share": [0, 0.4, 0.41, 2],
    "service.execution.status": ["UP", "DEGRADED", "DOWN"],
    "model.xgboost.win_rate": [0.6, 0.4, 0.3, 0],
    "position.p1.leverage": [1, 10, 20, 21, 100],
    "position.p1.scaled": [0, 0.25, 0.26, 0.5],
    "position.p1.r_multiple": [3, 2, 1.5, 1, -1],
    "position.p1.category": ["WINNER", "POTENTIAL_WINNER", "BREAKEVEN", "STRUGGLING", "LOSER"],
    "position.p1.drawdown_from_peak": [0, 0.2, 0.21, 2],
    "request.r1.confidence": [1, 0.7, 0.55, 0.5, 0.4, 0],
    "request.r1.risk": [0, 300, 500, 1000, 1001, 50_000],
    "request.r1.impact": [0, 0.0008, 0.0009, 0.1],
    "request.r1.exposure_after": [0, 0.5, 0.51, 0.8, 0.81, 3],
    "request.r1.sector_share_after": [0, 0.4, 0.41],
    "request.r1.symbol_share_after": [0, 0.3, 0.31],
    "request.r1.correlated_after": [0, 0.6, 0.61],
    "request.r1.correlated_positions_after": [0, 5, 6, 20],
    "request.r1.risk_after": [0, 0.15, 0.16],
    "request.r1.leverage": [1, 5, 6, 10, 11, 20, 21],
    "request.r1.leverage_after": [1, 10, 11],
    "request.r1.free_margin_after": [90_000, 10_000, 9_999, 0, -1],
}


def put(document: Document, path: str, value: Any) -> Document:
    """The document with one fact replaced: `account.drawdown`, `symbol.BTCUSDT.tier`."""
    entity, *key, field = path.split(".")
    rows = document.get(entity, {})
    if not key:
        return document | {entity: rows | {field: value}}
    return document | {entity: rows | {key[0]: rows.get(key[0], {}) | {field: value}}}


@pytest.mark.parametrize("name", ["calm", "volatile", "crash"])
@pytest.mark.parametrize("path", WORSE)
def test_a_worse_fact_loosens_nothing(path: str, name: str) -> None:
    """Sets are left out: what protects (REDUCE, CANCEL_ORDERS, TIGHTEN_STOP) is granted the more, the worse it gets."""
    program = default_bundle().program
    ordered = replace(program, outputs=tuple(o for o in program.outputs if not isinstance(o.type, ItemSet)))
    decisions = [decide(state(put(STATES[name], path, value))) for value in WORSE[path]]
    for better, worse in pairwise(decisions):
        assert loosened(ordered, better, worse) == []


@pytest.mark.parametrize("path", [p for p in WORSE if not p.startswith("request")])
def test_a_worse_fact_adds_nothing_to_a_position(path: str) -> None:
    may_add = ["ADD_SIZE" in outputs(put(ROWS, path, value))["pal.actions"]["p1"] for value in WORSE[path]]
    assert may_add == sorted(may_add, reverse=True)
