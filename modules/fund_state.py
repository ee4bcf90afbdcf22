"""The fund over candles: the market's facts, the paper book's, and the machinery's, together as columns of state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluators.timestamps import format_time
from modules.clock_facts import clock_facts, whole
from modules.estimates.sectors import sector_of
from modules.facts import CATALOGUE
from modules.feeds.candles import Candles
from modules.market_state import Horizons, MarketState, market_state
from modules.operations import Operations, operations
from modules.paper_book import PaperBook
from modules.paper_holding import Style
from modules.paper_log import PaperLog, empty_symbol_facts
from modules.paper_requests import Ask
from modules.state_columns import EntityColumns, StateColumns, Values, encode

OnProgress = Callable[[int, int, str], None]
"""Told how much is done, of how much, and of what."""

NOT_IN_CANDLES: Mapping[str, str] = {
    "symbol.spread": "candles hold no order book",
    "symbol.funding_rate": "candles hold no funding",
    "system.cpu": "nothing ran while the candles were recorded",
    "system.memory": "nothing ran while the candles were recorded",
    "model.health": "the paper book's trend rule makes no predictions to judge",
}

UNMARKED = frozenset(
    f"account.{n}" for n in ("balance", "used_margin", "losing_streak", "open_positions", "reconciliation_gap")
) | frozenset(f"symbol.{n}" for n in ("trades", "win_rate", "average_r", "performance"))
"""Facts of the book that do not rest on any market price, and are known without the feed."""


def quiet(done: int, total: int, label: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around a fund besides its candles.

    `seen` gives, for each bar, the newest bar whose candles had arrived by its close (None: itself, always). While it
    lags, facts of the market and of money are those of that bar until they are older than their maximum age, then
    missing, and what rests on a position's mark is missing at once. `panels` are further facts of symbols by name,
    `proposals` requests by bar that the book does not act on; `machinery` is how things ran (None: without trouble).
    """

    machinery: Operations | None = None
    seen: NDArray[np.int64] | None = None
    panels: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    proposals: Mapping[int, Sequence[Ask]] = field(default_factory=dict)


def fund_state(
    candles: Candles,
    *,
    style: Style | None = None,
    horizons: Horizons | None = None,
    around: Surroundings | None = None,
    first: int = 0,
    on_progress: OnProgress = quiet,
) -> StateColumns:
    """One snapshot at the close of each candle, from the bar at index `first` on; earlier ones only make history."""
    around = around or Surroundings()
    bars = len(candles.opened)
    arrived = np.arange(bars) if around.seen is None else around.seen
    market = market_state(candles, horizons or Horizons())
    log = PaperLog(PaperBook(market, style or Style()), around.proposals)
    own = empty_symbol_facts(candles.close.shape)
    for bar in range(bars):
        log.book.blind = bool(arrived[bar] < bar)
        log.book.step(bar)
        log.count()
        if bar >= first:
            log.note(bar, own)
        if bar % 100 == 0 or bar == bars - 1:
            on_progress(bar + 1, bars, f"paper book {candles.book}")
    age = candles.closed - candles.closed[arrived]
    measured = _market_facts(market) | {f"account.{n}": v for n, v in log.account.items()}
    single = {path: _as_seen(path, values, arrived, age) for path, values in measured.items()}
    single |= clock_facts(candles.closed) | {"market.data_age": whole(age)}
    ran = around.machinery or operations(candles.closed)
    entities = log.entities()
    for name, rows in ran.entities.items():
        entities[name] = entities[name].joined(rows) if name in entities else rows
    entities["symbol"] = _symbol_rows(market, own | dict(around.panels), arrived, age)
    state = StateColumns(candles.book, candles.cadence_ms, candles.closed, single | dict(ran.single), entities)
    return _from(state, first)


def _market_facts(market: MarketState) -> dict[str, NDArray[Any]]:
    return {
        "market.regime": market.market_regime[:, 0],
        "market.volatility": market.market_volatility[:, 0],
        "market.trend_strength": market.market_trend_strength[:, 0],
        "market.turbulence": market.market_turbulence[:, 0],
        "market.breadth": market.market_breadth[:, 0],
        "market.hour_move": market.market_hour_move[:, 0],
    }


