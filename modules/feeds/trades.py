"""Closed trades as others recorded them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modules.facts.levels import SIDE, TRADE_EXIT
from modules.feeds.candles import book_name
from modules.feeds.columns import Columns, Kind, Wanted, numbers, read_columns, texts
from modules.feeds.faults import Faults

WANTED = (
    Wanted("symbol", Kind.TEXT, ("pair",)),
    Wanted("close_ts", Kind.TIME, ("closed_at", "close_date", "close_time", "exit_time")),
    Wanted("profit_abs", Kind.NUMBER, ("profit", "pnl", "realized_pnl"), required=False),
    Wanted("profit_ratio", Kind.NUMBER, ("pnl_pct", "return"), required=False),
    Wanted("side", Kind.TEXT, required=False),
    Wanted("exit_reason", Kind.TEXT, ("exit",), required=False),
    Wanted("source", Kind.TEXT, ("book",), required=False),
)

PROFITS = {"profit_abs", "profit_ratio"}

EXITS = {
    "stop_loss": "STOP_LOSS",
    "stoploss": "STOP_LOSS",
    "stop_loss_on_exchange": "STOP_LOSS",
    "stoploss_on_exchange": "STOP_LOSS",
    "sl": "STOP_LOSS",
    "trailing_stop_loss": "TRAILING_STOP",
    "trailing_stop": "TRAILING_STOP",
    "liquidation": "LIQUIDATION",
    "roi": "TAKE_PROFIT",
    "take_profit": "TAKE_PROFIT",
    "tp": "TAKE_PROFIT",
    "sell_signal": "SIGNAL",
    "exit_signal": "SIGNAL",
    "signal": "SIGNAL",
    "timeout": "TIME",
    "time": "TIME",
    "force_exit": "FORCED",
    "force_sell": "FORCED",
    "emergency_exit": "FORCED",
}
"""What recorders call their exits, in the words of the fact `trade.exit`; any other word is OTHER."""


@dataclass(frozen=True, slots=True)
class Trades:
    """The closed trades of one book by closing time; arrays of one length.

    `side` and `exit` are ranks, -1 where unknown. `profit` is signed, in the currency that the book counts in, NaN
    where unknown, `profit_ratio` its ratio to the stake, NaN where unknown. `outcome` is the sign of the profit, from
    its ratio where no amount was recorded.
    """

    book: str
    closed: NDArray[np.int64]
    symbol: list[str | None]
    side: NDArray[np.int64]
    exit: NDArray[np.int64]
    profit: NDArray[np.float64]
    profit_ratio: NDArray[np.float64]
    outcome: NDArray[np.float64]


def read_trades(path: Path) -> tuple[Trades, ...]:
    """The closed trades of a Parquet or CSV file, a book for each source that it names.

    Raises PolicyError with RF801 to RF805.
    """
    faults = Faults(path)
    columns = read_columns(path, WANTED, faults)
    absent = np.flatnonzero(np.ma.getmaskarray(columns["close_ts"]))
    for row in faults.first(absent):
        faults.add_row("RF805", row, "`close_ts` is empty")
    faults.count_rest("RF805", len(absent), "rows without `close_ts`")
    if not columns.keys() & PROFITS:
        faults.add("RF803", f"`{path.name}` has no column `profit_abs`", "it needs that or `profit_ratio`")
    for name in PROFITS & columns.keys():
        values = numbers(columns[name])
        infinite = np.flatnonzero(np.isinf(values))
        for row in faults.first(infinite):
            faults.add_row("RF805", row, f"`{name}` is {values[row]:g}")
        faults.count_rest("RF805", len(infinite), f"values of `{name}`")
    faults.stop_if_any()
    books = _books(columns, path)
    return tuple(_of_book(book, columns, books == book) for book in sorted(set(books.tolist())))


def _books(columns: Columns, path: Path) -> NDArray[np.str_]:
    sources = columns.get("source")
    default = book_name(path)
    if sources is None:
        return np.full(len(columns["close_ts"]), default)
    return np.array([book_name(Path(s)) if s else default for s in texts(sources)])


def _of_book(book: str, columns: Columns, here: NDArray[np.bool_]) -> Trades:
    places = np.flatnonzero(here)
    closed = columns["close_ts"].filled(0).astype(np.int64)
    places = places[np.argsort(closed[places], kind="stable")]

    def ranks(name: str, words: dict[str, int], other: int) -> NDArray[np.int64]:
        if name not in columns:
            return np.full(len(places), -1)
        found = texts(columns[name][places])
        return np.array([-1 if t is None else words.get(t.lower(), other) for t in found], dtype=np.int64)

    exits = {word: TRADE_EXIT.rank(name) for word, name in EXITS.items()}
    sides = {
        "long": SIDE.rank("LONG"),
        "buy": SIDE.rank("LONG"),
        "short": SIDE.rank("SHORT"),
        "sell": SIDE.rank("SHORT"),
    }
    profit, ratio = (
        numbers(columns[name][places]) if name in columns else np.full(len(places), np.nan)
        for name in ("profit_abs", "profit_ratio")
    )
    return Trades(
        book=book,
        closed=closed[places],
        symbol=texts(columns["symbol"][places]),
        side=ranks("side", sides, -1),
        exit=ranks("exit_reason", exits, TRADE_EXIT.rank("OTHER")),
        profit=profit,
        profit_ratio=ratio,
        outcome=np.sign(np.where(np.isnan(profit), ratio, profit)),
    )
