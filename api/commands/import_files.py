"""`ringfence import`: recorded files into a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.moments import moment
from api.terminal import console, count_of, progress_told, show_json

if TYPE_CHECKING:
    from modules.importer import ImportSummary

ToOption = Annotated[Path, typer.Option("--to", metavar="RECORDING", help="The directory to make.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace a recording that is there already.")]
ResetOption = Annotated[
    list[str] | None,
    typer.Option("--reset", metavar="TIME", help="A person re-armed the emergency stop then; once for each time."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print what was made as JSON.")]


def import_files(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Parquet, CSV or JSONL; the kind is found out.")
    ],
    *,
    to: ToOption,
    reset: ResetOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn candles, trades, signals and policy observations into a recording: checked row by row, whole or not."""
    from modules.importer import import_files as run

    resets = [at for text in reset or () if (at := moment(text, "--reset")) is not None]
    with progress_told() as told:
        summary = run(files, to, resets=resets, overwrite=overwrite, on_progress=told)
    if as_json:
        show_json(_document(summary))
    else:
        _show(summary)


def _document(summary: ImportSummary) -> dict[str, Any]:
    from evaluators.timestamps import format_time

    books = {
        name: {
            "snapshots": book.snapshots,
            "rows": dict(book.rows),
            "missing": dict(book.gaps),
            "resets": [format_time(at) for at in book.resets],
        }
        for name, book in summary.books.items()
    }
    return {"recording": str(summary.path), "books": books, "recorded_verdicts": summary.verdicts}


def _show(summary: ImportSummary) -> None:
    from evaluators.timestamps import format_time

    screen = console()
    for name, book in summary.books.items():
        rows = ", ".join(count_of(number, f"{entity} row") for entity, number in book.rows.items())
        screen.print(f"book {name}: {count_of(book.snapshots, 'snapshot')}" + (f"; {rows}" if rows else ""))
        for at in book.resets:
            screen.print(f"  a person re-arms the emergency stop at {format_time(at)}")
        for fact, why in book.gaps.items():
            screen.print(f"  {fact} is missing: {why}", style="dim")
    if summary.verdicts:
        screen.print(f"{count_of(summary.verdicts, 'recorded verdict')} of the earlier policy lie beside it")
    screen.print(f"recording: {summary.path}")
