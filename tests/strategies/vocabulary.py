"""What generated programs speak about: a fixed catalogue, figures worth writing, keys worth naming."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from policy_dsl.catalogue import Fact, FactModel, Rows, catalogue_of, fact
from policy_dsl.operators import Operator
from policy_dsl.quantities import MS_PER_DAY, QUANTA_PER_ONE, RATE_QUANTA_PER_DAILY_EVENT, Unit
from policy_dsl.types import COUNT, FLAG, TEXT, Quantity, Reference, Type
from tests.catalogue_for_tests import EFFECT, MODELS


class FaultFacts(FactModel, entity="fault", rows=Rows.EVENT):
    """Something that went wrong: an event that does not say when."""

    symbol: Annotated[str | None, Reference("symbol")] = fact("what it hit", owner="healing", calm="BTCUSDT")
    retries: Annotated[int | None, COUNT] = fact("attempts in vain", owner="healing", low=0, calm=0)
    fatal: Annotated[bool | None, FLAG] = fact("nothing worked since", owner="healing", calm=False)
    kind: Annotated[str | None, TEXT] = fact("a word", owner="healing", calm="")


CATALOGUE = catalogue_of((*MODELS, FaultFacts))

ENTITIES = ("position", "request", "symbol")
"""The keyed entities that rules and aggregates range over."""

EVENTS = ("trade", "fault")
"""The events that are folded over windows: one says itself when it happened, the other does not."""

KEYS = {
    "position": ("p1", "p2", "p3"),
    "request": ("r1", "r2", "r3"),
    "symbol": ("BTCUSDT", "ETHUSDT"),
}
"""Keys that snapshots use; `DANGLING` is never among them."""

DANGLING = "XRPUSDT"
TEXTS = ("L1", "DEFI", "")
EXITS = (EFFECT.rank("REDUCE"), EFFECT.rank("CLOSE"))

_EVENT_A_MINUTE = QUANTA_PER_ONE[Unit.RATE]

FIGURES: dict[Unit, tuple[int, ...]] = {
    Unit.RATIO: (0, 1, 10_000_000, 30_000_000, 333_333_333, 500_000_000, 999_999_999, 1_000_000_000, 2_500_000_000),
    Unit.MONEY: (0, 1, 10_000_000, 1_000_500_000, 5_000_000_000, 99_999_999_999),
    Unit.R: (0, 500_000_000, 1_000_000_000, 1_500_000_000, 3_000_000_001),
    Unit.LEVERAGE: (0, 1_000_000_000, 2_500_000_000, 20_000_000_000),
    Unit.DURATION: (0, 1, 1_500, 60_000, 3_600_000),
    Unit.TIME: (0, 1_700_000_000_000, 1_800_000_000_000),
    Unit.RATE: (0, 1, _EVENT_A_MINUTE // 60, _EVENT_A_MINUTE, 10 * _EVENT_A_MINUTE),
    Unit.COUNT: (0, 1, 2, 3, 5),
    Unit.NUMBER: (0, 1, 650_000_000, 1_000_000_000, 2_000_000_001),
}
"""Literals that rules compare with, in quanta: the figures a desk would write, and some that round."""

AROUND = 1_750_000_000_000
"""The time (ms) around which everything happens."""

MINUTE = MS_PER_DAY // 1440
DURATIONS = (MINUTE, 2 * MINUTE, MINUTE // 2, 5 * MINUTE, 1, 3 * MINUTE // 2, 10 * MINUTE, 36_500 * MS_PER_DAY)
"""Lengths (ms) of windows and holds: none, one or many snapshots long, and one from before any clock."""

Form = tuple[Operator, Unit, Unit]


def facts_of(entity: str, kind: Type) -> tuple[Fact, ...]:
    """The facts of `entity` that have that type, in declared order."""
    return tuple(f for f in CATALOGUE.entities[entity].facts.values() if f.type == kind)


def single_facts(kind: Type) -> tuple[Fact, ...]:
    """The facts of that type of entities with one row a snapshot."""
    return tuple(f for entity in CATALOGUE.of_kind(Rows.ONE) for f in facts_of(entity.name, kind))


def arithmetic_scale(operator: Operator, left: Unit, right: Unit, result: Unit) -> tuple[int, int]:
    """`scale_up` and `scale_down` that turn quanta of `left` and `right` into quanta of `result`."""
    if operator in (Operator.ADD, Operator.SUBTRACT):
        return 1, 1
    one_left, one_right, one_result = (_quanta_per_coherent_one(unit) for unit in (left, right, result))
    if operator is Operator.MULTIPLY:
        scale = one_result / (one_left * one_right)
    else:
        scale = one_result * one_right / one_left
    return scale.numerator, scale.denominator


def _quanta_per_coherent_one(unit: Unit) -> Fraction:
    """Quanta of one in units that multiply without a factor: milliseconds, and events a millisecond."""
    if unit is Unit.DURATION:
        return Fraction(1)
    if unit is Unit.RATE:
        return Fraction(RATE_QUANTA_PER_DAILY_EVENT * MS_PER_DAY)
    return Fraction(QUANTA_PER_ONE[unit])


_SUMMABLE = (Unit.RATIO, Unit.MONEY, Unit.R, Unit.LEVERAGE, Unit.DURATION, Unit.RATE, Unit.COUNT, Unit.NUMBER)

ARITHMETIC: dict[Unit, tuple[Form, ...]] = {
    unit: tuple((op, unit, unit) for op in (Operator.ADD, Operator.SUBTRACT)) for unit in _SUMMABLE
} | {Unit.TIME: ((Operator.ADD, Unit.TIME, Unit.DURATION), (Operator.SUBTRACT, Unit.TIME, Unit.DURATION))}
"""For each unit, the ways of computing it: operator, unit of the left operand, unit of the right."""

ARITHMETIC[Unit.DURATION] += ((Operator.SUBTRACT, Unit.TIME, Unit.TIME),)
ARITHMETIC[Unit.MONEY] += (
    (Operator.MULTIPLY, Unit.RATIO, Unit.MONEY),
    (Operator.MULTIPLY, Unit.MONEY, Unit.NUMBER),
    (Operator.DIVIDE, Unit.MONEY, Unit.RATIO),
    (Operator.DIVIDE, Unit.MONEY, Unit.COUNT),
)
ARITHMETIC[Unit.RATIO] += (
    (Operator.DIVIDE, Unit.MONEY, Unit.MONEY),
    (Operator.MULTIPLY, Unit.RATIO, Unit.RATIO),
)
ARITHMETIC[Unit.RATE] += ((Operator.DIVIDE, Unit.COUNT, Unit.DURATION),)


def quantity(unit: Unit) -> Quantity:
    """The type of numbers with that unit."""
    return Quantity(unit)
