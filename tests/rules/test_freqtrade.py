"""freqtrade's four protections, written as rules: each does what it does there, oddities included.

What the files in `freqtrade/` cannot say, and why:

- MaxDrawdown once a trade has left the window. It sums ratios from the first trade of the window on, so that each
  point of that curve depends on where the window begins *and* where the point lies. A fold over events gives the sum
  over one window that ends now; earlier values of it are sums over earlier windows. As long as nothing has left the
  window both are one. Its peak starts at the first trade and not at nought: here too only where the history of the
  book begins with that trade, for a window cannot begin at an event.
- The order of trades that close in one snapshot. freqtrade judges after each of them, a rule after all of them.
  CooldownPeriod and StoplossGuard propose the same end either way; LowProfitPairs and MaxDrawdown may differ.
- A lock that its backtest still counts at the very moment of its end (`end >= now`); the rules are as its database is
  (`end > now`). An end that is one millisecond later would say the former.
- Options that exclude each other, and `unlock_reason`, which compares with the clock on the wall: a rule has no other
  time than that of the snapshot.
- A time of the day is counted right for closes to the second: at the last millisecond of a minute, a day or a candle
  the rounding that counts them is a tie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from evaluators.back_ends import BACK_ENDS
from evaluators.decision import Decision
from evaluators.snapshot import Snapshot
from evaluators.testing import run_cases
from evaluators.timestamps import parse_time
from modules.facts import CATALOGUE
from modules.facts.levels import SIDE, TRADE_EXIT
from modules.feeds import read_trades
from modules.recorded_state import trade_state
from policy_dsl.bundle import Bundle, check_files, load
from policy_dsl.files import CONFIGURATION_FILE, read_files
from policy_dsl.quantities import Unit, to_quanta
from policy_dsl.types import Value

RULES = Path(__file__).with_name("freqtrade")
MINUTE = 60_000
CANDLE = 5 * MINUTE
MIDNIGHT = parse_time("2018-01-02T00:00:00Z")
LOCKED = 0
STOPS = frozenset(TRADE_EXIT.rank(name) for name in ("STOP_LOSS", "TRAILING_STOP", "LIQUIDATION"))
LONG = SIDE.rank("LONG")


@cache
def rules() -> Bundle:
    return load(RULES, CATALOGUE)


def configured(text: str) -> Bundle:
    report = check_files(read_files(RULES) | {CONFIGURATION_FILE: text.encode()}, CATALOGUE)
    assert report.bundle is not None
    return report.bundle


@pytest.mark.parametrize("name", ["cooldown_period", "low_profit_pairs", "max_drawdown", "stoploss_guard"])
def test_each_file_is_sound_and_its_tests_hold_in_every_evaluator(name: str) -> None:
    file = f"{name}.rules"
    report = check_files({file: read_files(RULES)[file]}, CATALOGUE)
    assert report.bundle is not None
    assert report.diagnostics == ()
    found = list(run_cases(report.bundle, CATALOGUE))
    assert [r.case.name for r in found if not r.passed] == []
    assert len(found) >= 5


# --- settings other than those of the files ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed trade: `ratio` in quanta, `side` and `exit` as ranks; `at` in ms is when, `heard` when it was told."""

    at: int
    symbol: str
    side: int
    exit: int
    ratio: int
    heard: int

    def event(self) -> Mapping[str, Value | None]:
        return {
            "symbol": self.symbol,
            "side": self.side,
            "exit": self.exit,
            "profit_ratio": self.ratio,
            "closed_at": self.at,
        }


def stop(minute: int, percent: str, heard: int | None = None) -> Closed:
    ratio = to_quanta(percent, Unit.RATIO)
    assert ratio is not None
    at, told = (MIDNIGHT + MINUTE * m for m in (minute, minute if heard is None else heard))
    return Closed(at, "BTCUSDT", LONG, TRADE_EXIT.rank("STOP_LOSS"), ratio, told)


