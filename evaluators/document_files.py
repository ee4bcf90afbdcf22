"""Documents in files: one in a `.json` file, a timeline in a `.jsonl` file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from evaluators.document_json import parse_json
from evaluators.document_places import Places
from evaluators.document_reader import DocumentReader
from evaluators.refusals import refusal
from evaluators.snapshot import Snapshot
from evaluators.timelines import Order, clash, order
from policy_dsl.catalogue import Catalogue
from policy_dsl.diagnostics import Findings, PolicyError, Source, Span

_TIMELINES = {".jsonl", ".ndjson"}
_MOST_PROBLEMS = 200


def read_documents(
    path: str | Path, catalogue: Catalogue, calm: bool = False, findings: Findings | None = None
) -> tuple[Snapshot, ...]:
    """The snapshots in a file: one document, or in `.jsonl` one a line, whose times increase within each book.

    A line that repeats the newest snapshot of its book is left out; `calm` and `findings` are those of
    `snapshot_from_document`.

    Raises PolicyError with every problem and its line, until there are more than 200 (RF714): those of a document,
    RF701 if the file cannot be read, RF702 if it is not JSON, RF712 a time that does not increase, RF713 no document.
    """
    text = _text(Path(path))
    source = Source(str(path), text)
    own = Findings()
    lines = _lines(source) if Path(path).suffix.lower() in _TIMELINES else [(0, Span(source.path, 0, len(text)))]
    snapshots = tuple(_read(lines, source, catalogue, calm, own))
    if not snapshots and not own.items:
        own.error("RF713", f"`{path}` holds no document", Span(source.path, 0, 0))
    if any(d.is_error for d in own.items):
        raise PolicyError((d for d in own.items if d.is_error), {source.path: source})
    if findings is not None:
        findings.items += own.items
    return snapshots


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise refusal("RF701", f"`{path}` is not UTF-8 text") from error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise refusal("RF701", f"`{path}` cannot be read: {reason}") from error


def _lines(source: Source) -> Iterator[tuple[int, Span]]:
    """The lines that hold something, with their numbers; only a line feed ends a line, for text may hold the others."""
    starts = (*source.line_starts, len(source.text) + 1)
    for number, (start, following) in enumerate(pairwise(starts), 1):
        if source.text[start : following - 1].strip():
            yield number, Span(source.path, start, following - 1)


def _read(
    lines: Iterable[tuple[int, Span]], source: Source, catalogue: Catalogue, calm: bool, findings: Findings
) -> Iterator[Snapshot]:
    newest: dict[str, Snapshot] = {}
    for number, place in lines:
        if sum(d.is_error for d in findings.items) > _MOST_PROBLEMS:
            findings.error("RF714", f"reading stopped before line {number}: too many problems", place)
            return
        snapshot = _read_one(source, place, catalogue, calm, findings)
        if snapshot is None:
            continue
        standing = order(newest.get(snapshot.book), snapshot)
        if standing is Order.CLASH:
            message = f"line {number}: {clash(snapshot.book, snapshot.ts, newest[snapshot.book].ts)}"
            findings.error("RF712", message, place, "times of one book strictly increase")
        elif standing is Order.LATER:
            newest[snapshot.book] = snapshot
            yield snapshot


def _read_one(source: Source, place: Span, catalogue: Catalogue, calm: bool, findings: Findings) -> Snapshot | None:
    before = len(findings.items)
    document = parse_json(source.text[place.start : place.end], place, findings)
    if any(d.code == "RF702" for d in findings.items[before:]):
        return None
    return DocumentReader(catalogue, calm, findings, Places(source.text, place)).snapshot(document)
