"""Trailing windows over panels: each value is of its own bar and earlier ones."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import rankdata

Panel = NDArray[np.float64]
"""Shape (bars, symbols), NaN where unknown."""

UNKNOWN = -1
"""The rank of a level that is not known."""


def trailing_sum(values: Panel, bars: int) -> Panel:
    """Sum of each bar and the `bars - 1` before it; NaN until there are that many, and where one of them is NaN."""
    out = np.full(values.shape, np.nan)
    if len(values) >= bars:
        out[bars - 1 :] = sliding_window_view(values, bars, axis=0).sum(axis=-1)
    return out


def log_returns(close: Panel) -> Panel:
    """ln(close / close of the bar before), NaN at the first bar."""
    out = np.full(close.shape, np.nan)
    logs = np.log(close)
    np.subtract(logs[1:], logs[:-1], out=out[1:])
    return out


def smoothed(values: Panel, half_life: float) -> Panel:
    """Exponentially weighted mean with the given half-life in bars, weights of the bars seen adding up to one.

    A bar without a value leaves the mean as it is; NaN before the first.
    """
    keep = 0.5 ** (1 / half_life)
    known = np.isfinite(values)
    out = np.full(values.shape, np.nan)
    if len(values) == 0:
        return out
    weights = _decayed(np.ones(len(values)), keep)
    # Where no bar is missing after the first one, columns that begin together are one filter with one set of weights.
    is_whole = (known[1:] >= known[:-1]).all(axis=0) & known[-1]
    first = np.where(is_whole, known.argmax(axis=0), -1)
    for start in np.unique(first[is_whole]).tolist():
        columns = np.flatnonzero(first == start)
        here = slice(None) if len(columns) == len(first) else columns
        sums = _decayed(values[start:, here], keep)
        out[start:, here] = np.divide(sums, weights[: len(values) - start, None], out=sums)
    for column in np.flatnonzero(~is_whole & known.any(axis=0)).tolist():
        there, seen = known[:, column], known[:, column].cumsum()
        means = _decayed(values[there, column], keep) / weights[: seen[-1]]
        out[seen > 0, column] = means[seen[seen > 0] - 1]
    return out


def smoothed_on(values: Panel, half_life: float, mean: NDArray[np.float64], seen: NDArray[np.int64]) -> Panel:
    """As `smoothed`, of bars that follow others: `mean` was the last of theirs, `seen` their known bars, (symbols,)."""
    keep = 0.5 ** (1 / half_life)
    weight = (1 - keep**seen) / (1 - keep)
    total = np.where(seen > 0, mean * weight, 0.0)
    out = np.full(values.shape, np.nan)
    for bar, row in enumerate(values):
        known = np.isfinite(row)
        total = np.where(known, total * keep + row, total)
        weight = np.where(known, weight * keep + 1, weight)
        np.divide(total, weight, out=out[bar], where=weight > 0)
    return out


def _decayed(parts: NDArray[np.float64], keep: float) -> NDArray[np.float64]:
    """Sums up to each bar of which `keep` is kept from one bar to the next."""
    out: NDArray[np.float64] = lfilter([1.0], [1.0, -keep], parts, axis=0)
    return out


def past_rank(values: Panel, least: int, window: int) -> Panel:
    """Share of a column's past values that lie below the present one, equal ones counted half; shape as given.

    The past is the up to `window` known values before the bar. NaN where the present value is, or fewer than `least`
    past ones are known.
    """
    out = np.full(values.shape, np.nan)
    for column in range(values.shape[1]):
        out[:, column] = _rank_of_column(values[:, column], least, window)
    return out


def _rank_of_column(values: NDArray[np.float64], least: int, window: int) -> NDArray[np.float64]:
    out = np.full(len(values), np.nan)
    places = np.flatnonzero(np.isfinite(values))
    known = values[places].tolist()
    past: list[float] = []
    for i, value in enumerate(known):
        if i >= least:
            out[places[i]] = (bisect_left(past, value) + bisect_right(past, value)) / (2 * len(past))
        insort(past, value)
        if len(past) > window:
            del past[bisect_left(past, known[i - window])]
    return out


def latest_rank(values: Panel, least: int, window: int, *earlier: Panel) -> NDArray[np.float64]:
    """The last row of `past_rank`, shape (symbols,), without the rows before it.

    `earlier` are bars that came before `values`: a year need not be copied for the sake of its last hours.
    """
    out = np.full(values.shape[1], np.nan)
    if len(values) == 0:
        return out
    last, blocks = values[-1], (*earlier, values[:-1])
    past, before = _split(blocks, window)
    count = sum(np.isfinite(block).sum(axis=0) for block in past)
    # Where known values are missing from the last bars, and there are some before them, the past reaches back to those.
    reaches_back = (count < sum(map(len, past))) & np.any([np.isfinite(block).any(axis=0) for block in before], axis=0)
    ranked = np.isfinite(last) & ~reaches_back & (count >= least)
    below = sum((block < last).sum(axis=0) + (block <= last).sum(axis=0) for block in past)
    out[ranked] = below[ranked] / (2 * count[ranked])
    for column in np.flatnonzero(np.isfinite(last) & reaches_back):
        known = np.concatenate([block[:, column] for block in blocks])
        older = known[np.isfinite(known)][-window:]
        if len(older) >= least:
            out[column] = ((older < last[column]).sum() + (older <= last[column]).sum()) / (2 * len(older))
    return out


def _split(blocks: Sequence[Panel], window: int) -> tuple[list[Panel], list[Panel]]:
    """The last `window` rows of blocks that follow each other, and those before them, both by block."""
    past, before = [], []
    for block in reversed(blocks):
        start = max(0, len(block) - window)
        before.append(block[:start])
        past.append(block[start:])
        window -= len(block) - start
    return past, before


def over_symbols(values: Panel, fold: Callable[..., NDArray[np.float64]]) -> Panel:
    """Fold (as `np.nanmean` does) the known values of each bar, shape (bars, 1); NaN where there are none."""
    out = np.full((len(values), 1), np.nan)
    some = np.isfinite(values).any(axis=1)
    out[some, 0] = fold(values[some], axis=1)
    return out


def middle(values: Panel) -> Panel:
    """Median of the known values of each bar, shape (bars, 1); NaN where there are none. Infinite ones are unknown."""
    if values.shape[1] == 0:
        return np.full((len(values), 1), np.nan)
    known = np.isfinite(values)
    # One sort of whole rows takes a fraction of what `np.nanmedian` does over rows of some hundred symbols.
    ordered = np.sort(np.where(known, values, np.nan), axis=1)
    count = known.sum(axis=1, keepdims=True)
    lower, upper = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, values.shape[1] - 1)
    out: Panel = (np.take_along_axis(ordered, lower, axis=1) + np.take_along_axis(ordered, upper, axis=1)) / 2
    return out


def cross_section_rank(values: Panel) -> Panel:
    """Share of the symbols of the same bar that lie below or level with each, from 1/n to 1; NaN where unknown."""
    known = np.isfinite(values)
    places = rankdata(np.where(known, values, np.inf), method="max", axis=1)
    return np.where(known, places / np.maximum(known.sum(axis=1, keepdims=True), 1), np.nan)


def place_from_top(values: Panel) -> NDArray[np.int64]:
    """Place of each symbol among those of its bar, 1 the highest, ties by column; 0 where unknown."""
    known = np.isfinite(values)
    order = np.argsort(np.where(known, -values, np.inf), axis=1, kind="stable")
    places = np.empty(values.shape, dtype=np.int64)
    np.put_along_axis(places, order, np.arange(1, values.shape[1] + 1)[None, :], axis=1)
    return np.where(known, places, 0)
