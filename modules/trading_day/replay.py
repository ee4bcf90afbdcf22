"""Each proposal of a day replayed by itself: what it would have come to, whether it was allowed or not.

The replay is of the same market, with nothing else changed: the order walks the book that was there, its stop trades
where the price reached it, its target and its end at the book of that minute, and both sides pay the taker's fee. So a
proposal that was denied has a fate, which a run without the policy that denied it mostly does not tell: there the fund
holds other things by then, and has no room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from modules.estimates.depth import walk
from modules.feeds.candles import Panel
from modules.simulated_market import MINUTE_MS
from modules.trading_day.limits import OWN, Looks
from modules.trading_day.lived import Asked, Lived, Replayed
from modules.trading_day.market import DayMarket
from modules.trading_day.signals import Signal
from modules.venues.paper_engine import Conditions

NO_LIMITS: Mapping[str, Looks] = MappingProxyType({})
FEE = Conditions().taker_fee


@dataclass(frozen=True, slots=True)
class Trial:
    """A proposal as it would have gone: its profit minute for minute from `first` on, the last one after its close."""

    first: int
    worth: Panel
    r_multiple: float

    @property
    def profit(self) -> float:
        """Profit after fees, quote currency."""
        return float(self.worth[-1])


def replayed(
    run: Lived,
    market: DayMarket,
    signals: Sequence[Signal],
    most_drawdown: float,
    limits: Mapping[str, Looks] = NO_LIMITS,
) -> tuple[Replayed, ...]:
    """The fate of every proposal that was put to the fund in this run.

    `most_drawdown` is how far below its peak of the day the fund's equity may come, a ratio; `limits` says what each
    rule of the balancer looks at.
    """
    known, curve = {s.id: s for s in signals}, np.asarray(run.curve)
    out = []
    for asked in run.asked:
        trial = tried(market, known[asked.signal], (asked.at - market.midnight) // MINUTE_MS, len(curve))
        alone = is_denied_by_pba_alone(asked)
        for_room = alone and any(limits.get(rule) is Looks.ROOM for rule in asked.denied_by)
        if trial is None:
            out.append(Replayed(asked.signal, asked.verdict, alone, for_room=for_room))
            continue
        with_it = curve.copy()
        if asked.filled <= 0:  # what was filled is part of the curve already
            last = trial.first + len(trial.worth)
            with_it[trial.first : last] += trial.worth
            with_it[last:] += trial.profit
        lost = 1 - with_it / np.maximum.accumulate(with_it)
        while_open = slice(trial.first, trial.first + len(trial.worth))
        breaches = bool((lost[while_open] > most_drawdown).any())
        out.append(
            Replayed(asked.signal, asked.verdict, alone, trial.profit, trial.r_multiple, breaches, for_room)
        )  # fmt: skip
    return tuple(out)


def tried(market: DayMarket, signal: Signal, minute: int, minutes: int) -> Trial | None:
    """The proposal traded at `minute` of the day; None where the book does not hold it, or it is open at the end."""
    candles, sign = market.candles, signal.sign
    column, first = market.column(signal.symbol), minute + 1
    start = market.midnight + minute * MINUTE_MS
    mark = market.price(signal.symbol, start)
    if column is None or mark is None:
        return None
    quantity = signal.notional / mark
    entry = _average(market, signal.symbol, start, sign > 0, quantity)
    stop, target = mark * (1 - sign * signal.stop), mark * (1 + sign * signal.target)
    if entry is None:
        return None
    worth: list[float] = []
    for bar in range(first, minutes):
        price, end = float(candles.close[bar, column]), market.midnight + bar * MINUTE_MS
        reach = float((candles.low if sign > 0 else candles.high)[bar, column])
        out = None
        if sign * (reach - stop) <= 0:
            opened = float(candles.open[bar, column])
            out = stop if sign * (opened - stop) > 0 else opened
        elif sign * (price - target) >= 0 or end - start >= signal.hold * MINUTE_MS:
            out = _average(market, signal.symbol, end, sign < 0, quantity)
        at = price if out is None else out
        worth.append(sign * quantity * (at - entry) - FEE * quantity * (entry + at))
        if out is not None:
            return Trial(first, np.array(worth), worth[-1] / (quantity * abs(entry - stop)))
    return None


def is_denied_by_pba_alone(asked: Asked) -> bool:
    """Whether every rule that denied it is one of the balancer's."""
    return bool(asked.denied_by) and all(rule.startswith(f"{OWN}.") for rule in asked.denied_by)


def _average(market: DayMarket, symbol: str, ts: int, buys: bool, quantity: float) -> float | None:
    """What the quantity trades at on average; None where the book does not hold it."""
    depth = market.depth(symbol, ts)
    got = None if depth is None else walk(depth.asks if buys else depth.bids, quantity)
    return None if got is None or got.quantity < quantity * (1 - 1e-9) else got.average
