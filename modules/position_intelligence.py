"""Position Intelligence: how far each position has come, how much of its best it has kept, what was added to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from evaluators.snapshot import Fields, Snapshot
from modules.estimates.progress import (
    SAME,
    added_at_least,
    added_since,
    cost_of,
    drawdown_from_peak,
    is_known,
    r_multiple,
    risk_per_unit,
)
from modules.estimates.records import category_of
from modules.feeds.candles import Candles
from modules.handed_over import HandedOver
from modules.inputs import Inputs, Position
from modules.supply import Supply
from policy_dsl.quantities import QUANTA_PER_ONE, Unit

UNKNOWN = "UNKNOWN"
"""What `Classification.category` says where R is not known; no name of `category`."""

NOT_KNOWN = "nobody knows the positions"
SIDES = {"LONG": 1, "SHORT": -1}


@dataclass(frozen=True, slots=True)
class Classification:
    """How a position does: a name of `category`, or UNKNOWN, with the figures it rests on and what was missing."""

    symbol: str | None
    category: str
    r_multiple: float | None = None
    peak_r: float | None = None
    drawdown_from_peak: float | None = None
    reasons: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether there is a category."""
        return self.category != UNKNOWN


@dataclass(slots=True)
class _Found:
    """The facts of a position as they are found, and by fact why one is missing."""

    facts: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


class PositionIntelligenceLayer:
    """Classifies every position and decides nothing.

    R is profit of a unit at its average entry / (first entry - first stop): later stops and adds do not move the
    yardstick. The peak and what was added live in the stored snapshots, by position and opening: a restart forgets
    neither, a key that is used again starts afresh, and what has closed is forgotten with its row.
    """

    name: ClassVar[str] = "pil"
    policy: ClassVar[str | None] = None
    port: ClassVar[int | None] = 8013
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("PIL",)

    def compute(self, inputs: Inputs) -> Supply:
        """`scaled`, `r_multiple`, `peak_r`, `drawdown_from_peak` and `category` of each position."""
        positions = inputs.book.positions
        if positions is None:
            names = ("scaled", "r_multiple", "peak_r", "drawdown_from_peak", "category")
            return Supply(reasons={f"position.{name}": NOT_KNOWN for name in names})
        rows: dict[str, Mapping[str, Any]] = {}
        reasons: dict[str, str] = {}
        for key in sorted(positions):
            found = _look_at(key, positions[key], inputs)
            rows[key] = found.facts
            reasons |= {f'position["{key}"].{name}': why for name, why in found.reasons.items()}
        return Supply(rows={"position": rows}, reasons=reasons)

    def classify_position(self, position_data: Mapping[str, Any]) -> Classification:
        """Classify a position that is handed over: `current_R` or entry, first stop and mark; `peak_R` if it is known.

        A position of which no peak is told is seen for the first time, and so is at its peak. A label that came along
        is no evidence: the figures are.
        """
        told = HandedOver(position_data)
        r, peak = told.r_multiple, told.peak_r
        category = None if r is None else category_of(r)
        if r is None or category is None:
            return Classification(told.symbol, UNKNOWN, reasons=told.reasons)
        gone = None if peak is None else drawdown_from_peak(r, peak)
        return Classification(told.symbol, category, r, peak, gone, told.reasons)


def _look_at(key: str, position: Position, inputs: Inputs) -> _Found:
    found, sign = _Found(), SIDES.get(position.side, 0)
    if sign == 0:
        why = f"its side is `{position.side}`, neither LONG nor SHORT"
        found.reasons = dict.fromkeys(("scaled", "r_multiple", "peak_r", "drawdown_from_peak", "category"), why)
        return found
    before = _row_before(key, position, inputs.before)
    _measure(position, sign, before, inputs, found)
    _count_adds(position, sign, before, inputs.before, found)
    return found


def _row_before(key: str, position: Position, before: Snapshot | None) -> Fields | None:
    """The row of the same position in the snapshot before: same key, side, symbol and time of opening."""
    row = (before.collection("position") or {}).get(key) if before is not None else None
    if before is None or row is None or row.get("age") is None:
        return None
    age, side = row["age"], row.get("side")
    assert isinstance(age, int)
    same = row.get("symbol") == position.symbol and side == int(position.sign < 0)
    return row if same and before.ts - age == min(position.opened, before.ts) else None


