"""Arithmetic in SQL is the interpreter's, to the last quantum, wherever rounding, signs or 64 bits could differ."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from evaluators.duckdb import decide_all
from evaluators.expressions import evaluate
from evaluators.interpreter import Interpreter
from evaluators.snapshot import Snapshot
from policy_dsl.nodes import TRUE, Absolute, Arithmetic, Constant, Expression, FactRead, Negate, Pick
from policy_dsl.operators import Extreme, Operator
from policy_dsl.program import Direction, How, Output, Program, Rule, Tighten
from policy_dsl.quantities import INT64_MAX, INT64_MIN
from policy_dsl.types import MONEY

A, B = FactRead("t", "a", MONEY), FactRead("t", "b", MONEY)
SCALES = ((1, 1), (1, 10**9), (10**9, 1), (1, 2), (7, 3), (86_400_000_000_000, 1), (1, 86_400_000_000_000), (1, 10**18))
FIGURES = (0, 1, -1, 2, 5, -7, 400_000_000, -(10**9), INT64_MAX, INT64_MIN)
EDGES = (
    *(0, 1, -1, 2, -2, 3, 5, -5, 7, 10**9, -(10**9), 5 * 10**8, -15 * 10**8, 25 * 10**8, 123_456_789_012_345),
    *(
        2**31,
        -(2**31),
        2**50,
        2**50 + 1,
        -(2**52) - 1,
        2**62,
        -(2**62),
        INT64_MAX - 1,
        INT64_MAX,
        INT64_MIN,
        INT64_MIN + 1,
    ),
)


def asked(expressions: list[Expression]) -> Program:
    """A program with one output an expression, which holds its value: the highest number where it is unknown."""
    outputs = tuple(
        Output(f"p.o{i}", "p", None, MONEY, INT64_MIN, Direction.UP, INT64_MIN, INT64_MAX)
        for i in range(len(expressions))
    )
    rules = tuple(
        Rule(f"p.r{i:03}", "p", None, TRUE, (Tighten(f"p.o{i}", How.TO, expression),), ())
        for i, expression in enumerate(expressions)
    )
    return Program("arithmetic", (), outputs, rules)


def assert_agree(expressions: list[Expression], pairs: list[tuple[int | None, int | None]]) -> None:
    """Every expression has the interpreter's value for every pair of `a` and `b`."""
    snapshots = [Snapshot("main", i, {"t.a": a, "t.b": b}) for i, (a, b) in enumerate(pairs)]
    for snapshot, decision in zip(snapshots, decide_all(asked(expressions), snapshots), strict=True):
        expected = [evaluate(e, snapshot, {}, {}) for e in expressions]
        found = decision.outputs.values()
        wrong = [
            e for e, v, f in zip(expressions, expected, found, strict=True) if f != (INT64_MAX if v is None else v)
        ]
        assert not wrong, snapshot.facts
        assert [f.definite for f in decision.firings] == [v is not None for v in expected]


def products() -> list[Expression]:
    return [
        Arithmetic(operator, A, B, MONEY, up, down)
        for operator in (Operator.MULTIPLY, Operator.DIVIDE)
        for up, down in SCALES
    ]


def test_products_and_quotients_at_the_edges() -> None:
    pairs = [*itertools.product((*EDGES, None), EDGES)]
    assert_agree(products(), [*pairs, (1, None), (None, None)])


def test_products_and_quotients_by_a_figure() -> None:
    expressions: list[Expression] = []
    for figure, (up, down) in itertools.product(FIGURES, SCALES):
        literal = Constant(figure, MONEY)
        expressions += [Arithmetic(o, A, literal, MONEY, up, down) for o in (Operator.MULTIPLY, Operator.DIVIDE)]
    expressions.append(Arithmetic(Operator.DIVIDE, Constant(10, MONEY), A, MONEY, 1, 1))
    expressions.append(Arithmetic(Operator.MULTIPLY, Constant(10, MONEY), Constant(3, MONEY), MONEY, 1, 4))
    assert_agree(expressions, [(a, None) for a in (*EDGES, None)])


def test_halves_are_rounded_to_even() -> None:
    halves = [Arithmetic(Operator.MULTIPLY, A, B, MONEY, 1, 10), Arithmetic(Operator.DIVIDE, A, B, MONEY, 1, 1)]
    assert_agree([*halves], [(a, b) for a in range(-45, 46, 5) for b in (-10, -3, -2, -1, 1, 2, 3, 10)])


def test_sums_signs_and_extremes() -> None:
    expressions: list[Expression] = [
        Arithmetic(Operator.ADD, A, B, MONEY),
        Arithmetic(Operator.SUBTRACT, A, B, MONEY),
        Negate(A, MONEY),
        Absolute(A, MONEY),
        Pick(Extreme.LOWEST, (A, B, Constant(7, MONEY)), MONEY),
        Pick(Extreme.HIGHEST, (A, Negate(B, MONEY)), MONEY),
        Arithmetic(Operator.SUBTRACT, Constant(INT64_MIN, MONEY), Negate(A, MONEY), MONEY),
    ]
    assert_agree(expressions, [*itertools.product((*EDGES, None), (*EDGES, None))])


def test_random_operands_of_every_size() -> None:
    chance = random.Random(11)  # noqa: S311 -- test data, no secret
    sizes = [chance.randrange(1, 64) for _ in range(300)]
    pairs = [(_signed(chance, n), _signed(chance, chance.randrange(1, 64))) for n in sizes]
    assert_agree(products(), [*pairs])


def _signed(chance: random.Random, bits: int) -> int:
    return chance.randrange(-(2 ** (bits - 1)), 2 ** (bits - 1))


@given(st.lists(st.integers(-(10**9), 3 * 10**9), min_size=1, max_size=4), st.sampled_from(tuple(Direction)), st.data())
def test_factors_in_their_order(factors: list[int], direction: Direction, data: st.DataObject) -> None:
    low, high = sorted(data.draw(st.lists(st.integers(0, INT64_MAX), min_size=2, max_size=2)))
    starts = high if direction is Direction.DOWN else low
    output = Output("p.o", "p", None, MONEY, starts, direction, low, high)
    effects = [Tighten("p.o", How.SCALE, A if i % 2 else Constant(f, MONEY)) for i, f in enumerate(factors)]
    effects.append(Tighten("p.o", How.BY, B))
    rules = tuple(Rule(f"p.r{i}", "p", None, TRUE, (effect,), ()) for i, effect in enumerate(effects))
    shifts = data.draw(st.lists(st.integers(INT64_MIN, INT64_MAX) | st.integers(0, 1000), min_size=1, max_size=3))
    figures = [*factors, 10**9 - 1, None]
    program = Program("factors", (), (output,), rules)
    snapshots = [Snapshot("main", 0, {"t.a": f, "t.b": s}) for f in figures for s in shifts]
    assert decide_all(program, snapshots) == [Interpreter(program).decide(snapshot) for snapshot in snapshots]
