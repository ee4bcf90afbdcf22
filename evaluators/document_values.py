"""One fact's value in a state document: read into quanta, ranks, flags and text, and written back."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from typing import Any

from evaluators.document_places import Places
from evaluators.timestamps import FIRST_TS, LAST_TS, format_time, parse_time
from policy_dsl.catalogue import Fact
from policy_dsl.diagnostics import Findings, did_you_mean
from policy_dsl.quantities import QUANTA_PER_ONE, Unit, to_quanta
from policy_dsl.types import Flag, Levels, Quantity, Type, Value

_DECIMAL = re.compile(r"-?\d+(\.\d+)?")
_FINEST = Decimal("1e-12")
_FORM: dict[Unit, str] = {
    Unit.RATIO: "a ratio is a plain fraction, such as 0.03 for 3%",
    Unit.DURATION: "a duration is a number of seconds",
    Unit.RATE: "a rate is a number of events a minute",
    Unit.TIME: "a time is ISO 8601 in UTC, such as 2025-10-10T21:00:00Z",
}


def read_value(fact: Fact, given: Any, path: str, places: Places, findings: Findings) -> Value | None:
    """The value of `fact` as a document gives it; None is missing.

    RF708 a value of another type, RF707 a name that is no level, RF709 a time that is not one or not in UTC. Notes:
    RF720 not a finite number of 64 bits, RF721 outside the declared range; both are missing.
    """
    if given is None:
        return None
    kind = fact.type
    if isinstance(kind, Quantity):
        return _read_quantity(fact, kind.unit, given, path, places, findings)
    if isinstance(kind, Flag):
        if isinstance(given, bool):
            return given
        findings.error(
            "RF708", f"`{path}` is {shown(given)}, not a flag", places.value(path), "a flag is true or false"
        )
        return None
    if not isinstance(given, str):
        findings.error("RF708", f"`{path}` is {shown(given)}, not {_a(kind)}", places.value(path))
        return None
    if isinstance(kind, Levels):
        return _read_level(kind, given, path, places, findings)
    if not storable(given):
        findings.error(
            "RF708", f"`{path}` holds a character that is no text", places.value(path), "half of a surrogate pair"
        )
        return None
    return given


def storable(text: str) -> bool:
    """Whether text can be kept: no half of a surrogate pair, which has no UTF-8, and no NUL."""
    return not any("\ud800" <= c <= "\udfff" or c == "\0" for c in text)


def shown(given: Any) -> str:
    """A value of a document in a few words, for a message."""
    if isinstance(given, dict):
        return "an object"
    if isinstance(given, list | tuple):
        return "a list"
    if given is None or isinstance(given, bool):
        return {None: "null", True: "true", False: "false"}[given]
    return f"`{str(given)[:40]}`" if not isinstance(given, str) else f'`"{given[:40]}"`'


def write_value(kind: Type, value: Value) -> float | int | bool | str:
    """A value as a document shows it: numbers in document units, levels by name, times as ISO 8601.

    A number is an int where it is whole, a float where that gives back the same quanta, and else exact decimal text.
    """
    if isinstance(kind, Levels):
        return kind.members[int(value)]
    if not isinstance(kind, Quantity) or not isinstance(value, int):
        return value
    if kind.unit is Unit.TIME and FIRST_TS <= value <= LAST_TS:
        return format_time(value)
    return _number(value, kind.unit)


def _number(quanta: int, unit: Unit) -> float | int | str:
    scale = QUANTA_PER_ONE[unit]
    if quanta % scale == 0:
        return quanta // scale
    double = quanta / scale
    if to_quanta(double, unit) == quanta == to_quanta(Decimal(repr(double)), unit):
        return double
    with localcontext(prec=50):
        exact = (Decimal(quanta) / scale).quantize(_FINEST)
    return f"{exact:f}".rstrip("0")


def _read_quantity(fact: Fact, unit: Unit, given: Any, path: str, places: Places, findings: Findings) -> int | None:
    number: float | int | Decimal | None
    if isinstance(given, str):
        number = _read_text(unit, given, path, places, findings)
        if number is None:
            return None
    elif isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        findings.error("RF708", f"`{path}` is {shown(given)}, not {_a(fact.type)}", places.value(path), _FORM.get(unit))
        return None
    else:
        number = given
    quanta = to_quanta(number, unit)
    if quanta is None:
        findings.note(
            "RF720", f"`{path}` is {shown(given)}, which is missing: no finite 64-bit number", places.value(path)
        )
    elif not fact.in_range(quanta):
        findings.note("RF721", f"`{path}` is {shown(given)}, which is missing: {_range(fact)}", places.value(path))
        return None
    return quanta


def _read_text(unit: Unit, given: str, path: str, places: Places, findings: Findings) -> int | Decimal | None:
    """A number given as text: a time, or decimal digits that are too many for most writers of JSON."""
    if unit is Unit.TIME:
        try:
            return Decimal(parse_time(given)) / QUANTA_PER_ONE[unit]
        except ValueError as error:
            if not _DECIMAL.fullmatch(given):
                findings.error("RF709", f"`{path}`: {error}", places.value(path), _FORM[unit])
                return None
    if _DECIMAL.fullmatch(given):
        return Decimal(given)
    help = _FORM.get(unit, "a number is written without quotes")
    findings.error("RF708", f"`{path}` is {shown(given)}, not {_a(Quantity(unit))}", places.value(path), help)
    return None


def _read_level(kind: Levels, given: str, path: str, places: Places, findings: Findings) -> int | None:
    if given in kind.members:
        return kind.rank(given)
    help = did_you_mean(given.upper(), kind.members) or f"one of {', '.join(kind.members)}"
    findings.error(
        "RF707", f"`{path}` is {shown(given)}, which is not a level of {kind.name}", places.value(path), help
    )
    return None


def _range(fact: Fact) -> str:
    low = "" if fact.low is None else f"at least {write_value(fact.type, fact.low)}"
    high = "" if fact.high is None else f"at most {write_value(fact.type, fact.high)}"
    return f"the range is {' and '.join(filter(None, (low, high)))}"


def _a(kind: Type) -> str:
    name = kind.name if isinstance(kind, Levels) else str(kind)
    if isinstance(kind, Levels):
        return f"a level of {name}"
    return name if name in ("money", "text", "leverage", "R") else f"a {name}"
