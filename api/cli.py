"""`ringfence`: the command line. The commands are one a file in `api/commands/`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from api.commands import CONTEXT, Commands

app = typer.Typer(
    name="ringfence", cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, context_settings=CONTEXT
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
    del debug, version  # the group and the callback above read them


def main() -> None:
    """Run the command line and exit with its code (see `api.exits`)."""
    # Matrices are small here: a second thread gains nothing on them, and waits for a processor that others use. Numpy
    # reads this when it is loaded, which is later.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    app()
