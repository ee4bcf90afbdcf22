"""Places for truths in masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from evaluators.python.guards import Bits
from evaluators.python.truths import Condition, any_bit, plain

WIDTH = 60
"""Bits in one mask: two digits of a Python int. Wider ints cost more at every bit, more masks at every decision."""


@dataclass(slots=True)
class Masks:
    """The masks of the fund or of the rows of an entity: local names, each an int of at most `WIDTH` bits.

    `opened` is told the name of each new mask, so that a line can set it to zero.
    """

    prefix: str
    depth: int
    opened: Callable[[str], None]
    names: list[str] = field(default_factory=list)
    used: int = WIDTH

    def take(self, width: int) -> tuple[str, int]:
        """A mask and the lowest of `width` free bits in it."""
        if self.used + width > WIDTH:
            self.names.append(f"{self.prefix}{len(self.names)}")
            self.used = 0
            self.opened(self.names[-1])
        bit = 1 << self.used
        self.used += width
        return self.names[-1], bit

    def place(self, bits: Bits, two_valued: bool) -> tuple[str, int, int]:
        """Give a truth its place: the mask, the bit for possible, the bit for certain (the same if `two_valued`)."""
        word, possible = self.take(1 if two_valued else 2)
        certain = possible if two_valued else possible << 1
        bits.word, bits.mask = word, possible | certain
        if two_valued:
            bits.truth = plain(any_bit(word, possible), self.depth)
        else:
            bits.truth = Condition(any_bit(word, possible), any_bit(word, certain), None, None, self.depth)
        return word, possible, certain


def copy(bits: Bits, to: Bits) -> None:
    """Keep a truth where an equal one is kept."""
    to.word, to.mask, to.truth = bits.word, bits.mask, bits.truth


def key_of(names: list[str]) -> str:
    """The text of a key made of masks."""
    if len(names) == 1:
        return names[0]
    return f"({', '.join(names)})" if names else "0"
