"""The types of the language, and what their values are at run time.

Numbers are quanta (int), levels their rank (int, 0 the first), flags bool, text and references str; None is unknown,
for every type.
"""

from __future__ import annotations

from dataclasses import dataclass

from policy_dsl.quantities import Unit

Value = int | bool | str
"""A known value of any type; unknown is None."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit, held as an int64 count of the unit's quantum."""

    unit: Unit

    def __str__(self) -> str:
        return self.unit.value


@dataclass(frozen=True, slots=True)
class Levels:
    """Named values, held as their rank. Only ordered ones compare with `<`."""

    name: str
    members: tuple[str, ...]
    ordered: bool = True

    def rank(self, member: str) -> int:
        """Position of `member`, 0 the first."""
        return self.members.index(member)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Flag:
    """`no < yes`."""

    def __str__(self) -> str:
        return "flag"


@dataclass(frozen=True, slots=True)
class Text:
    """Text, compared for equality only."""

    def __str__(self) -> str:
        return "text"


@dataclass(frozen=True, slots=True)
class Reference:
    """The key of a row of another entity, such as the symbol of a position."""

    entity: str

    def __str__(self) -> str:
        return f"{self.entity} reference"


@dataclass(frozen=True, slots=True)
class ItemSet:
    """A set of permitted items; `name` is the output that holds it."""

    name: str
    items: tuple[str, ...]

    def __str__(self) -> str:
        return "set of " + ", ".join(self.items)


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth of a condition: true, false or unknown (Kleene)."""

    def __str__(self) -> str:
        return "condition"


Type = Quantity | Levels | Flag | Text | Reference | ItemSet | Truth

RATIO = Quantity(Unit.RATIO)
MONEY = Quantity(Unit.MONEY)
R_MULTIPLE = Quantity(Unit.R)
LEVERAGE = Quantity(Unit.LEVERAGE)
DURATION = Quantity(Unit.DURATION)
TIME = Quantity(Unit.TIME)
RATE = Quantity(Unit.RATE)
COUNT = Quantity(Unit.COUNT)
NUMBER = Quantity(Unit.NUMBER)
FLAG = Flag()
TEXT = Text()
TRUTH = Truth()
