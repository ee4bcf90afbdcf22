"""How much of a capital a bet with an edge may put at risk: Kelly's fraction, at the careful end of what is known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from scipy.special import betaincinv

from modules.estimates.progress import is_known

CAREFUL = 0.10
"""The quantile of the win rate's posterior that counts. Expected growth depends on the mean of the posterior only, so
without a rule of this kind a record of ten trades would bet as much as one of ten thousand."""


WHOLE_RISK = 1.0
"""R of a trade that loses all that was at risk."""


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

    A trade that made nothing has not won. Where nothing was lost a loss counts as the whole of what was at risk, 1 R;
    where nothing was won the payoff is 0. None without any trade.
    """
    known = [r for r in r_multiples if r is not None and is_known(r)]
    if not known:
        return None
    wins, losses = [r for r in known if r > 0], [-r for r in known if r < 0]
    won = math.fsum(wins) / len(wins) if wins else 0.0
    lost = math.fsum(losses) / len(losses) if losses else WHOLE_RISK
    return Record(len(known), len(wins) / len(known), won / lost)
