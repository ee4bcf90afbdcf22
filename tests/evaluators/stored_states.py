"""Snapshots, catalogues and refusals that the tests of stored state share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import duckdb
import pytest

from evaluators.recording import Recording, RecordingWriter
from evaluators.snapshot import Snapshot
from policy_dsl.catalogue import Catalogue, FactModel, Rows, catalogue_of, fact
from policy_dsl.diagnostics import PolicyError
from policy_dsl.types import FLAG, MONEY
from tests.catalogue_for_tests import MODELS, small_catalogue

CATALOGUE = small_catalogue()
AT = 1_760_130_000_000
"""2025-10-10T21:00:00Z."""
MINUTE = 60_000

RICH = Snapshot(
    "main",
    AT,
    {"account.drawdown": 61_000_000, "market.volatility": 2, "operator.stop_requested": False, "operator.note": "it's"},
    {
        "position": {"p2": {}, "p1": {"symbol": "BTCUSDT", "side": 1, "notional": 10**12}},
        "symbol": {},
        "request": {"r1": {"duplicate": True, "effect": 3}},
    },
    {"trade": tuple({"symbol": "BTCUSDT", "r_multiple": i} for i in range(12))},
)
"""A snapshot with something of everything: a row without facts, an empty collection, more than ten events."""


def snapshot(minute: int = 0, book: str = "main", **account: int) -> Snapshot:
    """A snapshot of that minute that knows little."""
    return Snapshot(book, AT + minute * MINUTE, {f"account.{name}": value for name, value in account.items()})


def refusals(act: Callable[[], object]) -> list[tuple[str, str, str | None]]:
    """Code, message and help of what `act` is refused for; fails if it is not."""
    with pytest.raises(PolicyError) as caught:
        act()
    return [(d.code, d.message, d.help) for d in caught.value.diagnostics]


def codes(act: Callable[[], object]) -> list[str]:
    """The codes of what `act` is refused for; fails if it is not."""
    return [code for code, _, _ in refusals(act)]


def changed(entity: str, name: str, **changes: Any) -> Catalogue:
    """The catalogue with one fact changed."""
    found = CATALOGUE.entities[entity]
    facts = {**found.facts, name: replace(found.facts[name], **changes)}
    entities = {**CATALOGUE.entities, entity: replace(found, facts=MappingProxyType(facts))}
    return replace(CATALOGUE, entities=MappingProxyType(entities))


class LaterFacts(FactModel, entity="account"):
    """A fact that came later."""

    bonus: Annotated[float | None, MONEY] = fact("bonus", owner="book")


class LaterPositionFacts(FactModel, entity="position", rows=Rows.KEYED):
    """A fact of positions that came later."""

    hedged: Annotated[bool | None, FLAG] = fact("hedged", owner="pil")


class SectorFacts(FactModel, entity="sector", rows=Rows.KEYED):
    """An entity that came later."""

    weight: Annotated[float | None, MONEY] = fact("weight", owner="pba")


class ErrorFacts(FactModel, entity="error", rows=Rows.EVENT):
    """An event that came later."""

    cost: Annotated[float | None, MONEY] = fact("cost", owner="healing")


def extended(*models: type[FactModel]) -> Catalogue:
    """The catalogue with more facts."""
    return catalogue_of((*MODELS, *models))


def writer(path: Path, catalogue: Catalogue = CATALOGUE, **options: Any) -> RecordingWriter:
    """A writer of a recording of one snapshot a minute."""
    return RecordingWriter(path, catalogue, cadence_ms=MINUTE, **options)


def recorded(path: Path, *several: Snapshot, catalogue: Catalogue = CATALOGUE) -> Path:
    """Where a recording of these snapshots has been made."""
    with writer(path, catalogue) as recording:
        for one in several:
            recording.add(one)
    return path


def opened(path: Path, catalogue: Catalogue = CATALOGUE, **options: Any) -> Recording:
    """The recording at `path`."""
    return Recording.open(path, catalogue, **options)


def rows(path: Path, sql: str) -> list[Any]:
    """What a query of the DuckDB file at `path` gives."""
    with duckdb.connect(str(path)) as connection:
        return connection.execute(sql).fetchall()
