"""What each limit of the balancer looks at: the room that is left in the whole book, the part of it, or the request.

It is read from the facts of the request that the rule's own condition names, so that a rule of another name, or a new
one, finds its place by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from policy_dsl.bundle import Bundle
from policy_dsl.nodes import RowRead
from policy_dsl.program import Rule
from policy_dsl.walking import walk

OWN = "pba"
REQUEST = "request"

OF_THE_BOOK = frozenset({"exposure_after", "risk_after", "leverage_after", "free_margin_after"})
"""What the whole book would come to: the same whichever symbol the request is in."""

OF_A_PART = frozenset({"sector_share_after", "symbol_share_after", "correlated_after", "correlated_positions_after"})
"""What a part of the book would come to: that which the request would join."""


EFFECT = "effect"
"""Whether it adds risk: every limit asks that first, for an exit passes them all."""


class Looks(StrEnum):
    """What a rule looks at, and so what a denial of it says."""

    ROOM = "room"
    """At the whole book: as much in any other symbol would be denied too, and nothing is said of the proposal."""
    BALANCE = "balance"
    """At the part of the book that the proposal would join: as much elsewhere might pass."""
    REQUEST = "the request"
    """At the request alone."""


def limits(bundle: Bundle) -> Mapping[str, Looks]:
    """By rule of the balancer that judges requests, what it looks at; in the order of their names."""
    return {
        rule.id: looks_at(rule)
        for rule in bundle.program.rules
        if rule.id.startswith(f"{OWN}.") and rule.scope is not None and rule.scope.entity == REQUEST
    }


def looks_at(rule: Rule) -> Looks:
    """What the condition of a rule for each request looks at: at the whole book where it names no figure of it."""
    read = set(_of_request(rule)) - {EFFECT}
    if read & OF_A_PART:
        return Looks.BALANCE
    return Looks.ROOM if read <= OF_THE_BOOK else Looks.REQUEST


def _of_request(rule: Rule) -> Iterator[str]:
    """The facts of its own request that the condition of a rule names; not those of the others asked for with it."""
    own = None if rule.scope is None else rule.scope.variable
    for node in walk(rule.guard):
        if isinstance(node, RowRead) and node.row.entity == REQUEST and node.row.variable == own:
            yield node.field
