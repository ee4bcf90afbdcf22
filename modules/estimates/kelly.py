"""How much of a capital a bet with an edge may put at risk: Kelly's fraction, at the careful end of what is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scipy.special import betaincinv

from modules.estimates.progress import is_known

CAREFUL = 0.10
"""The quantile of the win rate's posterior that counts. Expected growth depends on the mean of the posterior only, so
without a rule of this kind a record of ten trades would bet as much as one of ten thousand."""


@dataclass(frozen=True, slots=True)
class Record:
    """What closed trades tell: how many there were, the share that won, and mean win / mean loss in R."""

    trades: int
    win_rate: float
    payoff: float


def careful_win_rate(record: Record, quantile: float = CAREFUL) -> float:
    """That quantile of the win rate's posterior, Beta(won + 1/2, lost + 1/2), from Jeffreys' prior."""
    won = record.win_rate * record.trades
    return float(betaincinv(won + 0.5, record.trades - won + 0.5, quantile))


def fraction(win_rate: float, payoff: float) -> float:
    """The share of capital to lose where the bet is lost that makes it grow fastest (Kelly 1956); 0 without an edge.

    (p (b + 1) - 1) / b for a bet that wins b times what it loses with probability p.
    """
    if payoff <= 0:
        return 0.0
    return max(0.0, (win_rate * (payoff + 1) - 1) / payoff)


def careful_fraction(record: Record) -> float:
    """Kelly's fraction of a record at the careful quantile of its win rate."""
    return fraction(careful_win_rate(record), record.payoff)


def record_of(r_multiples: Iterable[float | None]) -> Record | None:
    """The record of trades by what they made in R; a trade without a known R is none.

    A trade that made nothing has not won. None where nothing was won or nothing lost: then nobody knows the payoff.
    """
    known = [r for r in r_multiples if r is not None and is_known(r)]
    wins, losses = [r for r in known if r > 0], [-r for r in known if r < 0]
    if not wins or not losses:
        return None
    payoff = (sum(wins) / len(wins)) / (sum(losses) / len(losses))
    return Record(len(known), len(wins) / len(known), payoff)
