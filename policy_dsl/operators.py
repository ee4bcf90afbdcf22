"""What the nodes of the typed program do to their operands."""

from __future__ import annotations

import enum


class Operator(enum.Enum):
    """Arithmetic on quanta, in exact integers; a result outside int64 is unknown."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"


class Extreme(enum.Enum):
    """Which end."""

    LOWEST = "min"
    HIGHEST = "max"


class Comparator(enum.Enum):
    """Comparisons; unknown if an operand is. Levels compare by rank, flags as no < yes, sets never."""

    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    EQUAL = "is"
    DIFFERENT = "is not"


class Fold(enum.Enum):
    """What an aggregate makes of its rows."""

    COUNT = "count"
    SUM = "sum"
    HIGHEST = "highest"
    LOWEST = "lowest"
    AVERAGE = "average"
    ANY = "any"
    ALL = "all"
    LATEST = "latest"


class WindowFold(enum.Enum):
    """What a trailing window makes of a value."""

    HIGHEST = "highest"
    LOWEST = "lowest"
    AVERAGE = "average"
    CHANGE = "change"
