"""`ringfence serve`: a fund at work, or one module, that answers on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.bundles import RulesOption, rules_path
from api.durations import duration
from api.terminal import console

PORT = 8000
EVERY = "5s"

VenueOption = Annotated[
    str, typer.Option("--venue", metavar="NAME", help="paper, or an exchange that ccxt knows, such as binanceusdm.")
]
EveryOption = Annotated[str, typer.Option("--every", metavar="DURATION", help="The time between two snapshots.")]
SeedOption = Annotated[int, typer.Option("--seed", help="What a new paper market is made from.", min=0)]


def serve(
    *,
    module: Annotated[
        str | None, typer.Option("--module", metavar="NAME", help="Serve one module alone, on its own port.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help=f"0 for any that is free; {PORT}, or the module's.", min=0, max=65535)
    ] = None,
    rules: RulesOption = None,
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", envvar="RINGFENCE_DATA", help="Where the fund is kept.")
    ] = Path("ringfence-data"),
    every: EveryOption = EVERY,
    venue: VenueOption = "paper",
    seed: SeedOption = 0,
    watch: Annotated[
        Path | None,
        typer.Option("--watch", metavar="FILE", help="The services to look after, a TOML file: docs/serving.md."),
    ] = None,
) -> None:
    """Run a fund: a snapshot every few seconds, decided, stored, obeyed; and answer for it over HTTP, here alone.

    It trades on paper unless RINGFENCE_LIVE is on and a venue and its keys are named. ENABLE_<MODULE> and
    <MODULE>_MODE in the environment switch modules; Ctrl-C ends it, and it goes on where it was the next time.
    """
    every_ms = duration(every, "--every")
    if module is not None:
        if watch is not None:
            raise typer.BadParameter("a module alone looks after nothing: leave --module out", param_hint="--watch")
        _serve_module(module, port, every_ms, venue, seed)
    else:
        _serve_fund(PORT if port is None else port, rules, data, every_ms, venue, seed=seed, watch=watch)


def _serve_fund(
    port: int, rules: Path | None, data: Path, every_ms: int, venue: str, *, seed: int, watch: Path | None
) -> None:
    import os

    screen = console(err=True)
    screen.print("starting")  # what follows takes seconds to load

    from api.modes import not_binding_line
    from api.service.app import create_app
    from api.service.binding import not_binding
    from api.service.hosting import Hosting, hosted
    from api.service.server import address, ending_on_signals, listening, log_to_stderr, serve_app
    from modules.runtime.lasting import lasting

    log_to_stderr()
    settings = Hosting(rules_path(rules), data, every_ms, os.environ, venue, seed, watch=watch)
    with ending_on_signals(), listening(port) as taken, hosted(settings) as fund:
        screen.print(f"fund {settings.book} at {fund.venue.what}; kept in {data}")
        with lasting():
            fund.schedule.start()
            free = not_binding_line(not_binding(fund.running))
            if free:
                screen.print(free, soft_wrap=True)
            screen.print(f"listening on {address(taken)}; Ctrl-C ends it")
            serve_app(create_app(fund.running), taken)


def _serve_module(name: str, port: int | None, every_ms: int, venue: str, seed: int) -> None:
    import os

    screen = console(err=True)
    screen.print("starting")

    from api.service.alone import alone, create_module_app
    from api.service.server import address, ending_on_signals, listening, log_to_stderr, serve_app
    from api.service.venues import opened_venue
    from modules.runtime.schedule import Schedule
    from modules.runtime.switches import enable_variable, switches_of
    from policy_dsl.configuration import Mode

    log_to_stderr()
    switches = switches_of(os.environ)
    # A module alone trades nothing, wherever it looks.
    looking = {key: value for key, value in os.environ.items() if key != "RINGFENCE_LIVE"}
    with ending_on_signals(), opened_venue(venue, None, looking, seed=seed) as found:
        one = alone(name, found.venue, found.now, switches.modes.get(name, Mode.ENFORCE))
        one.off = None if switches.is_on(name) else enable_variable(name)
        at = one.module.port if port is None else port
        if at is None:
            raise typer.BadParameter(f"`{name}` has no port of its own: name one with --port", param_hint="--module")
        with listening(at) as taken:
            schedule = Schedule(one.step, max(one.module.interval, every_ms / 1000))
            schedule.start()
            screen.print(f"module {name} alone, at {found.what}; it computes facts and decides nothing")
            screen.print(f"listening on {address(taken)}; Ctrl-C ends it")
            try:
                serve_app(create_module_app(one), taken)
            finally:
                found.venue.hang_up()  # nothing is ordered: a step that is at work leaves nothing behind
                schedule.stop()
                one.close()
