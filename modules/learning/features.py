"""What models see of the candles: figures of each bar and symbol, from that bar and the ones before it alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from modules.estimates.windows import Panel, log_returns, over_symbols, trailing_sum
from modules.feeds.candles import Candles

SCALE = 24
"""Bars over which a symbol's own volatility is measured."""

LONGEST = 48
"""Bars that the longest figure looks at."""

MOST = 6.0
"""Figures are cut off here: one crash is not to decide what a model learns."""


@dataclass(frozen=True, slots=True)
class _Seen:
    candles: Candles
    returns: Panel
    scale: Panel

    @classmethod
    def of(cls, candles: Candles) -> _Seen:
        returns = log_returns(candles.close)
        mean = trailing_sum(returns**2, SCALE) / SCALE
        return cls(candles, returns, np.sqrt(np.where(mean > 0, mean, np.nan)))


def volatility(candles: Candles) -> Panel:
    """Root mean square log return of a bar over the last 24; NaN until they are known, and where nothing moved."""
    return _Seen.of(candles).scale


def _move(bars: int) -> Callable[[_Seen], Panel]:
    """Log return over so many bars, in standard deviations of as many bars that lead nowhere."""
    return lambda seen: trailing_sum(seen.returns, bars) / (seen.scale * np.sqrt(bars))


def _market(bars: int) -> Callable[[_Seen], Panel]:
    """The mean over the symbols of `_move`."""

    def figure(seen: _Seen) -> Panel:
        moves = _move(bars)(seen)
        return np.where(np.isfinite(moves), over_symbols(moves, np.nanmean), np.nan)

    return figure


def _unrest(seen: _Seen) -> Panel:
    """Logarithm of the mean square return of the last six bars over that of the last 48."""
    squares = seen.returns**2
    return _log_ratio(trailing_sum(squares, 6) / 6, trailing_sum(squares, LONGEST) / LONGEST)


def _surge(seen: _Seen) -> Panel:
    """Logarithm of the value traded in the last four bars over that of the last 48, a bar."""
    value = seen.candles.close * seen.candles.volume
    return _log_ratio(trailing_sum(value, 4) / 4, trailing_sum(value, LONGEST) / LONGEST)


def _body(seen: _Seen) -> Panel:
    """Where the bar closed against where it opened, as a share of its range; 0 for a bar without one."""
    candles = seen.candles
    reach = candles.high - candles.low
    return np.where(reach > 0, (candles.close - candles.open) / np.where(reach > 0, reach, 1.0), reach * 0.0)


def _log_ratio(above: Panel, below: Panel) -> Panel:
    known = (above > 0) & (below > 0)
    return np.where(known, np.log(np.where(known, above, 1.0) / np.where(known, below, 1.0)), np.nan)


FIGURES: Mapping[str, Callable[[_Seen], Panel]] = {
    **{f"move_{n}": _move(n) for n in (1, 2, 4, 8, 12, 24)},
    **{f"market_{n}": _market(n) for n in (1, 6)},
    "unrest": _unrest,
    "surge": _surge,
    "body": _body,
}
"""The figures by name: each makes a panel of the candles' shape, NaN where it is not known."""


def features(candles: Candles, names: tuple[str, ...]) -> Panel:
    """The figures named, shape (bars, symbols, figures), each cut off at six; NaN where one is not known."""
    seen = _Seen.of(candles)
    return np.clip(np.stack([FIGURES[name](seen) for name in names], axis=-1), -MOST, MOST)
