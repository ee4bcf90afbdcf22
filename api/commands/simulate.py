"""`ringfence simulate`: a seeded trading day into a recording, or a paper fund while one looks on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.bundles import RulesOption, rules_path
from api.commands.import_files import JsonOption, OverwriteOption
from api.durations import duration
from api.terminal import console, count_of, progress_told, show_json

if TYPE_CHECKING:
    from modules.fund_state import OnProgress
    from modules.simulator import Simulation, Spell

SEED = 7
"""What a day is made from where nobody says."""

MOST_SPEED = 3600
MOST_MINUTES = 3
"""Between two looks at a simulated day: more would be a gap in what it knows."""


def simulate(  # noqa: PLR0913 -- typer makes an option of each
    *,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="RECORDING", help="Make a recording of the day in this directory.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Let a paper fund live, and show what binds.")] = False,
    day: Annotated[
        bool, typer.Option("--day", help="Let a paper fund live through days, and print the plan's figures of success.")
    ] = False,
    days: Annotated[int, typer.Option("--days", help="Day: how many; intervals need three.", min=1, max=1000)] = 4,
    quick: Annotated[bool, typer.Option("--quick", help="Day: three hours each, for a look.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="The same seed and day make the same recording.", min=0)] = SEED,
    date: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Of the recorded day; 2026-01-07.")
    ] = None,
    speed: Annotated[
        float,
        typer.Option("--speed", help="Live: seconds of the fund in one of yours, at most.", min=0.1, max=MOST_SPEED),
    ] = 60,
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="DURATION", help="The fund's time between two snapshots; live 1m, day 2m."),
    ] = None,
    longest: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Live: how long by the fund's time; until Ctrl-C.")
    ] = None,
    rules: RulesOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a day with a crash: record it (--to), watch a fund (--live), or see what policies are for (--day)."""
    if (to is not None) + live + day != 1:
        raise typer.BadParameter("say one of --to RECORDING, --live and --day", param_hint="--to")
    if live:
        _live(rules, every or "1m", speed, longest, seed, as_json=as_json)
    elif day:
        _days(rules, days, seed, every or "2m", quick=quick, as_json=as_json)
    elif to is not None:
        _record_day(to, seed, date, overwrite=overwrite, as_json=as_json)


def _live(rules: Path | None, every: str, speed: float, longest: str | None, seed: int, *, as_json: bool) -> None:
    every_ms = duration(every, "--every")
    longest_ms = None if longest is None else duration(longest, "--for")
    console(err=True).print("starting; Ctrl-C ends it")

    from api.live.run import run_live

    run_live(rules_path(rules), every_ms, speed, longest_ms, seed, as_json=as_json)


def _days(rules: Path | None, days: int, seed: int, every: str, *, quick: bool, as_json: bool) -> None:
    minutes, rest = divmod(duration(every, "--every"), 60_000)
    if rest or not 1 <= minutes <= MOST_MINUTES:
        raise typer.BadParameter(f"`{every}`: a fund looks every 1m, 2m or 3m of a simulated day", param_hint="--every")

    from api.days.report import simulate_days
    from modules.trading_day.days import QUICK, Wanted
    from modules.trading_day.market import DAY

    wanted = Wanted(days, seed, QUICK if quick else DAY, minutes, rules=rules_path(rules))
    try:
        simulate_days(wanted, as_json=as_json)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--rules") from error


def _record_day(to: Path, seed: int, day: datetime | None, *, overwrite: bool, as_json: bool) -> None:
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
