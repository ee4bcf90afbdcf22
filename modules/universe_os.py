"""Universe OS: which symbols there are to trade, how each stands, and how the fund has done in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evaluators.snapshot import Fields
from modules.estimates.pegged import pegged
from modules.estimates.sectors import sector_of
from modules.estimates.standing import Standing, standing
from modules.estimates.symbol_record import NO_BOOK, by_symbol, recent, record_facts
from modules.estimates.windows import cross_section_rank
from modules.feeds.candles import Candles
from modules.inputs import ClosedTrade, Inputs, Listing
from modules.sample_market import sample_inputs
from modules.sources.feed import NO_PRICE, FeedSource, is_price
from modules.supply import Row, Supply
from policy_dsl.quantities import MS_PER_DAY

FRESH_MS = 900_000
"""A price older than this, the time between two runs, is no price of now: the symbol has gone quiet."""

MOST_GONE = 0.4
"""An answer without more of the symbols that were followed is a fault of the venue and not a change of the universe;
the predecessor's guide refused to remove more."""

LEAST_RANKED = 5
"""Symbols whose upper fifth can be told."""

WHOLE_DAY = 0.95
"""Part of a day's candles that make a day's traded value."""


@dataclass(frozen=True, slots=True)
class Member:
    """A symbol that is listed or priced: whether it is in the universe, and where it stands there.

    `reasons` say why it stands no higher, why that cannot be told, or why it is out. None is not known. `volume_24h` is
    quote currency a day, `volume_rank` its place in the universe, 1 the most.
    """

    symbol: str
    in_universe: bool | None
    tier: str | None
    sector: str | None
    volume_24h: float | None
    volume_rank: int | None
    reasons: tuple[str, ...]


class UniverseOS:
    """Tier, membership and sector of each symbol, what it trades, and the fund's own record in it.

    Made without inputs, `tier_of` and `universe` tell of a made-up market.
    """

    name: ClassVar[str] = "universe_os"
    policy: ClassVar[str | None] = "universe"
    port: ClassVar[int | None] = 8006
    interval: ClassVar[float] = 900
    owners: ClassVar[tuple[str, ...]] = ("Universe OS",)

    def __init__(self, inputs: Inputs | None = None) -> None:
        self._inputs = inputs

    def compute(self, inputs: Inputs) -> Supply:
        """A row for each listed or priced symbol; of an answer that cannot be believed only the fund's own record."""
        state = _State.of(inputs)
        rows: dict[str, Row] = {}
        reasons: dict[str, str] = {}
        for member in state.members():
            row, why = _facts(member)
            record, lacking = record_facts(state.trades_of(member.symbol), inputs.ts)
            rows[member.symbol] = row | record
            reasons |= {f'symbol["{member.symbol}"].{fact}': text for fact, text in (why | lacking).items()}
        return Supply(rows={"symbol": rows} if rows else {}, reasons=reasons)

    def universe(self, inputs: Inputs | None = None) -> list[Member]:
        """Every symbol that is listed or priced: the universe first, what trades most at the head, ties by name."""
        members = _State.of(inputs or self._inputs or sample_inputs()).members()
        return sorted(members, key=lambda m: (not m.in_universe, -(m.volume_24h or 0.0), m.symbol))

    def tier_of(self, symbol: str) -> str | None:
        """The name of a symbol's tier; None outside the universe, and where too little is known."""
        return next((m.tier for m in self.universe() if m.symbol == symbol), None)


