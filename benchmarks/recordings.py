"""Recordings made up in SQL, for whatever a program reads: a snapshot a minute, rows, requests, trades.

Figures wander, one hour in 48 is a bad one, one value in 5,000 is missing, and once in 20,000 minutes five of them are
not recorded. Nothing is random but by hash: the same call makes the same recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import duckdb

from benchmarks.workloads import RANGES, Range
from evaluators.duckdb import needs_of
from evaluators.identifiers import literal, quote
from modules.facts import CATALOGUE
from policy_dsl.program import Program
from policy_dsl.types import TIME, Flag, Levels, Quantity, Type

START = 1_735_689_600_000
"""Time of the first snapshot (ms)."""
MINUTE = 60_000

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")

FIGURES = RANGES | {
    "account.correlated_exposure": Range(300_000_000, 560_000_000),
    "account.correlated_positions": Range(3, 5),
    "account.equity": Range(100_000_000_000, 80_000_000_000),
    "account.risk": Range(60_000_000, 130_000_000),
    "market.hour_move": Range(-5_000_000, -90_000_000),
    "model.win_rate": Range(500_000_000, 380_000_000),
    "position.drawdown_from_peak": Range(60_000_000, 200_000_000),
    "position.leverage": Range(8_000_000_000, 16_000_000_000),
    "position.liquidation_distance": Range(200_000_000, 60_000_000),
    "position.liquidation_probability_7d": Range(20_000_000, 160_000_000),
    "position.notional": Range(5_000_000_000, 4_000_000_000),
    "position.original_notional": Range(5_000_000_000, 5_000_000_000),
    "position.peak_r": Range(2_000_000_000, 1_000_000_000),
    "position.r_multiple": Range(1_600_000_000, 300_000_000),
    "position.scaled": Range(200_000_000, 300_000_000),
    "request.confidence": Range(650_000_000, 600_000_000),
    "request.correlated_after": Range(400_000_000, 560_000_000),
    "request.correlated_positions_after": Range(2, 3),
    "request.exposure_after": Range(500_000_000, 700_000_000),
    "request.free_margin_after": Range(40_000_000_000, 9_000_000_000),
    "request.impact": Range(300_000, 700_000),
    "request.leverage": Range(5_000_000_000, 8_000_000_000),
    "request.leverage_after": Range(4_000_000_000, 8_000_000_000),
    "request.notional": Range(1_000_000_000, 1_000_000_000),
    "request.risk": Range(400_000_000, 700_000_000),
    "request.risk_after": Range(80_000_000, 130_000_000),
    "request.sector_share_after": Range(250_000_000, 350_000_000),
    "request.symbol_share_after": Range(150_000_000, 250_000_000),
    "sector.exposure_share": Range(200_000_000, 320_000_000),
    "service.error_rate": Range(20_000_000, 180_000_000),
    "service.restarts": Range(0, 3),
    "symbol.spread": Range(400_000, 900_000),
    "symbol.trades": Range(20, 15),
    "symbol.trend_strength": Range(200_000_000, 90_000_000),
    "symbol.trend_t": Range(2_500_000_000, -1_500_000_000),
    "trade.profit": Range(30_000_000, -40_000_000),
}
"""Quanta around which figures wander, and in a bad hour."""

FLAGS = {
    "operator.reset_requested": "{chance} % 300 = 0",
    "operator.stop_requested": "bad AND {chance} % 200 = 0",
}
"""What flags are that are not nearly always set."""

LEVELS = {
    "operator.risk_mode": ("SAFE", "CAUTIOUS", *["AGGRESSIVE"] * 200),
    "market.regime": ("RANGING", *["NORMAL"] * 6, *["TRENDING"] * 6),
    "market.volatility": (*["LOW"] * 30, *["NORMAL"] * 30, *["HIGH"] * 3, "EXTREME"),
    "request.effect": (*["OPEN"] * 4, "INCREASE", "REDUCE", *["CLOSE"] * 3),
    "service.status": (*["UP"] * 200, *["DEGRADED"] * 4, "DOWN"),
    "symbol.tier": ("BLACKLIST", "CONDITIONAL", *["EXPANSION"] * 3, *["CORE"] * 3),
    "symbol.volatility": (*["LOW"] * 8, *["NORMAL"] * 8, "HIGH", "EXTREME"),
}
"""Of which levels, half an hour each, one is as likely as another, where not all of the kind are."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many rows of each entity a snapshot has; of requests and trades, one snapshot in so many has one."""

    rows: Mapping[str, int] = field(
        default_factory=lambda: {"model": 2, "position": 2, "sector": 2, "service": 2, "symbol": len(SYMBOLS)}
    )
    request_every: int = 4
    event_every: int = 120


