"""The one true layout of a rule file: what `ringfence fmt` writes. Comments stay with what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policy_dsl import syntax as s
from policy_dsl.diagnostics import Findings, Source
from policy_dsl.formatter_comments import Kept, is_alone, is_empty_line_between, placed
from policy_dsl.formatter_declarations import declaration, params, policy
from policy_dsl.formatter_pieces import Origin, Piece
from policy_dsl.parser import parse


@dataclass(frozen=True, slots=True)
class _Block:
    """A declaration; `joins` the one above without an empty line between them."""

    pieces: list[Piece]
    joins: bool = False


def format_source(source: Source, findings: Findings) -> str | None:
    """The text of a rule file in its one layout; None, and findings, if it cannot be read."""
    before = len(findings.items)
    file = parse(source, findings)
    if any(d.is_error for d in findings.items[before:]):
        return None
    return format_file(file, source)


def format_file(file: s.File, source: Source) -> str:
    """The text of a rule file in its one layout. `file` was read from `source` without an error.

    Reading the result gives the same tree, spans aside, and the same comments in the same order; formatting it again
    gives the same text.
    """
    blocks = _blocks(file, source)
    pieces = [piece for block in blocks for piece in block.pieces]
    heads, at = set(), 0
    for block in blocks:
        heads.add(at)
        at += len(block.pieces)
    kept, after = placed(file.comments, pieces, heads, source)
    lines: list[str] = []
    at = 0
    for block in blocks:
        if lines and not block.joins:
            lines.append("")
        for piece in block.pieces:
            lines += _with_comments(piece, kept[at], at in heads, source)
            at += 1
    if after:
        lines += ["", *_top(after, len(source.text), source)] if lines else _top(after, len(source.text), source)
    return "".join(f"{line}\n" for line in lines)


def _blocks(file: s.File, source: Source) -> list[_Block]:
    origin = Origin(source)
    blocks = [] if file.policy is None else [_Block(policy(file.policy, origin))]
    for run in _runs(file.declarations, source):
        if isinstance(run[0], s.ParamDecl):
            laid_out = params([node for node in run if isinstance(node, s.ParamDecl)])
            blocks += [_Block([piece], joins=index > 0) for index, piece in enumerate(laid_out)]
        else:
            blocks.append(_Block(declaration(run[0], origin)))
    return blocks


def _runs(declarations: Sequence[s.Declaration], source: Source) -> list[list[s.Declaration]]:
    """Declarations, with params that stand together in one run: those that no empty line parts."""
    runs: list[list[s.Declaration]] = []
    for node in declarations:
        above = runs[-1][-1] if runs else None
        together = isinstance(node, s.ParamDecl) and isinstance(above, s.ParamDecl)
        if above is not None and together and not is_empty_line_between(source, above.span.end, node.span.start):
            runs[-1].append(node)
        else:
            runs.append([node])
    return runs


def _with_comments(piece: Piece, kept: Kept, is_head: bool, source: Source) -> list[str]:
    """The lines of a piece and of what is said about it."""
    margin = " " * piece.indent
    trailing = kept.within[-1:] if kept.within and not is_alone(kept.within[-1], source) else []
    above = kept.within[: len(kept.within) - len(trailing)]
    lines = [""] if piece.apart else []
    lines += _top(kept.before, piece.start, source) if is_head else [margin + c.text for c in kept.before]
    lines += [margin + c.text for c in above]
    lines += piece.lines
    lines[-1] += "".join(f"  {c.text}" for c in trailing)
    return [*lines, *(f"  {c.text}" for c in kept.below)]


def _top(comments: Sequence[s.Comment], end: int, source: Source) -> list[str]:
    """Comments between declarations, with the empty lines that part them from each other and from what is at `end`."""
    lines: list[str] = []
    for index, comment in enumerate(comments):
        following = comments[index + 1].span.start if index + 1 < len(comments) else end
        lines.append(comment.text)
        if following < len(source.text) and is_empty_line_between(source, comment.span.end, following):
            lines.append("")
    return lines
