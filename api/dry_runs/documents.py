"""A dry run as JSON and as Markdown."""

from __future__ import annotations

from typing import Any

from api.dry_runs.result import Changed, Comparison, Course, DryRun, RuleCount
from api.dry_runs.sheets import Sheet
from api.dry_runs.view import View
from api.values import OutputTexts
from evaluators.timestamps import format_time

_MOST_ROWS = 40
"""Rows of a sheet in Markdown: a comment on a pull request stays readable."""


def document(run: DryRun, texts: OutputTexts) -> dict[str, Any]:
    """Everything a dry run found, as plain JSON; durations in seconds, shares as fractions."""
    out: dict[str, Any] = {
        "bundle": run.bundle,
        "rules_from": run.rules_from,
        "recording": run.recording,
        "book": run.book,
        "engine": run.engine,
        "from": format_time(run.since),
        "to": format_time(run.until),
        "snapshots": run.snapshots,
        "outputs": {id: _course(course, texts) for id, course in run.courses.items()},
        "rules": {r.rule: _rule(r) for r in run.rules},
        "verdicts": dict(run.verdicts.counts),
        "denied_by": dict(run.verdicts.denied_by),
        "unknown": {u.fact: {"unknown": u.missing, "of": u.rows, "rate": u.rate} for u in run.unknowns},
    }
    if run.comparison is not None:
        out["comparison"] = _comparison(run.comparison, texts)
    return out


def _course(course: Course, texts: OutputTexts) -> dict[str, Any]:
    held = [
        {
            "value": texts.json(course.output, h.value),
            "from": format_time(h.since),
            "to": format_time(h.until),
            "snapshots": h.snapshots,
        }
        for h in course.held
    ]
    transitions = [
        {"from": texts.json(course.output, a), "to": texts.json(course.output, b), "count": n}
        for (a, b), n in course.transitions.items()
    ]
    kept = [
        {"value": texts.json(course.output, value), "seconds": ms / 1000} for value, ms in sorted(course.kept.items())
    ]
    return {"held": held, "transitions": transitions, "kept": kept}


def _rule(count: RuleCount) -> dict[str, Any]:
    episodes = [
        {
            "from": format_time(e.since),
            "to": format_time(e.until),
            "snapshots": e.snapshots,
            "definite": e.definite,
        }
        for e in count.episodes
    ]
    return {
        "observing": count.observing,
        "snapshots": count.snapshots,
        "bound": count.bound,
        "firings": count.firings,
        "definite": count.definite,
        "because_missing": count.because_missing,
        "seconds": count.time / 1000,
        "episodes": episodes,
    }


def _comparison(found: Comparison, texts: OutputTexts) -> dict[str, Any]:
    return {
        "against": found.against,
        "bundle": found.bundle,
        "snapshots": found.snapshots,
        "counts": {output: dict(ways) for output, ways in found.counts.items()},
        "changes": [_change(c, texts) for c in found.changes],
        "only_here": list(found.only_here),
        "only_there": list(found.only_there),
    }


def _change(change: Changed, texts: OutputTexts) -> dict[str, Any]:
    return {
        "output": change.output,
        "entity": change.key,
        "from": format_time(change.since),
        "to": format_time(change.until),
        "snapshots": change.snapshots,
        "before": texts.json(change.output, change.before),
        "after": texts.json(change.output, change.after),
        "direction": change.direction,
    }


def markdown(view: View) -> str:
    """The sheets as Markdown, fit for a comment on a pull request; long ones are cut, and say so."""
    run = view.run
    span = f"{format_time(run.since)} to {format_time(run.until)}"
    parts = [
        f"## Dry run of `{run.rules_from}` on `{run.recording}`",
        f"Book `{run.book}`, {span}, {run.snapshots:,} snapshots.",
        *(_markdown_sheet(s) for s in view.sheets(detail=False)),
        f"Bundle `{run.bundle}`. Every figure again: `{view.command}`",
    ]
    return "\n\n".join(parts) + "\n"


def _markdown_sheet(sheet: Sheet) -> str:
    aligned = [":--"] * sheet.left + ["--:"] * (len(sheet.columns) - sheet.left)
    lines = [_markdown_row(sheet.columns), f"| {' | '.join(aligned)} |"]
    lines += [_markdown_row(row) for row in sheet.rows[:_MOST_ROWS]]
    if len(sheet.rows) > _MOST_ROWS:
        lines.append(f"\n{len(sheet.rows) - _MOST_ROWS:,} more rows are in the HTML and JSON reports.")
    return f"### {sheet.title}\n\n{sheet.note}\n\n" + "\n".join(lines)


def _markdown_row(cells: tuple[str, ...]) -> str:
    escaped = (cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
