"""Times as a person types them: `2025-10-10`, `2025-10-10T21:00`, `2025-10-10T21:00:00Z`; UTC throughout."""

from __future__ import annotations

import re

import typer

from evaluators.timestamps import parse_time

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NAIVE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")


def moment(text: str | None, option: str) -> int | None:
    """The time in ms since 1970; None of None. Raises BadParameter for `option` where it is not one."""
    if text is None:
        return None
    if _DAY.fullmatch(text):
        text += "T00:00:00"
    if _NAIVE.fullmatch(text):
        text += "Z"
    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; write 2025-10-10 or 2025-10-10T21:00:00Z", param_hint=option) from error
