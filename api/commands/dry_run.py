"""`ringfence dry-run`: what the rules would have decided on recorded snapshots."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.bundles import RulesOption, catalogue, opened, rules_path
from api.engines import Engine, EngineOption
from api.terminal import console, count_of, progress, show_diagnostics, show_json, show_sheet

if TYPE_CHECKING:
    from api.dry_runs.recorded import Extract
    from api.dry_runs.replay import Rules
    from api.dry_runs.view import View
    from evaluators.recording import Recording

_MOST_ROWS = 25
"""Rows of a table on the terminal; reports have them all."""

RecordingArgument = Annotated[Path, typer.Argument(metavar="RECORDING", help="A directory made by import or simulate.")]
AgainstOption = Annotated[
    str | None, typer.Option("--against", metavar="DIR|REV", help="Other rules, or a git revision, to compare with.")
]
FromOption = Annotated[str | None, typer.Option("--from", metavar="TIME", help="Replay from this time (UTC) on.")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Replay up to before this time (UTC).")]
BookOption = Annotated[str | None, typer.Option("--book", help="Replay this book only; else every one.")]
OutputOption = Annotated[
    list[str] | None, typer.Option("--output", metavar="NAME", help="Show this output over time; may be repeated.")
]
HtmlOption = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a report of one page.")]
PricesOption = Annotated[
    Path | None, typer.Option("--prices", metavar="CANDLES", help="Draw the price in these candles in the report.")
]
MarkdownOption = Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Write the tables.")]


def dry_run(  # noqa: PLR0913 -- each option is a parameter
    recording: RecordingArgument,
    *,
    rules: RulesOption = None,
    against: AgainstOption = None,
    since: FromOption = None,
    until: ToOption = None,
    book: BookOption = None,
    output: OutputOption = None,
    engine: EngineOption = Engine.DUCKDB,
    html: HtmlOption = None,
    prices: PricesOption = None,
    markdown: MarkdownOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Replay recorded snapshots: time in each risk mode, what each rule did, requests denied, facts missing."""
    from api.dry_runs.documents import document
    from api.dry_runs.sheets import shown_outputs
    from evaluators.recording import Recording

    mine, others = _rules(rules, against)
    shown = shown_outputs(mine.bundle.program, output)
    source = Recording.open(recording, catalogue())
    show_diagnostics(source.notes, {}, err=True)
    extracts = _extracts(source, book, since, until)
    documents = []
    for extract in extracts:
        view = _replayed(extract, mine, others, engine, shown)
        own = (_of_book(html, extract, extracts), _of_book(markdown, extract, extracts))
        _write(view, extract, *own, prices)
        if as_json:
            documents.append(document(view.run, view.texts))
        else:
            _show(view, own)
    if as_json:
        show_json(documents[0] if len(documents) == 1 else {"books": documents})


def _rules(rules: Path | None, against: str | None) -> tuple[Rules, Rules | None]:
    """The rules to replay, and those to compare them with."""
    from api.dry_runs.replay import Rules
    from api.revisions import rules_at

    path = rules_path(rules)
    others = None if against is None else Rules(rules_at(against, path), against)
    return Rules(opened(path), str(path)), others


def _replayed(extract: Extract, mine: Rules, others: Rules | None, engine: Engine, shown: tuple[str, ...]) -> View:
    from api.dry_runs.replay import replay
    from api.dry_runs.view import View

    with progress(f"replaying {extract.book}", len(extract.times())) as told:
        run = replay(mine, extract, engine, others, told)
    return View(run, mine.bundle, shown, "ringfence " + shlex.join(sys.argv[1:]))


def _write(view: View, extract: Extract, html: Path | None, markdown: Path | None, prices: Path | None) -> None:
    """Write the reports that are asked for, each whole or not at all."""
    from api.dry_runs import documents
    from api.dry_runs.examples import Witness
    from api.dry_runs.page import page
    from api.dry_runs.prices import price_curve
    from api.writing import write_whole

    price = None if prices is None else price_curve(prices, extract.book, extract.times())
    if html is not None:
        write_whole(html, page(view, Witness(view.bundle, extract), price))
    if markdown is not None:
        write_whole(markdown, documents.markdown(view))


def _show(view: View, files: tuple[Path | None, ...]) -> None:
    from api.dry_runs.sheets import clock

    run = view.run
    span = f"{clock(run.since)} to {clock(run.until)} UTC, {count_of(run.snapshots, 'snapshot')}"
    typer.secho(f"{run.rules_from} on book {run.book}: {span}\n", bold=True)
    for sheet in view.sheets(detail=False):
        show_sheet(console(), sheet, _MOST_ROWS)
    for file in files:
        if file is not None:
            typer.echo(f"report: {file}")


def _of_book(file: Path | None, extract: Extract, extracts: list[Extract]) -> Path | None:
    """Where the report of a book goes, if one is asked for: with several books, each has a file of its own name."""
    return file if file is None or len(extracts) == 1 else file.with_name(f"{file.stem}-{extract.book}{file.suffix}")


def _extracts(source: Recording, book: str | None, since: str | None, until: str | None) -> list[Extract]:
    """The parts of the recording to replay, one a book. Raises BadParameter where there is none of it."""
    from api.dry_runs.recorded import Extract
    from api.moments import moment
    from api.names import resolved

    chosen = source.books if book is None else [resolved(book, source.books, "book", "--book")]
    extracts = [Extract(source, name, moment(since, "--from"), moment(until, "--to")) for name in chosen]
    filled = [extract for extract in extracts if extract.times()]
    if not filled:
        from evaluators.timestamps import format_time

        first, last = (format_time(ts) for ts in source.span)
        message = f"`{', '.join(chosen)}` has no snapshot in that time; the recording goes from {first} to {last}"
        raise typer.BadParameter(message, param_hint="--from / --to")
    return filled
