"""What a program asks of an evaluator: its expressions, and whether any of them looks back."""

from __future__ import annotations

from collections.abc import Iterator

from policy_dsl.nodes import TEMPORAL, Expression
from policy_dsl.program import Alert, Effect, Forbid, Hole, Permit, Program, Rule, Tighten
from policy_dsl.walking import walk


def looks_back(program: Program) -> bool:
    """Whether a decision may depend on more than the snapshot at hand."""
    if any(o.relaxes_after is not None or o.latches_until is not None for o in program.outputs):
        return True
    effects = (effect for rule in program.rules for effect in rule.effects if isinstance(effect, Tighten))
    if any(effect.hold is not None or effect.until is not None for effect in effects):
        return True
    found = (node for rule in program.rules for expression in expressions_of(rule) for node in walk(expression))
    return any(isinstance(node, TEMPORAL) for node in found)


def expressions_of(rule: Rule) -> Iterator[Expression]:
    """Every expression of a rule, outermost only: guard, excuse, effects, reason."""
    yield rule.guard
    if rule.excuse is not None:
        yield rule.excuse
    for effect in rule.effects:
        yield from _expressions_of_effect(effect)
    yield from (part.expression for part in rule.because if isinstance(part, Hole))


def _expressions_of_effect(effect: Effect) -> Iterator[Expression]:
    match effect:
        case Tighten():
            yield effect.value
            yield from (e for e in (effect.where, effect.until) if e is not None)
        case Permit():
            yield from effect.arguments
            yield from (e for e in (effect.where,) if e is not None)
        case Forbid():
            yield from (e for e in (effect.where,) if e is not None)
        case Alert():
            return