def _as_seen(path: str, values: NDArray[Any], arrived: NDArray[np.int64], age: NDArray[np.int64]) -> Values:
    """The values of the newest bar that had arrived, masked where they are older than the fact may be."""
    return _fresh(path, values, np.zeros_like(age)) if path in UNMARKED else _fresh(path, values[arrived], age)


def _fresh(path: str, values: NDArray[Any], age: NDArray[np.int64]) -> Values:
    """Values in the language's own, without those whose age in ms is over the maximum age of the fact."""
    fact = CATALOGUE.fact(path)
    if fact is None:
        raise ValueError(f"the catalogue has no fact `{path}`")
    made = encode(values, fact)
    if isinstance(made, list) or fact.max_age is None:
        return made
    return np.ma.masked_array(made.data, mask=np.ma.getmaskarray(made) | (age > fact.max_age))


def _symbol_rows(
    market: MarketState, own: Mapping[str, NDArray[Any]], arrived: NDArray[np.int64], age: NDArray[np.int64]
) -> EntityColumns:
    """A row for each symbol from its first candle on; what is of a bar without its candle is missing."""
    candles = market.candles
    has = np.isfinite(candles.close)
    newest = np.maximum.accumulate(np.where(has, np.arange(len(has))[:, None], -1), axis=0)[arrived]
    bars, columns = np.nonzero(newest >= 0)
    price_age = candles.closed[bars] - candles.closed[newest[bars, columns]]
    panels: dict[str, NDArray[Any]] = {
        "tier": market.tier,
        "in_universe": has,
        "volume_24h": market.volume_24h,
        "volume_rank": np.where(market.liquidity_place > 0, market.liquidity_place, np.nan),
        "atr": market.atr,
        "volatility": market.volatility,
        "trend_strength": market.trend_strength,
        "trend_direction": market.trend_direction,
        "trend_t": market.trend_t,
        "trend_t_short": market.trend_t_short,
        "variance_ratio": market.variance_ratio,
        "opportunity_score": market.opportunity_score,
        "opportunity_rank": np.where(market.opportunity_rank > 0, market.opportunity_rank, np.nan),
        **own,
    }
    names = np.array(candles.symbols, dtype=object)
    fields: dict[str, Values] = {}
    for name, panel in panels.items():
        path = f"symbol.{name}"
        source = bars if path in UNMARKED else arrived[bars]
        fields[name] = _fresh(path, panel[source, columns], age[bars] if path not in UNMARKED else 0 * age[bars])
    sectors = np.array([sector_of(s) for s in candles.symbols], dtype=object)
    fields |= {"price_age": whole(price_age), "sector": sectors[columns].tolist()}
    return EntityColumns(candles.closed[bars], names[columns].tolist(), fields)


def _from(state: StateColumns, first: int) -> StateColumns:
    """The state from the snapshot at index `first` on, with a word on what is missing."""
    single: dict[str, Values] = {path: values[first:] for path, values in state.single.items()}
    entities = {}
    for name, rows in state.entities.items():
        keep = np.flatnonzero(rows.ts >= state.ts[first]).tolist()
        fields = {f: v[keep] if isinstance(v, np.ndarray) else [v[i] for i in keep] for f, v in rows.fields.items()}
        entities[name] = EntityColumns(rows.ts[keep], [rows.keys[i] for i in keep], fields)
    ts = state.ts[first:]
    return StateColumns(state.book, state.cadence_ms, ts, single, entities, {}, _gaps(single, ts))


def _gaps(single: Mapping[str, Values], ts: NDArray[np.int64]) -> dict[str, str]:
    """By fact, why it is missing: no source tells it, or its statistic had too little history at first."""
    gaps = dict(NOT_IN_CANDLES)
    for path, values in single.items():
        if not isinstance(values, np.ma.MaskedArray):
            continue
        known = np.flatnonzero(~np.ma.getmaskarray(values))
        if not len(known):
            gaps[path] = "there is never enough history for it"
        elif known[0] > 0 and path.startswith("market."):
            gaps[path] = f"not enough history before {format_time(int(ts[known[0]]))}"
    return gaps
