"""Text that may break: a document of groups, laid out so that a group breaks only where it does not fit a line."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 100
"""Columns that a line of a rule file may take before it breaks."""


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the line may break; a space where it does not."""


@dataclass(frozen=True, slots=True)
class Group:
    """Parts in a row. If they do not fit the line, every break of this group ends it, and what follows is indented."""

    parts: tuple[Document, ...]
    indent: int = 2


Document = str | Break | Group
BREAK = Break()


def row(*parts: Document) -> Group:
    """Parts one after another, that leave breaking to the groups among them."""
    return Group(parts, indent=0)


def joined(items: list[Document], before: str, *, indent: int = 2, after: str = "") -> Group:
    """Items in a group that may break between them: `after` ends the upper line, `before` starts the lower one."""
    parts: list[Document] = []
    for index, item in enumerate(items):
        parts += [after, BREAK, before, item] if index else [item]
    return Group(tuple(parts), indent)


def flat(document: Document) -> str:
    """The document on one line, however long."""
    if isinstance(document, str):
        return document
    if isinstance(document, Break):
        return " "
    return "".join(flat(part) for part in document.parts)


def laid_out(document: Document, indent: int, column: int | None = None) -> list[str]:
    """The lines of the document. The first starts at `column` (default: `indent`) and is given without indentation.

    The breaks of the outermost group indent by `indent` and its own.
    """
    lines = [""]
    at = indent if column is None else column
    todo: list[tuple[Document, int, bool]] = [(document, indent, False)]
    while todo:
        part, margin, one_line = todo.pop()
        if isinstance(part, str):
            lines[-1] += part
            at += len(part)
        elif isinstance(part, Group):
            one_line = one_line or _fits(part, todo, WIDTH - at)
            todo += [(p, margin + part.indent, one_line) for p in reversed(part.parts)]
        elif one_line:
            lines[-1] += " "
            at += 1
        else:
            lines.append(" " * margin)
            at = margin
    return lines


def _fits(group: Group, after: list[tuple[Document, int, bool]], room: int) -> bool:
    """Whether the group, and what follows it up to the next break, fits in `room` columns."""
    room -= len(flat(group))
    for part, _margin, one_line in reversed(after):
        if room < 0:
            return False
        if isinstance(part, Break) and not one_line:
            return True
        if isinstance(part, Group) and not one_line:
            head, breaks = _head(part)
            room -= head
            if breaks:
                break
        else:
            room -= len(flat(part))
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
