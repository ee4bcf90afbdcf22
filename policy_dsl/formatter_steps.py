"""Tests of rule files as pieces: steps beside their times, tables with their columns below each other."""

from __future__ import annotations

import re
from dataclasses import replace

from policy_dsl import syntax_steps as t
from policy_dsl.formatter_expressions import one_line, path, written
from policy_dsl.formatter_layout import Document, listed, row
from policy_dsl.formatter_pieces import INDENT, Origin, Piece, as_piece

_OPEN_TEXT = re.compile(r'^(?:[^"]|"[^"\\]*(?:\\.[^"\\]*)*")*+"')
"""A text that is not closed, at the end of a cell: an error, but not the formatter's to change."""
_LATER_ROW = re.compile(r"\n[ \t]*\|")


def steps(steps: tuple[t.Step, ...], origin: Origin) -> list[Piece]:
    """The pieces of a test: what happens at one time stands below each other, beside its `at`."""
    width = max((len(step.time.text) for step in steps if isinstance(step, t.At)), default=0)
    pieces: list[Piece] = []
    column, moment, before = INDENT, None, None
    for step in steps:
        if isinstance(step, t.At):
            if moment is not None:
                pieces.append(_alone(moment))
            column, moment = INDENT + len("at ") + width + 2, step
        else:
            apart = isinstance(step, t.Table) and isinstance(before, t.Table)
            first, *rest = _step(step, column, origin)
            pieces += [_beside(moment, replace(first, apart=apart), column), *rest]
            moment = None
        before = step
    return pieces if moment is None else [*pieces, _alone(moment)]


def _alone(moment: t.At) -> Piece:
    return as_piece(f"at {moment.time.text}", INDENT, moment.span.start, moment.span.end)


def _beside(moment: t.At | None, piece: Piece, column: int) -> Piece:
    """The piece with its `at` before it, if it is the first at that time."""
    if moment is None:
        return piece
    head = f"{' ' * INDENT}at {moment.time.text}"
    return Piece(moment.span.start, piece.end, (head.ljust(column) + piece.lines[0][column:], *piece.lines[1:]))


def _step(step: t.Given | t.Expect | t.Every | t.Series | t.Table, column: int, origin: Origin) -> list[Piece]:
    document: Document
    match step:
        case t.Given():
            document = row("given ", _given(step))
        case t.Expect():
            document = row("expect ", written(step.condition))
        case t.Every():
            document = row(f"every {step.cadence.text}")
        case t.Series():
            document = _series(step)
        case t.Table():
            return _table(step, column, origin)
    return [as_piece(document, column, step.span.start, step.span.end)]


def _given(step: t.Given) -> Document:
    assigns = [f"{path(a.path)} = {one_line(a.value)}" for a in step.assigns]
    return listed(assigns, indent=len("given "))


def _series(step: t.Series) -> Document:
    runs = [one_line(r.value) + ("" if r.times == 1 else f" x{r.times}") for r in step.runs]
    runs[0] = f"{path(step.path)} = {runs[0]}"
    head = "series " if step.cadence is None else f"every {step.cadence.text} "
    return row(head, listed(runs, indent=len(head)))


def _table(table: t.Table, column: int, origin: Origin) -> list[Piece]:
    """A piece a row, columns as wide as their widest cell."""
    rows = [table.header, *table.rows]
    widths = [max(len(r[i].text) for r in rows if i < len(r)) for i in range(max(map(len, rows)))]
    starts = _row_starts(table, origin)
    pieces = []
    for index, cells in enumerate(rows):
        shown = "".join(f" {cell.text:<{width}} |" for cell, width in zip(cells, widths, strict=False))
        if cells and _OPEN_TEXT.search(cells[-1].text):  # a bar would be part of it
            shown = shown[:-1].rstrip()
        start = starts[index] if index < len(starts) else table.span.start
        end = cells[-1].span.end if cells else start + 1
        pieces.append(Piece(start, end, (" " * column + "|" + shown,), column))
    return pieces


def _row_starts(table: t.Table, origin: Origin) -> list[int]:
    """Where each row of a table starts."""
    later = _LATER_ROW.finditer(origin.text, table.span.start, table.span.end)
    return [table.span.start, *(m.end() - 1 for m in later)]
