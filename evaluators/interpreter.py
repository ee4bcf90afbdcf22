"""The reference interpreter: the executable definition of what rules do to outputs. Plain, slow, obvious.

Outputs are computed one after the other, in the program's order, each from every effect that reaches it. Every other
evaluator must return the same `Decision`, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from evaluators import exact
from evaluators.decision import Decision, Firing, Grants, OutputValue, PerRow
from evaluators.exact import Kleene
from evaluators.expressions import Bindings, BoundRow, evaluate, truth
from evaluators.snapshot import Snapshot
from evaluators.support import require_stateless
from policy_dsl.program import (
    Alert,
    Direction,
    Effect,
    Expression,
    Forbid,
    How,
    Output,
    Permit,
    Program,
    Rule,
    Tighten,
    items_of,
)
from policy_dsl.types import ItemSet, Quantity, Value

__all__ = ["Bindings", "BoundRow", "Interpreter", "evaluate"]


class Interpreter:
    """Decides one snapshot at a time, keeping nothing between two.

    Raises PolicyError (RF505) for a program that needs history.
    """

    def __init__(self, program: Program) -> None:
        require_stateless(program)
        self.program = program

    def decide(self, snapshot: Snapshot) -> Decision:
        """What the rules decide of `snapshot`: effective values, firings, and what observing rules would change."""
        binding = _Run(self.program.enforced(), snapshot, {})
        outputs, firings = binding.all_outputs(), binding.firings()
        if not self.program.observes:
            return Decision(snapshot.book, snapshot.ts, outputs, firings)
        whole = _Run(self.program, snapshot, {})
        would_be = {id: value for id, value in whole.all_outputs().items() if value != outputs[id]}
        observing = {rule.id for rule in self.program.rules if rule.observing}
        observed = tuple(firing for firing in whole.firings() if firing.rule in observing)
        return Decision(snapshot.book, snapshot.ts, outputs, firings, would_be, observed)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a rule is judged: the firing key, its variables, and whether the whole collection is missing."""

    key: str
    bindings: Bindings
    missing: bool = False


