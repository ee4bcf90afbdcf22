"""Exit codes, and how whatever goes wrong in a command becomes one of them and a word to the user.

====  ===================================================================================
 0    fine
 1    findings: a rule file with errors, a test that failed, a file that is not laid out
 2    the command, or what it was given, is refused; the reason is on standard error
70    a bug of ringfence; the traceback is shown with `ringfence --debug`
130   stopped by the user; nothing is left half-written
====  ===================================================================================
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from policy_dsl.diagnostics import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable

FINDINGS = 1
REFUSED = 2
BUG = 70
STOPPED = 130


class Commands(TyperGroup):
    """The group of all commands: what a command raises ends here, in words and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named; see the table above for what becomes of its errors."""
        return _guarded(lambda: super(Commands, self).invoke(ctx), debug=bool(ctx.params.get("debug")))


def _guarded(run: Callable[[], Any], *, debug: bool) -> Any:
    try:
        return run()
    except (TyperException, typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except PolicyError as error:
        _refuse(error)
    except KeyboardInterrupt:
        typer.echo("\nstopped; nothing is left half-written", err=True)
        raise typer.Exit(STOPPED) from None
    except OSError as error:
        if error.filename is None:
            _report_bug(error, debug=debug)
        typer.echo(f"error: `{error.filename}`: {(error.strerror or 'no access').lower()}", err=True)
        raise typer.Exit(REFUSED) from error
    except Exception as error:  # noqa: BLE001 -- whatever is left is a bug, and a user must be told so without a traceback
        _report_bug(error, debug=debug)


def _refuse(error: PolicyError) -> NoReturn:
    from api.terminal import show_diagnostics

    show_diagnostics(error.diagnostics, error.sources, err=True)
    raise typer.Exit(REFUSED) from error


def _report_bug(error: Exception, *, debug: bool) -> NoReturn:
    if debug:
        typer.echo("".join(traceback.format_exception(error)), err=True)
    typer.echo(f"this is a bug in ringfence, not in what you gave it: {type(error).__name__}: {error}", err=True)
    if not debug:
        typer.echo("`ringfence --debug COMMAND ...` shows where it happened", err=True)
    raise typer.Exit(BUG) from error
