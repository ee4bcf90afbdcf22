"""SQL expressions under construction, and the columns that they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluators.duckdb.frames import Column

DEEPEST = 40
"""How deep an expression may nest before a part of it becomes a column of its own (DuckDB refuses very deep ones)."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """One SQL expression: its text, the columns it reads, how deep it nests, and whether it can be NULL (unknown).

    The columns are distinct, in the order in which they were first read, so that equal programs have equal SQL.
    """

    text: str
    columns: tuple[Column, ...] = ()
    depth: int = 1
    nullable: bool = False

    def known(self) -> Fragment:
        """The same expression where the reader has seen to it that it is never NULL."""
        return Fragment(self.text, self.columns, self.depth)


TRUE = Fragment("TRUE")
FALSE = Fragment("FALSE")
ZERO = Fragment("0")


def compose(template: str, *parts: Fragment) -> Fragment:
    """`template` with each `{}` replaced by a part; NULL where a part may be."""
    return Fragment(
        template.format(*(p.text for p in parts)),
        tuple(dict.fromkeys(c for p in parts for c in p.columns)),
        1 + max((p.depth for p in parts), default=0),
        any(p.nullable for p in parts),
    )


def listed(separator: str, parts: Sequence[Fragment]) -> Fragment:
    """The parts side by side, with `separator` between them."""
    return compose(separator.join(["{}"] * len(parts)), *parts)


def every(parts: Sequence[Fragment]) -> Fragment:
    """`AND` of the parts; of none, true."""
    rest = list(dict.fromkeys(p for p in parts if p.text != TRUE.text))
    if any(p.text == FALSE.text for p in rest):
        return FALSE
    return TRUE if not rest else rest[0] if len(rest) == 1 else compose("({})", listed(" AND ", rest))


def either(parts: Sequence[Fragment]) -> Fragment:
    """`OR` of the parts; of none, false."""
    rest = list(dict.fromkeys(p for p in parts if p.text != FALSE.text))
    if any(p.text == TRUE.text for p in rest):
        return TRUE
    return FALSE if not rest else rest[0] if len(rest) == 1 else compose("({})", listed(" OR ", rest))


def added(parts: Sequence[Fragment]) -> Fragment:
    """The sum of the parts, in parentheses; nested so that thousands of them do not nest deep."""
    whole = list(parts)
    while len(whole) > DEEPEST:
        whole = [added(whole[i : i + DEEPEST]) for i in range(0, len(whole), DEEPEST)]
    return compose("({})", listed(" + ", whole)) if len(whole) > 1 else whole[0]


@dataclass(slots=True)
class Case:
    """`CASE WHEN ... THEN ... ELSE ... END`, branch by branch; branches that cannot be taken are left out."""

    branches: list[tuple[Fragment, Fragment]] = field(default_factory=list)

    def when(self, condition: Fragment, value: Fragment) -> Case:
        """Add a branch; a condition that is NULL does not hold."""
        if condition.text != FALSE.text and not self._closed:
            self.branches.append((condition, value))
        return self

    def otherwise(self, value: Fragment) -> Fragment:
        """The whole expression."""
        if self._closed:
            *branches, (_, value) = self.branches
        else:
            branches = self.branches
        if not branches:
            return value
        parts = [part for branch in branches for part in branch]
        whole = compose("CASE" + " WHEN {} THEN {}" * len(branches) + " ELSE {} END", *parts, value)
        values = [v for _, v in branches] + [value]
        return Fragment(whole.text, whole.columns, whole.depth, any(v.nullable for v in values))

    @property
    def _closed(self) -> bool:
        return bool(self.branches) and self.branches[-1][0].text == TRUE.text