@dataclass(frozen=True, slots=True)
class _Reach:
    """An effect that reaches an output, and the places from which it does so in force."""

    rule: Rule
    effect: Effect
    places: tuple[_Place, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """One program on one snapshot; `outputs` grows in the program's order."""

    program: Program
    snapshot: Snapshot
    outputs: dict[str, OutputValue | PerRow]

    def all_outputs(self) -> dict[str, OutputValue | PerRow]:
        """The final value of every output."""
        for output in self.program.outputs:
            if output.entity is None:
                self.outputs[output.id] = self.final(output, None)
            else:
                rows = self.snapshot.collection(output.entity) or {}
                bound = [BoundRow(output.entity, key, rows[key]) for key in sorted(rows)]
                self.outputs[output.id] = {cast(str, row.key): self.final(output, row) for row in bound}
        return self.outputs

    def firings(self) -> tuple[Firing, ...]:
        """The rules that fired, on each row, once every output is known."""
        judged = [(rule, place) for rule in self.program.rules for place in self.places(rule)]
        return tuple(sorted(Firing(r.id, p.key, self.definite(r, p)) for r, p in judged if self.fires(r, p)))

    # --- guards ------------------------------------------------------------------------------------------------------

    def places(self, rule: Rule) -> tuple[_Place, ...]:
        """Where `rule` is judged: once, or on each row; a missing collection counts as one row of unknown facts."""
        scope = rule.scope
        if scope is None:
            return (_Place("", {}),)
        rows = self.snapshot.collection(scope.entity)
        if rows is None:
            return (_Place("", {scope.variable: BoundRow(scope.entity, None, {})}, missing=True),)
        return tuple(_Place(k, {scope.variable: BoundRow(scope.entity, k, rows[k])}) for k in sorted(rows))

    def guard(self, rule: Rule, place: _Place) -> Kleene:
        """The truth of the guard; false where the rule is excused."""
        in_time = rule.excuse_until is not None and self.snapshot.ts < rule.excuse_until
        if rule.excuse is not None and in_time and self.value(rule.excuse, place) is True:
            return False
        return truth(rule.guard, self.snapshot, place.bindings, self.outputs)

    def fires(self, rule: Rule, place: _Place) -> bool:
        """Whether the rule fires: not definitely false, or for a rule that only permits, something is granted."""
        guard = self.guard(rule, place)
        permits = [effect for effect in rule.effects if isinstance(effect, Permit)]
        if len(permits) < len(rule.effects):
            return guard is not False
        return guard is True and not place.missing and any(self.arguments(p, place) is not None for p in permits)

    def definite(self, rule: Rule, place: _Place) -> bool:
        """Whether nothing unknown had a part in the firing."""
        values = [self.value(effect.value, place) for effect in rule.effects if isinstance(effect, Tighten)]
        grants = [self.arguments(effect, place) for effect in rule.effects if isinstance(effect, Permit)]
        return self.guard(rule, place) is True and None not in values and None not in grants

    def value(self, expression: Expression, place: _Place) -> Value | None:
        return evaluate(expression, self.snapshot, place.bindings, self.outputs)

    def arguments(self, permit: Permit, place: _Place) -> tuple[int, ...] | None:
        """The arguments of a grant, None if any is unknown."""
        values = tuple(cast("int | None", self.value(argument, place)) for argument in permit.arguments)
        known = tuple(v for v in values if v is not None)
        return known if len(known) == len(values) else None

    # --- effects -----------------------------------------------------------------------------------------------------

    def reaching(self, output: Output, row: BoundRow | None) -> Iterator[_Reach]:
        """Every effect in force on the output (on its row), in canonical order: by rule id, then as written."""
        for rule in sorted(self.program.rules, key=lambda r: r.id):
            for effect in rule.effects:
                if isinstance(effect, Alert) or effect.output != output.id:
                    continue
                places = tuple(p for p in self.sources(rule, row) if self.in_force(rule, effect, p))
                if places:
                    yield _Reach(rule, effect, places)

    def sources(self, rule: Rule, row: BoundRow | None) -> tuple[_Place, ...]:
        """The places from which a rule reaches an output: all of its own, or the one that is the output's row."""
        if row is None:
            return self.places(rule)
        if rule.scope is None:
            return (_Place("", {row.entity: row}),)
        return tuple(place for place in self.places(rule) if place.key == row.key)

    def in_force(self, rule: Rule, effect: Tighten | Forbid | Permit, place: _Place) -> bool:
        """Whether the effect acts from there: a permit on certainty, anything else on the lack of a denial."""
        narrowed = True if effect.where is None else cast(Kleene, self.value(effect.where, place))
        certain = exact.conjunction((self.guard(rule, place), narrowed))
        if isinstance(effect, Permit):
            return certain is True and not place.missing and self.arguments(effect, place) is not None
        return certain is not False

    def final(self, output: Output, row: BoundRow | None) -> OutputValue:
        """The strictest of what every effect asks of the output (on its row)."""
        reaches = list(self.reaching(output, row))
        if isinstance(output.type, ItemSet):
            return self.granted(output, reaches)
        if isinstance(output.type, Quantity):
            return self.number(output, reaches)
        value = cast(Value, output.starts)
        for bound in (bound for values in self.asked(reaches, How.TO) for bound in values):
            value = output.stricter(value, cast(Value, output.strictest) if bound is None else bound)
        return value

    def asked(self, reaches: list[_Reach], how: How) -> list[list[int | None]]:
        """For each effect that acts that way, the values it asks for, one a place."""
        acting = [(r, r.effect) for r in reaches if isinstance(r.effect, Tighten) and r.effect.how is how]
        return [[cast("int | None", self.value(effect.value, p)) for p in reach.places] for reach, effect in acting]

    def number(self, output: Output, reaches: list[_Reach]) -> int:
        """The start, shifted, then scaled, then held to every bound; whatever is unknown asks for the strict end."""
        bounds, shifts, scales = (self.asked(reaches, how) for how in (How.TO, How.BY, How.SCALE))
        if any(None in values for values in bounds + shifts + scales):
            return exact.strict_end(output)
        strictest = min if output.direction is Direction.DOWN else max
        # One shift and one factor an effect: the strictest over its rows, however many fire.
        value = exact.shifted(output, cast(int, output.starts), [max(cast("list[int]", v)) for v in shifts])
        value = exact.scaled(output, value, [strictest(cast("list[int]", v)) for v in scales])
        for values in bounds:
            value = strictest(value, *cast("list[int]", values))
        return exact.clamp(value, *exact.limits(output))

    def granted(self, output: Output, reaches: list[_Reach]) -> Grants:
        """What is permitted and not forbidden, in declared order, with the smallest of each argument."""
        forbidden = {reach.effect.item for reach in reaches if isinstance(reach.effect, Forbid)}
        grants: dict[str, list[tuple[int, ...]]] = {}
        for reach in reaches:
            if isinstance(reach.effect, Permit):
                given = [self.arguments(reach.effect, place) for place in reach.places]
                grants.setdefault(reach.effect.item, []).extend(a for a in given if a is not None)
        items = [item for item in items_of(output) if item in grants and item not in forbidden]
        return tuple((item, tuple(min(column) for column in zip(*grants[item], strict=True))) for item in items)
