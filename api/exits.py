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
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from api.terminal import show_diagnostics
from policy_dsl.diagnostics import PolicyError
from policy_dsl.files import words_of

FINDINGS = 1
REFUSED = 2
BUG = 70
STOPPED = 130


@contextmanager
def exits(*, debug: bool) -> Iterator[None]:
    """Turn what the block raises into words on standard error and an exit code, as the table above says."""
    try:
        yield
    except (TyperException, typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except PolicyError as error:
        show_diagnostics(error.diagnostics, error.sources, err=True)
        raise typer.Exit(REFUSED) from error
    except KeyboardInterrupt:
        typer.echo("\nstopped; nothing is left half-written", err=True)
        raise typer.Exit(STOPPED) from None
    except OSError as error:
        if error.filename is None:
            _report_bug(error, debug=debug)
        typer.echo(f"error: `{error.filename}`: {words_of(error)}", err=True)
        raise typer.Exit(REFUSED) from error
    except Exception as error:  # noqa: BLE001 -- whatever is left is a bug, and a user must be told so without a traceback
        _report_bug(error, debug=debug)


def _report_bug(error: Exception, *, debug: bool) -> NoReturn:
    if debug:
        typer.echo("".join(traceback.format_exception(error)), err=True)
    typer.echo(f"this is a bug in ringfence, not in what you gave it: {type(error).__name__}: {error}", err=True)
    if not debug:
        typer.echo("`ringfence --debug COMMAND ...` shows where it happened", err=True)
    raise typer.Exit(BUG) from error
