"""MSC AI: what kind of market it is, and how each symbol moves in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from modules.assembly import Supplied
from modules.estimates import har, trend, volatility
from modules.estimates.hours import HOUR_MS, HOURS_A_DAY, STALE_MS, covers, hourly, newest
from modules.estimates.market_moves import LEAST, PAST_DAYS, RECENT, Followed, Moves
from modules.estimates.regimes import Returns, TwoStates, regime, two_states
from modules.estimates.windows import UNKNOWN, Panel, latest_rank
from modules.facts import CATALOGUE
from modules.facts.levels import TREND_DIRECTION, VOLATILITY
from modules.feeds.candles import Candles
from modules.inputs import Inputs
from modules.judge import Judge
from modules.sources.feed import FeedSource
from modules.supply import Row, Supply
from policy_dsl.types import Levels

DAY = HOURS_A_DAY
TREND, SHORT_TREND, BREADTH = RECENT, 3 * DAY, 7 * DAY
"""Hours that trend, short trend and breadth look at."""

ATR_BARS = 14
YEAR = 365 * DAY
REGIME_FIT = 90 * DAY
"""Hours from which the two states of the market are learnt."""

POSTURE = "msc.posture"
LEAST_POSTURE = "DEFENSIVE"
"""What a fund does of whose posture no rule says anything."""

MARKET_FACTS = ("regime", "wild_probability", "volatility", "trend_strength", "trend_t", "turbulence", "breadth")

ALL_OWNERS = tuple(sorted({f.owner for entity in CATALOGUE.entities.values() for f in entity.facts.values()}))


class MetaStrategyController:
    """Regime, volatility, trend, turbulence and breadth of the market, and how each symbol moves.

    Everything is told of hours, so that what was worked out of candles stands until there are others. The fit of the
    market's states is kept as long as its returns are the same ones, and what days tell as long as their prices are.
    """

    name: ClassVar[str] = "msc_ai"
    policy: ClassVar[str | None] = "msc"
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 1800
    owners: ClassVar[tuple[str, ...]] = ("MSC AI",)

    def __init__(self, inputs: Inputs | None = None, judge: Judge | None = None) -> None:
        self._inputs = inputs
        self._judge = judge
        self._fitted: tuple[bytes, TwoStates | None] | None = None
        self._followed = Followed()
        self._told: tuple[Candles, tuple[int, int], Supply] | None = None

    def compute(self, inputs: Inputs) -> Supply:
        """The market's facts, and a row for each symbol of which there are candles."""
        candles = inputs.market.candles
        why = _unusable(candles, inputs.ts)
        if candles is None or why is not None:
            return Supply(reasons={f"market.{fact}": why or "" for fact in MARKET_FACTS})
        bars = newest(candles, inputs.ts, PAST_DAYS + 1)
        span = (int(bars.opened[0]), int(bars.opened[-1]))
        if self._told is None or self._told[0] is not candles or self._told[1] != span:
            self._told = candles, span, self._tell(bars)
        return self._told[2]

    def _tell(self, bars: Candles) -> Supply:
        """The facts of bars that have closed."""
        hours = hourly(bars)
        if len(hours.opened) == 0:
            return Supply(reasons={f"market.{fact}": "no hour of candles is over" for fact in MARKET_FACTS})
        moves = self._followed.moves(hours)
        told = _Told()
        _tell_direction(moves, told)
        _tell_states(moves, self._states, told)
        _tell_unrest(moves, told)
        rows, reasons = _symbols(moves)
        return Supply(told.single, {"symbol": rows}, reasons=told.reasons | reasons)

    def evaluate_market_conditions(self, inputs: Inputs | None = None) -> dict[str, Any]:
        """The market's facts by name, None where missing, with `risk_mode`: the posture that the rules ask for.

        `reasons` say why facts are missing, `because` which rules took the posture down. Without inputs nothing is
        known of the market, and what the rules then say stands.
        """
        state = inputs or self._inputs or Inputs("main", 0)
        supply = self.compute(state)
        parts = [
            Supplied("known", ALL_OWNERS, state.ts, state.known),
            Supplied("feed", FeedSource.owners, state.ts, FeedSource().compute(state)),
            Supplied(self.name, self.owners, state.ts, supply),
        ]
        self._judge = self._judge or Judge()
        answer = self._judge.answer(state.ts, parts, state.book_name)
        told = {fact: supply.single.get(f"market.{fact}") for fact in MARKET_FACTS}
        return {
            "risk_mode": answer.outputs.get(POSTURE, LEAST_POSTURE),
            **told,
            "reasons": {path: why for path, why in supply.reasons.items() if path.startswith("market.")},
            "because": {rule: why for rule, why in answer.because.items() if rule.startswith("msc.")},
        }

    def _states(self, returns: Returns) -> TwoStates | None:
        key = returns.tobytes()
        if self._fitted is None or self._fitted[0] != key:
            self._fitted = (key, two_states(returns))
        return self._fitted[1]


def _unusable(candles: Candles | None, now: int) -> str | None:
    """Why candles say nothing of the market now, if they do not."""
    if candles is None or len(candles.opened) == 0 or not candles.symbols:
        return "there are no candles"
    if candles.cadence_ms > HOUR_MS:
        return f"candles of {candles.cadence_ms / HOUR_MS:g} hours are too coarse: an hour at most"
    closed = candles.closed[candles.closed <= now]
    if len(closed) == 0:
        return "no candle has closed yet"
    age = now - int(closed[-1])
    return f"the newest candle closed {age / HOUR_MS:.1f} hours ago" if age > STALE_MS else None


@dataclass(slots=True)
class _Told:
    """The market's facts by path, and why those that are missing are."""

    single: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def put(self, fact: str, value: str | float | None, why: str) -> None:
        if value is None or value != value:  # noqa: PLR0124 -- only NaN differs from itself
            self.reasons[f"market.{fact}"] = why
        else:
            self.single[f"market.{fact}"] = value


