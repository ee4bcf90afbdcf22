"""Guards taken apart: what must be asked of each snapshot, and what follows from the answers.

An *item* is a largest part of a guard that reads the snapshot; its truth is a bit or two of a mask. The rest of the
guard, which reads only outputs that follow from masks, needs no computing for a mask that was seen before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from evaluators.python.nodes import Condition
from evaluators.python.reads import Reads, ReadsOf
from evaluators.python.truths import Condition as Truth
from policy_dsl.nodes import All, AnyOf, Expression, Not


@dataclass(eq=False, slots=True)
class Bits:
    """Where in which mask a truth is kept, once it has been given a place, and the condition that reads it back."""

    word: str = ""
    mask: int = 0
    truth: Truth | None = None


@dataclass(eq=False, slots=True)
class Item:
    """A part of a guard to ask of each snapshot; `place` is the entity whose rows it is asked of, None for the fund."""

    expression: Condition
    reads: Reads
    place: str | None
    variable: str | None
    bits: Bits = field(default_factory=Bits)


@dataclass(frozen=True, slots=True)
class Settled:
    """A part that reads only settled outputs: those that follow from masks."""

    expression: Condition
    reads: Reads


@dataclass(frozen=True, slots=True)
class Joined:
    """The conjunction (`every`) or disjunction of parts."""

    every: bool
    parts: tuple[Guard, ...]


@dataclass(frozen=True, slots=True)
class Opposite:
    """The negation of a part."""

    part: Guard


Guard = Item | Settled | Joined | Opposite


@dataclass(frozen=True, slots=True)
class Splitter:
    """Takes conditions apart; `settled` are the outputs that follow from masks."""

    reads: ReadsOf
    settled: frozenset[str]

    def split(self, node: Condition, place: str | None, variable: str | None) -> Guard:
        """The guard for a condition judged at `place`, whose row is called `variable`."""
        reads = self.reads(node, variable)
        if reads.settled(self.settled):
            return Settled(node, reads)
        if not reads.near & self.settled or not isinstance(node, All | AnyOf | Not):
            return Item(node, reads, place, variable)
        if isinstance(node, Not):
            return Opposite(self.split(node.operand, place, variable))
        return self._join(node, place, variable)

    def all_of(self, nodes: tuple[Condition, ...], place: str | None, variable: str | None) -> Guard:
        """The guard for the conjunction of conditions."""
        if len(nodes) == 1:
            return self.split(nodes[0], place, variable)
        return Joined(True, tuple(self.split(node, place, variable) for node in nodes))

    def _join(self, node: All | AnyOf, place: str | None, variable: str | None) -> Guard:
        """The operands that read no settled output make one item together."""
        asked: list[Expression] = []
        parts: list[Guard] = []
        for operand in node.operands:
            reads = self.reads(operand, variable)
            if reads.near & self.settled or reads.settled(self.settled):
                parts.append(self.split(operand, place, variable))
            else:
                asked.append(operand)
        if asked:
            together: Expression = asked[0] if len(asked) == 1 else type(node)(tuple(asked))
            parts.insert(0, self.split(together, place, variable))
        return Joined(isinstance(node, All), tuple(parts))


def items(guard: Guard) -> Iterator[Item]:
    """The items of a guard."""
    match guard:
        case Item():
            yield guard
        case Joined():
            for part in guard.parts:
                yield from items(part)
        case Opposite():
            yield from items(guard.part)
        case Settled():
            return


def settled_reads(guard: Guard) -> frozenset[str]:
    """The outputs that the settled parts of a guard read."""
    match guard:
        case Settled():
            return guard.reads.near
        case Joined():
            return frozenset().union(*(settled_reads(part) for part in guard.parts))
        case Opposite():
            return settled_reads(guard.part)
        case Item():
            return frozenset()
