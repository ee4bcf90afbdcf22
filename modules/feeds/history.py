"""The hours that a market has lived through: fetched once, kept in memory, and carried on as hours end.

Modules keep what they work out of candles for as long as these are the same object, so that one object stands from
one hour to the next. Hours that a venue did not have, or did not tell, are missing; a symbol whose hours cannot be had
costs no other symbol its own. Nothing is shown before every symbol was asked once: a market of which a part is known
is another market.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import RLock

import numpy as np
import structlog

from modules.estimates.hours import HOUR_MS
from modules.feeds.candles import Candles, Panel
from modules.venues.allowance import Allowance, allowing
from modules.venues.venue import HungUp, RateLimited, Venue, VenueError
from policy_dsl.quantities import MS_PER_DAY

log = structlog.get_logger()

PANELS = ("open", "high", "low", "close", "volume")
DAYS = 400
"""How far back: a year, and what the first estimates of it look back on."""

MOST_SYMBOLS = 200
"""Of the symbols that trade most: what fits into the memory of a small machine."""

STAY = 1.25
"""A symbol that is followed stays among so many times as many, so that one at the edge does not come and go."""

ROOM = 30 * 24
"""Hours for which there is room before the panels are laid out anew."""

AGAIN_MS = 60_000
"""How long after a failure what is missing is asked for again."""

ENOUGH = 3
"""So many symbols in a row that cannot be had are a venue that is down."""

_BROKEN_OFF = "not asked for: asking was broken off"


@dataclass(slots=True)
class _Panels:
    """Hours from `first` (ms) on, `used` of them; shape (hours, symbols), NaN where there is none.

    What was shown once is never written to again: later hours go where nothing was shown yet.
    """

    symbols: tuple[str, ...]
    first: int
    values: Mapping[str, Panel]
    used: int = 0

    @classmethod
    def empty(cls, symbols: tuple[str, ...], first: int, hours: int) -> _Panels:
        shape = (hours + ROOM, len(symbols))
        return cls(symbols, first, {name: np.full(shape, np.nan) for name in PANELS})

    @property
    def room(self) -> int:
        return len(self.values["close"])

    def shown(self, name: str, hours: int) -> Candles:
        """The newest `hours`, without copying them."""
        start = max(0, self.used - hours)
        opened = self.first + HOUR_MS * np.arange(start, self.used, dtype=np.int64)
        views = {panel: values[start : self.used] for panel, values in self.values.items()}
        for view in views.values():
            view.flags.writeable = False
        return Candles(name, HOUR_MS, opened, self.symbols, **views)


@dataclass(slots=True)
class HourlyHistory:
    """The hours of `venue`, for `VenueWorld.candles`: called with a time in ms it gives those that are over by then.

    `always` names symbols that are followed whatever they trade, such as those that are held. With `behind`, fetching
    goes on in a thread of its own and a call gives what there is; else a call fetches. `faults` say by symbol what was
    wrong when it was last asked for. `close` breaks off what is being asked, and ends the thread.
    """

    venue: Venue
    always: Callable[[], Iterable[str]] = tuple
    days: int = DAYS
    most: int = MOST_SYMBOLS
    behind: bool = False
    faults: dict[str, str] = field(default_factory=dict)
    _panels: _Panels | None = None
    _shown: Candles | None = None
    _until: int = 0
    _tried: int | None = None
    _pool: ThreadPoolExecutor | None = None
    _busy: Future[None] | None = None
    _closing: bool = False
    _time: Allowance = field(default_factory=Allowance)
    _lock: RLock = field(default_factory=RLock)

    def __call__(self, ts: int) -> Candles | None:
        """The hours that are over at `ts`; None before there are any. The same object until there is one more."""
        with self._lock:
            if self._is_due(ts):
                if not self.behind:
                    self.refresh(ts)
                elif self._busy is None or self._busy.done():
                    self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="history")
                    self._busy = self._pool.submit(self._refresh_behind, ts)
            shown = self._shown
        return shown if shown is None or shown.closed[-1] <= ts else _until(shown, ts)

    def close(self) -> None:
        """Break off what the thread is asking for, and end it."""
        self._closing = True
        self._time.break_off()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _refresh_behind(self, ts: int) -> None:
        """As `refresh`, for as long as it takes, or until `close`."""
        with suppress(HungUp), allowing(self._time):
            self.refresh(ts)

    def refresh(self, ts: int) -> None:
        """Fetch what is over at `ts` and not here yet, of every symbol; then show it."""
        self._tried = ts
        over = ts // HOUR_MS * HOUR_MS
        try:
            symbols = self._followed()
        except VenueError as error:
            log.warning("the venue did not say what it lists", error=str(error))
            return
        if not symbols:
            return
        news, faults = self._asked(symbols, over)
        self.faults = faults
        everyone = len(news) + len(faults) == len(symbols) and _BROKEN_OFF not in faults.values()
        if any(news.values()) or (self._panels is not None and symbols != self._panels.symbols):
            self._put(symbols, news, over)
            if self._panels is not None and (everyone or self._shown is not None):
                self._shown = self._trimmed(self._panels)
        is_here = self._shown is not None and int(self._shown.closed[-1]) == over
        if is_here and not faults:
            self._until = over

    def _asked(self, symbols: tuple[str, ...], over: int) -> tuple[dict[str, list[Candles]], dict[str, str]]:
        """The pages that are news, and what was wrong, by symbol. A venue that is down is not asked for everything."""
        news: dict[str, list[Candles]] = {}
        faults: dict[str, str] = {}
        in_a_row = 0
        for symbol in symbols:
            if self._closing:
                return news, dict.fromkeys((s for s in symbols if s not in news), _BROKEN_OFF)
            try:
                news[symbol] = self._fetched(symbol, self._newest(symbol, over), over)
                in_a_row = 0
            except VenueError as error:
                faults[symbol], in_a_row = str(error), in_a_row + 1
                log.warning("the hours of a symbol could not be had", symbol=symbol, error=str(error))
                if isinstance(error, RateLimited) or in_a_row >= ENOUGH:
                    return news, dict.fromkeys((s for s in symbols if s not in news), _BROKEN_OFF) | faults
        return news, faults

    def _is_due(self, ts: int) -> bool:
        hour, tried = ts // HOUR_MS, self._tried
        is_new = hour * HOUR_MS > self._until
        return is_new and (tried is None or hour > tried // HOUR_MS or ts - tried >= AGAIN_MS)

    def _followed(self) -> tuple[str, ...]:
        """The symbols that trade most of those that are listed, and those that are always followed; by name."""
        listed = {symbol for symbol, listing in self.venue.markets().items() if listing.is_active}
        tickers = self.venue.tickers()
        value = {s: tickers[s].volume_24h for s in listed if s in tickers}
        ranked = sorted(listed, key=lambda s: (-np.nan_to_num(value.get(s, 0.0)), s))
        first = [s for s in ranked if s in set(self.always())]
        before = set() if self._panels is None else set(self._panels.symbols)
        stay = [s for s in ranked[: int(STAY * self.most)] if s in before]
        chosen = list(dict.fromkeys([*first, *stay, *ranked]))[: max(self.most, len(first))]
        return tuple(sorted(chosen))

    def _newest(self, symbol: str, over: int) -> int:
        """From when on the hours of a symbol are asked for."""
        start = over - self.days * MS_PER_DAY
        if self._panels is None or symbol not in self._panels.symbols:
            return start
        column = self._panels.values["close"][: self._panels.used, self._panels.symbols.index(symbol)]
        known = np.flatnonzero(np.isfinite(column))
        return max(start, self._panels.first + (int(known[-1]) + 1) * HOUR_MS) if len(known) else start

    def _fetched(self, symbol: str, since: int, over: int) -> list[Candles]:
        """The hours from `since` to `over`, page by page."""
        pages: list[Candles] = []
        while since < over:
            page = self.venue.hours(symbol, since)
            if len(page.opened) == 0:
                break
            pages.append(page)
            since = int(page.opened[-1]) + HOUR_MS
        return pages

    def _put(self, symbols: tuple[str, ...], news: Mapping[str, list[Candles]], over: int) -> None:
        """Write the news where nothing was shown yet; lay the panels out anew where that is not possible."""
        panels, hours = self._panels, self.days * 24
        known_until = over if panels is None else panels.first + panels.used * HOUR_MS
        oldest = min((int(p.opened[0]) for pages in news.values() for p in pages[:1]), default=known_until)
        fits = panels is not None and panels.symbols == symbols and oldest >= known_until
        if panels is None or not fits or (over - panels.first) // HOUR_MS > panels.room:
            panels = self._laid_out(symbols, over - hours * HOUR_MS, hours)
        for symbol, pages in news.items():
            column = symbols.index(symbol)
            for page in pages:
                rows = (page.opened - panels.first) // HOUR_MS
                there = (rows >= 0) & (page.opened + HOUR_MS <= over)
                for name in PANELS:
                    panels.values[name][rows[there], column] = getattr(page, name)[there, 0]
        panels.used = (over - panels.first) // HOUR_MS
        self._panels = panels

    def _trimmed(self, panels: _Panels) -> Candles | None:
        """What is shown: from the first hour on that any symbol has."""
        hours = self.days * 24
        close = panels.values["close"][max(0, panels.used - hours) : panels.used]
        known = np.flatnonzero(np.isfinite(close).any(axis=1))
        return panels.shown(self.venue.name, len(close) - int(known[0])) if len(known) else None

    def _laid_out(self, symbols: tuple[str, ...], first: int, hours: int) -> _Panels:
        """New panels from `first` on, with what is known already."""
        made, old = _Panels.empty(symbols, first, hours), self._panels
        if old is None:
            return made
        both = [s for s in symbols if s in old.symbols]
        here, there = [symbols.index(s) for s in both], [old.symbols.index(s) for s in both]
        skip = (first - old.first) // HOUR_MS
        start = max(0, skip)
        kept = old.used - start
        for name in PANELS:
            target = made.values[name][start - skip : start - skip + kept]
            target[:, here] = old.values[name][start : old.used][:, there]
        return made


def _until(shown: Candles, ts: int) -> Candles | None:
    """The hours that were over at an earlier time."""
    count = int(np.searchsorted(shown.closed, ts, side="right"))
    panels = {name: getattr(shown, name)[:count] for name in PANELS}
    return Candles(shown.book, shown.cadence_ms, shown.opened[:count], shown.symbols, **panels) if count else None
