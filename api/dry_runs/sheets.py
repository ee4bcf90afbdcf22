"""A dry run as sheets: titled tables of text, the same on the terminal, in Markdown and in HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.dry_runs.result import Comparison, Course, DryRun, RuleCount
from api.names import resolved
from api.values import OutputTexts, duration, percent
from evaluators.decision import OutputValue
from evaluators.timestamps import format_time
from policy_dsl.program import Program
from policy_dsl.types import ItemSet, Levels

RISK_MODE = "hfos.risk_mode"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A titled table; `note` says how to read it. `left` is how many columns hold text, the others hold figures.

    A sheet of `detail` is for those who read on: the terminal and Markdown leave it out.
    """

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1
    detail: bool = False


def sheets(run: DryRun, texts: OutputTexts, outputs: Sequence[str]) -> Iterator[Sheet]:
    """Everything worth a table, the values over time of `outputs` first; empty ones are left out."""
    for output in outputs:
        course = run.courses[output]
        yield _time_at(course, run, texts)
        yield _transitions(course, texts)
    yield _rules(run)
    yield _verdicts(run)
    if run.comparison is not None:
        yield _counts_of_changes(run.comparison, run)
        yield _changes(run.comparison, texts)
    yield _episodes(run)
    yield _unknowns(run)


def shown_outputs(program: Program, asked: Sequence[str] | None) -> tuple[str, ...]:
    """The outputs that a report shows over time: those asked for, else the risk mode, else the first fund-wide levels.

    Raises BadParameter for a name that is no fund-wide output.
    """
    fund_wide = [o for o in program.outputs if o.entity is None and not isinstance(o.type, ItemSet)]
    if asked:
        known = [o.id for o in fund_wide]
        return tuple(resolved(word, known, "fund-wide output", "--output") for word in asked)
    levels = [o.id for o in fund_wide if isinstance(o.type, Levels)]
    return (RISK_MODE,) if RISK_MODE in levels else tuple(levels[:1])


def clock(ts: int) -> str:
    """A time as reports show it: `2025-10-10 21:00`, with seconds where there are any."""
    text = format_time(ts).replace("T", " ").removesuffix("Z")
    return text.removesuffix(":00")


def ordered_values(course: Course) -> list[OutputValue]:
    """The values that an output had, strictest or lowest first."""
    return sorted({h.value for h in course.held}, key=lambda v: (str(type(v)), v))


def _time_at(course: Course, run: DryRun, texts: OutputTexts) -> Sheet:
    whole = sum(h.duration for h in course.held)
    rows = []
    for value in ordered_values(course):
        own = [h for h in course.held if h.value == value]
        time, snapshots = sum(h.duration for h in own), sum(h.snapshots for h in own)
        longest = max(h.duration for h in own)
        row = (texts.text(course.output, value), duration(time), percent(time, whole), str(snapshots), str(len(own)))
        kept = course.kept.get(value, 0)
        rows.append((*row, duration(longest), clock(own[0].since), duration(kept) if kept else "·"))
    columns = (course.output, "time", "share", "snapshots", "times entered", "longest", "first", "kept")
    note = f"over {duration(run.until - run.since)}"
    if any(course.kept.values()):
        note += "; kept: while no rule asked for the value, which had not relaxed or been released yet"
    return Sheet(f"Time at each {course.output}", note, columns, tuple(rows))


def _transitions(course: Course, texts: OutputTexts) -> Sheet:
    values = ordered_values(course)
    names = [texts.text(course.output, v) for v in values]
    rows = [
        (name, *(str(course.transitions.get((before, after), "·")) for after in values))
        for name, before in zip(names, values, strict=True)
    ]
    note = "how often the value in the row was followed by the value in the column"
    shown = tuple(rows) if course.transitions else ()
    return Sheet(f"Changes of {course.output}", note, ("from \\ to", *names), shown)


def by_weight(rules: Sequence[RuleCount]) -> list[RuleCount]:
    """The rules that fired, those that bound longest first."""
    return sorted((r for r in rules if r.snapshots), key=lambda r: (-r.bound, -r.snapshots, r.rule))


