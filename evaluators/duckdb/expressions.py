"""Expressions of the language as SQL: NULL is unknown, and SQL's own logic of three values is Kleene's."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.duckdb import numbers, reads
from evaluators.duckdb.aggregates import aggregate
from evaluators.duckdb.events import fold_events
from evaluators.duckdb.fragments import DEEPEST, FALSE, TRUE, Fragment, compose, either, every, listed
from evaluators.duckdb.kept import kept
from evaluators.duckdb.lookbacks import look_back
from evaluators.duckdb.scene import Scene
from policy_dsl.nodes import (
    Absolute,
    Aggregate,
    All,
    AnyOf,
    Arithmetic,
    Compare,
    Constant,
    EventFold,
    Expression,
    FactRead,
    Includes,
    IsTrue,
    Known,
    Negate,
    Not,
    Now,
    OneOf,
    OutputRead,
    Pick,
    Previous,
    RowKey,
    RowRead,
    Since,
    Strictest,
    Throughout,
    Until,
    Window,
    Within,
)
from policy_dsl.operators import Comparator, Extreme, Operator
from policy_dsl.types import ItemSet, Levels

_SIGNS = {
    Comparator.LESS: ("<", ">="),
    Comparator.AT_MOST: ("<=", ">"),
    Comparator.GREATER: (">", "<="),
    Comparator.AT_LEAST: (">=", "<"),
    Comparator.EQUAL: ("=", "<>"),
    Comparator.DIFFERENT: ("<>", "="),
}
"""The sign of a comparison, and of its contrary."""


def value(node: Expression, scene: Scene) -> Fragment:
    """The value of `node` at `scene`: BIGINT quanta, the place of a level (1 the first), BOOLEAN or VARCHAR."""
    return _shallow(_value(node, scene), scene)


def _value(node: Expression, scene: Scene) -> Fragment:
    match node:
        case Constant():
            return reads.constant(node.value, node.type)
        case FactRead():
            return reads.fact(node, scene)
        case RowRead():
            return reads.row_field(node, scene)
        case RowKey():
            return reads.row_key(node, scene)
        case OutputRead():
            return reads.output_value(node, scene)
        case Arithmetic() | Negate() | Absolute() | Pick():
            return _number(node, scene)
        case Aggregate():
            return aggregate(node, scene, value)
        case EventFold():
            return fold_events(node, scene, value)
        case Throughout() | Within() | Window() | Previous():
            return look_back(node, scene, value)
        case Strictest() | Since() | Until():
            return kept(node, scene, value)
        case Now():
            return reads.now(scene)
        case _:
            return condition(node, scene)


def _shallow(fragment: Fragment, scene: Scene) -> Fragment:
    return fragment if fragment.depth <= DEEPEST else scene.frame.compute(fragment, "part").read


def _number(node: Arithmetic | Negate | Absolute | Pick, scene: Scene) -> Fragment:
    match node:
        case Arithmetic():
            numbers.require_narrow(node)
            left, right = value(node.left, scene), value(node.right, scene)
            if node.operator in (Operator.ADD, Operator.SUBTRACT):
                return numbers.summed(left, right, node.operator)
            left, right = scene.frame.hold(left, "left"), scene.frame.hold(right, "right")
            made = numbers.multiplied if node.operator is Operator.MULTIPLY else numbers.divided
            return made(scene.frame, node, left, right)
        case Negate():
            return numbers.negated(value(node.operand, scene))
        case Absolute():
            return numbers.absolute(value(node.operand, scene))
        case Pick():
            return _picked(node, scene)


def _picked(node: Pick, scene: Scene) -> Fragment:
    """`min` and `max`: SQL's own pass over NULL, these do not."""
    parts = [scene.frame.hold(value(operand, scene), "operand") for operand in node.operands]
    best = compose("least({})" if node.extreme is Extreme.LOWEST else "greatest({})", listed(", ", parts))
    unknown = [compose("{} IS NULL", part) for part in parts if part.nullable]
    return compose("CASE WHEN {} THEN NULL ELSE {} END", either(unknown), best) if unknown else best


