"""Three-valued truth as Python conditions.

A condition is written twice: where it is *possible* (not definitely false) and where it is *certain* (definitely true).
With negation pushed to the leaves, both are plain short-circuit expressions, and no third truth value is ever built:
`x > 3` with `x` possibly unknown is possible where `x is None or x > 3`, certain where `x is not None and x > 3`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from evaluators.python.operands import Operand


class Binding(enum.IntEnum):
    """How tightly the outermost operator of a text binds."""

    OR = 1
    AND = 2
    NOT = 3
    ATOM = 4


@dataclass(frozen=True, slots=True)
class Clause:
    """A Python expression that is judged by its truth.

    `nesting` counts the parentheses inside one another; `bits` are the mask and the bits in it that the clause tests,
    if that is all it does.
    """

    text: str
    binding: Binding = Binding.ATOM
    nesting: int = 0
    bits: tuple[str, int] | None = None

    def within(self, binding: Binding) -> str:
        """The text as an operand of an operator that binds so, in parentheses where needed."""
        return f"({self.text})" if self.binding < binding else self.text

    def opposite(self) -> Clause:
        """`not` this."""
        if self.text == ALWAYS.text:
            return NEVER
        if self.text == NEVER.text:
            return ALWAYS
        return Clause(f"not {self.within(Binding.ATOM)}", Binding.NOT, self.nesting + 1)


ALWAYS = Clause("True")
NEVER = Clause("False")


def any_bit(word: str, mask: int) -> Clause:
    """Whether any of the bits `mask` is set in `word`."""
    return Clause(f"{word} & {mask}", bits=(word, mask))


def both(clauses: Iterable[Clause]) -> Clause:
    """The conjunction; of nothing, `True`."""
    return _joined(clauses, Binding.AND, ALWAYS, NEVER)


def either(clauses: Iterable[Clause]) -> Clause:
    """The disjunction; of nothing, `False`. Tests of bits of one mask become one."""
    masks: dict[str, int] = {}
    others: list[Clause] = []
    for clause in clauses:
        if clause.bits is None:
            others.append(clause)
        else:
            masks[clause.bits[0]] = masks.get(clause.bits[0], 0) | clause.bits[1]
    if not masks:
        return _joined(others, Binding.OR, NEVER, ALWAYS)
    return _joined([*(any_bit(word, mask) for word, mask in masks.items()), *others], Binding.OR, NEVER, ALWAYS)


def _joined(clauses: Iterable[Clause], binding: Binding, neutral: Clause, absorbing: Clause) -> Clause:
    kept = {clause.text: clause for clause in clauses}
    kept.pop(neutral.text, None)
    if absorbing.text in kept:
        return absorbing
    if len(kept) <= 1:
        return next(iter(kept.values()), neutral)
    word = " and " if binding is Binding.AND else " or "
    nesting = max(clause.nesting + (clause.binding < binding) for clause in kept.values())
    return Clause(word.join([clause.within(binding) for clause in kept.values()]), binding, nesting)


def is_none(name: str) -> Clause:
    """`name is None`."""
    return Clause(f"{name} is None")


def is_known(name: str) -> Clause:
    """`name is not None`."""
    return Clause(f"{name} is not None")


@dataclass(frozen=True, slots=True)
class Cut:
    """The test `name sign limit` of a number or level."""

    sign: str
    limit: int

    @property
    def upward(self) -> bool:
        """Whether it asks for large values."""
        return self.sign in (">", ">=")

    @property
    def looseness(self) -> tuple[int, bool]:
        """Sorts cuts of one way so that each holds only where all before it do."""
        return (self.limit if self.upward else -self.limit, self.sign in (">", "<"))


@dataclass(frozen=True, slots=True)
class Condition:
    """A three-valued condition.

    `nulls` are names such that, where the condition is possible, it is certain exactly when none of them is None (a
    leaf, a conjunction of leaves); `doubts` are names such that, where it is not certain, it is possible exactly when
    one of them is None (a leaf, a disjunction). None: only the other clause tells; no names: it is never unknown.
    `test` is, for a leaf on one name that may be None, the test of its known value, and `cut` the same where the other
    side is a constant. `depth` is that of the innermost name it mentions (see `Scribe`).
    """

    possible: Clause
    certain: Clause
    nulls: tuple[str, ...] | None = ()
    doubts: tuple[str, ...] | None = ()
    depth: int = 0
    test: Clause | None = None
    cut: Cut | None = None

    @property
    def two_valued(self) -> bool:
        """Whether it is never unknown."""
        return self.nulls == ()

    @property
    def nesting(self) -> int:
        """The deepest parentheses of its texts."""
        return max(self.possible.nesting, self.certain.nesting)


TRUE = Condition(ALWAYS, ALWAYS)


def plain(clause: Clause, depth: int = 0) -> Condition:
    """A condition that is never unknown."""
    return Condition(clause, clause, depth=depth)


def leaf(test: Clause, operands: Iterable[Operand], cut: Cut | None = None) -> Condition:
    """A test of operands: unknown where any of them is."""
    used = tuple(operands)
    depth = max((operand.depth for operand in used), default=0)
    names = tuple(dict.fromkeys(operand.text for operand in used if operand.nullable))
    if not names:
        return plain(test, depth)
    if len(names) == 1:
        # Most of all conditions are of this kind, so they are written without looking for anything to simplify.
        possible = Clause(f"{names[0]} is None or {test.text}", Binding.OR, test.nesting)
        certain = Clause(f"{names[0]} is not None and {test.text}", Binding.AND, test.nesting)
        return Condition(possible, certain, names, names, depth, test, cut)
    possible = either([*map(is_none, names), test])
    certain = both([*map(is_known, names), test])
    return Condition(possible, certain, names, names, depth)


def conjunction(conditions: Iterable[Condition]) -> Condition:
    """Kleene `and`."""
    parts = tuple(conditions)
    if len(parts) == 1:
        return parts[0]
    nulls = _names([part.nulls for part in parts])
    doubts = () if nulls == () else None
    depth = max((part.depth for part in parts), default=0)
    return Condition(both(p.possible for p in parts), both(p.certain for p in parts), nulls, doubts, depth)


def disjunction(conditions: Iterable[Condition]) -> Condition:
    """Kleene `or`."""
    parts = tuple(conditions)
    if len(parts) == 1:
        return parts[0]
    doubts = _names([part.doubts for part in parts])
    nulls = () if doubts == () else None
    depth = max((part.depth for part in parts), default=0)
    return Condition(either(p.possible for p in parts), either(p.certain for p in parts), nulls, doubts, depth)


def _names(parts: list[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    """The names of all parts, None where one has none to tell."""
    known = [part for part in parts if part is not None]
    return tuple(dict.fromkeys(name for part in known for name in part)) if len(known) == len(parts) else None


def mark(condition: Condition, word: str, possible: int, certain: int) -> list[str]:
    """Lines that add to the mask `word` the bits `possible`, where the condition is, and `certain` too, where it is."""
    full = possible | certain
    if condition.possible == NEVER:
        return []
    if condition.two_valued:
        return [f"if {condition.possible.text}:", f"    {word} += {full}"]
    if condition.nulls is not None:
        unknown = either(map(is_none, condition.nulls)).text
        return [f"if {condition.possible.text}:", f"    {word} += {possible} if {unknown} else {full}"]
    if condition.doubts is not None:
        unknown = either(map(is_none, condition.doubts)).text
        lines = [f"if {condition.certain.text}:", f"    {word} += {full}"]
        return [*lines, f"elif {unknown}:", f"    {word} += {possible}"]
    return [f"if {condition.possible.text}:", f"    {word} += {full} if {condition.certain.text} else {possible}"]
