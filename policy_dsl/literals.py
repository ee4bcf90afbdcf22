"""Quantities as rule files write them: `40%`, `5_000 USD`, `90s`, `10/min`, `2026-12-31`; reading and writing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from policy_dsl.quantities import MS_PER_DAY, RATE_QUANTA_PER_DAILY_EVENT, Unit, divide_half_even, fits

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z)?")
_NUMBER = re.compile(r"(?P<digits>[0-9][0-9_]*(?:\.[0-9]+)?)\s*(?P<suffix>\D.*)?")

_LONGEST = 80

# Suffix: its unit and the quanta in one of it.
SUFFIXES: dict[str, tuple[Unit, Fraction]] = {
    "%": (Unit.RATIO, Fraction(10**7)),
    "bps": (Unit.RATIO, Fraction(10**5)),
    "USD": (Unit.MONEY, Fraction(10**6)),
    "R": (Unit.R, Fraction(10**9)),
    "x": (Unit.LEVERAGE, Fraction(10**9)),
    "ms": (Unit.DURATION, Fraction(1)),
    "s": (Unit.DURATION, Fraction(1000)),
    "m": (Unit.DURATION, Fraction(60_000)),
    "h": (Unit.DURATION, Fraction(3_600_000)),
    "d": (Unit.DURATION, Fraction(MS_PER_DAY)),
    "/s": (Unit.RATE, Fraction(86_400 * RATE_QUANTA_PER_DAILY_EVENT)),
    "/min": (Unit.RATE, Fraction(1440 * RATE_QUANTA_PER_DAILY_EVENT)),
    "/h": (Unit.RATE, Fraction(24 * RATE_QUANTA_PER_DAILY_EVENT)),
    "/d": (Unit.RATE, Fraction(RATE_QUANTA_PER_DAILY_EVENT)),
}

# How a bare number would be written in a unit, for "did you mean".
TYPICAL_SUFFIX = {
    Unit.RATIO: "%",
    Unit.MONEY: " USD",
    Unit.R: "R",
    Unit.LEVERAGE: "x",
    Unit.DURATION: "m",
    Unit.RATE: "/min",
}


@dataclass(frozen=True, slots=True)
class Literal:
    """A quantity that was read. `unit` is None for a bare number, whose `value` is then plain, else in quanta."""

    unit: Unit | None
    value: Fraction

    def quanta(self, unit: Unit) -> int | None:
        """The quanta of this literal in `unit`; None if it does not fit, or is finer than one quantum."""
        plain = self.unit is None and unit is not Unit.COUNT
        exact = self.value * 10**9 if plain else self.value
        if exact.denominator != 1 or not fits(exact.numerator):
            return None
        return exact.numerator


class LiteralError(ValueError):
    """A quantity that cannot be read; the message is fit for a diagnostic."""


def read(text: str) -> Literal:
    """The quantity in `text`. Raises LiteralError for an unknown unit or an impossible date."""
    if _DATE.fullmatch(text):
        return Literal(Unit.TIME, Fraction(_read_time(text)))
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise LiteralError(f"`{text}` is not a quantity")
    if len(text) > _LONGEST:
        raise LiteralError(f"`{text[:20]}...` has more digits than any unit holds")
    number = Fraction(match["digits"].replace("_", ""))
    suffix = match["suffix"]
    if suffix is None:
        return Literal(None, number)
    if suffix not in SUFFIXES:
        raise LiteralError(f"`{suffix}` is not a unit")
    unit, scale = SUFFIXES[suffix]
    return Literal(unit, number * scale)


def _read_time(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise LiteralError(f"`{text}` is not a date") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def write(quanta: int, unit: Unit) -> str:
    """The shortest exact way to write a quantity, in the unit a person expects: `6.1%`, `5_000 USD`, `90s`."""
    if unit is Unit.TIME:
        return write_time(quanta)
    if unit is Unit.DURATION:
        return _largest(quanta, ("d", "h", "m", "s", "ms"))
    if unit is Unit.RATE:
        return _largest(quanta, ("/s", "/min", "/h", "/d")) if quanta else "0/min"
    if unit is Unit.RATIO:
        return _placed(quanta, 7) + "%"
    if unit is Unit.MONEY:
        return _grouped(_placed(quanta, 6)) + " USD"
    if unit is Unit.COUNT:
        return str(quanta)
    return _placed(quanta, 9) + {Unit.R: "R", Unit.LEVERAGE: "x"}.get(unit, "")


_DIGITS = 4


def write_brief(quanta: int, unit: Unit) -> str:
    """A quantity to four significant digits, money to the cent: for sentences that people read."""
    scale = 10**4 if unit is Unit.MONEY else 1
    if unit in _DECIMAL:
        scale = 10 ** max(0, len(str(abs(quanta))) - _DIGITS)
    return write(divide_half_even(quanta, scale) * scale, unit)


_DECIMAL = (Unit.RATIO, Unit.R, Unit.LEVERAGE, Unit.NUMBER)


def write_time(ms: int) -> str:
    """A time as ISO 8601 in UTC, to the millisecond where it has any."""
    try:
        moment = datetime.fromtimestamp(ms // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{ms}ms since 1970"
    if ms % MS_PER_DAY == 0:
        return moment.date().isoformat()
    tail = f".{ms % 1000:03d}" if ms % 1000 else ""
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + tail + "Z"


def _largest(quanta: int, suffixes: tuple[str, ...]) -> str:
    for suffix in suffixes:
        count = Fraction(quanta) / SUFFIXES[suffix][1]
        if quanta and count.denominator == 1 and not (suffix in ("d", "/d") and abs(count) < 1):
            return f"{count.numerator}{suffix}"
    return _decimal(Fraction(quanta) / SUFFIXES[suffixes[-1]][1]) + suffixes[-1] if quanta else "0s"


def _decimal(value: Fraction) -> str:
    """An exact decimal without trailing zeros; every quantum is a decimal fraction."""
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value), 1)
    digits = ""
    while rest:
        digit, rest = divmod(rest * 10, 1)
        digits += str(digit)
    return f"{sign}{whole}" + (f".{digits}" if digits else "")


def _placed(count: int, places: int) -> str:
    """`count` / 10^`places` as an exact decimal without trailing zeros."""
    whole, rest = divmod(abs(count), 10**places)
    digits = f"{rest:0{places}d}".rstrip("0")
    return ("-" if count < 0 else "") + str(whole) + (f".{digits}" if digits else "")


def _grouped(text: str) -> str:
    whole, dot, digits = text.partition(".")
    sign, whole = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return sign + f"{int(whole):_}" + dot + digits
