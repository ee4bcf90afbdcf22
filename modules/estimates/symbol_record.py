"""The fund's own record in a symbol, from its closed trades. A trade whose result nobody knows is no trade of it."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modules.estimates.records import LEAST_TRADES, performance_by_interval
from modules.estimates.standing import RECORD_DAYS, Record
from modules.inputs import ClosedTrade
from policy_dsl.quantities import MS_PER_DAY

NO_BOOK = "the fund's closed trades are not known"


def by_symbol(trades: Iterable[ClosedTrade], now: int) -> Mapping[str, list[ClosedTrade]]:
    """The trades that had closed by `now` (ms) and whose profit is known, by symbol, in their order."""
    found: dict[str, list[ClosedTrade]] = defaultdict(list)
    for trade in trades:
        if trade.profit is not None and math.isfinite(trade.profit) and trade.closed <= now:
            found[trade.symbol].append(trade)
    return dict(found)


def recent(trades: Sequence[ClosedTrade], now: int) -> Record:
    """What standing rests on: the trades of the last `RECORD_DAYS`."""
    late = _late(trades, now)
    return Record(len(late), _wins(late), tuple(_multiples(late)))


def record_facts(known: Sequence[ClosedTrade] | None, now: int) -> tuple[dict[str, Any], dict[str, str]]:
    """`trades`, `win_rate`, `average_r` and `performance`, and by fact why those that are missing are.

    They are of the trades of the last `RECORD_DAYS`, as standing is, so that no symbol is BAD for ever. None is a book
    that nobody knows. The mean R is missing where R is known of some trades only: those that were
    opened without a stop may be the worst ones.
    """
    if known is None:
        return {}, dict.fromkeys(("trades", "win_rate", "average_r", "performance"), NO_BOOK)
    trades = _late(known, now)
    if not trades:
        why = f"the fund closed no trade in it in {RECORD_DAYS} days" if known else "the fund closed no trade in it"
        return {"trades": 0}, dict.fromkeys(("win_rate", "average_r", "performance"), why)
    count, multiples = len(trades), _multiples(trades)
    facts: dict[str, Any] = {"trades": count, "win_rate": _wins(trades) / count}
    if len(multiples) < count:
        return facts, dict.fromkeys(("average_r", "performance"), f"R is known of {len(multiples)} of {count} trades")
    facts["average_r"] = math.fsum(multiples) / count
    tag = performance_by_interval(count, facts["average_r"], statistics.stdev(multiples) if count > 1 else 0.0)
    if tag is None:
        return facts, {"performance": f"{count} trades, and a record needs {LEAST_TRADES}"}
    return facts | {"performance": tag}, {}


def _late(trades: Sequence[ClosedTrade], now: int) -> list[ClosedTrade]:
    return [t for t in trades if now - t.closed <= RECORD_DAYS * MS_PER_DAY]


def _wins(trades: Sequence[ClosedTrade]) -> int:
    return sum(1 for t in trades if t.profit is not None and t.profit > 0)


def _multiples(trades: Sequence[ClosedTrade]) -> list[float]:
    return [t.r_multiple for t in trades if t.r_multiple is not None and math.isfinite(t.r_multiple)]
