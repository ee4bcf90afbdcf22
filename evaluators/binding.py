"""Which of the effects that fired decide: whose value is the final one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from evaluators import exact
from evaluators.decision import Decision, Firing, Grants, OutputValue, PerRow
from evaluators.expressions import evaluate
from evaluators.program_index import Index, index_of
from evaluators.scene import Bindings, BoundRow
from evaluators.snapshot import Snapshot
from policy_dsl.program import Alert, Forbid, How, Output, Permit, Program, Rule, Tighten
from policy_dsl.types import ItemSet, Quantity

BindingEffect = Tighten | Forbid | Permit


def bindings_of(rule: Rule, key: str, snapshot: Snapshot) -> Bindings:
    """The row of a firing under the rule's variable; a missing collection is a row of unknown facts."""
    if rule.scope is None:
        return {}
    rows = snapshot.collection(rule.scope.entity)
    if rows is None or key not in rows:
        return {rule.scope.variable: BoundRow(rule.scope.entity, None, {})}
    return {rule.scope.variable: BoundRow(rule.scope.entity, key, rows[key])}


@dataclass(frozen=True, slots=True)
class Case:
    """A program, a snapshot, and what was decided of it."""

    program: Program
    snapshot: Snapshot
    decision: Decision
    index: Index = field(init=False, repr=False, compare=False)
    fired: Mapping[str, set[str]] = field(init=False, repr=False, compare=False)
    """The rows on which a rule fired, by rule."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", index_of(self.program))
        fired: dict[str, set[str]] = {}
        for firing in self.decision.firings:
            fired.setdefault(firing.rule, set()).add(firing.key)
        object.__setattr__(self, "fired", fired)

    def tells(self) -> Iterator[tuple[Rule, Firing, tuple[str, ...]]]:
        """Each enforced rule that fired, if it binds something or alerts, with its row and the outputs it binds."""
        for firing in self.decision.firings:
            rule = self.index.rules[firing.rule]
            bound = self.bound(rule, firing)
            if bound or any(isinstance(effect, Alert) for effect in rule.effects):
                yield rule, firing, bound

    def bound(self, rule: Rule, firing: Firing) -> tuple[str, ...]:
        """The outputs of a rule that fired whose final value is what it asks for."""
        effects = (effect for effect in rule.effects if not isinstance(effect, Alert))
        return tuple(dict.fromkeys(effect.output for effect in effects if self.binds(rule, effect, firing)))

    def binds(self, rule: Rule, effect: BindingEffect, firing: Firing) -> bool:
        """Whether the final value of the effect's output, on any row it reaches, is what the effect asks for."""
        output = self.index.outputs[effect.output]
        reached = self._reached(rule, output, firing)
        return any(self._decides(effect, output, final, key, at) for key, final, at in reached)

    def _reached(self, rule: Rule, output: Output, firing: Firing) -> Iterator[tuple[str, OutputValue, Bindings]]:
        """Each value of the output that a firing reaches, with its row ("" for all) and the rows in scope there."""
        final, own = self.decision.outputs[output.id], bindings_of(rule, firing.key, self.snapshot)
        if output.entity is None:
            yield "", cast(OutputValue, final), own
            return
        values, rows = cast(PerRow, final), self.snapshot.collection(output.entity) or {}
        for key in sorted(values) if rule.scope is None else [firing.key]:
            if key in values:
                row = {output.entity: BoundRow(output.entity, key, rows[key])} if rule.scope is None else {}
                yield key, values[key], {**own, **row}

    def _decides(self, effect: BindingEffect, output: Output, final: OutputValue, key: str, at: Bindings) -> bool:
        narrowed = True if effect.where is None else evaluate(effect.where, self.snapshot, at, self.decision.outputs)
        if narrowed is False:
            return False
        if isinstance(output.type, ItemSet):
            granted = {item for item, _ in cast(Grants, final)}
            if isinstance(effect, Permit):
                return effect.item in granted
            return isinstance(effect, Forbid) and self._permitted(effect, output, key)
        assert isinstance(effect, Tighten)
        if final == output.starts or self._is_over(effect, at):
            return False
        if effect.how is How.TO or self._unknown(effect, at):
            return final == self._asked(effect, output, at)
        return not self._held_by_a_bound(output, final)

    def _is_over(self, effect: Tighten, at: Bindings) -> bool:
        """Whether the effect binds until a time that has come."""
        end = None if effect.until is None else evaluate(effect.until, self.snapshot, at, self.decision.outputs)
        return end is not None and int(end) <= self.snapshot.ts

    def _unknown(self, effect: Tighten, at: Bindings) -> bool:
        return evaluate(effect.value, self.snapshot, at, self.decision.outputs) is None

    def _asked(self, effect: Tighten, output: Output, at: Bindings) -> OutputValue | None:
        """The value that a bound asks for: inside the range, and the strict end where it is unknown."""
        value = evaluate(effect.value, self.snapshot, at, self.decision.outputs)
        if not isinstance(output.type, Quantity):
            return output.strictest if value is None else value
        return exact.strict_end(output) if value is None else exact.clamp(int(value), *exact.limits(output))

    def _held_by_a_bound(self, output: Output, final: OutputValue) -> bool:
        """Whether a bound asks for the final value, so that no shift or factor decides it."""
        rules = self.index.rules
        for firing in self.decision.firings:
            rule = rules[firing.rule]
            for effect in rule.effects:
                if isinstance(effect, Tighten) and effect.output == output.id and effect.how is How.TO:
                    for _, value, at in self._reached(rule, output, firing):
                        if value == final == self._asked(effect, output, at):
                            return True
        return False

    def _permitted(self, effect: Forbid, output: Output, key: str) -> bool:
        """A forbid decides where a permit fired that it takes back: on the same row, or on all."""
        permitting = self.index.permitting.get((output.id, effect.item), frozenset())
        rows = [self.fired[rule] for rule in permitting if rule in self.fired]
        return any(not key or key in found or "" in found for found in rows)
