"""`ringfence fmt`: rule files in the one true layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.bundles import rules_path
from api.exits import FINDINGS
from api.terminal import count_of, show_diagnostics, show_json
from api.writing import write_whole
from policy_dsl.diagnostics import Findings, Source
from policy_dsl.files import decoded, read_files


def fmt(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Directories of rule files, or files; ./rules.")
    ] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say which files would change.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the names of the files as JSON.")] = False,
) -> None:
    """Lay out rule files; comments are kept. With --check, exit 1 if any is not laid out."""
    findings, sources = Findings(), {}
    changed: list[Path] = []
    for file in _files(paths or [rules_path(None)]):
        data = file.read_bytes()
        source = decoded(str(file), data, findings)
        sources[source.path] = source
        text = _laid_out(source, findings)
        if text is not None and text.encode() != data:
            changed.append(file)
            if not check:
                write_whole(file, text)
    show_diagnostics(findings.sorted(), sources, err=True)
    unreadable = sorted({d.span.path for d in findings.items if d.span is not None})
    if as_json:
        show_json({"changed": [str(f) for f in changed], "unreadable": unreadable})
    else:
        _tell(changed, len(sources), len(unreadable), check=check)
    if findings.items or (check and changed):
        raise typer.Exit(FINDINGS)


def _files(paths: list[Path]) -> list[Path]:
    """The rule files to lay out. Raises PolicyError (RF110) for a path that holds none."""
    found = []
    for path in paths:
        names = [name for name in read_files(path) if name.endswith(".rules")]
        found += [path] if path.is_file() else [path / name for name in names]
    return list(dict.fromkeys(found))


def _laid_out(source: Source, findings: Findings) -> str | None:
    """The text in its one layout; None where something is found that keeps it from being read."""
    from policy_dsl.formatter import format_source

    if any(d.span is not None and d.span.path == source.path for d in findings.items):
        return None
    return format_source(source, findings)


def _tell(changed: list[Path], files: int, unreadable: int, *, check: bool) -> None:
    for file in changed:
        typer.echo(f"{file} is not laid out" if check else f"{file} laid out anew")
    if unreadable:
        typer.echo(f"{unreadable:,} of {count_of(files, 'file')} cannot be read: left alone")
    elif not changed:
        typer.echo(f"{count_of(files, 'file')}: nothing to change")