# --- conditions ------------------------------------------------------------------------------------------------------


def condition(node: Expression, scene: Scene, contrary: bool = False) -> Fragment:
    """Whether `node` holds: TRUE, FALSE, or NULL for unknown; with `contrary`, whether it does not."""
    return _shallow(_condition(node, scene, contrary), scene)


def _condition(node: Expression, scene: Scene, contrary: bool) -> Fragment:
    match node:
        case Not():
            return condition(node.operand, scene, not contrary)
        case All(operands=(Known(operand=operand, negated=False), known)) if operand == known:
            holds = condition(known, scene)
            truth = compose("({} IS TRUE)", holds).known() if holds.nullable else holds
            return _contrary(truth) if contrary else truth
        case All() | AnyOf():
            parts = [condition(operand, scene, contrary) for operand in node.operands]
            return every(parts) if isinstance(node, All) is not contrary else either(parts)
        case Compare():
            left, right = _compared(node.left, scene), _compared(node.right, scene)
            return compose(f"({{}} {_SIGNS[node.comparator][contrary]} {{}})", left, right)
        case OneOf():
            return _one_of(node, scene, node.negated is not contrary)
        case Known():
            return _known(node.operand, scene, node.negated is not contrary)
        case Includes():
            held = reads.output_item(node.operand, node.item, scene)
            return held if node.negated is contrary else compose("(NOT {})", held)
        case IsTrue():
            return condition(node.operand, scene, contrary)
        case _:
            plain = _value(node, scene)
            return _contrary(plain) if contrary else plain


def _compared(node: Expression, scene: Scene) -> Fragment:
    return reads.operand(node.value, node.type) if isinstance(node, Constant) else value(node, scene)


def _contrary(flag: Fragment) -> Fragment:
    if flag.text in (TRUE.text, FALSE.text):
        return FALSE if flag.text == TRUE.text else TRUE
    return compose("(NOT {})", flag)


def _known(node: Expression, scene: Scene, contrary: bool) -> Fragment:
    if isinstance(node, OutputRead) and isinstance(node.type, ItemSet):
        there = reads.output_known(node, scene)
        return _contrary(there) if contrary else there
    operand = value(node, scene)
    if not operand.nullable:
        return FALSE if contrary else TRUE
    return compose("({} IS NULL)" if contrary else "({} IS NOT NULL)", operand).known()


def _one_of(node: OneOf, scene: Scene, contrary: bool) -> Fragment:
    operand = value(node.operand, scene)
    if not node.values:
        # Nothing is in no set, as far as it is known.
        return compose("({} IS NULL OR NULL)" if contrary else "({} IS NULL AND NULL)", operand)
    if isinstance(node.operand.type, Levels):
        return _among_levels(operand, node.operand.type, node.values, contrary)
    kept = [reads.operand(v, node.operand.type) for v in dict.fromkeys(node.values)]
    return compose("({} NOT IN ({}))" if contrary else "({} IN ({}))", operand, listed(", ", kept))


def _among_levels(operand: Fragment, kind: Levels, ranks: Sequence[object], contrary: bool) -> Fragment:
    """Membership of a level, as one comparison where the ranks are the lowest, the highest or one."""
    wanted = sorted({int(rank) for rank in ranks if isinstance(rank, int)})
    last = len(kind.members) - 1
    if len(wanted) == 1:
        return compose(f"({{}} {'<>' if contrary else '='} {wanted[0] + 1})", operand)
    if wanted == list(range(len(wanted))):
        return compose(f"({{}} {'>' if contrary else '<='} {wanted[-1] + 1})", operand)
    if wanted == list(range(wanted[0], last + 1)):
        return compose(f"({{}} {'<' if contrary else '>='} {wanted[0] + 1})", operand)
    places = ", ".join(str(rank + 1) for rank in wanted)
    return compose(f"({{}} {'NOT IN' if contrary else 'IN'} ({places}))", operand)