def make_recording(connection: duckdb.DuckDBPyConnection, program: Program, count: int, shape: Shape) -> None:
    """Make the tables that `program` reads, with `count` snapshots of one book; they replace others of the name."""
    needs = needs_of(program)
    known = [f"hash(i, {_number(entity)}) % 1000 > 0 AS {quote(f'known.{entity}')}" for entity in needs.entities]
    facts = [f"{_value(path, kind, 'i')} AS {quote(path)}" for path, kind in needs.facts.items()]
    _make(connection, "snapshot", _minutes(count), [*known, *facts])
    for entity, kinds in {**needs.entities, **needs.events}.items():
        if entity == "request":
            source = f"SELECT i, 0 AS row, bad FROM ({_minutes(count)}) WHERE hash(i, 1) % {shape.request_every} = 0"
        elif entity in needs.events:
            source = f"SELECT i, 0 AS row, bad FROM ({_minutes(count)}) WHERE hash(i, 2) % {shape.event_every} = 0"
        else:
            source = f"""SELECT i, row, bad FROM ({_minutes(count)}), range({shape.rows[entity]}) AS t(row)
            WHERE hash(i, {_number(entity)}) % 1000 > 0"""
        _make(connection, entity, source, [f"{_key(entity)} AS key", *_fields(entity, kinds)])


def _figures(path: str) -> Range:
    """Where the figures of a fact lie: those listed, else its calm value, in good times and bad."""
    fact = CATALOGUE.fact(path)
    calm = fact.calm if fact is not None and isinstance(fact.calm, int) else 0
    return FIGURES.get(path, Range(calm, calm))


def _number(entity: str) -> str:
    """A number that stands for `entity` in hashes."""
    return f"hash({literal(entity)})"


def _minutes(count: int) -> str:
    return f"""SELECT i, i // 60 % 48 = 47 AS bad FROM range({count}) AS t(i) WHERE i % 20000 < 19995"""


def _make(connection: duckdb.DuckDBPyConnection, name: str, source: str, columns: list[str]) -> None:
    listed = ",\n".join([f"make_timestamp_ms({START} + i * {MINUTE}) AS ts", *columns])
    connection.execute(f"CREATE OR REPLACE TABLE {quote(name)} AS\nSELECT 'main' AS book, {listed}\nFROM ({source})")


def _key(entity: str) -> str:
    if entity == "symbol":
        return f"[{', '.join(map(literal, SYMBOLS))}][1 + row]"
    return f"concat({literal(entity[0])}, row)"


def _fields(entity: str, kinds: Mapping[str, Type]) -> Iterator[str]:
    for name, kind in kinds.items():
        yield f"{_value(f'{entity}.{name}', kind, 'i, row')} AS {quote(name)}"


def _value(path: str, kind: Type, seed: str) -> str:
    """A value of the row numbered `seed`, now and then NULL."""
    salt = f"hash({literal(path)})"
    chance = f"hash({seed}, {salt})"
    if kind == TIME:
        value = f"{START} + i * {MINUTE} - ({chance} % {3 * MINUTE})::BIGINT"
    elif isinstance(kind, Flag):
        value = FLAGS.get(path, "{chance} % 100 > 0").format(chance=chance)
    elif isinstance(kind, Levels):
        members = LEVELS.get(path, kind.members)
        slow = f"hash({seed.replace('i', 'i // 30', 1)}, {salt})"
        value = f"[{', '.join(map(literal, members))}][1 + ({slow} % {len(members)})::INTEGER]"
    elif isinstance(kind, Quantity):
        figures = _figures(path)
        around = f"CASE WHEN bad THEN {figures.bad} ELSE {figures.calm} END"
        value = f"({around} * (0.6e0 + 0.8e0 * ({chance} % 1000) / 1000e0))::BIGINT"
    elif path.endswith(".sector"):
        value = f"concat('s', ({chance} % 2)::INTEGER)"
    else:
        value = f"[{', '.join(map(literal, SYMBOLS))}][1 + ({chance} % {len(SYMBOLS)})::INTEGER]"
    return f"CASE WHEN hash({seed}, {salt}, 1) % 5000 > 0 THEN {value} END"
