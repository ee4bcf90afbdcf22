"""Words for how symbols and positions have done; the bounds define the words."""

from __future__ import annotations

from modules.estimates.proportions import mean_interval
from modules.estimates.stored import as_stored
from modules.facts import CATALOGUE
from modules.facts.levels import CATEGORY
from policy_dsl.quantities import Unit, to_quanta

LEAST_TRADES = 3
BAD_WIN_RATE, BAD_AVERAGE_R = 0.35, 0.5
GOOD_WIN_RATE, GOOD_AVERAGE_R = 0.55, 1.2
CATEGORY_BOUNDS = (-0.5, -0.25, 0.25, 1.0)
"""R from which a position is STRUGGLING, BREAKEVEN, POTENTIAL_WINNER and WINNER: the predecessor's bounds. What may be
done with a WINNER is for the rules, which ask for more (`pal.min_r`)."""


def performance_by_interval(trades: int, average_r: float, deviation: float) -> str | None:
    """The name of `performance` for a record in one symbol by the 95 % interval of its mean R; None below three trades.

    BAD where all of it is below nothing, GOOD where all of it is above: what may be chance is NEUTRAL. `deviation` is
    the sample standard deviation of R.
    """
    if trades < LEAST_TRADES:
        return None
    low, high = mean_interval(trades, average_r, deviation)
    return "BAD" if high < 0 else "GOOD" if low > 0 else "NEUTRAL"


def performance_of(trades: int, win_rate: float, average_r: float) -> str | None:
    """The name of `performance` as the predecessor tagged it in what it recorded; None below three trades.

    BAD: fewer than 35 % won or less than 0.5 R on average. GOOD: more than 55 % won and more than 1.2 R on average.
    """
    if trades < LEAST_TRADES:
        return None
    if win_rate < BAD_WIN_RATE or average_r < BAD_AVERAGE_R:
        return "BAD"
    return "GOOD" if win_rate > GOOD_WIN_RATE and average_r > GOOD_AVERAGE_R else "NEUTRAL"


def category_of(r_multiple: float) -> str | None:
    """The name of `category` for a position at `r_multiple` times the risk first taken.

    WINNER from 1 R, POTENTIAL_WINNER from a quarter, BREAKEVEN within a quarter of nothing, STRUGGLING down to half
    the risk lost, LOSER beyond. None for a figure that is none or out of the range of `position.r_multiple`: what is
    not believed makes no word.
    """
    fact = CATALOGUE.fact("position.r_multiple")
    if fact is None or not fact.in_range(to_quanta(float(r_multiple), Unit.R)):
        return None
    r = as_stored(r_multiple, Unit.R)
    return CATEGORY.members[sum(r >= b for b in CATEGORY_BOUNDS)]
