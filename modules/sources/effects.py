"""What an order would do to the book: for the book to say, not for whoever asks.

A book holds one position a symbol, long or short. An order against it that is larger than it does not reduce: it opens
the other side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modules.inputs import Position, Request

EXITS = frozenset({"REDUCE", "CLOSE"})
"""The effects that take risk off."""

SAME = 1e-9
"""Two amounts whose ratio is off by no more than this are one amount: rounding of a quantity times a price."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A name of `effect`, and the side of the position that it acts on; None where it cannot be known."""

    effect: str | None
    side: str | None


def effect_of(request: Request, positions: Mapping[str, Position] | None) -> Effect:
    """What the request would do. The venue holds a reduce-only order to its word, so that needs no known book.

    A word for a side that is neither LONG nor SHORT is not taken for one of them.
    """
    if request.side not in {"LONG", "SHORT"}:
        return Effect(None, None)
    against = "SHORT" if request.side == "LONG" else "LONG"
    if positions is None:
        return Effect("REDUCE", against) if request.reduce_only else Effect(None, None)
    held = [p for p in positions.values() if p.symbol == request.symbol and p.quantity > 0]
    if not held and not request.reduce_only:
        return Effect("OPEN", request.side)
    if any(p.side == request.side for p in held) and not request.reduce_only:
        return Effect("INCREASE", request.side)
    notional = sum(p.notional for p in held if p.side == against)
    if request.notional is None:
        return Effect("REDUCE", against) if request.reduce_only else Effect(None, None)
    if request.notional < notional * (1 - SAME):
        return Effect("REDUCE", against)
    if request.reduce_only or request.notional <= notional * (1 + SAME):
        return Effect("CLOSE", against)
    return Effect("OPEN", request.side)


def held_against(symbol: str, side: str, positions: Mapping[str, Position]) -> float:
    """How much an order to buy (LONG) or sell (SHORT) has to take off in a symbol, base units."""
    return sum(p.quantity for p in positions.values() if p.symbol == symbol and p.side != side and p.quantity > 0)
