"""What each version of each model predicted, and what came of it: written down before the outcome can be known.

Every version that counts predicts at every bar, whether anybody trades on it or not. A prediction that was not made in
time is never made up for, so that what a version is judged by cannot have been known to it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import structlog

from modules.feeds.candles import Candles
from modules.inputs.models import Comparison, Predictions
from modules.learning.outcomes import STOP, made
from modules.venues.journal import Journal, Unkept, journal_at
from policy_dsl.quantities import MS_PER_DAY

log = structlog.get_logger()

KEPT_DAYS = 120
"""How long an outcome counts."""

WAIT_BARS = 24
"""Bars after which the outcome of a prediction is not waited for any more: the candles of it have a gap."""

EVEN = 0.5
"""The probability that says nothing; at it and above, the model says that the price will be higher."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a version said at the bar that closed at `at` (ms): the probability of being higher, by symbol."""

    at: int
    model: str
    version: str
    horizon: int
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of one bar's predictions of a version.

    `loss` is the mean squared error over its `symbols`, which `which` tells from other ones. The rest is of the
    prediction that it was the surest of, the first by name where it was equally sure of several: outcomes of many
    symbols in the same hours are nearly one outcome, and one a bar is counted. `r_multiple` is what a trade on that one
    would have made after costs; NaN where nobody knows.
    """

    at: int
    loss: float
    symbols: int
    which: int
    probability: float
    rose: bool
    r_multiple: float

    @property
    def is_long(self) -> bool:
        """Whether it said that the price would be higher."""
        return self.probability >= EVEN

    @property
    def success(self) -> float:
        """The probability that it gave its own prediction."""
        return max(self.probability, 1 - self.probability)

    @property
    def came_true(self) -> bool:
        """Whether the price went where it said."""
        return self.is_long == self.rose


@dataclass(frozen=True, slots=True)
class _Bar:
    price: Mapping[str, float]
    volatility: Mapping[str, float]


@dataclass(slots=True)
class PredictionRecord:
    """The record in the file at `path`, or in memory. `newest` is the last bar at which anything was predicted."""

    path: Path | None = None
    newest: int = 0
    _open: list[Made] = field(default_factory=list)
    _bars: dict[int, _Bar] = field(default_factory=dict)
    _settled: defaultdict[tuple[str, str], deque[Settled]] = field(default_factory=lambda: defaultdict(deque))
    _journal: Journal | Unkept = field(init=False)

    def __post_init__(self) -> None:
        """Read what an earlier process has written. Raises JournalError where the file is damaged or in use."""
        self._journal = journal_at(self.path)
        for record in self._journal.records:
            self._apply(record)
        self._make_smaller()
        self._journal.records = ()  # Months of them: what still counts has been taken note of.

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()

    def _make_smaller(self) -> None:
        """Leave out of the file what counts no longer, if that is at least half of the predictions in it."""
        records = self._journal.records
        lines = [line for record in records if (line := self._shortened(record)) is not None]
        before = _predictions_in(records)
        if before and 2 * _predictions_in(lines) <= before:
            try:
                self._journal.rewrite(lines)
            except OSError as error:
                log.warning("the record of predictions was not made smaller", error=str(error))

    def _shortened(self, record: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """A line with the predictions that wait for their outcome and the outcomes that count; None without any.

        The newest bar's stay in any case: it is not predicted twice.
        """
        at = record["at"]
        waiting = {(m.model, m.version) for m in self._open if m.at == at}
        made_then = [m for m in record["made"] if (m[0], m[1]) in waiting or at == self.newest]
        settled = [s for s in record["settled"] if self.newest - s[2] <= KEPT_DAYS * MS_PER_DAY]
        if not (made_then or settled):
            return None
        prices = {name: record[name] for name in ("price", "volatility") if made_then}
        return {"at": at, "settled": settled, "given_up": [], "made": made_then, **prices}

    def take(self, candles: Candles, volatility: Mapping[str, float], predicted: Sequence[Made]) -> None:
        """Note what came of earlier predictions by these candles, and what is predicted at their last bar.

        It counts once it is on the disk. Raises OSError where it cannot be written; then nothing of it counts.
        """
        at = int(candles.closed[-1])
        settled, given_up = self._outcomes(candles)
        record: dict[str, Any] = {"at": at, "settled": settled, "given_up": given_up, "made": []}
        if predicted and at > self.newest:
            wanted = sorted({symbol for made_now in predicted for symbol in made_now.probabilities})
            close = dict(zip(candles.symbols, candles.close[-1].tolist(), strict=True))
            record |= {
                "price": {s: close[s] for s in wanted},
                "volatility": {s: volatility[s] for s in wanted if s in volatility},
                "made": [[m.model, m.version, m.horizon, _rounded(m.probabilities)] for m in predicted],
            }
        if record["settled"] or record["given_up"] or record["made"]:
            self._journal.append(record)
            self._apply(record)

    def predictions(self, model: str, version: str, since: int = 0) -> Predictions:
        """The surest prediction of a version at each bar from `since` on, with what came of it, oldest first."""
        return _predictions([s for s in self._settled.get((model, version), ()) if s.at >= since])

    def losses(self, model: str, version: str) -> tuple[float, ...]:
        """The losses of a version by bar, oldest first."""
        return tuple(s.loss for s in self._settled.get((model, version), ()))

    def compared(self, model: str, version: str, other: str, since: int = 0) -> Comparison:
        """Two versions at the bars from `since` on at which both predicted the same symbols."""
        mine = {s.at: s for s in self._settled.get((model, version), ())}
        both = [
            (mine[s.at], s)
            for s in self._settled.get((model, other), ())
            if s.at >= since and s.at in mine and (mine[s.at].symbols, mine[s.at].which) == (s.symbols, s.which)
        ]
        return Comparison(
            np.array([one.loss for one, _ in both], dtype=np.float64),
            np.array([two.loss for _, two in both], dtype=np.float64),
            _predictions([two for _, two in both]),
        )

    def _outcomes(self, candles: Candles) -> tuple[list[list[Any]], list[list[Any]]]:
        """What came of predictions that are open, and those of which nobody will know it."""
        place = {int(closed): i for i, closed in enumerate(candles.closed.tolist())}
        column = {symbol: i for i, symbol in enumerate(candles.symbols)}
        settled, given_up = [], []
        for one in self._open:
            first, last = place.get(one.at), place.get(one.at + one.horizon * candles.cadence_ms)
            if first is not None and last == first + one.horizon:
                outcome = _settle(one, self._bars[one.at], _slice(candles, first + 1, last + 1), column)
                if outcome is not None:
                    settled.append([one.model, one.version, *outcome])
                    continue
            elif int(candles.closed[-1]) < one.at + (one.horizon + WAIT_BARS) * candles.cadence_ms and last is None:
                continue
            given_up.append([one.model, one.version, one.at])
        return settled, given_up

    def _apply(self, record: Mapping[str, Any]) -> None:
        """Take note of a record; one that was written twice, as after a disk that was full, counts once."""
        over = {(model, version, at) for model, version, at, *_ in record["settled"]}
        over |= {(model, version, at) for model, version, at in record["given_up"]}
        self._open = [m for m in self._open if (m.model, m.version, m.at) not in over]
        for model, version, at, loss, symbols, which, probability, rose, r in record["settled"]:
            r_multiple = float("nan") if r is None else r
            settled = Settled(at, loss, symbols, which, probability, rose, r_multiple)
            _put(self._settled[model, version], settled)
        at = record["at"]
        for kept in self._settled.values():
            while kept and at - kept[0].at > KEPT_DAYS * MS_PER_DAY:
                kept.popleft()
        if record["made"] and at > self.newest:
            self.newest = at
            self._bars[at] = _Bar(record["price"], record["volatility"])
            self._open += [Made(at, model, version, h, p) for model, version, h, p in record["made"]]
        waiting = {m.at for m in self._open}
        self._bars = {bar: told for bar, told in self._bars.items() if bar in waiting}


def _predictions_in(records: Iterable[Mapping[str, Any]]) -> int:
    return sum(len(record["made"]) for record in records)


def _settle(one: Made, bar: _Bar, path: Candles, column: Mapping[str, int]) -> list[Any] | None:
    """What came of a prediction, as it is written down; None where no symbol's outcome is known."""
    ends = {s: float(path.close[-1, column[s]]) for s in one.probabilities if s in column}
    known = {s: p for s, p in sorted(one.probabilities.items()) if np.isfinite(ends.get(s, np.nan))}
    if not known:
        return None
    rose = {s: ends[s] > bar.price[s] for s in known}
    loss = float(np.mean([(p - rose[s]) ** 2 for s, p in known.items()]))
    surest = max(known, key=lambda s: abs(known[s] - EVEN))
    probability, sign = known[surest], 1 if known[surest] >= EVEN else -1
    stop = STOP * np.sqrt(one.horizon) * bar.volatility.get(surest, np.nan)
    r = made(sign, bar.price[surest], float(stop), path, column[surest])
    which = crc32(" ".join((str(one.horizon), *known)).encode())
    return [one.at, loss, len(known), which, probability, rose[surest], r if np.isfinite(r) else None]


