"""A position as somebody hands it over: a mapping with the plan's names, read with care and believed where it agrees.

Ratios are fractions (0.05 is 5 %). What is absent, no number, out of range, or contradicts the rest is missing, with
the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from modules.estimates.progress import r_multiple, risk_per_unit
from modules.facts import CATALOGUE
from policy_dsl.quantities import to_quanta
from policy_dsl.types import Quantity

NAMES: Mapping[str, tuple[str, ...]] = {
    "r_multiple": ("current_R", "r_multiple"),
    "peak_r": ("peak_R", "peak_r"),
    "drawdown_from_peak": ("drawdown_from_peak", "drawdown_from_peak_R"),
    "unrealized": ("unrealized_pnl_pct", "unrealized"),
    "entry": ("entry_price", "entry"),
    "mark": ("current_price", "mark_price", "mark"),
    "first_stop": ("first_stop", "initial_stop"),
    "scaled": ("scaled",),
    "notional": ("notional",),
    "original_notional": ("original_notional",),
    "leverage": ("leverage",),
    "liquidation_distance": ("liquidation_distance",),
    "liquidation_probability_7d": ("liquidation_probability_7d",),
}
"""The words for each figure, the first that is there counts."""

AGREE = 0.01
"""Two statements of one figure agree where they differ by no more than this part of it, or of one R: callers round."""


def _in_range(name: str, value: float) -> bool:
    """Whether a figure may be that of the fact called so; prices are no facts, and any of them may be."""
    fact = CATALOGUE.fact(f"position.{name}")
    if fact is None or not isinstance(fact.type, Quantity):
        return True
    return fact.in_range(to_quanta(value, fact.type.unit))


class HandedOver:
    """Reads the mapping once; `reasons` says what could not be believed."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._faults: list[str] = []
        symbol = data.get("symbol")
        self.symbol: str | None = symbol if isinstance(symbol, str) and symbol else None
        self.side: str | None = self._side(data.get("side"))
        read = {name: self._figure(name, data, words) for name, words in NAMES.items()}
        self.figures = {name: value for name, value in read.items() if value is not None}
        self.r_multiple = self._r()
        self.peak_r = self._peak()

    @property
    def reasons(self) -> tuple[str, ...]:
        """What could not be known of the position, and why."""
        return tuple(self._faults)

    def _side(self, side: object) -> str | None:
        if isinstance(side, str) and side in {"LONG", "SHORT"}:
            return side
        self._faults.append("its side is not told" if side is None else f"its side {side!r} is neither LONG nor SHORT")
        return None

    def _figure(self, name: str, data: Mapping[str, Any], words: tuple[str, ...]) -> float | None:
        for word in words:
            value = data.get(word)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                self._faults.append(f"{word} is {value!r}, which is no number")
                return None
            if not _in_range(name, float(value)):
                self._faults.append(f"{word} is {value!r}, which is out of range")
                return None
            return float(value)
        return None

    def _r(self) -> float | None:
        """R as told and as the prices have it; None where neither is known or they disagree."""
        told, priced = self.figures.get("r_multiple"), self._priced()
        unrealized = self.figures.get("unrealized")
        if told is None and priced is None:
            self._faults.append("R is not known: neither told nor to be had from side, entry, first stop and mark")
        elif told is not None and priced is not None and abs(told - priced) > AGREE * max(1.0, abs(priced)):
            self._faults.append(f"R is told as {told:g}, and the prices make it {priced:g}")
            return None
        if priced is not None and not _in_range("r_multiple", priced):
            self._faults.append(f"the prices make R {priced:g}, which is out of range")
            return None
        r = told if told is not None else priced
        if r is not None and unrealized is not None and r * unrealized < 0 and abs(r) > AGREE:
            self._faults.append(f"R is {r:g}, and the profit {unrealized:g}: one of them has the wrong sign")
            return None
        return r

    def _priced(self) -> float | None:
        if self.side is None:
            return None
        sign, entry = 1 if self.side == "LONG" else -1, self.figures.get("entry")
        risk = risk_per_unit(sign, entry, self.figures.get("first_stop"))
        return r_multiple(sign, entry, self.figures.get("mark"), risk)

    def _peak(self) -> float | None:
        """The peak, never below R nor 0: as told, or as R and the drawdown make it; None where R is not known.

        Where neither is told the position is seen for the first time, and so is at its peak. None too where the
        drawdown that is told cannot be: a profit of which more than all is gone is no profit.
        """
        peak, gone, r = self.figures.get("peak_r"), self.figures.get("drawdown_from_peak"), self.r_multiple
        if r is None:
            return None
        if peak is None and gone is not None:
            if not (0 <= gone < 1 and r > 0):
                self._faults.append(f"its peak cannot be had from R {r:g} and a drawdown of {gone:g}")
                return None
            peak = r / (1 - gone)
        return max(0.0, r, r if peak is None else peak)
