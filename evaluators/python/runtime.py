"""What generated code calls: bounded memos, firings under their keys, arithmetic that is too long to write out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial
from operator import itemgetter
from sys import intern
from types import MappingProxyType
from typing import Any, TypeVar

from evaluators import exact
from evaluators.decision import Decision, Firing, Grants, OutputValue, PerRow
from evaluators.event_window import EventRows
from evaluators.sorted_rows import Rows, rows_of, sorted_by
from policy_dsl.program import Program
from policy_dsl.quantities import INT64_MAX, INT64_MIN, divide_half_even

Outputs = Mapping[str, OutputValue | PerRow]
"""The values of outputs by id."""

Mark = tuple[int, Firing]
"""A firing and the rank of its rule among all rules by id."""

Answer = tuple[Outputs, tuple[Firing, ...]]
"""The outputs and the firings of a decision."""

FundRecord = tuple[Answer, list[Mark]]
"""What follows from the masks of the fund; the outputs are read-only, since all later decisions share them."""

RowRecord = tuple[tuple[OutputValue, ...], list[tuple[int, str, bool]], dict[str | None, list[Mark]]]
"""What follows from the masks of a row: values, rules that fire (rank, id, definite), and these by key once named."""

Record = TypeVar("Record")

NOTHING: Mapping[str, Any] = MappingProxyType({})
ABSENT = ((None, NOTHING),)
"""The stand-in for the rows of a missing collection: one, of which nothing is known."""

NAMED = 256
"""Keys whose firings a row record remembers; requests come with new keys for ever."""


def keep(limit: int, memo: dict[Hashable, Record], key: Hashable, record: Record) -> Record:
    """Remember what was settled, forgetting all else when the memo is full: the states at hand soon come back."""
    if len(memo) >= limit:
        memo.clear()
    memo[key] = record
    return record


def settled(outputs: dict[str, OutputValue | PerRow], fired: list[Mark]) -> FundRecord:
    """The record of what was settled for the fund."""
    return (MappingProxyType(outputs), tuple(found for _, found in fired)), fired


class _FiringDraft:
    """A `Firing` in the making: the same slots, but open."""

    __slots__ = ("definite", "key", "rule")
    rule: str
    key: str
    definite: bool


class _DecisionDraft:
    """A `Decision` in the making: the same slots, but open."""

    __slots__ = ("book", "firings", "observed", "outputs", "ts", "would_be")
    book: str
    ts: int
    outputs: Outputs
    firings: tuple[Firing, ...]
    would_be: Outputs
    observed: tuple[Firing, ...]


def firing(rule: str, key: str, definite: bool) -> Firing:
    """A `Firing`, made in a quarter of the time that a frozen dataclass takes to make itself."""
    made = _FiringDraft()
    made.rule, made.key, made.definite = rule, key, definite
    made.__class__ = Firing  # type: ignore[assignment]  # because Python allows it where slots are equal
    return made  # type: ignore[return-value]  # because which it now is


def decision(
    book: str,
    ts: int,
    outputs: Outputs,
    firings: tuple[Firing, ...],
    would_be: Outputs = NOTHING,
    observed: tuple[Firing, ...] = (),
) -> Decision:
    """A `Decision`, made in a quarter of the time that a frozen dataclass takes to make itself."""
    made = _DecisionDraft()
    made.book, made.ts, made.outputs, made.firings = book, ts, outputs, firings
    made.would_be, made.observed = would_be, observed
    made.__class__ = Decision  # type: ignore[assignment]  # because Python allows it where slots are equal
    return made  # type: ignore[return-value]  # because which it now is


def name_firings(record: RowRecord, key: str | None) -> list[Mark]:
    """The firings of a row record under the key of its row; a missing collection has the empty key."""
    _, fired, named = record
    if len(named) >= NAMED:
        named.clear()
    marks = named[key] = [(rank, firing(rule, key or "", definite)) for rank, rule, definite in fired]
    return marks


_rank = itemgetter(0)


def merged(fund: list[Mark], rows: list[Mark]) -> tuple[Firing, ...]:
    """All firings by rule and key; those of one rule come by key already, and sorting keeps them so."""
    return tuple(found for _, found in sorted(fund + rows, key=_rank))


def includes(grants: Grants, item: str) -> bool:
    """Whether a set grants the item."""
    return any(granted == item for granted, _ in grants)


def least(given: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The smallest of each argument."""
    return tuple(min(column) for column in zip(*given, strict=True))


def scaled_down(value: int, factor: int, low: int, high: int) -> int:
    """`value` times a factor clamped into [0, 1], rounded half-even, clamped into the range."""
    usable = exact.clamp(factor, 0, exact.FACTOR_ONE)
    return exact.clamp(divide_half_even(value * usable, exact.FACTOR_ONE), low, high)


def scaled_up(value: int, factor: int, low: int, high: int) -> int:
    """`value` times a factor of at least 1, rounded half-even, clamped into the range."""
    usable = max(factor, exact.FACTOR_ONE)
    return exact.clamp(divide_half_even(value * usable, exact.FACTOR_ONE), low, high)


def mean(recalled: tuple[int, int] | None, value: int | None) -> int | None:
    """The average of a sum of so many values and of one more, rounded half-even; unknown if either is."""
    if recalled is None or value is None:
        return None
    return divide_half_even(recalled[0] + value, recalled[1] + 1)


def events_of(rows: EventRows | None, field: str, value: Any) -> Rows:
    """The same as `rows_of`, of events, which are sorted for all snapshots that they last."""
    return rows_of(rows, rows.sorted_by(field), value) if rows is not None else NOTHING


def namespace(program: Program, places: int, limit: int) -> dict[str, Any]:
    """The globals of the generated module; `limit` bounds each of its memos."""
    rules = sorted(program.rules, key=lambda rule: rule.id)
    names: dict[str, Any] = {
        "ABSENT": ABSENT,
        "FUND": {},
        "INT64_MAX": INT64_MAX,
        "INT64_MIN": INT64_MIN,
        "NOTHING": NOTHING,
    }
    for name, definite in (("SURE", True), ("MAYBE", False)):
        names[name] = tuple(
            (rank, firing(rule.id, "", definite)) if rule.scope is None else (rank, rule.id, definite)
            for rank, rule in enumerate(rules)
        )
    names |= {f"ROWS_{number}": {} for number in range(places)}
    called = (
        divide_half_even,
        events_of,
        includes,
        intern,
        itemgetter,
        least,
        mean,
        merged,
        name_firings,
        rows_of,
        scaled_down,
        scaled_up,
        settled,
        sorted_by,
    )
    return (
        names
        | {function.__name__: function for function in called}
        | {"clamp": exact.clamp, "keep": partial(keep, limit)}
    )
