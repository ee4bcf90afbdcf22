"""The money of a paper account: one-way positions, each with isolated margin of its own, fees and liquidations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from modules.estimates.liquidation import liquidation_price
from modules.inputs import Account, Position

NOTHING = 1e-12
"""Base units; less than that is what sums of floats leave of nothing."""


@dataclass(frozen=True, slots=True)
class Held:
    """A position: `sign` 1 long, -1 short; `margin` is set aside for it and is all that it can lose."""

    sign: int
    quantity: float
    entry: float
    margin: float
    opened: int

    def profit(self, price: float) -> float:
        """Unrealised profit at a price."""
        return self.sign * self.quantity * (price - self.entry)


@dataclass(slots=True)
class Ledger:
    """Wallet balance (unrealised profit not counted), positions by symbol, fees paid so far."""

    balance: float
    leverage: float
    held: dict[str, Held] = field(default_factory=dict)
    fees: float = 0.0
    leverages: dict[str, float] = field(default_factory=dict)
    """Of the symbols for which another leverage was set."""

    @property
    def used_margin(self) -> float:
        """Margin set aside for positions."""
        return math.fsum(h.margin for h in self.held.values())

    def equity(self, price_of: Callable[[str], float]) -> float:
        """Balance and unrealised profit."""
        return self.balance + math.fsum(h.profit(price_of(symbol)) for symbol, h in self.held.items())

    def account(self, at: int, price_of: Callable[[str], float], reserved: float) -> Account:
        """The account at `at` (ms) and these prices; `reserved` is the margin of orders that rest. No peak is known."""
        equity = self.equity(price_of)
        used = self.used_margin + reserved
        return Account(at, self.balance, equity, used, math.nan, math.nan, venue_equity=equity)

    def positions(self, price_of: Callable[[str], float]) -> Mapping[str, Position]:
        """The positions at these prices, by symbol."""
        return {
            symbol: Position(
                symbol, "LONG" if held.sign > 0 else "SHORT", held.quantity, held.entry, price_of(symbol), held.opened,
                leverage=self.leverage_of(symbol),
            )
            for symbol, held in sorted(self.held.items())
        }  # fmt: skip

    def reducible(self, symbol: str, sign: int) -> float:
        """How much an order of that sign can reduce, base units."""
        held = self.held.get(symbol)
        return held.quantity if held is not None and held.sign == -sign else 0.0

    def fill(self, symbol: str, sign: int, quantity: float, price: float, fee: float, ts: int) -> None:
        """Books a fill: first against a position of the other side, then into one of its own. `fee` is a ratio."""
        self.fees += quantity * price * fee
        self.balance -= quantity * price * fee
        closing = min(quantity, self.reducible(symbol, sign))
        if closing > 0:
            self._reduce(symbol, closing, price)
        if quantity - closing > NOTHING:
            self._add(symbol, sign, quantity - closing, price, ts)

    def liquidation(self, symbol: str) -> float:
        """The price at which a position is liquidated."""
        held = self.held[symbol]
        return liquidation_price(held.entry, held.sign, self.leverage_of(symbol))

    def leverage_of(self, symbol: str) -> float:
        """The leverage of a symbol."""
        return self.leverages.get(symbol, self.leverage)

    def margin_at(self, symbol: str, leverage: float) -> float:
        """The margin that the position in a symbol needs at a leverage; 0 without one."""
        held = self.held.get(symbol)
        return 0.0 if held is None else held.quantity * held.entry / leverage

    def set_leverage(self, symbol: str, leverage: float) -> None:
        """Sets the leverage of a symbol, and the margin of the position in it."""
        self.leverages[symbol] = leverage
        if symbol in self.held:
            self.held[symbol] = replace(self.held[symbol], margin=self.margin_at(symbol, leverage))

    def liquidate(self, symbol: str) -> float:
        """Closes a position and takes its whole margin; what was lost."""
        lost = self.held.pop(symbol).margin
        self.balance -= lost
        return lost

    def _reduce(self, symbol: str, quantity: float, price: float) -> None:
        held = self.held[symbol]
        self.balance += held.sign * quantity * (price - held.entry)
        left = held.quantity - quantity
        if left <= NOTHING:
            del self.held[symbol]
        else:
            self.held[symbol] = replace(held, quantity=left, margin=held.margin * left / held.quantity)

    def _add(self, symbol: str, sign: int, quantity: float, price: float, ts: int) -> None:
        margin = quantity * price / self.leverage_of(symbol)
        held = self.held.get(symbol)
        if held is None:
            self.held[symbol] = Held(sign, quantity, price, margin, ts)
            return
        total = held.quantity + quantity
        entry = (held.entry * held.quantity + price * quantity) / total
        self.held[symbol] = replace(held, quantity=total, entry=entry, margin=held.margin + margin)
