"""The reference interpreter: the executable definition of what rules do to outputs. Plain, slow, obvious.

Outputs are computed one after the other, in the program's order, each from every effect that reaches it. Every other
evaluator must return the same `Decision`, bit for bit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from evaluators import exact
from evaluators.decision import Decision, Firing, Grants, OutputValue, PerRow
from evaluators.exact import Kleene
from evaluators.expressions import truth_at, value_at
from evaluators.following import Following
from evaluators.scene import Bindings, BoundRow, Earlier, Moment, Scene
from evaluators.snapshot import Snapshot
from evaluators.support import looks_back
from evaluators.timelines import DEFAULT_MAX_GAP
from policy_dsl.nodes import Expression
from policy_dsl.program import Alert, Direction, Effect, Forbid, How, Output, Permit, Program, Rule, Tighten, items_of
from policy_dsl.types import ItemSet, Quantity, Value

__all__ = ["Interpreter"]


class Interpreter:
    """Decides the snapshots of books, each from the whole history of its book.

    `max_gap` is the longest distance (ms) of two snapshots that is no gap.
    """

    def __init__(self, program: Program, *, max_gap: int = DEFAULT_MAX_GAP) -> None:
        self.program, self.max_gap = program, max_gap
        self.looks_back = looks_back(program)
        self.enforced = program.enforced()
        self.observing = frozenset(rule.id for rule in program.rules if rule.observing)

    def decide(self, snapshot: Snapshot) -> Decision:
        """What the rules decide of `snapshot` alone: the first one of its book, as far as anybody knows."""
        return _Book(self).decide(snapshot)

    def timeline(self, snapshots: Iterable[Snapshot]) -> list[Decision]:
        """What the rules decide of each snapshot, in the light of those of its book before it.

        Raises PolicyError (RF777) for a program that looks back where the times of a book do not increase.
        """
        following = self.following()
        return [following.decide(snapshot) for snapshot in snapshots]

    def following(self) -> Following:
        """Decides snapshots as they come."""
        return Following(lambda _: _Book(self), ordered=self.looks_back)


_OutputKey = tuple[str, str | None]
"""An output, and the key of a row where it has one a row."""


@dataclass(slots=True)
class _Book:
    """The history of one book: each snapshot as the rules that bind decided it, and as all rules would have."""

    interpreter: Interpreter
    enforced: Earlier[_Run] = field(default_factory=Earlier)
    whole: Earlier[_Run] = field(default_factory=Earlier)

    def decide(self, snapshot: Snapshot) -> Decision:
        """What the rules decide: effective values, firings, and what observing rules would change."""
        interpreter = self.interpreter
        binding = _Run.after(self.enforced, interpreter.enforced, snapshot, interpreter.max_gap)
        outputs, firings = binding.all_outputs(), binding.firings()
        if interpreter.looks_back:
            self.enforced = self.enforced.then(binding)
        if not interpreter.program.observes:
            return Decision(snapshot.book, snapshot.ts, outputs, firings)
        whole = _Run.after(self.whole, interpreter.program, snapshot, interpreter.max_gap)
        would_be = {id: value for id, value in whole.all_outputs().items() if value != outputs[id]}
        observed = tuple(firing for firing in whole.firings() if firing.rule in interpreter.observing)
        if interpreter.looks_back:
            self.whole = self.whole.then(whole)
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
    """One program on one snapshot, after those before it; `outputs` grows in the program's order.

    What later snapshots look back at, by output and key: `unrelaxed`, the values before `relaxes after` has its say;
    `latches`, what was asked definitely and whether it was a release. By effect: `asks`, what was to be held, by place,
    each with its end.
    """

    program: Program
    snapshot: Snapshot
    max_gap: int
    earlier: Earlier[_Run]
    moments: Earlier[Moment]
    outputs: dict[str, OutputValue | PerRow] = field(default_factory=dict)
    unrelaxed: dict[_OutputKey, Value] = field(default_factory=dict)
    latches: dict[_OutputKey, tuple[Value, bool]] = field(default_factory=dict)
    asks: dict[tuple[str, int], dict[str, tuple[Value, int | None]]] = field(default_factory=dict)

    @classmethod
    def after(cls, earlier: Earlier[_Run], program: Program, snapshot: Snapshot, max_gap: int) -> _Run:
        """The run on the next snapshot of a book."""
        if not earlier:
            return cls(program, snapshot, max_gap, earlier, Earlier())
        last = earlier[-1]
        moments = last.moments.then(Moment(last.snapshot, last.outputs, last.moments))
        return cls(program, snapshot, max_gap, earlier, moments)

    def all_outputs(self) -> dict[str, OutputValue | PerRow]:
        """The final value of every output."""
        for output in self.program.outputs:
            for rule, number, effect in self.holding(output):
                self.asks[rule.id, number] = self.asked_to_hold(rule, effect, output)
            if output.entity is None:
                self.outputs[output.id] = self.final(output, None)
            else:
                rows = self.rows(output)
                self.outputs[output.id] = {key: self.final(output, row) for key, row in rows.items()}
        return self.outputs

    def rows(self, output: Output) -> Mapping[str, BoundRow]:
        """The rows of the output's entity by key, in order; none where the collection is missing."""
        entity = cast(str, output.entity)
        rows = self.snapshot.collection(entity) or {}
        return {key: BoundRow(entity, key, rows[key]) for key in sorted(rows)}

    def firings(self) -> tuple[Firing, ...]:
        """The rules that fired, on each row, once every output is known."""
        judged = [(rule, place) for rule in self.program.rules for place in self.places(rule)]
        return tuple(sorted(Firing(r.id, p.key, self.definite(r, p)) for r, p in judged if self.fires(r, p)))

    # --- guards ------------------------------------------------------------------------------------------------------

    def scene(self, bindings: Bindings) -> Scene:
        """What an expression sees."""
        return Scene(self.snapshot, bindings, self.outputs, self.moments, self.max_gap)

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
        return truth_at(rule.guard, self.scene(place.bindings))

    def fires(self, rule: Rule, place: _Place) -> bool:
        """Whether the rule fires: not definitely false, or for a rule that only permits, something is granted."""
        guard = self.guard(rule, place)
        permits = [effect for effect in rule.effects if isinstance(effect, Permit)]
        if len(permits) < len(rule.effects):
            return guard is not False
        return guard is True and not place.missing and any(self.arguments(p, place) is not None for p in permits)

    def definite(self, rule: Rule, place: _Place) -> bool:
        """Whether nothing unknown had a part in the firing."""
        tightening = [effect for effect in rule.effects if isinstance(effect, Tighten)]
        values = [self.value(e, place) for t in tightening for e in (t.value, t.until) if e is not None]
        grants = [self.arguments(effect, place) for effect in rule.effects if isinstance(effect, Permit)]
        known = None not in values and None not in grants
        return self.guard(rule, place) is True and known and not place.missing

    def value(self, expression: Expression, place: _Place) -> Value | None:
        return value_at(expression, self.scene(place.bindings))

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
        certain = exact.conjunction((self.guard(rule, place), self.narrowed(effect, place)))
        if isinstance(effect, Permit):
            return certain is True and not place.missing and self.arguments(effect, place) is not None
        return certain is not False and not _is_held(effect)

    def narrowed(self, effect: Tighten | Forbid | Permit, place: _Place) -> Kleene:
        """The truth of the effect's `where`."""
        return True if effect.where is None else cast(Kleene, self.value(effect.where, place))

    # --- values ------------------------------------------------------------------------------------------------------

    def final(self, output: Output, row: BoundRow | None) -> OutputValue:
        """What the output is (on its row): the strictest that is asked of it, then latched, then relaxed."""
        reaches = list(self.reaching(output, row))
        if isinstance(output.type, ItemSet):
            return self.granted(output, reaches)
        value = self.asked(output, reaches, self.held(output, row))
        if output.latches_until is not None:
            value = output.stricter(value, self.latched(output, row))
        key = None if row is None else row.key
        self.unrelaxed[output.id, key] = value
        if output.relaxes_after is None:
            return value
        start = self.snapshot.ts - output.relaxes_after
        first = bisect_right(self.earlier, start, key=lambda run: run.snapshot.ts)
        past = [run for run in self.earlier[first:] if (output.id, key) in run.unrelaxed]
        return _strictest(output, value, (run.unrelaxed[output.id, key] for run in past))

    def asked(self, output: Output, reaches: list[_Reach], held: Sequence[Value]) -> Value:
        """The strictest of what effects ask of the output, and of bounds that are still held."""
        if isinstance(output.type, Quantity):
            return self.number(output, reaches, cast("Sequence[int]", held))
        bounds = [bound for values in self.figures(reaches, How.TO) for bound in values]
        value = cast(Value, output.starts)
        return _strictest(output, value, (*held, *(_end(output) if bound is None else bound for bound in bounds)))

    def figures(self, reaches: list[_Reach], how: How) -> list[list[int | None]]:
        """For each effect that acts that way, the values it asks for, one a place."""
        acting = [(r, r.effect) for r in reaches if isinstance(r.effect, Tighten) and r.effect.how is how]
        return [[cast("int | None", self.value(effect.value, p)) for p in reach.places] for reach, effect in acting]

    def number(self, output: Output, reaches: list[_Reach], held: Sequence[int]) -> int:
        """The start, shifted, then scaled, then held to every bound; whatever is unknown asks for the strict end."""
        bounds, shifts, scales = (self.figures(reaches, how) for how in (How.TO, How.BY, How.SCALE))
        if any(None in values for values in bounds + shifts + scales):
            return exact.strict_end(output)
        strictest = min if output.direction is Direction.DOWN else max
        # One shift and one factor an effect: the strictest over its rows, however many fire.
        value = exact.shifted(output, cast(int, output.starts), [max(cast("list[int]", v)) for v in shifts])
        value = exact.scaled(output, value, [strictest(cast("list[int]", v)) for v in scales])
        for values in (*bounds, held):
            value = strictest((value, *cast("Sequence[int]", values)))
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

    # --- what outputs hold on to -------------------------------------------------------------------------------------

    def held(self, output: Output, row: BoundRow | None) -> list[Value]:
        """The bounds of `for D` and `until T` that are in force, whenever their rule fired."""
        found: list[Value] = []
        for rule, number, effect in self.holding(output):
            here = {} if row is None else {row.entity: row}
            if rule.scope is None and self.narrowed(effect, _Place("", here)) is False:
                continue
            key = None if row is None or rule.scope is None else row.key
            for run in (*self.earlier, self):
                asked = run.asks[rule.id, number]
                if asked:
                    found += run.still_asked(asked, key, self.snapshot.ts)
        return found

    def holding(self, output: Output) -> Iterator[tuple[Rule, int, Tighten]]:
        """The effects that hold the output, each with its rule and its place in it."""
        for rule in self.program.rules:
            for number, effect in enumerate(rule.effects):
                if isinstance(effect, Tighten) and effect.output == output.id and _is_held(effect):
                    yield rule, number, effect

    def asked_to_hold(self, rule: Rule, effect: Tighten, output: Output) -> dict[str, tuple[Value, int | None]]:
        """What an effect asks of each place where its rule fires, and until when (ms); None: nobody knows."""
        asked: dict[str, tuple[Value, int | None]] = {}
        for place in self.places(rule):
            if self.guard(rule, place) is not False:
                value = self.value(effect.value, place)
                end = self.snapshot.ts + (effect.hold or 0)
                until = end if effect.until is None else cast("int | None", self.value(effect.until, place))
                asked[place.key] = _end(output) if value is None else value, until
        return asked

    def still_asked(self, asked: Mapping[str, tuple[Value, int | None]], key: str | None, now: int) -> Iterator[Value]:
        """What was asked at this snapshot (from the row `key`, or anywhere), if it is in force at `now` (ms).

        A rule for each row asks a fund-wide output for its strictest value until the latest end of its rows.
        """
        wanted = [found for place, found in asked.items() if key is None or place == key]
        if any(end is not None and end > now for _, end in wanted):
            yield from (value for value, _ in wanted)
        elif self.snapshot.ts == now:
            yield from (value for value, end in wanted if end is None)

    def latched(self, output: Output, row: BoundRow | None) -> Value:
        """The strictest that fired definitely since the latch was last released, the release itself included."""
        bindings = {} if row is None else {row.entity: row}
        release = truth_at(cast(Expression, output.latches_until), self.scene(bindings)) is True
        place = output.id, None if row is None else row.key
        self.latches[place] = self.asked_surely(output, row), release
        values = []
        for run in reversed((*self.earlier, self)):
            asked, release = run.latches.get(place, (output.starts, False))
            values.append(cast(Value, asked))
            if release:
                break
        return _strictest(output, cast(Value, output.starts), values)

    def asked_surely(self, output: Output, row: BoundRow | None) -> Value:
        """The strictest of what effects ask for that fire definitely, and are not held from before."""
        surely = []
        for rule in sorted(self.program.rules, key=lambda r: r.id):
            for effect in rule.effects:
                if isinstance(effect, Tighten) and effect.output == output.id:
                    places = tuple(p for p in self.sources(rule, row) if self.acts_surely(rule, effect, p))
                    if places:
                        surely.append(_Reach(rule, replace(effect, hold=None, until=None), places))
        return self.asked(output, surely, ())

    def acts_surely(self, rule: Rule, effect: Tighten, place: _Place) -> bool:
        """Whether nothing unknown has a part in the effect, and it binds now."""
        until = None if effect.until is None else cast("int | None", self.value(effect.until, place))
        certain = (
            self.guard(rule, place) is True
            and self.narrowed(effect, place) is True
            and self.value(effect.value, place) is not None
        )
        binds = effect.until is None or (until is not None and until > self.snapshot.ts)
        return certain and binds and not place.missing


def _is_held(effect: Effect) -> bool:
    return isinstance(effect, Tighten) and (effect.hold is not None or effect.until is not None)


def _end(output: Output) -> Value:
    """The strict end of an output's range: what an unknown value asks for."""
    return exact.strict_end(output) if isinstance(output.type, Quantity) else cast(Value, output.strictest)


def _strictest(output: Output, value: Value, others: Iterable[Value]) -> Value:
    for other in others:
        value = output.stricter(value, other)
    return value
