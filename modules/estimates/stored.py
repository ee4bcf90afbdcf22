"""Figures as they are stored: what is put in words is measured by the same digits that rules see."""

from __future__ import annotations

from policy_dsl.quantities import QUANTA_PER_ONE, Unit, to_quanta


def as_stored(value: float, unit: Unit) -> float:
    """`value` to the last digit that is stored of it; as it is where it is no number or too large to be stored.

    Exactly at a limit the digits beyond that are rounding, and would decide by chance.
    """
    quanta = to_quanta(value, unit)
    return value if quanta is None else quanta / QUANTA_PER_ONE[unit]
