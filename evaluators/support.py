"""What an evaluator can do: refusing programs that need history, before any snapshot is judged."""

from __future__ import annotations

from collections.abc import Iterator

from policy_dsl.diagnostics import Diagnostic, PolicyError, Span
from policy_dsl.program import (
    Aggregate,
    Alert,
    Effect,
    EventFold,
    Expression,
    Fold,
    Forbid,
    Hole,
    Permit,
    Previous,
    Program,
    Rule,
    Throughout,
    Tighten,
    Window,
    Within,
    walk,
)

NEEDS_HISTORY = "RF505"


def require_stateless(program: Program) -> None:
    """Refuse a program whose decision depends on more than the snapshot at hand.

    Raises PolicyError (RF505), with one diagnostic for each form that needs history, for evaluators of single
    snapshots: the interpreter and the compilers.
    """
    found = tuple(dict.fromkeys(_findings(program)))
    if found:
        raise PolicyError(found)


def needs_history(form: str, where: str, span: Span | None = None) -> Diagnostic:
    """The finding that `form`, written in `where`, needs history."""
    help_line = "the evaluators judge each snapshot by itself: state the condition without looking back"
    return Diagnostic(
        NEEDS_HISTORY, f"`{form}` in `{where}` needs history, and a single snapshot has none", span, help_line
    )


def temporal_form(node: Expression) -> str | None:
    """The word for a node whose value depends on earlier snapshots or events; None for any other node."""
    match node:
        case Throughout():
            return "throughout"
        case Within():
            return "within"
        case Window(fold=fold):
            return f"{fold.value} over"
        case Previous():
            return "previous"
        case EventFold(fold=fold):
            return f"{fold.value} over"
        case Aggregate(fold=Fold.LATEST):
            return "latest"
        case _:
            return None


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


def _findings(program: Program) -> Iterator[Diagnostic]:
    for output in program.outputs:
        if output.relaxes_after is not None:
            yield needs_history("relaxes after", output.id, output.span)
        if output.latches_until is not None:
            yield needs_history("latches until", output.id, output.span)
    for rule in program.rules:
        for effect in rule.effects:
            if isinstance(effect, Tighten) and effect.hold is not None:
                yield needs_history("tighten for", rule.id, rule.span)
            if isinstance(effect, Tighten) and effect.until is not None:
                yield needs_history("tighten until", rule.id, rule.span)
        for form in (temporal_form(node) for e in expressions_of(rule) for node in walk(e)):
            if form is not None:
                yield needs_history(form, rule.id, rule.span)
