"""What the rules' grants come to for the positions at hand: what is taken off, where stops go, what is to be added.

Whether anything is done is for the rules: each grant says what, and its arguments say how much. A stop and a target are
those of the trade. Nothing here is done twice for having been worked out twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modules.estimates.progress import is_known, risk_per_unit
from modules.inputs import Inputs, Position, Request
from modules.judge import Answer
from modules.runtime.guards import why_stopped
from modules.runtime.ledger import Lot

PBA_ACTIONS, PAL_ACTIONS = "pba.actions", "pal.actions"

CENT = 0.01
"""Requests are for whole cents, rounded down: what is asked for is never more than was granted."""

Granted = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Exit:
    """A part of a position to be taken off: a `share` in 0..1 of what is held.

    `act` names what asks for it, `why` is a name of `trade_exit`, `urgency` one of `urgency`. What is `again` may be
    done at every snapshot that still grants it; anything else once for a position of the same size and entry price.
    """

    key: str
    position: Position
    act: str
    share: float
    why: str
    urgency: str = "NORMAL"
    again: bool = False


def granted(answer: Answer, output: str, key: str) -> Granted:
    """The actions that are permitted for a position, with their arguments."""
    found: Granted = answer.outputs.get(output, {}).get(key) or {}
    return found


def exits(answer: Answer, positions: Mapping[str, Position]) -> list[Exit]:
    """At most one exit for each position: what closes it before what reduces it, then the largest share."""
    found = [_exit(key, positions[key], answer) for key in sorted(positions)]
    return [part for part in found if part is not None]


def _exit(key: str, position: Position, answer: Answer) -> Exit | None:
    if not (is_known(position.quantity) and position.quantity > 0):
        return None
    pba, pal = granted(answer, PBA_ACTIONS, key), granted(answer, PAL_ACTIONS, key)
    if has_passed(position, position.stop, -1):
        return Exit(key, position, "STOP", 1.0, why_stopped(position.stop, position.first_stop), "HIGH", again=True)
    if "CLOSE" in pba:
        return Exit(key, position, "CLOSE", 1.0, "FORCED", "HIGH", again=True)
    if has_passed(position, position.target, 1) and not {"EXTEND_HOLD", "TREND_EXIT"} & pal.keys():
        return Exit(key, position, "TARGET", 1.0, "TAKE_PROFIT", again=True)
    parts = [Exit(key, position, "REDUCE", s, "FORCED") for s in pba.get("REDUCE", ())[:1]]
    parts += [Exit(key, position, "TAKE_PARTIAL", s, "TAKE_PROFIT") for s in pal.get("TAKE_PARTIAL", ())[:1]]
    return max(parts, key=lambda part: part.share, default=None)


def has_passed(position: Position, price: float | None, way: int) -> bool:
    """Whether the mark has reached a price, `way` 1 on the side of profit and -1 on that of loss; no for no price."""
    if price is None or not is_known(price, position.mark):
        return False
    return way * position.sign * (position.mark - price) >= 0


def moved_stop(answer: Answer, key: str, position: Position) -> float | None:
    """Where the stop of a position is to be from now on; None where it stays. It only ever comes closer."""
    pal, sign, mark = granted(answer, PAL_ACTIONS, key), position.sign, position.mark
    if not is_known(position.entry, mark) or mark <= 0:
        return None
    places: list[float] = []
    if pal.get("TIGHTEN_STOP") and sign * (mark - position.entry) > 0:
        places.append(position.entry + pal["TIGHTEN_STOP"][0] * (mark - position.entry))
    risk = risk_per_unit(sign, position.first_entry, position.first_stop)
    if pal.get("TREND_EXIT") and risk is not None:
        places.append(mark - sign * pal["TREND_EXIT"][0] * risk)
    if not places:
        return None
    best = max(places) if sign > 0 else min(places)
    is_closer = position.stop is None or sign * (best - position.stop) > 0
    return best if is_closer and best > 0 and sign * (mark - best) > 0 else None


def lower_leverage(answer: Answer, key: str, position: Position) -> float | None:
    """The leverage that a position is to have, 1 at least; None where it stays."""
    share = granted(answer, PBA_ACTIONS, key).get("CUT_LEVERAGE")
    if not share or position.leverage is None or not is_known(position.leverage) or position.leverage <= 1:
        return None
    return max(1.0, position.leverage * (1 - share[0]))


def addition(answer: Answer, key: str, position: Position, lot: Lot | None, name: str) -> Request | None:
    """The request to add to a position, for the rules to judge; None where nothing may be, or too little is known.

    It is proposed as the position was: by the same model, with the same confidence and votes. Its stop is the
    position's.
    """
    share = granted(answer, PAL_ACTIONS, key).get("ADD_SIZE")
    first, entry = position.first_quantity, position.first_entry
    if not share or lot is None or first is None or entry is None or not is_known(first, entry):
        return None
    notional = math.floor(share[0] * first * entry / CENT) * CENT
    return Request(
        position.symbol, position.side, 0, notional=notional, leverage=position.leverage, model=lot.model,
        confidence=lot.confidence, votes=lot.votes, urgency="NORMAL", stop=position.stop, client_id=name,
        target=position.target,
    )  # fmt: skip


def name_of(act: str, position: Position) -> str:
    """Names an act on a position as it is: the same one for as long as nothing has been filled."""
    return f"{act}:{position.symbol}:{position.opened}:{position.quantity!r}:{position.entry!r}"


def positions_of(inputs: Inputs) -> Mapping[str, Position]:
    """The positions at hand, none where nobody knows them."""
    return inputs.book.positions or {}
