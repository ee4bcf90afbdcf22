"""Durations as a person types them, as in rule files: `5s`, `10m`, `2h`."""

from __future__ import annotations

import typer

from policy_dsl.literals import LiteralError, read
from policy_dsl.quantities import Unit


def duration(text: str, option: str) -> int:
    """The duration in ms, longer than none. Raises BadParameter for `option` where it is not one."""
    try:
        literal = read(text)
    except LiteralError as error:
        raise typer.BadParameter(f"{error}; write a duration such as 5s or 10m", param_hint=option) from error
    quanta = literal.quanta(Unit.DURATION) if literal.unit is Unit.DURATION else None
    if quanta is None or quanta <= 0:
        raise typer.BadParameter(f"`{text}` is no duration such as 5s or 10m", param_hint=option)
    return quanta
