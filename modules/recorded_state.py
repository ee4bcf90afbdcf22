"""Signals, policy observations and closed trades of others as columns of state.

Where a source says nothing of a fact, the fact is missing. What the source's own policy decided stays beside the
state as `Verdict`s and never becomes a fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from modules.clock_facts import clock_facts
from modules.estimates.records import LEAST_TRADES, performance_of
from modules.estimates.sectors import sector_of
from modules.facts.levels import SIDE, TRADE_EXIT
from modules.feeds.observations import Observations
from modules.feeds.signals import Signal, Signals
from modules.feeds.symbol_records import SymbolRecord
from modules.feeds.trades import Trades
from modules.state_columns import RowLog, StateColumns, Values

CADENCE_MS = 300_000
"""Signals and observations came every few minutes, trades whenever one closed; five minutes is what is declared."""

PASS_MS = 1_000
"""Signals further apart than this belong to different passes of the recorder over its symbols."""

SYMBOL_FIELDS = ("trades", "win_rate", "average_r", "performance", "in_universe", "sector")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the predecessor said of a request (its key; of the fund if empty) at `ts` in `book`: word, deed, reason."""

    book: str
    ts: int
    request: str
    verdict: str
    decision: str
    reason: str


def signal_state(
    signals: Signals, records: Mapping[str, SymbolRecord] | None, book: str = "signals"
) -> tuple[StateColumns, tuple[Verdict, ...]]:
    """One snapshot for each millisecond with signals, each signal a request to open, keyed by its place in the file.

    With `records`, a symbol's facts are its record if that was known by then, or no trades; without, they are missing.
    `symbol.in_universe` is false for a symbol without a record in a pass that has symbols with one that is not BAD:
    the predecessor then traded those only.
    """
    requests = RowLog(("symbol", "side", "effect", "model", "confidence", "votes"))
    symbols = RowLog(SYMBOL_FIELDS)
    verdicts = []
    allowed = _allowed(signals, records or {})
    for at, batch in groupby(enumerate(signals), key=lambda s: s[1].at):
        in_batch: set[str] = set()
        for place, signal in batch:
            key = f"s{place + 1:05d}"
            requests.add(at, key, signal.symbol, signal.side, "OPEN", "ensemble", signal.confidence, signal.votes)
            verdicts.append(Verdict(book, at, key, signal.verdict, signal.decision, signal.reason))
            if signal.symbol not in in_batch:
                in_batch.add(signal.symbol)
                in_universe = allowed[place] is None or signal.symbol in (allowed[place] or ())
                symbols.add(at, signal.symbol, *_record_facts(signal, records), in_universe, sector_of(signal.symbol))
    ts = np.unique(np.array([s.at for s in signals], dtype=np.int64))
    entities = {"request": requests.columns(), "symbol": symbols.columns()}
    return StateColumns(book, CADENCE_MS, ts, clock_facts(ts), entities), tuple(verdicts)


def _allowed(signals: Signals, records: Mapping[str, SymbolRecord]) -> list[frozenset[str] | None]:
    """For each signal, the only symbols that its pass would trade; None for any."""
    out: list[frozenset[str] | None] = []
    for batch in _passes(signals):
        tags = {s.symbol: _tag(records[s.symbol], s.at) for s in batch if s.symbol in records}
        listed = frozenset(symbol for symbol, tag in tags.items() if tag is not None and tag != "BAD")
        out += [listed or None] * len(batch)
    return out


def _passes(signals: Signals) -> list[list[Signal]]:
    out: list[list[Signal]] = []
    for signal in signals:
        if out and signal.at - out[-1][-1].at <= PASS_MS:
            out[-1].append(signal)
        else:
            out.append([signal])
    return out


def _tag(record: SymbolRecord, at: int) -> str | None:
    if record.known_at > at or record.trades < LEAST_TRADES:
        return None
    return performance_of(record.trades, record.wins / record.trades, float(record.total_r) / record.trades)


