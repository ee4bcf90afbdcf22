"""How a market moved, hour by hour: worked out once a day (UTC) up to its midnight, and carried on as its hours end.

Whether the days before were worked out now or an hour ago makes no difference to what is told of the day: it is carried
on from midnight either way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modules.estimates import volatility
from modules.estimates.hours import HOURS_A_DAY, alike, at_midnight, of_days
from modules.estimates.volatility import Standing
from modules.estimates.windows import Panel, log_returns, middle, over_symbols
from modules.feeds.candles import Candles

LEAST = 7 * HOURS_A_DAY
"""Hours that a volatility forecast needs at least."""

PAST_DAYS = 399
"""A year of forecasts and what the first of them needs. With the day that goes on they are the 400 that are kept."""


RECENT = 14 * HOURS_A_DAY
"""Hours of which the returns of each symbol are told: the longest window that looks at them."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the hours of whole days tell, and where it is carried on.

    `forecast` has shape (hours, symbols); `index` (the mean return), `market_variance` (the median variance) and
    `turbulence` are of the market, shape (hours, 1); `recent` are the variances of the last `LEAST` hours.
    """

    hours: Candles
    forecast: Panel
    index: Panel
    market_variance: Panel
    turbulence: Panel
    recent: Panel
    standing: Standing

    @classmethod
    def of(cls, hours: Candles) -> Past:
        """From the first hour on."""
        returns = log_returns(hours.close)
        realised = volatility.bar_variance(hours.open, hours.high, hours.low, hours.close)
        forecast, standing = volatility.begun_forecast(realised, LEAST)
        return cls(
            hours,
            forecast,
            over_symbols(returns, np.nanmean),
            middle(realised),
            volatility.turbulence_score(returns, forecast),
            realised[-LEAST:].copy(),
            standing,
        )


@dataclass(frozen=True, slots=True)
class Moves:
    """Hours up to now and what they hold, as in `Past`; what has not moved of late has no forecast there.

    `returns` are those of the last `RECENT` hours, `forecast` those of the last `LEAST`, `earlier` those before them.
    """

    hours: Candles
    returns: Panel
    earlier: Panel
    forecast: Panel
    index: Panel
    market_variance: Panel
    turbulence: Panel


@dataclass(slots=True)
class Followed:
    """Tells how a market moved, and keeps what it worked out of whole days as long as they are the same ones."""

    _past: Past | None = None

    def moves(self, hours: Candles) -> Moves:
        """Of hours in their order, at least one; only the last `PAST_DAYS` and the day of the newest count."""
        hours = of_days(hours, PAST_DAYS)
        before, today = at_midnight(hours)
        past = self._past
        if past is None or not alike(past.hours, before):
            past = Past.of(before)
            self._past = past
        return _carried(past, today, hours)


def _carried(past: Past, today: Candles, hours: Candles) -> Moves:
    known = min(1, len(past.hours.opened))
    opened, high, low, close = (
        np.concatenate([getattr(past.hours, n)[-1:], getattr(today, n)]) for n in ("open", "high", "low", "close")
    )
    realised = volatility.bar_variance(opened, high, low, close)[known:]
    today_forecast = volatility.carried_forecast(realised, LEAST, past.standing)
    first = max(0, len(hours.opened) - LEAST)
    forecast = np.concatenate([past.forecast[first:], today_forecast])
    # What has not moved at all is frozen rather than calm: nothing is forecast of it.
    forecast[:, volatility.frozen(np.concatenate([past.recent, realised])[-LEAST:])] = np.nan
    returns = log_returns(hours.close[-RECENT - 1 :])[-RECENT:]
    index = over_symbols(log_returns(close)[known:], np.nanmean)
    return Moves(
        hours,
        returns,
        past.forecast[:first],
        forecast,
        np.concatenate([past.index, index]),
        np.concatenate([past.market_variance, middle(realised)]),
        _turbulence(past.turbulence[: first + 1], returns, forecast),
    )


def _turbulence(before: Panel, returns: Panel, forecast: Panel) -> Panel:
    """The scores of all hours, given those up to the first of `forecast`: the later ones anew, for it has changed."""
    scores = volatility.turbulence_score(returns[-len(forecast) :], forecast)
    return np.concatenate([before, scores[1:]]) if len(before) else scores
