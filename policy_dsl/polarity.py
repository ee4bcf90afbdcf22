"""The checks behind the guarantees: which way a condition moves as outputs tighten, and as facts go missing."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable

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
    OneOf,
    OutputRead,
    Pick,
    Previous,
    Throughout,
    Window,
    Within,
)
from policy_dsl.operators import Comparator, Fold, Operator, WindowFold
from policy_dsl.program import Direction, Output
from policy_dsl.quantities import INT64_MAX, INT64_MIN, divide_half_even, fits
from policy_dsl.types import Levels, Quantity, Value
from policy_dsl.walking import children, walk


class Move(enum.Enum):
    """What happens to a value (or how true a condition is) as the outputs it reads tighten."""

    STILL = "still"
    RISES = "rises"
    FALLS = "falls"
    MIXED = "mixed"

    def __neg__(self) -> Move:
        return {Move.RISES: Move.FALLS, Move.FALLS: Move.RISES}.get(self, self)


OutputOf = Callable[[str], Output]


def together(moves: Iterable[Move]) -> Move:
    """The move of something that rises with each of its parts."""
    kinds = set(moves) - {Move.STILL}
    if not kinds:
        return Move.STILL
    return kinds.pop() if len(kinds) == 1 else Move.MIXED


def move(node: Expression, output_of: OutputOf) -> Move:
    """How `node` moves as outputs tighten; MIXED where that cannot be told."""
    # Most conditions read facts alone: seen before anything is analysed.
    return _move(node, output_of) if _reads_outputs(node) else Move.STILL


def _reads_outputs(node: Expression) -> bool:
    return any(type(n) is OutputRead for n in walk(node))


def _move(node: Expression, output_of: OutputOf) -> Move:
    match node:
        case Constant() | FactRead():
            return Move.STILL
        case OutputRead():
            output = output_of(node.output)
            if output.direction is None:
                return Move.MIXED
            return Move.FALLS if output.direction is Direction.DOWN else Move.RISES
        case Compare():
            return _compare(node, output_of)
        case OneOf():
            return _one_of(node, output_of)
        case Includes():
            return Move.RISES if node.negated else Move.FALLS
        case IsTrue():
            return _move(node.operand, output_of)
        case Not():
            return -_move(node.operand, output_of)
        case Negate():
            return _unless_over(node, -_move(node.operand, output_of), output_of)
        case All() | AnyOf() | Pick():
            return together(_move(o, output_of) for o in node.operands)
        case Arithmetic():
            return _unless_over(node, _arithmetic(node, output_of), output_of)
        case Known() | Absolute():
            return _unless_still(node, output_of)
        case Aggregate() | EventFold():
            return _aggregate(node, output_of)
        case Window(fold=WindowFold.CHANGE):
            return _unless_still(node, output_of)
        case _:
            return together(_move(c, output_of) for c in children(node))


def _unless_still(node: Expression, output_of: OutputOf) -> Move:
    """MIXED, but for what reads no output at all; that a row exists, or did, does not depend on any output."""
    if isinstance(node, Known) and output_read(node.operand) is not None:
        return Move.STILL
    still = all(_move(c, output_of) is Move.STILL for c in children(node))
    return Move.STILL if still else Move.MIXED


def output_read(node: Expression) -> OutputRead | None:
    """The output whose value `node` is: now, at the snapshot before, or the highest, lowest or average of a window.

    Each of these is known whatever the values are, moves as the output does, and is at an end of the range only where
    the output is, all or some of the time.
    """
    while isinstance(node, Previous) or (isinstance(node, Window) and node.fold is not WindowFold.CHANGE):
        node = node.operand
    return node if isinstance(node, OutputRead) else None


def _compare(node: Compare, output_of: OutputOf) -> Move:
    left, right = _move(node.left, output_of), _move(node.right, output_of)
    if node.comparator in (Comparator.LESS, Comparator.AT_MOST):
        return together((-left, right))
    if node.comparator in (Comparator.GREATER, Comparator.AT_LEAST):
        return together((left, -right))
    if left is Move.STILL and right is Move.STILL:
        return Move.STILL
    flip = node.comparator is Comparator.DIFFERENT
    for read, value in ((node.left, node.right), (node.right, node.left)):
        output = output_read(read)
        if output is not None and isinstance(value, Constant):
            found = _membership(output_of(output.output), {value.value})
            return -found if flip else found
    return Move.MIXED


def _one_of(node: OneOf, output_of: OutputOf) -> Move:
    output = output_read(node.operand)
    if output is not None:
        found = _membership(output_of(output.output), set(node.values))
        return -found if node.negated else found
    still = _move(node.operand, output_of) is Move.STILL
    return Move.STILL if still else Move.MIXED


def _membership(output: Output, values: set[Value]) -> Move:
    """How "the output is one of these" moves: it rises for the strict end of the range, falls for the loose end."""
    if isinstance(output.type, Quantity):
        if output.strictest is not None and values == {output.strictest}:
            return Move.RISES
        return Move.FALLS if values == {output.starts} else Move.MIXED
    everything: list[Value] = [False, True]
    if isinstance(output.type, Levels):
        everything = list(range(len(output.type.members)))
    if output.direction is Direction.UP:
        everything.reverse()
    strict_first = [v in values for v in everything]
    if all(strict_first) or not any(strict_first):
        return Move.STILL
    if strict_first == sorted(strict_first, reverse=True):
        return Move.RISES
    return Move.FALLS if strict_first == sorted(strict_first) else Move.MIXED


def _arithmetic(node: Arithmetic, output_of: OutputOf) -> Move:
    left, right = _move(node.left, output_of), _move(node.right, output_of)
    if node.operator is Operator.ADD:
        return together((left, right))
    if node.operator is Operator.SUBTRACT:
        return together((left, -right))
    if left is Move.STILL and right is Move.STILL:
        return Move.STILL
    factor, moving = (node.left, right) if left is Move.STILL else (node.right, left)
    if node.operator is Operator.DIVIDE and left is Move.STILL:
        return Move.MIXED
    if isinstance(factor, Constant) and isinstance(factor.value, int) and factor.value != 0:
        return moving if factor.value > 0 else -moving
    return Move.MIXED


def _aggregate(node: Aggregate | EventFold, output_of: OutputOf) -> Move:
    where = Move.STILL if node.where is None else _move(node.where, output_of)
    value = Move.STILL if node.value is None else _move(node.value, output_of)
    if node.fold in (Fold.ANY, Fold.ALL):
        return together((where if node.fold is Fold.ANY else -where, value))
    if node.fold is Fold.COUNT:
        return where
    return _unless_over(node, value, output_of) if where is Move.STILL else Move.MIXED


# --- results that overflow -------------------------------------------------------------------------------------------

_Ends = tuple[int, int]
"""The lowest and the highest quanta that a number can come to."""

_OPEN: _Ends = (INT64_MIN, INT64_MAX)
_MOST_ROWS = 10**6
"""No snapshot has more rows, or news of more events."""

_MOST_STILL = 10**12
"""Quanta that numbers without outputs are taken to come to: some room must be left for them, and none is not enough."""


def _unless_over(node: Expression, found: Move, output_of: OutputOf) -> Move:
    """MIXED where the number may overflow: it is unknown then, a truth that no rule intended, until it tightens."""
    return found if found is Move.STILL or all(map(fits, _ends(node, output_of))) else Move.MIXED


def overflowing(node: Expression, output_of: OutputOf) -> Expression | None:
    """The first number in `node` that is made of outputs and may overflow; None if there is none."""
    made = [n for n in walk(node) if isinstance(n, Arithmetic | Negate | Aggregate | EventFold)]
    over = (n for n in made if isinstance(n.type, Quantity) and not all(map(fits, _ends(n, output_of))))
    return next((n for n in over if move(n, output_of) is not Move.STILL), None)


def _ends(node: Expression, output_of: OutputOf) -> _Ends:
    """How far a number can go as outputs move."""
    match node:
        case Constant(value=int() as value):
            return value, value
        case _ if not _reads_outputs(node):
            return -_MOST_STILL, _MOST_STILL
        case OutputRead():
            output = output_of(node.output)
            return _OPEN[0] if output.low is None else output.low, _OPEN[1] if output.high is None else output.high
        case Negate():
            low, high = _ends(node.operand, output_of)
            return -high, -low
        case Absolute():
            return 0, max(map(abs, _ends(node.operand, output_of)))
        case Arithmetic():
            return _ends_of_arithmetic(node, output_of)
        case Aggregate(fold=Fold.COUNT) | EventFold(fold=Fold.COUNT):
            return 0, _MOST_ROWS
        case Aggregate(fold=Fold.SUM, value=value) | EventFold(fold=Fold.SUM, value=value) if value is not None:
            low, high = _ends(value, output_of)
            return min(0, low) * _MOST_ROWS, max(0, high) * _MOST_ROWS
        case _:
            below = [_ends(c, output_of) for c in children(node) if isinstance(c.type, Quantity)]
            return min((low for low, _ in below), default=0), max((high for _, high in below), default=0)


def _ends_of_arithmetic(node: Arithmetic, output_of: OutputOf) -> _Ends:
    (left_low, left_high), (right_low, right_high) = _ends(node.left, output_of), _ends(node.right, output_of)
    match node.operator:
        case Operator.ADD:
            return left_low + right_low, left_high + right_high
        case Operator.SUBTRACT:
            return left_low - right_high, left_high - right_low
        case Operator.MULTIPLY:
            products = [a * b * node.scale_up for a in (left_low, left_high) for b in (right_low, right_high)]
            results = [divide_half_even(product, node.scale_down) for product in products]
        case Operator.DIVIDE:
            divisors = [divisor * node.scale_down for divisor in (right_low, right_high) if divisor != 0]
            results = [divide_half_even(a * node.scale_up, b) for a in (left_low, left_high) for b in divisors]
    return min(results, default=0), max(results, default=0)


# --- missing facts ---------------------------------------------------------------------------------------------------


def falls_when_missing(node: Expression) -> bool:
    """Whether taking a fact away can turn the condition from not-false to false (`x is known and ...`)."""
    return _asks_if_known(node) and _moves_when_missing(node)[0]


def rises_when_missing(node: Expression) -> bool:
    """Whether taking a fact away can turn the condition from not-true to true (`x is unknown`)."""
    return _asks_if_known(node) and _moves_when_missing(node)[1]


def _asks_if_known(node: Expression) -> bool:
    return any(type(n) is Known for n in walk(node))


def moves_when_missing(node: Expression) -> bool:
    """Whether taking a fact away can change a known value into another known one (`count(p where x is known)`)."""
    return falls_when_missing(node) or rises_when_missing(node)


def _moves_when_missing(node: Expression) -> tuple[bool, bool]:
    """Whether a known value can become a smaller and a larger known one (false is less than true).

    All but `is known` only loses information: what was known becomes unknown, never something else.
    """
    match node:
        case Known():
            falls, rises = _either(node)
            changes = _can_be_missing(node.operand)
            return falls or (changes and not node.negated), rises or (changes and node.negated)
        case Not() | Negate():
            return _swapped(_moves_when_missing(node.operand))
        case Compare(comparator=Comparator.LESS | Comparator.AT_MOST):
            return _joined(_swapped(_moves_when_missing(node.left)), _moves_when_missing(node.right))
        case Compare(comparator=Comparator.GREATER | Comparator.AT_LEAST):
            return _joined(_moves_when_missing(node.left), _swapped(_moves_when_missing(node.right)))
        case Arithmetic(operator=Operator.SUBTRACT):
            return _joined(_moves_when_missing(node.left), _swapped(_moves_when_missing(node.right)))
        case Arithmetic(operator=Operator.ADD) | All() | AnyOf() | Pick() | IsTrue():
            return _joined(*(_moves_when_missing(c) for c in children(node)))
        case Aggregate(fold=Fold.COUNT | Fold.ANY | Fold.ALL) | EventFold(fold=Fold.COUNT | Fold.ANY):
            return _joined(*(_moves_when_missing(c) for c in children(node)))
        case Throughout() | Within() | Previous():
            return _moves_when_missing(node.operand)
        case Window(fold=WindowFold.HIGHEST | WindowFold.LOWEST | WindowFold.AVERAGE):
            return _moves_when_missing(node.operand)
        case _:
            return _either(node)


def _joined(*moves: tuple[bool, bool]) -> tuple[bool, bool]:
    return any(falls for falls, _ in moves), any(rises for _, rises in moves)


def _swapped(moves: tuple[bool, bool]) -> tuple[bool, bool]:
    return moves[1], moves[0]


def _either(node: Expression) -> tuple[bool, bool]:
    """Both ways, if anything below moves at all."""
    moves = any(any(_moves_when_missing(c)) for c in children(node))
    return moves, moves


def _can_be_missing(node: Expression) -> bool:
    if isinstance(node, Constant):
        return False
    read = output_read(node)
    return read is None or read.row is not None
