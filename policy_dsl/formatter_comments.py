"""Finds each comment the place it keeps: before a piece, at the end of its line, or after the last of a declaration."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from policy_dsl import syntax as s
from policy_dsl.diagnostics import Source
from policy_dsl.formatter_pieces import Piece

_BEFORE, _WITHIN, _BELOW = range(3)


@dataclass(slots=True)
class Kept:
    """The comments of one piece, in their order.

    `before` stand on lines of their own before it, `within` were inside it or at the end of its line, and `below` stand
    indented under it, where it is the last of its declaration.
    """

    before: list[s.Comment] = field(default_factory=list)
    within: list[s.Comment] = field(default_factory=list)
    below: list[s.Comment] = field(default_factory=list)


def is_alone(comment: s.Comment, source: Source) -> bool:
    """Whether nothing but the comment stands on its line."""
    start = source.text.rfind("\n", 0, comment.span.start) + 1
    return not source.text[start : comment.span.start].strip()


def is_empty_line_between(source: Source, start: int, end: int) -> bool:
    """Whether an empty line stands anywhere in `[start, end)`."""
    lines = source.text[start:end].split("\n")[1:-1]
    return any(not line.strip() for line in lines)


def placed(
    comments: Sequence[s.Comment], pieces: Sequence[Piece], heads: set[int], source: Source
) -> tuple[list[Kept], list[s.Comment]]:
    """What each piece keeps, and the comments after the last.

    `heads` are the indices of pieces that start a declaration. Pieces are in the order of the source.
    """
    kept = [Kept() for _ in range(len(pieces) + 1)]
    starts = [piece.start for piece in pieces]
    last = (0, 0)
    for comment in comments:
        at = bisect_right(starts, comment.span.start) - 1
        last = max(last, _place(comment, at, pieces, kept, heads, source))  # never before an earlier comment
        index, slot = last
        (kept[index].before, kept[index].within, kept[index].below)[slot].append(comment)
    return kept[:-1], kept[-1].before


def _place(
    comment: s.Comment, at: int, pieces: Sequence[Piece], kept: Sequence[Kept], heads: set[int], source: Source
) -> tuple[int, int]:
    """The piece that keeps a comment, and which of its lists; `at` is the last piece that starts before it."""
    if at < 0:
        return 0, _BEFORE
    if not is_alone(comment, source) or comment.span.start < pieces[at].end:
        return at, _WITHIN
    last_of_declaration = at + 1 == len(pieces) or at + 1 in heads
    if last_of_declaration and _is_below(comment, pieces[at], kept[at], source):
        return at, _BELOW
    return at + 1, _BEFORE


def _is_below(comment: s.Comment, piece: Piece, kept: Kept, source: Source) -> bool:
    """Whether a comment belongs under a declaration: it is indented, and no empty line parts it from what is above."""
    above = [piece.end, *(c.span.end for c in (*kept.within, *kept.below))]
    indented = comment.span.start - source.text.rfind("\n", 0, comment.span.start) > 1
    return indented and not is_empty_line_between(source, max(above), comment.span.start)
