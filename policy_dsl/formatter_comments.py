"""Finds each comment the place it keeps: before a piece, at the end of its line, or after the last of a declaration."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from policy_dsl import syntax as s
from policy_dsl.diagnostics import Source
from policy_dsl.formatter_pieces import Piece


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
    kept = [Kept() for _ in pieces]
    after: list[s.Comment] = []
    starts = [piece.start for piece in pieces]
    for comment in comments:
        at = bisect_right(starts, comment.span.start) - 1
        alone = is_alone(comment, source)
        if at >= 0 and (not alone or comment.span.start < pieces[at].end):
            kept[at].within.append(comment)
        elif at + 1 < len(pieces) and at + 1 not in heads:
            kept[at + 1].before.append(comment)
        elif at >= 0 and _is_below(comment, pieces[at], kept[at], source) and not _queued(kept, after, at):
            kept[at].below.append(comment)
        elif at + 1 < len(pieces):
            kept[at + 1].before.append(comment)
        else:
            after.append(comment)
    return kept, after


def _is_below(comment: s.Comment, piece: Piece, kept: Kept, source: Source) -> bool:
    """Whether a comment belongs under a declaration: it is indented, and no empty line parts it from what is above."""
    above = [piece.end, *(c.span.end for c in (*kept.within, *kept.below))]
    indented = comment.span.start - source.text.rfind("\n", 0, comment.span.start) > 1
    return indented and not is_empty_line_between(source, max(above), comment.span.start)


def _queued(kept: list[Kept], after: list[s.Comment], at: int) -> bool:
    """Whether an earlier comment is kept for what follows already, so that this one must stay behind it."""
    return bool(kept[at + 1].before if at + 1 < len(kept) else after)
