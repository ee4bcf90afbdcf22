"""Quantities as text: what each suffix counts, the shortest exact way to write, and that reading undoes writing."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_dsl import syntax_expressions as x
from policy_dsl.diagnostics import Findings, Source, Span
from policy_dsl.literals import LiteralError, read, write, write_time
from policy_dsl.parser import parse_expression
from policy_dsl.quantities import INT64_MAX, MS_PER_DAY, Unit

READ = [
    ("40%", Unit.RATIO, 400_000_000),
    ("0.0000001%", Unit.RATIO, 1),
    ("25bps", Unit.RATIO, 2_500_000),
    ("5_000 USD", Unit.MONEY, 5_000_000_000),
    ("5_000USD", Unit.MONEY, 5_000_000_000),
    ("0.000001 USD", Unit.MONEY, 1),
    ("1.5R", Unit.R, 1_500_000_000),
    ("20x", Unit.LEVERAGE, 20_000_000_000),
    ("250ms", Unit.DURATION, 250),
    ("90s", Unit.DURATION, 90_000),
    ("0.5s", Unit.DURATION, 500),
    ("15m", Unit.DURATION, 900_000),
    ("4h", Unit.DURATION, 14_400_000),
    ("2d", Unit.DURATION, 172_800_000),
    ("1/s", Unit.RATE, 86_400_000_000),
    ("10/min", Unit.RATE, 14_400_000_000),
    ("3/h", Unit.RATE, 72_000_000),
    ("7/d", Unit.RATE, 7_000_000),
    ("1970-01-02", Unit.TIME, MS_PER_DAY),
    ("1970-01-01T00:01Z", Unit.TIME, 60_000),
    ("1970-01-01T00:00:01Z", Unit.TIME, 1_000),
    ("5", Unit.COUNT, 5),
    ("5_000", Unit.COUNT, 5_000),
    ("5", Unit.NUMBER, 5_000_000_000),
    ("0.65", Unit.NUMBER, 650_000_000),
]


@pytest.mark.parametrize(("text", "unit", "quanta"), READ)
def test_a_suffix_says_the_unit(text: str, unit: Unit, quanta: int) -> None:
    literal = read(text)
    assert literal.unit is (None if unit in {Unit.COUNT, Unit.NUMBER} else unit)
    assert literal.quanta(unit) == quanta


WRITTEN = [
    (61_000_000, Unit.RATIO, "6.1%"),
    (0, Unit.RATIO, "0%"),
    (-1, Unit.RATIO, "-0.0000001%"),
    (5_000_000_000, Unit.MONEY, "5_000 USD"),
    (-1_234_567_500_000, Unit.MONEY, "-1_234_567.5 USD"),
    (0, Unit.MONEY, "0 USD"),
    (1_500_000_000, Unit.R, "1.5R"),
    (20_000_000_000, Unit.LEVERAGE, "20x"),
    (90_000, Unit.DURATION, "90s"),
    (900_000, Unit.DURATION, "15m"),
    (129_600_000, Unit.DURATION, "36h"),
    (172_800_000, Unit.DURATION, "2d"),
    (1_500, Unit.DURATION, "1500ms"),
    (0, Unit.DURATION, "0s"),
    (14_400_000_000, Unit.RATE, "10/min"),
    (86_400_000_000, Unit.RATE, "1/s"),
    (72_000_000, Unit.RATE, "3/h"),
    (1, Unit.RATE, "0.000001/d"),
    (0, Unit.RATE, "0/min"),
    (5, Unit.COUNT, "5"),
    (-5, Unit.COUNT, "-5"),
    (650_000_000, Unit.NUMBER, "0.65"),
    (MS_PER_DAY, Unit.TIME, "1970-01-02"),
    (MS_PER_DAY + 1_000, Unit.TIME, "1970-01-02T00:00:01Z"),
    (MS_PER_DAY + 1, Unit.TIME, "1970-01-02T00:00:00.001Z"),
    (-62_135_596_800_000, Unit.TIME, "0001-01-01"),
    (INT64_MAX, Unit.TIME, "9223372036854775807ms since 1970"),
]


@pytest.mark.parametrize(("quanta", "unit", "text"), WRITTEN)
def test_a_quantity_is_written_as_a_person_would(quanta: int, unit: Unit, text: str) -> None:
    assert write(quanta, unit) == text


_units = st.sampled_from([u for u in Unit if u is not Unit.TIME])
_quanta = st.integers(0, INT64_MAX) | st.integers(0, 10**6) | st.integers(0, 10**5).map(lambda n: n * 10**7)


@given(_quanta, _units)
def test_reading_undoes_writing(quanta: int, unit: Unit) -> None:
    assert read(write(quanta, unit)).quanta(unit) == quanta


@given(_quanta.filter(bool), _units)
def test_a_negative_quantity_is_its_opposite_with_a_minus(quanta: int, unit: Unit) -> None:
    assert write(-quanta, unit) == f"-{write(quanta, unit)}"


@given(_quanta, _units)
def test_what_is_written_is_one_literal_of_the_language(quanta: int, unit: Unit) -> None:
    text = write(quanta, unit)
    findings = Findings()
    node = parse_expression(Source("x", text), Span("x", 0, len(text)), findings)
    assert node == x.Quantity(text)
    assert findings.items == []


_moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59)).map(lambda d: d.replace(microsecond=0))  # noqa: DTZ001 -- Hypothesis wants bounds without a zone


@given(_moments)
def test_reading_a_time_undoes_writing_it(moment: datetime) -> None:
    ms = round(moment.replace(tzinfo=UTC).timestamp()) * 1000
    assert read(write_time(ms)).quanta(Unit.TIME) == ms


@given(
    st.integers(0, 10**30), st.sampled_from(["%", "bps", "R", "x", "ms", "s", "m", "h", "d", "/s", "/min", "/h", "/d"])
)
def test_what_does_not_fit_has_no_quanta(whole: int, suffix: str) -> None:
    literal = read(f"{whole}{suffix}")
    assert literal.unit is not None
    quanta = literal.quanta(literal.unit)
    assert quanta is None or (quanta <= INT64_MAX and Fraction(quanta) == literal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5percent", "`percent` is not a unit"),
        ("5 EUR", "`EUR` is not a unit"),
        ("5e3", "`e3` is not a unit"),
        ("2026-13-01", "`2026-13-01` is not a date"),
        ("2026-12-31T25:00Z", "`2026-12-31T25:00Z` is not a date"),
        ("half", "`half` is not a quantity"),
        ("", "`` is not a quantity"),
        ("-5", "`-5` is not a quantity"),
        ("\u0665", "`\u0665` is not a quantity"),
        ("9" * 100, "`99999999999999999999...` has more digits than any unit holds"),
    ],
)
def test_what_is_no_quantity_is_refused(text: str, message: str) -> None:
    with pytest.raises(LiteralError) as refused:
        read(text)
    assert str(refused.value) == message


def test_a_figure_finer_than_a_quantum_has_no_quanta() -> None:
    assert read("0.00000001%").quanta(Unit.RATIO) is None
    assert read("2.5").quanta(Unit.COUNT) is None
    assert read("0.1ms").quanta(Unit.DURATION) is None
