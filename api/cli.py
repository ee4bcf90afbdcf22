"""`ringfence`: the command line. The commands are one a file in `api/commands/`."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands import check
from api.exits import Commands

app = typer.Typer(
    name="ringfence",
    help="Risk policy as code: rules that can only tighten, checked, tested, replayed and explained.",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"ringfence {version('ringfence')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="RINGFENCE_DEBUG", help="Show the traceback of a bug.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Risk policy as code: rules that can only tighten, checked, tested, replayed and explained."""
    del debug, version  # the group and the callback read them


app.command("check")(check.check)


def main() -> None:
    """Run the command line and exit with its code (see `api.exits`)."""
    app()
