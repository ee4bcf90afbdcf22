"""The book as it would be, request after request: what is held, what is pending, what it risks and sets aside."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from modules.estimates.progress import is_known
from modules.inputs import Position

SAME = 1e-9
"""What is left of a notional after taking this part of it off, or less, is rounding."""

Place = tuple[str, str]
"""A symbol, and LONG or SHORT."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is held on one side of a symbol, quote currency. `risk` is the loss if every stop is hit.

    `margin` is what is set aside for it. None is not known.
    """

    notional: float = 0.0
    risk: float | None = 0.0
    margin: float | None = 0.0

    def plus(self, other: Line) -> Line:
        """Both together; what one does not know, both do not."""
        return Line(self.notional + other.notional, _sum(self.risk, other.risk), _sum(self.margin, other.margin))

    def times(self, part: float) -> Line:
        """A part of it."""
        risk = None if self.risk is None else self.risk * part
        return Line(self.notional * part, risk, None if self.margin is None else self.margin * part)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as it counts: what it adds to, or takes off, the position on `side`; `line.notional` is its size.

    `reduce_only` says that it may not go beyond what is held.
    """

    symbol: str
    side: str
    adds: bool
    line: Line
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class Book:
    """The book. `least` and `most` bound the margin set aside: they differ by what is not known of it."""

    lines: dict[Place, Line] = field(default_factory=dict)
    least: float = 0.0
    most: float = 0.0

    @property
    def gross(self) -> float:
        """Sum of notional."""
        return self.notional(lambda _: True)

    @property
    def risk(self) -> float | None:
        """Sum of what the stops would cost; None where one is not known."""
        risks = [line.risk for _, line in sorted(self.lines.items()) if line.notional > 0]
        return None if None in risks else math.fsum(r for r in risks if r is not None)

    def notional(self, counts: Callable[[str], bool]) -> float:
        """Sum of notional in the symbols that count."""
        return math.fsum(line.notional for (symbol, _), line in sorted(self.lines.items()) if counts(symbol))

    def count_by_symbol(self) -> dict[str, int]:
        """How many positions there are in each symbol: one of each side at most."""
        found: dict[str, int] = {}
        for (symbol, _), line in sorted(self.lines.items()):
            found[symbol] = found.get(symbol, 0) + (line.notional > 0)
        return found

    def by_symbol(self) -> dict[str, float]:
        """Notional of both sides of each symbol."""
        found: dict[str, float] = {}
        for (symbol, _), line in sorted(self.lines.items()):
            found[symbol] = found.get(symbol, 0.0) + line.notional
        return found

    def after(self, ask: Ask) -> Book:
        """The book once the request has happened.

        A position of the other side is closed before one opens: a book holds one a symbol. An order that takes off more
        than there is opens the other side with the rest.
        """
        other = "SHORT" if ask.side == "LONG" else "LONG"
        taken, given = ((ask.symbol, other), ask.side) if ask.adds else ((ask.symbol, ask.side), other)
        if ask.adds and self.lines.get((ask.symbol, ask.side), Line()).notional > 0:
            return self.plus((ask.symbol, ask.side), ask.line)
        made, left = self.less(taken, ask.line.notional)
        if ask.reduce_only or left <= SAME * ask.line.notional:
            return made
        return made.plus((ask.symbol, given), ask.line.times(left / ask.line.notional))

    def plus(self, place: Place, line: Line) -> Book:
        """The book with so much more on one side of a symbol. Margin that is not known is from nothing to all of it."""
        lines = {**self.lines, place: self.lines.get(place, Line()).plus(line)}
        unknown = line.margin is None
        return Book(
            lines,
            self.least + (0.0 if line.margin is None else line.margin),
            self.most + (line.notional if unknown else line.margin or 0.0),
        )

    def less(self, place: Place, notional: float) -> tuple[Book, float]:
        """The book with so much taken off one side of a symbol, and how much there was not to take."""
        held = self.lines.get(place, Line())
        taken = min(notional, held.notional)
        if taken <= 0:
            return self, notional
        part = taken / held.notional
        lines = {**self.lines, place: held.times(1 - part)}
        if part >= 1 - SAME:
            del lines[place]
        freed = held.times(part).margin
        least = self.least - (taken if freed is None else freed)
        made = replace(self, lines=lines, least=max(0.0, least), most=max(0.0, self.most - (freed or 0.0)))
        return made, notional - taken


def counted(lines: Iterable[tuple[Place, Line]], used_margin: float) -> Book:
    """The book of these positions, with the margin that the account says is in use."""
    book = Book()
    for place, line in lines:
        book = replace(book, lines={**book.lines, place: book.lines.get(place, Line()).plus(line)})
    return replace(book, least=used_margin, most=used_margin)


def positions(
    book: Book, held: Mapping[Place, Position], prices: Mapping[str, float | None]
) -> dict[str, Position] | str:
    """The positions of a book, keyed `SYMBOL SIDE`, or why they are not known; `held` are those that there are.

    What is not held yet is entered at `prices` (by symbol); what grows has the mean of both as its entry. The leverage
    is notional / margin where the margin is known.
    """
    found: dict[str, Position] = {}
    for (symbol, side), line in sorted(book.lines.items()):
        if line.notional <= 0:
            continue
        now, price = held.get((symbol, side)), prices.get(symbol)
        mark = now.mark if now is not None else price
        if mark is None:
            return f"the price of {symbol} is not known"
        quantity = line.notional / mark
        leverage = line.notional / line.margin if line.margin else None
        had, entry = (now.quantity, now.entry) if now is not None else (0.0, mark)
        if quantity > had:
            entry = (had * entry + (quantity - had) * mark) / quantity
        found[f"{symbol} {side}"] = Position(symbol, side, quantity, entry, mark, 0, leverage)
    return found


def ask_of(
    symbol: object, side: object, effect: object, figures: tuple[object, object, object], *, reduce_only: bool
) -> Ask | str:
    """A request as it counts, or why it cannot. `figures` are its notional, its risk, and the margin it sets aside."""
    if not isinstance(symbol, str) or side not in {"LONG", "SHORT"} or not isinstance(effect, str):
        return "what it would do to the book is not known"
    notional, risk, margin = (_number(f) for f in figures)
    if notional is None:
        return "its size is not known"
    return Ask(symbol, str(side), effect in {"OPEN", "INCREASE"}, Line(notional, risk, margin), reduce_only)


def _number(value: object) -> float | None:
    """A figure that is not negative; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if is_known(value) and value >= 0 else None


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
