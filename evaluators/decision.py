"""What an evaluator answers: the value of every output and the rules that fired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policy_dsl.types import Value

Grants = tuple[tuple[str, tuple[int, ...]], ...]
"""The items granted by a set output, in declared order, each with its arguments (quanta)."""

OutputValue = Value | Grants
"""The final value of an output: quanta, rank, bool, or the grants of a set."""

PerRow = Mapping[str, OutputValue]
"""The values of a per-row output, by key."""


@dataclass(frozen=True, slots=True, order=True)
class Firing:
    """A rule that fired, on the row `key` ("" for a fund-wide rule, or where the whole collection is missing).

    `definite` is false where the rule fired only because something was unknown: its guard, the value of an effect, or
    the whole collection.
    A rule whose only effects are permits fires when its guard is definitely true.
    """

    rule: str
    key: str
    definite: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one snapshot.

    `outputs` maps output id to its value, or to a value per key. `firings` are the enforced rules that fired, sorted.
    `would_be` holds the outputs that would differ if the observing rules bound, with the value they would have (all
    keys of a per-row output that differs); `observed` the observing rules that fired, sorted, evaluated as if bound.
    """

    book: str
    ts: int
    outputs: Mapping[str, OutputValue | PerRow]
    firings: tuple[Firing, ...]
    would_be: Mapping[str, OutputValue | PerRow] = field(default_factory=dict)
    observed: tuple[Firing, ...] = ()
