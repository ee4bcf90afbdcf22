"""OpportunityRanker: how good an opportunity each symbol is, and its place among them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeGuard

import numpy as np

from modules.estimates.opportunity import (
    TREND_WANTED,
    Row,
    regime_score,
    share_below,
    trend_score,
    volatility_score,
    weighted,
)
from modules.estimates.proportions import interval
from modules.inputs import Inputs
from modules.sample_market import sample_inputs
from modules.sources.feed import FeedSource
from modules.supply import Row as Facts
from modules.supply import Supply, merged
from modules.universe_os import UniverseOS

TOP = 20

NEEDED = ("trend_t", "volatility_rank", "volume_24h", "spread", "trades")
"""Facts of a symbol that a score rests on, and `win_rate` where there are trades."""


class OpportunityRanker:
    """Score and rank of each symbol of the universe, from the facts of the modules before it.

    A part that nobody knows leaves no score. A symbol that the fund has not traded is no such case: that there are no
    trades is known, and nothing is proven by them. Its record counts with the lower end of the win rate's 95 %
    interval, which is nothing without trades and grows with what is won. So a new fund can trade, a record that is not
    there never stands above one that is, and no rate is supposed. Made without inputs, it ranks a made-up market.
    """

    name: ClassVar[str] = "opportunity_ranker"
    policy: ClassVar[str | None] = "ranker"
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 900
    owners: ClassVar[tuple[str, ...]] = ("OpportunityRanker",)

    def __init__(self, inputs: Inputs | None = None) -> None:
        self._inputs = inputs

    def compute(self, inputs: Inputs) -> Supply:
        """A row for each symbol of which anything is known; liquidity and spread are held against the universe's."""
        known = inputs.known.rows.get("symbol", {})
        symbols = sorted(known)
        regime, market_t = inputs.known.single.get("market.regime"), inputs.known.single.get("market.trend_t")
        lacking = {symbol: _lacking(known[symbol], regime, market_t) for symbol in symbols}
        inside = [s for s in symbols if known[s].get("in_universe") is True]
        scores = _scores([known[s] for s in inside], regime, market_t)
        scored = {s: score for s, score in zip(inside, scores.tolist(), strict=True) if not lacking[s]}
        places = {s: i for i, s in enumerate(sorted(scored, key=lambda s: (-scored[s], s)), start=1)}
        rows: dict[str, Facts] = {}
        reasons: dict[str, str] = {}
        for symbol in symbols:
            if symbol in scored:
                rows[symbol] = {"opportunity_score": scored[symbol], "opportunity_rank": places[symbol]}
            else:
                rows[symbol] = {}
                for fact in ("opportunity_score", "opportunity_rank"):
                    reasons[f'symbol["{symbol}"].{fact}'] = lacking[symbol]
        return Supply(rows={"symbol": rows} if rows else {}, reasons=reasons)

    def get_top_opportunities(self, limit: int = TOP, inputs: Inputs | None = None) -> list[str]:
        """The `limit` best symbols, best first; those without a score are not among them.

        Raises ValueError for a limit below one.
        """
        if limit < 1:
            raise ValueError(f"the best {limit} symbols: at least one must be asked for")
        rows = self.compute(_informed(inputs or self._inputs or sample_inputs())).rows.get("symbol", {})
        ranked = sorted((row["opportunity_rank"], symbol) for symbol, row in rows.items() if row)
        return [symbol for _, symbol in ranked[:limit]]


def _informed(inputs: Inputs) -> Inputs:
    """The inputs with the facts that a score rests on, whoever has told them already."""
    from modules.meta_strategy_controller import MetaStrategyController  # noqa: PLC0415 -- brings statsmodels along

    told = (module.compute(inputs) for module in (FeedSource(), UniverseOS(), MetaStrategyController()))
    return replace(inputs, known=merged([*told, inputs.known]))


def _lacking(row: Facts, regime: Any, market_t: Any) -> str:
    """What there is no score without; empty where everything is known."""
    if row.get("in_universe") is not True:
        return "it is not known to be in the universe"
    missing = [fact for fact in NEEDED if not _is_number(row.get(fact))]
    if "trades" not in missing and row["trades"] > 0 and not _is_number(row.get("win_rate")):
        missing.append("win_rate")
    missing += ["market.regime"] if regime not in TREND_WANTED else []
    missing += ["market.trend_t"] if not _is_number(market_t) else []
    return f"no score without {', '.join(missing)}" if missing else ""


def _scores(rows: Sequence[Facts], regime: Any, market_t: Any) -> Row:
    """The score of each row, NaN where a part of it is unknown."""
    t = _column(rows, "trend_t")
    parts: Mapping[str, Row] = {
        "trend": trend_score(t),
        "volatility": volatility_score(_column(rows, "volatility_rank")),
        "liquidity": share_below(_column(rows, "volume_24h")),
        "spread": share_below(-_column(rows, "spread")),
        "record": np.array([_proven(row) for row in rows]),
        "regime": np.full(len(rows), np.nan),
    }
    if regime in TREND_WANTED and _is_number(market_t):
        parts = {**parts, "regime": regime_score(t, market_t, regime)}
    return weighted(parts)


def _proven(row: Facts) -> float:
    """What the win rate is at least, as far as the trades can tell; NaN where the record is not known."""
    trades = row.get("trades")
    rate = 0.0 if trades == 0 else row.get("win_rate")
    if not _is_number(trades) or not _is_number(rate):
        return math.nan
    return interval(round(rate * trades), trades)[0]


def _column(rows: Sequence[Facts], fact: str) -> Row:
    return np.array([row[fact] if _is_number(row.get(fact)) else np.nan for row in rows], dtype=float)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)
