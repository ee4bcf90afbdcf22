"""`ringfence demo`: a made-up trading day that goes wrong three times, and what the rules make of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.bundles import catalogue, near, opened, packaged_rules
from api.commands.simulate import SEED, record
from api.engines import Engine
from api.terminal import count_of, progress, progress_told

if TYPE_CHECKING:
    from rich.console import Console

    from api.dry_runs.examples import Witness
    from api.dry_runs.view import View
    from api.story import Chapter, Reset, Spell
    from modules.simulator import Simulation

_MOST_CAUSES = 8


def demo(
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to put the recording and the report.")
    ] = Path("out/demo"),
    seed: Annotated[int, typer.Option("--seed", help="Another day.", min=0)] = SEED,
) -> None:
    """Simulate a day with an outage, an error storm and a crash, replay it, and say what the rules did and why."""
    from api.dry_runs.examples import Witness
    from api.dry_runs.page import page
    from api.dry_runs.recorded import Extract
    from api.dry_runs.replay import Rules, replay
    from api.dry_runs.sheets import shown_outputs
    from api.dry_runs.view import View
    from api.terminal import console
    from api.writing import write_whole
    from evaluators.recording import Recording

    rules = near(packaged_rules())
    screen, recording, report = console(), out / "recording", out / "report.html"
    bundle = opened(rules)
    with progress_told() as told:
        made = record(recording, seed, None, overwrite=True, told=told)
    extract = Extract(Recording.open(recording, catalogue()), made.state.book)
    with progress("replaying", len(made.state.ts)) as advanced:
        run = replay(Rules(bundle, str(rules)), extract, Engine.DUCKDB, on_progress=advanced)
    command = f"ringfence dry-run {recording} --html {report}"
    view = View(run, bundle, shown_outputs(bundle.program, None), command)
    _introduce(screen, view, seed)
    witness = Witness(bundle, extract)
    _tell(screen, view, witness, made)
    _sum_up(screen, view)
    write_whole(report, page(view, witness))
    screen.print(f"\nThe report: {report.resolve()}", style="bold", soft_wrap=True)
    screen.print(f"Again:      {command}", soft_wrap=True)
    screen.print("One rule:   ringfence trace ess.drawdown", soft_wrap=True)


def _introduce(screen: Console, view: View, seed: int) -> None:
    from api.dry_runs.sheets import clock

    bundle, run = view.bundle, view.run
    size = f"{count_of(len(bundle.policies), 'policy', 'policies')}, {count_of(len(bundle.program.rules), 'rule')}"
    screen.print("A made-up trading day, replayed through the rules", style="bold")
    screen.print(f"The day   {clock(run.since)} to {clock(run.until)} UTC, a snapshot a minute, seed {seed}")
    screen.print("The fund  ten coins, a trend follower that obeys no rules: what the rules would have done with it")
    screen.print(f"The rules {size}, bundle {run.bundle[:12]}")


def _tell(screen: Console, view: View, witness: Witness, made: Simulation) -> None:
    from api.story import chapter

    for spell in _spells(made):
        told = chapter(spell, view.run, witness, view.outputs[0])
        _show_chapter(screen, told, view.outputs[0])


def _spells(made: Simulation) -> list[Spell]:
    from api.story import Spell

    spells = (made.outage, made.storm, made.crash)
    what = ("the price feed goes silent", "orders fail by the dozen", "the market crashes")
    return [Spell(s.start, s.end, w, at) for s, w, at in zip(spells, what, made.resets, strict=True)]


def _show_chapter(screen: Console, told: Chapter, output: str) -> None:
    from rich.table import Table

    from api.dry_runs.sheets import clock

    spell = told.spell
    screen.print(f"\n{clock(spell.start)[11:]} to {clock(spell.end)[11:]}, {spell.what}", style="bold")
    before = [f"{value} before" for ts, value in told.values if ts < spell.start]
    course = " → ".join(before + [f"{value} ({clock(ts)[11:]})" for ts, value in told.values if ts >= spell.start])
    screen.print(f"  {output}: {course}", soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    for cause in told.causes[:_MOST_CAUSES]:
        sure = "" if cause.definite else " (a fact is missing)"
        table.add_row(f"  {clock(cause.ts)[11:]}", cause.rule, (cause.because or "fires") + sure)
    screen.print(table)
    more = len(told.causes) - _MOST_CAUSES
    if more > 0:
        screen.print(f"  and {count_of(more, 'rule')} more that judge facts", style="dim")
    if told.followed:
        screen.print(f"  from which followed: {', '.join(told.followed)}", style="dim", soft_wrap=True)
    for reset in told.resets:
        screen.print(f"  {clock(spell.reset)[11:]}    {_told_reset(reset)}", soft_wrap=True)


def _told_reset(reset: Reset) -> str:
    from api.dry_runs.sheets import clock

    if reset.before != reset.after:
        since = clock(reset.since)[11:]
        return f"a person re-arms the stop: {reset.output}, {reset.before} since {since}, is {reset.after}"
    causes = "; ".join(f"{cause.rule}: {cause.because}" for cause in reset.standing)
    return f"a person asks for a reset, and {reset.output} stays {reset.after}" + (f": {causes}" if causes else "")


def _sum_up(screen: Console, view: View) -> None:
    from api.values import duration, percent

    run, output = view.run, view.outputs[0]
    held = run.courses[output].held
    whole = sum(h.duration for h in held)
    screen.print("\nThe day as a whole", style="bold")
    for value in sorted({h.value for h in held}, key=str):
        time = sum(h.duration for h in held if h.value == value)
        screen.print(f"  {view.texts.text(output, value):11} {duration(time):>8}  {percent(time, whole):>6}")
    total, denied = sum(run.verdicts.counts.values()), run.verdicts.counts.get("DENY", 0)
    if total:
        screen.print(f"  {denied:,} of {count_of(total, 'request')} denied ({percent(denied, total)}), most of them by")
        for rule, count in list(run.verdicts.denied_by.items())[:5]:
            screen.print(f"    {rule:32} {count:>5,}")
