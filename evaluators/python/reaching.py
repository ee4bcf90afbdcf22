"""Guards and effects as conditions and operands, once the masks they rest on have their places."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.python.expressions import Expressions, Scene
from evaluators.python.guards import Guard, Item, Joined, Opposite, Settled
from evaluators.python.operands import Operand
from evaluators.python.plan import Act, Figure
from evaluators.python.truths import Clause, Condition, conjunction, disjunction, plain
from policy_dsl.program import Forbid, Permit, Tighten


@dataclass(frozen=True, slots=True)
class Reached:
    """An effect as it reaches an output: where it may act, where it acts for certain, its figures.

    `gathered` is the local list with the figures of each row instead, for an effect of rows on the fund.
    """

    effect: Tighten | Forbid | Permit
    possible: Clause
    certain: Clause
    figures: tuple[Operand, ...] = ()
    gathered: str = ""


def truth_of(guard: Guard, expressions: Expressions, scene: Scene, negated: bool = False) -> Condition:
    """The condition of a guard, its items read back from their masks."""
    match guard:
        case Item():
            kept = guard.bits.truth
            if kept is None:
                raise ValueError("a guard is read before its items are asked")
            return _opposite(kept) if negated else kept
        case Settled():
            return expressions.condition(guard.expression, scene, negated)
        case Joined():
            join = conjunction if guard.every is not negated else disjunction
            return join([truth_of(part, expressions, scene, negated) for part in guard.parts])
        case Opposite():
            return truth_of(guard.part, expressions, scene, not negated)


def _opposite(kept: Condition) -> Condition:
    names = () if kept.two_valued else None
    return Condition(kept.certain.opposite(), kept.possible.opposite(), names, names, kept.depth)


def operand_of(figure: Figure, expressions: Expressions, scene: Scene) -> Operand:
    """The operand of a figure: written here if it is settled, else found where its lines were written."""
    if figure.settled or figure.operand is None:
        return expressions.value(figure.expression, scene)
    return figure.operand


def acting(act: Act, expressions: Expressions, scene: Scene, own: Scene) -> Condition:
    """Where an effect acts: its rule's guard and its narrowing.

    `scene` binds the rule's row, `own` the row of the output that a fund-wide rule reaches.
    """
    guard = truth_of(act.rule.guard, expressions, scene)
    if act.where is None:
        return guard
    broadcast = act.rule.place is None and act.output.entity is not None
    return conjunction([guard, truth_of(act.where, expressions, own if broadcast else scene)])


def reached(act: Act, expressions: Expressions, scene: Scene, own: Scene) -> Reached:
    """An effect as its output sees it."""
    if act.gathers and not act.settled:
        listed = Clause(act.gathered)
        return Reached(act.effect, listed, listed, gathered=act.gathered)
    figures = tuple(operand_of(figure, expressions, scene) for figure in act.figures)
    if act.gathers:
        seen = act.seen.truth or plain(Clause("False"))
        return Reached(act.effect, seen.possible, seen.certain, figures)
    condition = acting(act, expressions, scene, own)
    return Reached(act.effect, condition.possible, condition.certain, figures)