def _rules(run: DryRun) -> Sheet:
    rows = []
    for r in by_weight(run.rules):
        first, last = (clock(r.episodes[0].since), clock(r.episodes[-1].until)) if r.episodes else ("·", "·")
        bound = (f"{r.bound:,}", duration(r.time), percent(r.bound, run.snapshots), str(len(r.episodes)), first, last)
        fired = (f"{r.snapshots:,}", f"{r.firings:,}", f"{r.definite:,}", f"{r.because_missing:,}")
        rows.append((r.rule + (" (observing)" if r.observing else ""), *bound, *fired))
    note = (
        "bound: snapshots at which an output had the value that the rule asks for; fired: those at which its condition"
    )
    note += " was not definitely false, on so many rows, for certain or because a fact was missing"
    note += f"; {len(run.rules) - len(rows)} of {len(run.rules)} rules never fired"
    columns = ("rule", "bound", "for", "share", "episodes", "first", "last", "fired", "on rows", "definite", "missing")
    return Sheet("Rules", note, columns, tuple(rows))


def _verdicts(run: DryRun) -> Sheet:
    total = sum(run.verdicts.counts.values())
    rows = [(word, f"{n:,}", percent(n, total)) for word, n in run.verdicts.counts.items()]
    rows += [(f"denied by {rule}", f"{n:,}", percent(n, total)) for rule, n in run.verdicts.denied_by.items()]
    note = f"{total:,} requests; several rules may deny one"
    return Sheet("Verdicts", note, ("verdict", "requests", "share"), tuple(rows) if total else ())


def _episodes(run: DryRun) -> Sheet:
    found = sorted((e for r in run.rules for e in r.episodes), key=lambda e: (e.since, e.rule))
    rows = [
        (
            e.rule,
            clock(e.since),
            clock(e.until),
            duration(e.duration),
            f"{e.snapshots:,}",
            f"{e.snapshots - e.definite:,}",
        )
        for e in found
    ]
    note = "unbroken runs of snapshots at which a rule bound; missing: those at which only a missing fact made it fire"
    return Sheet(
        "Episodes", note, ("rule", "from", "to", "lasted", "snapshots", "missing"), tuple(rows), 3, detail=True
    )


def _unknowns(run: DryRun) -> Sheet:
    rows = [(u.fact, percent(u.missing, u.rows), f"{u.missing:,}", f"{u.rows:,}") for u in run.unknowns if u.missing]
    never = len(run.unknowns) - len(rows)
    note = f"of the facts and collections (known.position) that the rules read; the other {never} were never missing"
    return Sheet("Missing facts", note, ("fact", "missing", "times", "of"), tuple(rows))


def _counts_of_changes(found: Comparison, run: DryRun) -> Sheet:
    ways = ("tighter", "looser", "both")
    rows = [
        (output, *(f"{counts.get(way, 0):,}" if counts.get(way) else "·" for way in ways))
        for output, counts in found.counts.items()
    ]
    share = percent(found.snapshots, run.snapshots)
    note = f"against {found.against}: {found.snapshots:,} of {run.snapshots:,} snapshots ({share}) decided otherwise"
    for who, only in (("only in these rules", found.only_here), ("only in the others", found.only_there)):
        note += f"; {who}: {', '.join(only)}" if only else ""
    empty = (("nothing", "·", "·", "·"),)
    return Sheet("Decided otherwise", note, ("output", *ways), tuple(rows) or empty)


def _changes(found: Comparison, texts: OutputTexts) -> Sheet:
    rows = []
    for c in found.changes:
        name = c.output if c.key is None else f'{c.output}["{c.key}"]'
        values = (texts.text(c.output, c.before), texts.text(c.output, c.after))
        rows.append((name, *values, c.direction, clock(c.since), clock(c.until), f"{c.snapshots:,}"))
    columns = ("output", "others", "these rules", "which is", "from", "to", "snapshots")
    return Sheet("Where it was decided otherwise", "in order of time", columns, tuple(rows), left=6)