def _put(kept: deque[Settled], one: Settled) -> None:
    """Put an outcome in its place in time, unless it is there: candles of a gap may come late."""
    place = len(kept)
    while place and kept[place - 1].at > one.at:
        place -= 1
    if not (place and kept[place - 1].at == one.at):
        kept.insert(place, one)


def _rounded(probabilities: Mapping[str, float]) -> dict[str, float]:
    """As they are written down: a millionth says nothing of a probability."""
    return {symbol: round(p, 6) for symbol, p in sorted(probabilities.items())}


def _predictions(settled: Iterable[Settled]) -> Predictions:
    found = list(settled)
    return Predictions(
        np.array([s.at for s in found], dtype=np.int64),
        np.array([s.success for s in found], dtype=np.float64),
        np.array([s.came_true for s in found], dtype=np.float64),
        np.array([s.is_long for s in found], dtype=np.bool_),
        np.array([s.rose for s in found], dtype=np.float64),
        np.array([s.r_multiple for s in found], dtype=np.float64),
    )


def _slice(candles: Candles, first: int, last: int) -> Candles:
    bars = slice(first, last)
    return Candles(
        candles.book, candles.cadence_ms, candles.opened[bars], candles.symbols, candles.open[bars],
        candles.high[bars], candles.low[bars], candles.close[bars], candles.volume[bars],
    )  # fmt: skip
