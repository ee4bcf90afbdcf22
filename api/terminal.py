"""What commands say: tables, text and JSON on standard output; refusals and progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from policy_dsl.diagnostics import Diagnostic, Severity, Source, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.progress import Progress

    from api.dry_runs.sheets import Sheet

_UNWRAPPED = 160
"""Columns of a table where no terminal says how many there are."""

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}


def console(*, err: bool = False) -> Console:
    """A console that prints text as it is: nothing in it is markup, an emoji or a number to colour."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else _UNWRAPPED
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def show_json(document: Any) -> None:
    """Print a document as JSON, indented."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def show_diagnostics(diagnostics: Iterable[Diagnostic], sources: Mapping[str, Source], *, err: bool = False) -> None:
    """Print each finding with its source line; the first line is coloured by severity on a terminal."""
    for diagnostic in diagnostics:
        first, _, rest = render(diagnostic, sources).partition("\n")
        typer.secho(first, fg=_COLOURS[diagnostic.severity], bold=True, err=err)
        if rest:
            typer.echo(rest, err=err)


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """`1 rule`, `2 rules`, `1,000 rules`; `plural` where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, gone when the block ends; what it gives takes how many more are done."""
    with _bar() as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def progress_told() -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar for work that tells how much is done, of how much, and of what."""
    with _bar() as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)


def _bar() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    output = console(err=True)
    return Progress(*columns, console=output, transient=True, disable=not output.is_terminal)


def show_page(text: str) -> None:
    """Print a page of Markdown: laid out on a terminal, as it is elsewhere."""
    from rich.markdown import Markdown

    screen = console()
    if screen.is_terminal:
        screen.print(Markdown(text))
    else:
        typer.echo(text.rstrip())


def show_sheet(screen: Console, sheet: Sheet, most_rows: int) -> None:
    """Print a titled table: its title, its table with at most so many rows, and under it how to read it."""
    from rich.table import Table

    table = Table(
        title=sheet.title, caption=sheet.note, title_justify="left", caption_justify="left", title_style="bold"
    )
    for place, column in enumerate(sheet.columns):
        table.add_column(column, justify="left" if place < sheet.left else "right", overflow="fold")
    for row in sheet.rows[:most_rows]:
        table.add_row(*row)
    screen.print(table)
    if len(sheet.rows) > most_rows:
        screen.print(f"and {len(sheet.rows) - most_rows:,} more: --html, --markdown or --json show them", style="dim")
    screen.print()