@dataclass(frozen=True, slots=True)
class _State:
    """What is known of the symbols at one time: `value` traded in 24 hours, `first` times of candles (ms)."""

    inputs: Inputs
    feed: Mapping[str, Row]
    before: Mapping[str, Fields]
    trades: Mapping[str, list[ClosedTrade]] | None
    value: Mapping[str, float]
    first: Mapping[str, int]

    @classmethod
    def of(cls, inputs: Inputs) -> _State:
        feed = FeedSource().compute(inputs).rows.get("symbol", {})
        before = (inputs.before.rows.get("symbol") if inputs.before is not None else None) or {}
        trades = None if inputs.book.trades is None else by_symbol(inputs.book.trades, inputs.ts)
        candles = inputs.market.candles
        value = {} if candles is None else _day_of(candles, inputs.ts)
        for symbol, ticker in inputs.market.tickers.items():
            if math.isfinite(ticker.volume_24h) and ticker.volume_24h >= 0:
                value[symbol] = ticker.volume_24h
        return cls(inputs, feed, before, trades, value, {} if candles is None else _first_of(candles))

    def members(self) -> list[Member]:
        """Every symbol, by name."""
        symbols = sorted(self.feed)
        fault = self.fault()
        if fault is not None:
            return [Member(s, None, None, sector_of(s), None, None, (fault,)) for s in symbols]
        out = {s: gone for s in symbols if (gone := self.left_out(s)) is not None}
        ranked = [s for s in symbols if s not in out and s in self.value]
        share = cross_section_rank(np.array([[self.value[s] for s in ranked]])).tolist()[0]
        shares = dict(zip(ranked, share, strict=True)) if len(ranked) >= LEAST_RANKED else {}
        places = {s: i for i, s in enumerate(sorted(ranked, key=lambda s: (-self.value[s], s)), start=1)}
        members = []
        for symbol in symbols:
            found = out.get(symbol) or self.standing(symbol, shares.get(symbol), len(ranked))
            tier = found.tier if isinstance(found, Standing) else None
            why = found.why if isinstance(found, Standing) else (found,)
            value, place = self.value.get(symbol), places.get(symbol)
            members.append(Member(symbol, symbol not in out, tier, sector_of(symbol), value, place, why))
        return members

    def fault(self) -> str | None:
        """Why the venue's answer cannot be believed, if it cannot."""
        market = self.inputs.market
        if market.listings is None:
            return "what the venue lists is not known"
        if not market.listings:
            return "the venue listed nothing"
        if not market.tickers:
            return "the venue gave no price"
        followed = self.followed()
        listed = followed & set(market.listings)
        priced = {s for s in listed if _is_fresh(self.feed[s])}
        for what, there in (("listed", listed), ("priced", priced)):
            if len(there) < (1 - MOST_GONE) * len(followed):
                return f"the venue {what} {len(there)} of {len(followed)} symbols that were followed"
        return None

    def followed(self) -> set[str]:
        """The symbols that were in the universe before, and those that candles still come of."""
        found = {symbol for symbol, row in self.before.items() if row.get("in_universe") is True}
        candles = self.inputs.market.candles
        if candles is not None and len(candles.opened):
            age = self.inputs.ts - int(candles.closed[-1])
            if age <= max(FRESH_MS, candles.cadence_ms):
                found |= {
                    s for s, price in zip(candles.symbols, candles.close[-1], strict=True) if math.isfinite(price)
                }
        return {symbol for symbol in found if pegged(symbol) is None}

    def left_out(self, symbol: str) -> str | None:
        """Why a symbol is not part of the universe, if it is not."""
        listing, feed = self.listing(symbol), self.feed[symbol]
        if listing is None:
            return "the venue does not list it"
        if not listing.is_active:
            return "the venue has stopped its trading"
        what = pegged(symbol)
        if what is not None:
            return f"{what}, which is not traded"
        if "price_age" not in feed:
            ticker = self.inputs.market.tickers.get(symbol)
            is_priced = ticker is not None and is_price(ticker.price)
            return "nobody knows how old its price is" if is_priced else NO_PRICE
        return None if _is_fresh(feed) else f"its price is {feed['price_age']:.0f} s old"

    def standing(self, symbol: str, share: float | None, ranked: int) -> Standing | str:
        """Where a symbol of the universe stands, or why that cannot be told."""
        spread, days = self.feed[symbol].get("spread"), self.age_days(symbol)
        trades = self.trades_of(symbol)
        if symbol not in self.value:
            return "what it trades in a day is not known"
        if share is None:
            return f"{ranked} symbols are too few to rank"
        if spread is None:
            return "its spread is not known"
        if days is None:
            return "neither the venue nor candles tell its age"
        if trades is None:
            return NO_BOOK
        before = self.before.get(symbol, {}).get("tier")
        return standing(
            share=share,
            traded=self.value[symbol],
            spread=spread,
            age_days=days,
            record=recent(trades, self.inputs.ts),
            before=before if isinstance(before, int) else None,
        )

    def age_days(self, symbol: str) -> float | None:
        """Days since the symbol was listed, or at least since its first candle."""
        listing = self.listing(symbol)
        since = [] if listing is None or listing.listed_at is None else [listing.listed_at]
        since += [self.first[symbol]] if symbol in self.first else []
        return (self.inputs.ts - min(since)) / MS_PER_DAY if since else None

    def listing(self, symbol: str) -> Listing | None:
        return (self.inputs.market.listings or {}).get(symbol)

    def trades_of(self, symbol: str) -> list[ClosedTrade] | None:
        return None if self.trades is None else self.trades.get(symbol, [])


def _is_fresh(feed: Row) -> bool:
    return "price_age" in feed and feed["price_age"] * 1000 <= FRESH_MS


def _day_of(candles: Candles, now: int) -> dict[str, float]:
    """Value that symbols traded in the 24 hours up to `now`, by candles, where these are (nearly) all there."""
    first, last = np.searchsorted(candles.closed, (now - MS_PER_DAY, now), side="right")
    value = candles.close[first:last] * candles.volume[first:last]
    known = np.isfinite(value)
    is_whole = known.sum(axis=0) >= max(1.0, WHOLE_DAY * MS_PER_DAY / candles.cadence_ms)
    total = np.where(known, value, 0.0).sum(axis=0).tolist()
    return {s: total[i] for i, s in enumerate(candles.symbols) if is_whole[i]}


def _first_of(candles: Candles) -> dict[str, int]:
    if not len(candles.close):
        return {}
    # Most symbols are there from the first bar on: only the others are looked through.
    place = np.zeros(len(candles.symbols), dtype=np.int64)
    later = ~np.isfinite(candles.close[0])
    known = np.isfinite(candles.close[:, later])
    place[later] = np.where(known.any(axis=0), known.argmax(axis=0), -1)
    first = candles.opened[place].tolist()
    return {s: first[i] for i, s in enumerate(candles.symbols) if place[i] >= 0}


def _facts(member: Member) -> tuple[dict[str, Any], dict[str, str]]:
    """The facts of a symbol's standing, and by fact why those that are missing are."""
    told = {
        "in_universe": member.in_universe,
        "tier": member.tier,
        "volume_24h": member.volume_24h,
        "volume_rank": member.volume_rank,
    }
    reasons = {fact: "; ".join(member.reasons) for fact, value in told.items() if value is None}
    if member.sector is None:
        reasons["sector"] = "the coin is in no sector that is known"
    row = {fact: value for fact, value in (told | {"sector": member.sector}).items() if value is not None}
    return row, reasons
