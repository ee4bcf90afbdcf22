"""Candles of many symbols on one time grid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluators.timestamps import format_time
from modules.feeds.columns import Columns, Kind, Wanted, numbers, read_columns
from modules.feeds.faults import Faults

Panel = NDArray[np.float64]
"""One number a bar and symbol, shape (bars, symbols); NaN where there is no candle."""

WANTED = (
    Wanted("symbol", Kind.TEXT, ("pair", "market")),
    Wanted("ts", Kind.TIME, ("timestamp", "time", "open_time", "date", "datetime")),
    Wanted("open", Kind.NUMBER),
    Wanted("high", Kind.NUMBER),
    Wanted("low", Kind.NUMBER),
    Wanted("close", Kind.NUMBER),
    Wanted("volume", Kind.NUMBER, ("base_volume", "vol")),
    Wanted("is_futures", Kind.FLAG, required=False),
)
PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Candles:
    """The candles of one book: prices in quote currency, `volume` in base units.

    `opened` holds the opening time of each bar in milliseconds, strictly increasing; a bar closes, and is known, at
    `opened + cadence_ms`. `symbols` are sorted. A candle is there whole or, in all five panels, not at all.
    """

    book: str
    cadence_ms: int
    opened: NDArray[np.int64]
    symbols: tuple[str, ...]
    open: Panel
    high: Panel
    low: Panel
    close: Panel
    volume: Panel

    @property
    def closed(self) -> NDArray[np.int64]:
        """The closing time of each bar, milliseconds."""
        return self.opened + self.cadence_ms


def read_candles(path: Path) -> tuple[Candles, ...]:
    """The candles of a Parquet or CSV file: a book `futures` and one `spot` if it tells them apart, else its own name.

    Raises PolicyError with RF801 to RF807.
    """
    faults = Faults(path)
    columns = read_columns(path, WANTED, faults)
    _check_values(columns, faults)
    faults.stop_if_any()
    symbols = np.array(columns["symbol"].tolist(), dtype=np.str_)
    books = _books(columns, path)
    _check_order(columns["ts"].filled(0), symbols, books, faults)
    faults.stop_if_any()
    return tuple(_panels(book, columns, symbols, books == book, faults) for book in sorted(set(books.tolist())))


def book_name(path: Path) -> str:
    """The name of the file without its ending, as a book may be called."""
    return (re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem).lstrip(".-") or "imported")[:64]


def _check_values(columns: Columns, faults: Faults) -> None:
    for name in ("symbol", "ts"):
        absent = np.flatnonzero(np.ma.getmaskarray(columns[name]))
        for row in faults.first(absent):
            faults.add_row("RF805", row, f"`{name}` is empty")
        faults.count_rest("RF805", len(absent), f"rows without `{name}`")
    possible = np.ones(len(columns["ts"]), dtype=np.bool_)
    for name in (*PRICES, "volume"):
        possible &= _possible(name, numbers(columns[name]), faults)
    high, low = numbers(columns["high"]), numbers(columns["low"])
    body = np.stack([numbers(columns["open"]), numbers(columns["close"])])
    wrong = np.flatnonzero(possible & ((high < body.max(axis=0)) | (low > body.min(axis=0))))
    for row in faults.first(wrong):
        faults.add_row("RF807", row, f"high {high[row]:g} and low {low[row]:g} do not hold open and close")
    faults.count_rest("RF807", len(wrong), "candles")


def _possible(name: str, values: Panel, faults: Faults) -> NDArray[np.bool_]:
    """Where a column holds what a price or volume can be; elsewhere it is a fault (RF805)."""
    least = "a positive" if name in PRICES else "a non-negative"
    possible: NDArray[np.bool_] = np.isfinite(values) & ((values > 0) if name in PRICES else (values >= 0))
    wrong = np.flatnonzero(~possible)
    for row in faults.first(wrong):
        faults.add_row("RF805", row, f"`{name}` is {values[row]:g}, and must be {least} number")
    faults.count_rest("RF805", len(wrong), f"values of `{name}`")
    return possible


def _books(columns: Columns, path: Path) -> NDArray[np.str_]:
    futures = columns.get("is_futures")
    if futures is None:
        return np.full(len(columns["ts"]), book_name(path))
    return np.where(futures.filled(False).astype(np.bool_), "futures", "spot")


def _check_order(times: NDArray[np.int64], symbols: NDArray[np.str_], books: NDArray[np.str_], faults: Faults) -> None:
    """Times of one symbol in one book strictly increase in the order of the file (RF806)."""
    order = np.lexsort((np.arange(len(times)), symbols, books))
    same = (symbols[order][1:] == symbols[order][:-1]) & (books[order][1:] == books[order][:-1])
    step = np.diff(times[order])
    wrong = np.sort(order[1:][same & (step <= 0)])
    before = dict(zip(order[1:].tolist(), order[:-1].tolist(), strict=True)) if len(wrong) else {}
    for row in faults.first(wrong):
        at, earlier = int(times[row]), int(times[before[row]])
        how = "is there twice" if at == earlier else f"comes after the one of {format_time(earlier)}"
        message = f"the candle of `{symbols[row]}` at {format_time(at)} {how}"
        faults.add_row("RF806", row, message, "sort the file by symbol and time, one candle a symbol and time")
    faults.count_rest("RF806", len(wrong), "candles out of order")


def _panels(book: str, columns: Columns, symbols: NDArray[np.str_], here: NDArray[np.bool_], faults: Faults) -> Candles:
    times = columns["ts"].filled(0).astype(np.int64)[here]
    opened, bars = np.unique(times, return_inverse=True)
    names, places = np.unique(symbols[here], return_inverse=True)
    panels = {}
    for name in (*PRICES, "volume"):
        panel = np.full((len(opened), len(names)), np.nan)
        panel[bars, places] = numbers(columns[name])[here]
        panels[name] = panel
    cadence = _cadence(opened, faults, book)
    return Candles(book, cadence, opened, tuple(str(n) for n in names), **panels)


def _cadence(opened: NDArray[np.int64], faults: Faults, book: str) -> int:
    """The most frequent distance of two bars, the smaller where two are as frequent."""
    if len(opened) == 1:
        raise faults.fatal("RF802", f"book `{book}` has one bar", "give at least two, so that their distance is known")
    steps, counts = np.unique(np.diff(opened), return_counts=True)
    return int(steps[np.argmax(counts)])
