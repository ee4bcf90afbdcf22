"""Tests and invariants of rule files, typed: what is given when, and what is expected then."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from dataclasses import dataclass

from policy_dsl import expressions, nodes
from policy_dsl import program as p
from policy_dsl import syntax as s
from policy_dsl.context import Context, row_name
from policy_dsl.declarations import keyed_entity
from policy_dsl.diagnostics import Span
from policy_dsl.types import Value

MOST_SNAPSHOTS = 100_000
"""A test takes no more than this: at one a minute, that is two months."""

DEFAULT_CADENCE = 60_000
"""A test takes a snapshot every minute unless it says otherwise (milliseconds)."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One fact of a test. `key` is None for an entity with one row; `field` None is the whole row, or collection.

    `value` None is missing. The key of an event tells it from others of its moment.
    """

    entity: str
    key: str | None
    field: str | None
    value: Value | None
    span: Span | None = dataclasses.field(default=None, compare=False)

    @property
    def sets_clock(self) -> bool:
        """Whether this says what time it is."""
        return (self.entity, self.field) == ("clock", "now") and self.value is not None


@dataclass(frozen=True, slots=True)
class Expectation:
    """A condition on the outputs, and where it stands."""

    condition: nodes.Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Moment:
    """What a test changes and expects at one time (ms after its start). What is given goes on from there, in order.

    Events are in the snapshot of their moment alone.
    """

    at: int
    given: tuple[Assignment, ...] = ()
    expected: tuple[Expectation, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeline:
    """Values of one fact at the snapshots of the cadence: `values[i]` up to the snapshot number `ends[i]` (exclusive).

    The last value stays.
    """

    target: Assignment
    values: tuple[Value | None, ...]
    ends: tuple[int, ...]

    def value(self, number: int) -> Value | None:
        """The value at a snapshot, 0 the first."""
        return self.values[min(bisect_right(self.ends, number), len(self.values) - 1)]


@dataclass(frozen=True, slots=True)
class Case:
    """One test. A table makes several `variants`, each a sequence of moments in order of time."""

    policy: str
    name: str
    variants: tuple[tuple[Moment, ...], ...]
    timelines: tuple[Timeline, ...]
    cadence: int
    timed: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Invariant:
    """`always "name" for each E when C then C`."""

    policy: str
    name: str
    scope: p.Scope | None
    when: nodes.Expression
    then: nodes.Expression
    span: Span


def typed_invariant(node: s.AlwaysDecl, context: Context) -> Invariant | None:
    """The typed invariant; None after a finding."""
    scope = None
    if node.scope is not None:
        entity = keyed_entity(node.scope, context)
        if entity is None:
            return None
        called = row_name(node.scope.variable, entity, context)
        if called is None or _says_exits(node.scope, context):
            return None
        context, binding = context.bind(entity, called)
        scope = p.Scope(entity, binding.variable)
    when = nodes.TRUE if node.when is None else expressions.condition(node.when, context)
    then = expressions.condition(node.then, context)
    if when is None or then is None:
        return None
    return Invariant(context.policy, node.name.text, scope, when, then, node.span)


def _says_exits(node: s.ForEach, context: Context) -> bool:
    if node.including_exits:
        context.error("RF209", "an invariant holds for exits too: leave out `including exits`", node.span)
    return node.including_exits
