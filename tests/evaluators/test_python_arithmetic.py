"""The statements that compute and compare, against the exact primitives, for operands of every kind and range."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators import exact
from evaluators.python.arithmetic import Computation, absolute, arithmetic, guarded, negation, pick
from evaluators.python.comparisons import SIGNS, compared, member
from evaluators.python.ladders import Rung, climb
from evaluators.python.operands import Operand, constant
from evaluators.python.truths import Clause, Condition, conjunction, disjunction, leaf, mark, plain
from policy_dsl.nodes import Arithmetic, FactRead, OneOf
from policy_dsl.operators import Comparator, Extreme, Operator
from policy_dsl.quantities import INT64_MAX, INT64_MIN, divide_half_even
from policy_dsl.types import RATIO, Levels

NEAR_ENDS = st.sampled_from((INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX))
INT64 = st.integers(-10, 10) | NEAR_ENDS | st.integers(INT64_MIN, INT64_MAX)
SCALES = st.sampled_from((1, 2, 3, 5, 7, 1000, 10**6, 10**9, 1440 * 10**6))
GLOBALS = {"INT64_MIN": INT64_MIN, "INT64_MAX": INT64_MAX, "divide_half_even": divide_half_even}
X = FactRead("account", "x", RATIO)


@st.composite
def operands(draw: st.DrawFn, name: str) -> tuple[Operand, int | None]:
    """A constant, or a name with a value in the range that it promises, and perhaps none."""
    value = draw(INT64)
    if draw(st.integers(0, 3)) == 0:
        return constant(value), value
    low, high = draw(st.sampled_from(((INT64_MIN, INT64_MAX), (value, INT64_MAX), (min(0, value), max(0, value)))))
    nullable = draw(st.booleans())
    return Operand(name, nullable, 0, low, high), None if nullable and draw(st.integers(0, 4)) == 0 else value


def run(computation: Computation, given_: dict[str, tuple[Operand, int | None]]) -> int | None:
    """What the lines of a computation set `t` to, checked against what they promise."""
    lines = guarded("t", tuple(operand for operand, _ in given_.values()), computation)
    names: dict[str, Any] = {name: value for name, (_, value) in given_.items()}
    exec("\n".join(lines), GLOBALS.copy(), names)  # noqa: S102 -- running what was generated is the test
    made: int | None = names["t"]
    if made is not None:
        assert computation.low <= made <= computation.high
    elif all(value is not None for _, value in given_.values()):
        assert computation.fails
    return made


@given(operands("a"), operands("b"), st.sampled_from(Operator), SCALES, SCALES)
def test_arithmetic_is_exact(
    a: tuple[Operand, int | None], b: tuple[Operand, int | None], operator: Operator, up: int, down: int
) -> None:
    if operator in (Operator.ADD, Operator.SUBTRACT):
        up = down = 1
    node = Arithmetic(operator, X, X, RATIO, up, down)
    known = a[1] is not None and b[1] is not None
    expected = exact.arithmetic(operator, a[1] or 0, b[1] or 0, up, down) if known else None
    assert run(arithmetic(node, "t", a[0], b[0]), {"a": a, "b": b}) == expected


@given(st.integers(-(10**4), 10**4), st.integers(1, 60).map(lambda n: n * 5 if n % 2 else n))
def test_halves_go_to_the_even_neighbour(value: int, divisor: int) -> None:
    node = Arithmetic(Operator.MULTIPLY, X, X, RATIO, 1, divisor)
    operand = Operand("a", low=-(10**4), high=10**4)
    expected = divide_half_even(value, divisor)
    assert run(arithmetic(node, "t", operand, constant(1)), {"a": (operand, value)}) == expected


@given(operands("a"))
def test_signs_are_exact(a: tuple[Operand, int | None]) -> None:
    value = a[1]
    assert run(negation("t", a[0]), {"a": a}) == (None if value is None else exact.checked(-value))
    assert run(absolute("t", a[0]), {"a": a}) == (None if value is None else exact.checked(abs(value)))


@given(st.data(), st.sampled_from(Extreme), st.integers(1, 4))
def test_the_extreme_of_unknowns_is_unknown(data: st.DataObject, extreme: Extreme, count: int) -> None:
    drawn = {name: data.draw(operands(name)) for name in "abcd"[:count]}
    values = [value for _, value in drawn.values()]
    known = [value for value in values if value is not None]
    fold = min if extreme is Extreme.LOWEST else max
    expected = fold(known) if len(known) == len(values) else None
    assert run(pick("t", extreme, tuple(operand for operand, _ in drawn.values())), drawn) == expected


# --- comparisons -----------------------------------------------------------------------------------------------------


def truth(condition: Condition, **names: object) -> exact.Kleene:
    """The truth that the two texts of a condition say."""
    possible, certain = (bool(eval(c.text, {}, names)) for c in (condition.possible, condition.certain))  # noqa: S307 -- evaluating what was generated is the test
    assert possible or not certain
    return True if certain else None if possible else False


@given(operands("a"), operands("b"), st.sampled_from(Comparator))
def test_comparisons_with_the_unknown_are_unknown(
    a: tuple[Operand, int | None], b: tuple[Operand, int | None], comparator: Comparator
) -> None:
    condition = compared(a[0], SIGNS[comparator], b[0])
    expected = None
    if a[1] is not None and b[1] is not None:
        expected = eval(f"{a[1]} {SIGNS[comparator]} {b[1]}")  # noqa: S307 -- two ints and a sign
    assert truth(condition, a=a[1], b=b[1]) is expected


LEVELS = Levels("volatility", ("LOW", "NORMAL", "HIGH", "EXTREME"))
SUBSETS = list(chain.from_iterable(combinations(range(4), size) for size in range(5)))


@pytest.mark.parametrize("chosen", SUBSETS, ids=str)
@pytest.mark.parametrize("negated", [False, True])
def test_one_of_levels(chosen: tuple[int, ...], negated: bool) -> None:
    condition = member(Operand("a", nullable=True), OneOf(FactRead("m", "v", LEVELS), chosen), negated)
    for rank in range(4):
        assert truth(condition, a=rank) is ((rank in chosen) is not negated)
    assert truth(condition, a=None) is None


def test_levels_at_an_end_are_one_comparison() -> None:
    node = OneOf(FactRead("m", "v", LEVELS), (3, 2))
    assert member(Operand("a"), node, False).possible.text == "a >= 2"
    assert member(Operand("a"), node, True).possible.text == "a <= 1"


# --- conditions and masks --------------------------------------------------------------------------------------------

KLEENE = st.sampled_from((True, False, None))


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> tuple[Condition, exact.Kleene, dict[str, bool | None]]:
    """A condition over flags `a` to `d`, its truth, and the values of the flags."""
    values = {name: draw(KLEENE) for name in "abcd"}

    def grow(level: int) -> tuple[Condition, exact.Kleene]:
        if level == 0 or draw(st.integers(0, 2)) == 0:
            name = draw(st.sampled_from("abcd"))
            if draw(st.integers(0, 4)) == 0:
                return plain(Clause(f"{name} is None")), values[name] is None
            return leaf(Clause(name), (Operand(name, nullable=True),)), values[name]
        parts = [grow(level - 1) for _ in range(draw(st.integers(0, 3)))]
        both = draw(st.booleans())
        fold = exact.conjunction if both else exact.disjunction
        return (conjunction if both else disjunction)(c for c, _ in parts), fold(t for _, t in parts)

    return *grow(depth), values


@given(trees())
def test_conditions_are_kleene(tree: tuple[Condition, exact.Kleene, dict[str, bool | None]]) -> None:
    condition, expected, values = tree
    assert truth(condition, **values) is expected


@given(trees())
def test_marks_say_what_is_possible_and_what_is_certain(
    tree: tuple[Condition, exact.Kleene, dict[str, bool | None]],
) -> None:
    condition, expected, values = tree
    names: dict[str, Any] = {**values, "m": 16}
    exec("\n".join(mark(condition, "m", 1, 2)), {}, names)  # noqa: S102 -- running what was generated is the test
    assert names["m"] == 16 + {True: 3, None: 1, False: 0}[expected]


@given(st.lists(st.tuples(st.sampled_from(("<", "<=", ">", ">=", "==")), st.integers(0, 9)), min_size=1, unique=True))
def test_ladders_answer_every_test(tests: list[tuple[str, int]]) -> None:
    rungs = []
    for number, (sign, limit) in enumerate(tests):
        condition = compared(Operand("a", nullable=True), sign, constant(limit))
        assert condition.test is not None
        rungs.append(Rung("# a rule", condition.test, condition.cut, f"m{number % 2}", 1 << number, 3 << number + 60))
    lines = "\n".join(climb("a", rungs))
    for value in (*range(-1, 11), None):
        names: dict[str, Any] = {"a": value, "m0": 0, "m1": 0}
        exec(lines, {}, names)  # noqa: S102 -- running what was generated is the test
        expected = [0, 0]
        for number, (sign, limit) in enumerate(tests):
            if value is None:
                expected[number % 2] += 1 << number
            elif eval(f"{value} {sign} {limit}"):  # noqa: S307 -- two ints and a sign
                expected[number % 2] += 3 << number + 60
        assert [names["m0"], names["m1"]] == expected
