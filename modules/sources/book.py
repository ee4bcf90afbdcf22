"""What the book tells: the account, each position, each request as its caller states it, and trades that closed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, ClassVar

from modules.estimates.progress import is_known, loss_at_stop, risk_per_unit
from modules.inputs import Account, ClosedTrade, Inputs, Position, Request
from modules.sources.effects import effect_of
from modules.sources.feed import age_ms
from modules.supply import Row, Supply

OF_ACCOUNT = tuple(
    f"account.{name}"
    for name in ("equity", "balance", "free_margin", "used_margin", "drawdown", "daily_loss", "open_loss",
                 "reconciliation_gap")
)  # fmt: skip
OF_POSITIONS = ("account.open_positions", "account.open_loss")


class BookSource:
    """The account's money and losses, rows of positions and requests, and `trade` events since the last snapshot."""

    name: ClassVar[str] = "book"
    policy: ClassVar[str | None] = None
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("book", "caller")

    def compute(self, inputs: Inputs) -> Supply:
        """The book as it stands; what only the venue knows and did not say is missing."""
        book = inputs.book
        reasons: dict[str, str] = {}
        single: dict[str, Any] = {}
        rows: dict[str, dict[str, Row]] = {
            "request": {key: _request(inputs, book.requests[key]) for key in sorted(book.requests)}
        }
        if book.account is None:
            reasons |= dict.fromkeys(OF_ACCOUNT, "the venue's account is not known")
        else:
            single |= _account(book.account) | _open_loss(book.account, book.positions)
            reasons |= {path: why for path, why in _lacking(book.account).items() if path not in single}
        if book.positions is None:
            reasons |= dict.fromkeys(OF_POSITIONS, "nobody knows the positions")
        else:
            held = {key: book.positions[key] for key in sorted(book.positions)}
            rows["position"] = {key: _position(p, inputs.ts) for key, p in held.items()}
            bare = [key for key, row in rows["position"].items() if "risk" not in row]
            reasons |= {
                f'position["{key}"].{n}': _no_risk(held[key]) for key in bare for n in ("risk", "stop_distance")
            }
            single["account.open_positions"] = len(held)
        events: dict[str, tuple[Row, ...]] = {}
        if book.trades is None:
            reasons["account.losing_streak"] = "nobody knows the closed trades"
        else:
            counted_from = inputs.machinery.operator.peak_from
            counted = [t for t in book.trades if counted_from is None or t.closed > counted_from]
            streak = losing_streak(counted, inputs.ts)
            if streak is None:
                reasons["account.losing_streak"] = "the newest closed trades have no known result, or are dated ahead"
            else:
                single["account.losing_streak"] = streak
            since = inputs.before.ts if inputs.before is not None else None
            news = [t for t in book.trades if (since is None or t.closed > since) and t.closed <= inputs.ts]
            events["trade"] = tuple(_trade(t) for t in news)
        return Supply(single=single, rows=rows, events=events, reasons=reasons)


def losing_streak(trades: Sequence[ClosedTrade], now: int) -> int | None:
    """Losing trades in a row up to `now` (ms), in order of their closing, whatever order they come in.

    None where the newest ones have no known result, and where one is dated ahead: nobody knows which is the newest.
    """
    if trades and age_ms(max(t.closed for t in trades), now) is None:
        return None
    newest_first = sorted(trades, key=lambda t: t.closed)[::-1]
    streak = sum(1 for _ in takewhile(lambda t: t.profit is not None and t.profit < 0, newest_first))
    if streak == len(newest_first):
        return streak
    ends_it = newest_first[streak].profit
    return streak if ends_it is not None and math.isfinite(ends_it) else None


def _lacking(account: Account) -> dict[str, str]:
    """Why each of the account's losses may be missing."""
    equity = f"equity is {account.equity:g}, and no share of that says anything"
    return {
        "account.drawdown": "no peak of the equity is known",
        "account.daily_loss": "no equity is known of 00:00 UTC, nor of the day before",
        "account.open_loss": equity,
        "account.reconciliation_gap": "one of the two records of the equity is not there",
    }


def _no_risk(position: Position) -> str:
    """Why nobody knows what a position loses at its stop."""
    if position.stop is None:
        return "no stop of it is known"
    if not is_known(position.stop) or position.stop < 0:
        return f"its stop at {position.stop:g} is no price"
    return f"a quantity of {position.quantity:g} at a mark of {position.mark:g} cannot be"


def _loss(value: float) -> float:
    """A loss, 0 for a gain. What is no number stays none, where `max` would make it no loss."""
    return 0.0 if value <= 0 else value


def _account(account: Account) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "account.equity": account.equity,
        "account.balance": account.balance,
        "account.used_margin": account.used_margin,
        "account.free_margin": account.equity - account.used_margin,
    }
    if account.peak_equity > 0:
        facts["account.drawdown"] = _loss((account.peak_equity - account.equity) / account.peak_equity)
    if account.day_equity is not None and account.day_equity > 0:
        facts["account.daily_loss"] = _loss((account.day_equity - account.equity) / account.day_equity)
    own, theirs = account.own_equity, account.venue_equity
    if own is not None and theirs is not None and own > 0:
        facts["account.reconciliation_gap"] = abs(own - theirs) / own
    return facts


def _open_loss(account: Account, positions: Mapping[str, Position] | None) -> dict[str, Any]:
    if positions is None or account.equity <= 0:
        return {}
    return {"account.open_loss": _loss(-sum(p.profit for _, p in sorted(positions.items())) / account.equity)}


def _position(position: Position, ts: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "symbol": position.symbol,
        "side": position.side,
        "notional": position.notional,
        "age": max(0, ts - position.opened) / 1000,
        "leverage": position.leverage,
    }
    if position.first_quantity is not None and position.first_entry is not None:
        row["original_notional"] = position.first_quantity * position.first_entry
    if position.entry > 0 and position.quantity > 0:
        row["unrealized"] = position.profit / (position.quantity * position.entry)
    risk = loss_at_stop(position.sign, position.quantity, position.mark, position.stop)
    if risk is not None and position.stop is not None and position.mark > 0:
        row["stop_distance"] = abs(position.mark - position.stop) / position.mark
        row["risk"] = risk
    return row


def _request(inputs: Inputs, request: Request) -> dict[str, Any]:
    """What the caller states, and what it would do to the book."""
    does = effect_of(request, inputs.book.positions)
    row: dict[str, Any] = {
        "symbol": request.symbol,
        "side": does.side,
        "effect": does.effect,
        "model": request.model,
        "confidence": request.confidence,
        "votes": request.votes,
        "urgency": request.urgency,
        "notional": request.notional,
        "leverage": request.leverage,
    }
    if request.notional is not None and request.leverage is not None and request.leverage > 0:
        row["margin"] = request.notional / request.leverage
    price = request.price
    if price is None and request.symbol in inputs.market.tickers:
        price = inputs.market.tickers[request.symbol].price
    lost = risk_per_unit(1 if request.side == "LONG" else -1, price, request.stop)
    if lost is not None and request.notional is not None and price is not None:
        row["risk"] = request.notional * lost / price
    return row


def _trade(trade: ClosedTrade) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "side": trade.side,
        "exit": trade.exit,
        "profit": trade.profit,
        "profit_ratio": trade.profit_ratio,
        "r_multiple": trade.r_multiple,
        "closed_at": trade.closed / 1000,
    }