def snapshots(trades: Sequence[Closed], times: Iterable[int], symbols: Iterable[str]) -> list[Snapshot]:
    rows: Mapping[str, Mapping[str, Value | None]] = {symbol: {} for symbol in symbols}
    told: dict[int, tuple[Mapping[str, Value | None], ...]] = {}
    for trade in trades:
        told[trade.heard] = (*told.get(trade.heard, ()), trade.event())
    return [
        Snapshot("b", ts, {}, {"symbol": rows}, {"trade": told[ts]} if ts in told else {})
        for ts in sorted({*times, *told})
    ]


def decided(bundle: Bundle, found: list[Snapshot], evaluator: str = "python") -> list[Decision]:
    return BACK_ENDS[evaluator](bundle.program, max_gap=3 * CANDLE)(found)


def locked(decision: Decision, output: str, symbol: str | None = None) -> bool:
    value = decision.outputs[output]
    if symbol is not None:
        assert isinstance(value, Mapping)
        value = value[symbol]
    return value == LOCKED


@pytest.mark.parametrize(("ratio", "counts"), [("0", False), ("0.04", True), ("-0.04", True), ("0.05", False)])
def test_where_a_profit_is_required_a_stop_at_nought_still_does_not_count(ratio: str, counts: bool) -> None:
    bundle = configured('[params]\n"stoploss_guard.least_profit" = "5%"\n"stoploss_guard.limit" = "1"')
    (decision,) = decided(bundle, snapshots([stop(0, ratio)], [], ["BTCUSDT"]))
    assert locked(decision, "stoploss_guard.pair", "BTCUSDT") is counts


def test_a_lock_may_lie_in_the_past_when_it_is_made() -> None:
    bundle = configured('[params]\n"stoploss_guard.stop" = "10m"')
    trades = [stop(0, "-0.01"), stop(1, "-0.01", heard=20)]
    found = decided(bundle, snapshots(trades, [], ["BTCUSDT"]))
    assert [locked(d, "stoploss_guard.pair", "BTCUSDT") for d in found] == [False, False]
    in_time = decided(bundle, snapshots([trades[0], stop(1, "-0.01", heard=10)], [], ["BTCUSDT"]))
    assert [locked(d, "stoploss_guard.pair", "BTCUSDT") for d in in_time] == [False, True]


# --- the recorded backtest --------------------------------------------------------------------------------------------


