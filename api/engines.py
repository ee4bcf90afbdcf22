"""The evaluators by the names that commands give them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Engine(StrEnum):
    """What applies the rules; all of them decide alike."""

    DUCKDB = "duckdb"
    """Set-based SQL: for recordings."""
    PYTHON = "python"
    """Generated Python: for single states."""
    INTERPRETER = "interpreter"
    """The definition of the language: slow, and the one to trust."""


EngineOption = Annotated[Engine, typer.Option("--engine", help="What applies the rules; all decide alike.")]
"""The engine to use, as an option."""

CadenceOption = Annotated[
    str | None,
    typer.Option(
        "--cadence",
        metavar="DURATION",
        help="How far apart the states of a timeline are; 1m. Three times that is a gap.",
    ),
]
"""The declared distance of the states in a timeline, as an option."""
