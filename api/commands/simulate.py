"""`ringfence simulate`: a seeded trading day into a recording."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.import_files import JsonOption, OverwriteOption, ToOption
from api.terminal import console, count_of, progress_told, show_json

if TYPE_CHECKING:
    from modules.fund_state import OnProgress
    from modules.simulator import Simulation, Spell

SEED = 7
"""What a day is made from where nobody says."""


def simulate(
    *,
    to: ToOption,
    seed: Annotated[int, typer.Option("--seed", help="The same seed and day make the same recording.", min=0)] = SEED,
    day: Annotated[datetime | None, typer.Option("--day", formats=["%Y-%m-%d"], help="The day; 2026-01-07.")] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a trading day with a feed outage, an error storm and a crash, one snapshot a minute."""
    from evaluators.timestamps import format_time

    with progress_told() as told:
        made = record(to, seed, day, overwrite=overwrite, told=told)
    if as_json:
        resets = {"resets": [format_time(at) for at in made.resets]}
        show_json({"recording": str(to), "book": made.state.book, "seed": seed, **_spells(made), **resets})
        return
    screen = console()
    for name, (start, end) in _spells(made).items():
        screen.print(f"{name:7} {start} to {end}")
    screen.print(f"resets  {', '.join(format_time(at) for at in made.resets)}")
    screen.print(f"recording: {to} ({count_of(len(made.state.ts), 'snapshot')} of book {made.state.book})")


def record(to: Path, seed: int, day: datetime | None, *, overwrite: bool, told: OnProgress) -> Simulation:
    """Simulate the day and write its recording to `to`, whole or not at all."""
    from api.bundles import catalogue
    from evaluators.recording import RecordingWriter
    from modules.simulator import simulate as run

    made = run(seed, on_progress=told) if day is None else run(seed, day=day.date(), on_progress=told)
    facts, cadence = catalogue(), made.state.cadence_ms
    with RecordingWriter(
        to, facts, cadence_ms=cadence, overwrite=overwrite, source=f"simulated, seed {seed}"
    ) as writer:
        made.state.write(writer, facts)
    return made


def _spells(made: Simulation) -> dict[str, tuple[str, str]]:
    return {"outage": _times(made.outage), "storm": _times(made.storm), "crash": _times(made.crash)}


def _times(spell: Spell) -> tuple[str, str]:
    from evaluators.timestamps import format_time

    return format_time(spell.start), format_time(spell.end)