def _tell_direction(moves: Moves, told: _Told) -> None:
    """Where the market went: its index is the mean return of its symbols."""
    hours, window = moves.hours, moves.index[-TREND:]
    is_there = covers(hours, TREND + 1)
    too_few = _too_few(hours, TREND + 1)
    told.put("trend_strength", float(trend.efficiency(window, TREND)[-1, 0]) if is_there else None, too_few)
    told.put("trend_t", float(trend.trend_t(window, TREND)[-1, 0]) if is_there else None, too_few)
    breadth = float(trend.breadth(hours.close[-BREADTH:], BREADTH)[-1, 0])
    told.put("breadth", breadth if covers(hours, BREADTH) else None, _too_few(hours, BREADTH))


def _tell_states(moves: Moves, states: Callable[[Returns], TwoStates | None], told: _Told) -> None:
    """Which of its two states the market is in, and whether it goes anywhere in it."""
    returns = moves.index[-REGIME_FIT:, 0]
    why, found = _too_few(moves.hours, REGIME_FIT + 1), None
    if covers(moves.hours, REGIME_FIT + 1) and np.isfinite(returns).all():
        why, found = "the search for the market's two states did not converge", states(returns)
    told.put("regime", None if found is None else regime(returns[-TREND:], found), why)
    told.put("wild_probability", None if found is None else found.wild, why)


def _tell_unrest(moves: Moves, told: _Told) -> None:
    """How wild the market is going to be, and how wild the last hour was, among what the past year has seen."""
    least = DAY * (har.LEAST_PAST + har.LAGS[-1] + 1)
    rank = har.forecast_rank(moves.market_variance[:, 0], DAY) if covers(moves.hours, least) else None
    level = None if rank is None else VOLATILITY.members[int(volatility.volatility_level(np.array([rank]))[0])]
    told.put("volatility", level, _too_few(moves.hours, least))
    turbulence = float(latest_rank(moves.turbulence, LEAST, YEAR)[0])
    told.put("turbulence", turbulence, _too_few(moves.hours, 2 * LEAST))


def _too_few(hours: Candles, least: int) -> str:
    if len(hours.opened) < least:
        return f"{len(hours.opened)} hours of candles, and it takes {least}"
    return f"the last {least} hours of candles have gaps, or nothing changes in them"


def _symbols(moves: Moves) -> tuple[dict[str, Row], dict[str, str]]:
    """A row for each symbol, and why facts of it are missing."""
    hours = moves.hours
    window = moves.returns
    t = _newest(hours, TREND + 1, lambda: trend.trend_t(window, TREND))
    rank = latest_rank(moves.forecast, LEAST, YEAR, moves.earlier)
    recent = slice(-ATR_BARS - 1, None)
    ranges = (hours.high[recent], hours.low[recent], hours.close[recent])
    columns: dict[str, tuple[int, list[Any]]] = {
        "atr": (
            ATR_BARS + 1,
            _moved(_newest(hours, ATR_BARS + 1, lambda: volatility.average_range(*ranges, ATR_BARS))).tolist(),
        ),
        "volatility": (2 * LEAST, _names(volatility.volatility_level(rank), VOLATILITY)),
        "volatility_rank": (2 * LEAST, rank.tolist()),
        "trend_strength": (
            TREND + 1,
            _newest(hours, TREND + 1, lambda: trend.efficiency(window, TREND)).tolist(),
        ),
        "trend_direction": (TREND + 1, _names(trend.direction_level(t), TREND_DIRECTION)),
        "trend_t": (TREND + 1, t.tolist()),
        "trend_t_short": (
            SHORT_TREND + 1,
            _newest(hours, SHORT_TREND + 1, lambda: trend.trend_t(moves.returns[-SHORT_TREND:], SHORT_TREND)).tolist(),
        ),
        "variance_ratio": (
            TREND + 1,
            _newest(hours, TREND + 1, lambda: trend.variance_ratio(window, DAY)[None, :]).tolist(),
        ),
    }
    return _rows(hours, columns)


def _rows(hours: Candles, columns: Mapping[str, tuple[int, list[Any]]]) -> tuple[dict[str, Row], dict[str, str]]:
    """Columns of facts, each with the hours it takes, as rows; and by fact of a row why it is missing."""
    rows: dict[str, Row] = {}
    reasons: dict[str, str] = {}
    for i, symbol in enumerate(hours.symbols):
        row = {}
        for fact, (takes, values) in columns.items():
            value = values[i]
            if value is None or value != value:  # noqa: PLR0124 -- only NaN differs from itself
                there = int(np.isfinite(hours.close[-takes:, i]).sum())
                if there < takes:
                    why = f"{there} of its last {takes} hours have candles"
                elif covers(hours, takes):
                    why = "it does not move"
                else:
                    why = f"the last {takes} hours of candles have gaps"
                reasons[f'symbol["{symbol}"].{fact}'] = why
            else:
                row[fact] = value
        rows[symbol] = row
    return rows, reasons


def _newest(hours: Candles, takes: int, statistic: Callable[[], Panel]) -> NDArray[np.float64]:
    """The last row of a statistic; NaN where the hours it takes are not all there."""
    return statistic()[-1] if covers(hours, takes) else np.full(len(hours.symbols), np.nan)


def _moved(ranges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranges, NaN for none at all: what does not move is frozen, and says nothing of how far it may go."""
    return np.where(ranges > 0, ranges, np.nan)


def _names(ranks: NDArray[np.int64], levels: Levels) -> list[str | None]:
    return [levels.members[rank] if rank != UNKNOWN else None for rank in ranks.tolist()]