def _measure(position: Position, sign: int, before: Fields | None, inputs: Inputs, found: _Found) -> None:
    """R, its peak, and how much of the peak is gone."""
    first = position.first_entry if position.first_entry is not None else position.entry
    risk = risk_per_unit(sign, first, position.first_stop)
    r = r_multiple(sign, position.entry, position.mark, risk)
    if r is None:
        why = _why_no_r(position, risk)
        found.reasons |= dict.fromkeys(("r_multiple", "peak_r", "drawdown_from_peak", "category"), why)
        return
    category = category_of(r)
    if category is None:
        why = f"R of {r:g} is out of range: its first stop is hardly a risk"
        found.reasons |= dict.fromkeys(("r_multiple", "peak_r", "drawdown_from_peak", "category"), why)
        return
    found.facts |= {"r_multiple": r, "category": category}
    assert risk is not None
    peak = _peak_before(position, sign, risk, before, inputs)
    if peak is None:
        why = "its peak so far is not known: it was opened before anybody watched, and the candles do not reach back"
        found.reasons |= {"peak_r": why, "drawdown_from_peak": why}
        return
    peak = max(peak, r)
    found.facts |= {"peak_r": peak, "drawdown_from_peak": drawdown_from_peak(r, peak)}


def _why_no_r(position: Position, risk: float | None) -> str:
    if position.first_stop is None:
        return "its first stop is not known, so nobody knows what it risked"
    if risk is None:
        return f"its first stop at {position.first_stop:g} is no loss from its entry at {position.entry:g}"
    return f"entry {position.entry:g} and mark {position.mark:g} are not both prices"


def _peak_before(position: Position, sign: int, risk: float, before: Fields | None, inputs: Inputs) -> float | None:
    """The highest R up to the snapshot before, at least 0; None where it is not known.

    A position that was there before but whose peak nobody remembers may have been anywhere that the candles since its
    opening have been.
    """
    if before is not None and before.get("peak_r") is not None:
        peak = before["peak_r"]
        assert isinstance(peak, int)
        return peak / QUANTA_PER_ONE[Unit.R]
    if before is None and inputs.before is not None and position.opened > inputs.before.ts:
        return 0.0
    if before is None and inputs.before is None and position.opened >= inputs.ts:
        return 0.0
    best = _best_price(inputs.market.candles, position, sign, inputs.ts)
    return None if best is None else max(0.0, sign * (best - position.entry) / risk)


def _best_price(candles: Candles | None, position: Position, sign: int, ts: int) -> float | None:
    """The best price of the candles from the opening on, if there is one for each bar up to now."""
    if candles is None or position.symbol not in candles.symbols:
        return None
    column = candles.symbols.index(position.symbol)
    since = (candles.closed > position.opened) & (candles.closed <= ts)
    if not since.any() or candles.opened[since][0] > position.opened or ts - candles.closed[-1] >= candles.cadence_ms:
        return None
    prices = (candles.high if sign > 0 else candles.low)[since, column]
    if not np.isfinite(prices).all() or (np.diff(candles.opened[since]) != candles.cadence_ms).any():
        return None
    return float(prices.max() if sign > 0 else prices.min())


def _count_adds(position: Position, sign: int, before: Fields | None, seen: Snapshot | None, found: _Found) -> None:
    """What has been added since the opening, whatever has been taken off since."""
    first, entry = position.first_entry, position.entry
    if first is None or position.first_quantity is None or not is_known(first, position.first_quantity):
        found.reasons["scaled"] = "its size at the opening is not known"
        return
    original, cost = position.first_quantity * first, position.quantity * entry
    if not is_known(original, cost) or original <= 0 or cost < 0:
        found.reasons["scaled"] = "its size at the opening is not known"
        return
    least, remembered = added_at_least(original, cost), _added_before(original, cost, sign, before)
    is_new = before is None and seen is not None and position.opened > seen.ts
    untouched = abs(entry - first) <= SAME * first
    if remembered is not None:
        found.facts["scaled"] = max(least, remembered)
    elif is_new or untouched:
        found.facts["scaled"] = least
    else:
        found.reasons["scaled"] = "its entry price has changed since the opening, and nobody watched what was added"


def _added_before(original: float, cost: float, sign: int, before: Fields | None) -> float | None:
    """What has been added by the record of the snapshot before, and since; None where that says nothing."""
    if before is None:
        return None
    scaled, notional, unrealized = (before.get(n) for n in ("scaled", "notional", "unrealized"))
    if not isinstance(scaled, int) or not isinstance(notional, int) or not isinstance(unrealized, int):
        return None
    ratio = QUANTA_PER_ONE[Unit.RATIO]
    cost_before = cost_of(notional / QUANTA_PER_ONE[Unit.MONEY], unrealized / ratio, sign)
    return None if cost_before is None else added_since(original, cost, cost_before, scaled / ratio)
