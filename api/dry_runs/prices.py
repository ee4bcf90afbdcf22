"""The price over which a report is drawn: recordings hold no prices, the candles that they came from do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from api.dry_runs.chart import Curve
from modules.feeds.candles import Candles, read_candles

LEADER = "BTC"
"""The market is shown by the symbol that starts with this, if there is one."""


def price_curve(path: Path, book: str, times: Sequence[int]) -> Curve:
    """The last close known at each time (ms), of the market's leader, else of the first symbol; None before the first.

    Of several books in the file, `book` is taken if it is there, else the first. Raises PolicyError (RF801-RF807).
    """
    found = read_candles(path)
    candles = next((c for c in found if c.book == book), found[0])
    column = _leader(candles)
    known = np.searchsorted(candles.closed, np.asarray(times, dtype=np.int64), side="right") - 1
    closes = np.where(known >= 0, candles.close[known, column], np.nan)
    return Curve(candles.symbols[column], times, [float(c) if np.isfinite(c) else None for c in closes])


def _leader(candles: Candles) -> int:
    return next((i for i, symbol in enumerate(candles.symbols) if symbol.startswith(LEADER)), 0)
