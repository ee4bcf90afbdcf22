"""Text that may break: a document of groups, laid out so that a group breaks only where it does not fit a line."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

WIDTH = 100
"""Columns that a line of a rule file may take before it breaks."""


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the line may break; a space where it does not."""


@dataclass(frozen=True, slots=True)
class Group:
    """Parts in a row. If they do not fit the line, every break of this group ends it, and what follows is indented.

    A group that `fills` its lines breaks only where the next part does not fit any more.
    """

    parts: tuple[Document, ...]
    indent: int = 2
    fills: bool = False


Document = str | Break | Group
BREAK = Break()


def row(*parts: Document) -> Group:
    """Parts one after another, that leave breaking to the groups among them."""
    return Group(parts, indent=0)


def joined(items: Iterable[Document], word: str) -> Group:
    """Items with `word` between them, each on a line of its own if one line cannot hold them all."""
    parts: list[Document] = []
    for item in items:
        parts += [BREAK, word, item] if parts else [item]
    return Group(tuple(parts))


def listed(items: Iterable[Document], *, indent: int = 2, before: str = "", after: str = ",") -> Group:
    """Items as many to a line as it holds; `after` stands before a break, `before` after it."""
    parts: list[Document] = []
    for item in items:
        if parts:
            parts[-1] = row(parts[-1], after)
            parts += [BREAK, row(before, item)]
        else:
            parts.append(item)
    return Group(tuple(parts), indent, fills=True)


def flat(document: Document) -> str:
    """The document on one line, however long."""
    if isinstance(document, str):
        return document
    if isinstance(document, Break):
        return " "
    return "".join(flat(part) for part in document.parts)


def laid_out(document: Document, indent: int) -> list[str]:
    """The lines of the document; all but the first are indented, by `indent` and what their groups add."""
    lines = [""]
    at = indent
    todo = [_Part(document, indent, _Mode.BROKEN)]
    while todo:
        part, margin, mode = todo.pop()
        if isinstance(part, str):
            lines[-1] += part
            at += len(part)
        elif isinstance(part, Group):
            if mode is not _Mode.FLAT:
                mode = _Mode.FLAT if _fits(part, todo, WIDTH - at) else _Mode.FILL if part.fills else _Mode.BROKEN
            todo += [_Part(p, margin + part.indent, mode) for p in reversed(part.parts)]
        elif mode is _Mode.FLAT or (mode is _Mode.FILL and _fits(todo[-1].document, todo[:-1], WIDTH - at - 1)):
            lines[-1] += " "
            at += 1
        else:
            lines.append(" " * margin)
            at = margin
    return lines


class _Mode(enum.Enum):
    """What becomes of the breaks of a group."""

    FLAT = enum.auto()
    FILL = enum.auto()
    BROKEN = enum.auto()


class _Part(NamedTuple):
    """What is still to lay out, where its lines start, and what becomes of its breaks."""

    document: Document
    margin: int
    mode: _Mode


def _fits(document: Document, after: list[_Part], room: int) -> bool:
    """Whether the document, and what follows it up to the next place that may break, fits in `room` columns."""
    room -= len(flat(document))
    for part in reversed(after):
        if room < 0:
            return False
        if part.mode is _Mode.FLAT:
            room -= len(flat(part.document))
        else:
            width, breaks = _head(part.document)
            room -= width
            if breaks:
                break
    return room >= 0


def _head(document: Document) -> tuple[int, bool]:
    """The width of a document up to its first break, and whether it has one."""
    if isinstance(document, Break):
        return 0, True
    if isinstance(document, str):
        return len(document), False
    width = 0
    for part in document.parts:
        taken, breaks = _head(part)
        width += taken
        if breaks:
            return width, True
    return width, False