def _record_facts(
    signal: Signal, records: Mapping[str, SymbolRecord] | None
) -> tuple[int | None, float | None, float | None, str | None]:
    """Trades, win rate, average R and performance of the signal's symbol, as known at the signal's time."""
    if records is None:
        return None, None, None, None
    record = records.get(signal.symbol)
    if record is None or record.known_at > signal.at or record.trades == 0:
        return 0, None, None, None
    rate, average = record.wins / record.trades, float(record.total_r) / record.trades
    return record.trades, rate, average, _tag(record, signal.at)


def observation_state(
    observations: Observations, book: str = "observations"
) -> tuple[StateColumns, tuple[Verdict, ...]]:
    """One snapshot for each observation: risk state, regime, volatility and the record of its symbols."""
    symbols = RowLog(("win_rate", "average_r", "performance"))
    verdicts = []
    for seen in observations:
        for symbol in seen.symbols:
            symbols.add(seen.at, symbol.symbol, symbol.win_rate, symbol.average_r, symbol.performance)
        allows = "ALLOW" if seen.policy.get("allow_new_trades") is True else "BLOCK"
        floor = seen.policy.get("min_confidence")
        reason = f"minimum confidence {floor}; {seen.policy.get('note', '')}"
        verdicts.append(Verdict(book, seen.at, "", allows, "OBSERVED", reason))
    ts = np.array([o.at for o in observations], dtype=np.int64)
    single: dict[str, Values] = {
        "market.regime": [o.regime for o in observations],
        "market.volatility": [o.volatility for o in observations],
        "account.drawdown": [o.drawdown for o in observations],
        "account.daily_loss": [o.daily_loss for o in observations],
        "account.losing_streak": [Decimal(o.losing_streak) for o in observations],
        "account.open_positions": [Decimal(o.open_positions) for o in observations],
        "account.gross_exposure": [o.exposure for o in observations],
    }
    state = StateColumns(book, CADENCE_MS, ts, single | clock_facts(ts), {"symbol": symbols.columns()})
    return state, tuple(verdicts)


def trade_state(trades: Trades) -> StateColumns:
    """One snapshot for each time at which trades closed, with them as events and the losing streak after them.

    The streak ends at a trade without loss; it is unknown after a trade whose outcome is, until one ends it. There is
    a row for each symbol that was traded by then.
    """
    rows = RowLog(("symbol", "side", "exit", "profit", "profit_ratio", "closed_at"))
    sides, exits = (*SIDE.members, None), (*TRADE_EXIT.members, None)
    places: dict[int, int] = {}
    for i, at in enumerate(trades.closed.tolist()):
        place = places[at] = places.get(at, -1) + 1
        side, why = sides[int(trades.side[i])], exits[int(trades.exit[i])]
        profit, ratio = float(trades.profit[i]), float(trades.profit_ratio[i])
        rows.add(at, f"{place:08d}", trades.symbol[i], side, why, profit, ratio, at / 1000)
    ts, last = np.unique(trades.closed[::-1], return_index=True)
    streak = _streaks(trades.outcome)[len(trades.closed) - 1 - last]
    single: dict[str, Values] = {"account.losing_streak": streak, **clock_facts(ts)}
    entities = {"trade": rows.columns(), "symbol": _traded(trades, ts).columns()}
    return StateColumns(trades.book, CADENCE_MS, ts, single, entities)


def _traded(trades: Trades, ts: NDArray[np.int64]) -> RowLog:
    """A row for each symbol at each of the times `ts` from its first closed trade on."""
    first: dict[str, int] = {}
    for at, symbol in zip(trades.closed.tolist(), trades.symbol, strict=True):
        if symbol is not None:
            first.setdefault(symbol, at)
    rows = RowLog(("sector",))
    for at in ts.tolist():
        for symbol in sorted(s for s, since in first.items() if since <= at):
            rows.add(at, symbol, sector_of(symbol))
    return rows


def _streaks(outcome: NDArray[np.float64]) -> NDArray[np.float64]:
    """Losing trades in a row after each trade, from the signs of profits (NaN unknown)."""
    out, streak = np.empty(len(outcome)), 0.0
    for i, sign in enumerate(outcome.tolist()):
        streak = 0.0 if sign >= 0 else streak + (1.0 if sign < 0 else np.nan)
        out[i] = streak
    return out
