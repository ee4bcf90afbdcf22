"""The commands of `ringfence`, one a file. A command is imported, and its options are looked at, only when it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from api.exits import exits

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS: Mapping[str, str] = {
    "check": "check:check",
    "fmt": "fmt:fmt",
    "test": "test:run_tests",
    "eval": "eval:evaluate",
    "explain": "explain:explain",
    "trace": "trace:trace",
    "dry-run": "dry_run:dry_run",
    "import": "import_files:import_files",
    "simulate": "simulate:simulate",
    "record": "record:record",
    "serve": "serve:serve",
    "status": "status:status",
    "demo": "demo:demo",
}
"""Name of each command, in the order of the help, and where its function is: `module:function`."""

CONTEXT = {"help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """The group of all commands: they are made when asked for, and what they raise ends here as an exit code."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": {name: TyperCommand(name) for name in COMMANDS}})

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 -- typer passes it
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 -- typer passes it
        """The command of that name, ready to run; None if there is none."""
        return made(cmd_name) if cmd_name in COMMANDS else None

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named; NO_COLOR takes the colours away, as it does in tables."""
        ctx.color = False if os.environ.get("NO_COLOR") else ctx.color
        with exits(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


def made(name: str) -> Any:
    """The command called `name`, from the function that does it. KeyError if there is none."""
    module, _, function = COMMANDS[name].partition(":")
    run: Callable[..., None] = getattr(import_module(f"api.commands.{module}"), function)
    alone = typer.Typer(add_completion=False, context_settings=CONTEXT)
    alone.command(name)(run)
    return get_command(alone)