class Bot:
    """What freqtrade's table of locks would hold, by the description of each protection: plain, slow, and no rules."""

    def __init__(self) -> None:
        self.closed: list[Closed] = []
        self.ends: dict[tuple[str, str], int] = {}

    def lock(self, protection: str, scope: str, end: int) -> None:
        moved_up = (end // CANDLE + 1) * CANDLE
        self.ends[protection, scope] = max(moved_up, self.ends.get((protection, scope), 0))

    def is_locked(self, protection: str, scope: str, now: int) -> bool:
        return self.ends.get((protection, scope), 0) > now

    def closes(self, now: int, trades: Sequence[Closed]) -> None:
        """Judge all protections after the trades that close now."""
        self.closed += trades
        for symbol in sorted({t.symbol for t in trades}):
            of_pair = [t for t in self.closed if t.symbol == symbol and t.at > now - 60 * MINUTE]
            sides = {t.side for t in trades if t.symbol == symbol}
            self.lock("cooldown_period.pair", symbol, last(of_pair) + 180 * MINUTE)
            self.guard("stoploss_guard.pair", symbol, of_pair)
            self.guard("stoploss_guard.longs", symbol, [t for t in of_pair if t.side == LONG])
            self.low_profit("low_profit_pairs.pair", symbol, of_pair, of_pair)
            if LONG in sides:
                longs = [t for t in of_pair if t.side == LONG]
                self.low_profit("low_profit_pairs.longs", symbol, of_pair, longs)
        self.guard("stoploss_guard.everything", "", [t for t in self.closed if t.at > now - 60 * MINUTE])
        self.drawdown([t for t in self.closed if t.at > now - 600 * MINUTE])

    def guard(self, name: str, scope: str, trades: Sequence[Closed]) -> None:
        stopped = [t for t in trades if t.exit in STOPS and t.ratio < 0]
        if len(stopped) >= 2:
            self.lock(name, scope, last(stopped) + 60 * MINUTE)

    def low_profit(self, name: str, scope: str, counted: Sequence[Closed], summed: Sequence[Closed]) -> None:
        if len(counted) >= 2 and sum(t.ratio for t in summed) < 10_000_000:
            self.lock(name, scope, last(counted) + 60 * MINUTE)

    def drawdown(self, trades: Sequence[Closed]) -> None:
        total, peak, deepest = 0, None, 0
        for at in sorted({t.at for t in trades}):
            total += sum(t.ratio for t in trades if t.at == at)
            peak = total if peak is None else max(peak, total)
            deepest = max(deepest, peak - total)
        if len(trades) >= 2 and deepest > 50_000_000:
            self.lock("max_drawdown.everything", "", last(trades) + 60 * MINUTE)


def last(trades: Sequence[Closed]) -> int:
    return max(t.at for t in trades)


def recorded(folder: Path) -> list[Closed]:
    (trades,) = (t for t in read_trades(folder / "trades.parquet") if t.book == "freqtrade_backtest")
    found = []
    for snapshot in trade_state(trades).snapshots(CATALOGUE):
        for event in snapshot.events["trade"]:
            symbol, numbers = event["symbol"], [event[n] for n in ("side", "exit", "profit_ratio")]
            assert isinstance(symbol, str)
            side, why, ratio = (int(n) for n in numbers if n is not None)
            found.append(Closed(snapshot.ts, symbol, side, why, ratio, snapshot.ts))
    return found


def test_three_stops_in_a_row_of_january_2018_lock_everything(shared_data: Path) -> None:
    since, until = parse_time("2018-01-16T22:00:00Z"), parse_time("2018-01-17T02:00:00Z")
    trades = [t for t in recorded(shared_data) if since < t.at < until]
    stops = [t.at for t in trades if t.exit in STOPS]
    assert stops == [parse_time(f"2018-01-16T22:{minute}:00Z") for minute in (25, 25, 45)]
    found = snapshots(trades, range(since, until, CANDLE), {t.symbol for t in trades})
    bundle = configured('[params]\n"stoploss_guard.limit" = "3"')
    for evaluator in BACK_ENDS:
        decisions = decided(bundle, found, evaluator)
        during = [d.ts for d in decisions if locked(d, "stoploss_guard.everything")]
        assert (during[0], during[-1]) == (stops[-1], parse_time("2018-01-16T23:45:00Z")), evaluator
        assert during == [d.ts for d in decisions if during[0] <= d.ts <= during[-1]]


def test_the_rules_lock_what_the_bot_would_have_locked_in_the_whole_backtest(shared_data: Path) -> None:
    trades = recorded(shared_data)
    times = {t.at // CANDLE * CANDLE + CANDLE * step for t in trades for step in range(1, 60)}
    symbols = sorted({t.symbol for t in trades})
    bot, locks = Bot(), 0
    for decision in decided(rules(), snapshots(trades, times, symbols)):
        now = decision.ts
        if closing := [t for t in trades if t.at == now]:
            bot.closes(now, closing)
        for name in ("cooldown_period.pair", "stoploss_guard.pair", "stoploss_guard.longs", "low_profit_pairs.pair",
                     "low_profit_pairs.longs"):  # fmt: skip
            for symbol in symbols:
                assert locked(decision, name, symbol) is bot.is_locked(name, symbol, now), (name, symbol, now)
                locks += bot.is_locked(name, symbol, now)
        assert locked(decision, "stoploss_guard.everything") is bot.is_locked("stoploss_guard.everything", "", now)
    assert locks > 1000
