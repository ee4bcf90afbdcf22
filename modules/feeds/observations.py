"""What the predecessor's policy observer saw and said, minute by minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from evaluators.timestamps import format_time
from modules.facts.levels import PERFORMANCE, REGIME, VOLATILITY
from modules.feeds.faults import Faults
from modules.feeds.lines import Fields, read_lines
from policy_dsl.types import Levels


@dataclass(frozen=True, slots=True)
class ObservedSymbol:
    """The record of one symbol as the observer saw it; `performance` is a name of that level."""

    symbol: str
    win_rate: Decimal
    average_r: Decimal
    performance: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One observation at `at` (ms since 1970 UTC).

    `drawdown` and `daily_loss` are ratios and never negative, whatever sign was recorded; `exposure` is a ratio of
    equity. `policy` is what the predecessor's policy said then, as recorded.
    """

    at: int
    regime: str
    volatility: str
    drawdown: Decimal
    daily_loss: Decimal
    losing_streak: int
    open_positions: int
    exposure: Decimal
    symbols: tuple[ObservedSymbol, ...]
    policy: Mapping[str, object]


Observations = tuple[Observation, ...]
"""Observations in order of time."""


def read_observations(path: Path) -> Observations:
    """The observations of a JSONL file; times strictly increase.

    Raises PolicyError with RF801 to RF806.
    """
    faults = Faults(path)
    found: list[Observation] = []
    for index, document in read_lines(path, faults):
        seen = _observation(Fields(document, index, faults), index, faults)
        if found and seen.at <= found[-1].at:
            how = "is there twice" if seen.at == found[-1].at else f"comes after {format_time(found[-1].at)}"
            faults.add_row("RF806", index, f"the observation of {format_time(seen.at)} {how}", "sort the file by time")
        found.append(seen)
    faults.stop_if_any()
    return tuple(found)


def _observation(fields: Fields, index: int, faults: Faults) -> Observation:
    policy = fields.get("policy")
    listed = fields.get("inputs.symbol_performance")
    rows = [Fields(s, index, faults) for s in listed if isinstance(s, dict)] if isinstance(listed, list) else []
    return Observation(
        at=fields.time("timestamp"),
        regime=fields.one_of("inputs.regime_tag", _words(REGIME)),
        volatility=fields.one_of("inputs.vol_level", _words(VOLATILITY)),
        drawdown=abs(fields.number("inputs.risk_state.current_drawdown_pct")) / 100,
        daily_loss=max(Decimal(0), -fields.number("inputs.risk_state.daily_pnl_pct") / 100),
        losing_streak=fields.whole("inputs.risk_state.losing_streak"),
        open_positions=fields.whole("inputs.risk_state.open_trades_count"),
        exposure=fields.number("inputs.risk_state.total_exposure_pct") / 100,
        symbols=tuple(map(_symbol, rows)),
        policy=policy if isinstance(policy, dict) else {},
    )


def _symbol(row: Fields) -> ObservedSymbol:
    return ObservedSymbol(
        symbol=row.text("symbol"),
        win_rate=row.number("winrate"),
        average_r=row.number("avg_R"),
        performance=row.one_of("performance_tag", _words(PERFORMANCE)),
    )


def _words(levels: Levels) -> dict[str, str]:
    return {name: name for name in levels.members}
