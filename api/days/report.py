"""`ringfence simulate --day`: days lived, and the plan's figures as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from api.days.document import document
from api.days.texts import PHASES, figure_text, found_text, sample_text
from api.terminal import console, count_of, progress_told, show_json
from evaluators.timestamps import format_time
from modules.trading_day.arms import Arm
from modules.trading_day.days import Wanted, lived_days
from modules.trading_day.denials import Denier, deniers
from modules.trading_day.kpis import kpis
from modules.trading_day.lived import Days, LivedDay
from modules.trading_day.mishaps import SERVICES
from modules.trading_day.services import START_SECONDS
from modules.trading_day.timeline import Stretch, repairs, timeline
from modules.trading_day.verdicts import Kpi, Unit, Verdict

STYLES = {
    Verdict.SHOWN: "green", Verdict.HELD: "green", Verdict.MISSED: "red", Verdict.BROKEN: "red",
    Verdict.NOT_SHOWN: "yellow",
}  # fmt: skip
SUMMARY = (
    (Verdict.MISSED, Verdict.BROKEN),
    (Verdict.NOT_SHOWN,),
    (Verdict.TOO_FEW,),
    (Verdict.SHOWN, Verdict.HELD),
    (Verdict.NOT_MEASURED,),
)
"""What matters most first."""

SHOWN_RULES, SHOWN_DENIERS = 7, 3
FIGURES = (("figure", 5), ("found (95% interval)", 8), ("n", 3), ("target", 3), ("", 2))
TIMELINE = (
    ("from", 4),
    ("mode", 3),
    ("stop", 2),
    ("proposals allowed", 8),
    ("rules that bind, and did not in the hour before", 11),
    ("equity", 2),
    ("without policies", 3),
)
"""Columns, and how wide they are relative to each other."""

PORTFOLIO = 2
"""The phase of the balancer."""

DENIERS = ("rule", "looks at", "denied", "with no other policy", "harmless of those", "the only rule")


def simulate_days(wanted: Wanted, *, as_json: bool) -> None:
    """Live through the days and print what they say. Raises as `lived_days` does."""
    with progress_told() as told:
        days = lived_days(wanted, lambda done, of: told(done, of, "minutes of the simulated days"))
    if as_json:
        show_json(document(wanted, days))
        return
    screen = console()
    found = kpis(days)
    for line in (*_head(wanted, days), ""):
        screen.print(line)
    screen.print(_summary(found))
    screen.print()
    _show_timeline(screen, days[0])
    for phase, title in PHASES.items():
        _show_phase(screen, title, [kpi for kpi in found if kpi.phase == phase])
        if phase == PORTFOLIO:
            _show_deniers(screen, deniers(days))
    for line in _foot():
        screen.print(line)


def _head(wanted: Wanted, days: Days) -> Iterator[str]:
    last = wanted.seed + len(days) - 1
    seeds = f"seed {wanted.seed}" if last == wanted.seed else f"seeds {wanted.seed} to {last}"
    yield f"{count_of(len(days), 'simulated day')}, {seeds}, each lived {len(Arm)} times over: {', '.join(Arm)}."
    yield "The market, the signals and the mishaps of a day are the same in each run. All of it is made up: what is"
    yield "shown here is shown of this market, and not of any other."


def _show_timeline(screen: Console, day: LivedDay) -> None:
    run = day.runs[Arm.ALL]
    title = f"{format_time(run.midnight)[:10]}, all policies (times UTC)"
    table = Table(title=title, title_justify="left", title_style="bold", expand=True)
    for name, ratio in TIMELINE:
        table.add_column(name, overflow="fold", ratio=ratio)
    for stretch in timeline(day):
        table.add_row(*_cells(stretch))
    screen.print(table)
    for repair in repairs(day):
        took = "not back by midnight" if repair.took is None else f"back after {repair.took:.1f} s"
        screen.print(f"{format_time(repair.at)[11:19]}  {repair.service} killed, {took}")
    screen.print()


def _cells(stretch: Stretch) -> tuple[str, ...]:
    shown, more = stretch.rules[:SHOWN_RULES], len(stretch.rules) - SHOWN_RULES
    rules = ", ".join(shown) + (f" and {more} more" if more > 0 else "")
    if stretch.unknown:
        rules += f"{'; ' if rules else ''}{stretch.unknown} because something is not known"
    denied = ", ".join(f"{rule} {times}" for rule, times in stretch.deniers[:SHOWN_DENIERS])
    return (
        f"{format_time(stretch.spell.start)[11:16]} {stretch.what}",
        stretch.strictest,
        f"{stretch.halted} min" if stretch.halted else "",
        f"{stretch.allowed} of {stretch.asked}" + (f"; denied by {denied}" if denied else ""),
        rules,
        f"{100 * stretch.change:+.2f}%",
        f"{100 * stretch.change_without:+.2f}%",
    )


def _show_phase(screen: Console, title: str, found: list[Kpi]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", expand=True)
    for name, ratio in FIGURES:
        table.add_column(name, overflow="fold", ratio=ratio)
    for kpi in found:
        verdict = "" if kpi.verdict is Verdict.NO_TARGET else kpi.verdict.value
        table.add_row(kpi.name, found_text(kpi), sample_text(kpi), kpi.target, verdict, style=STYLES.get(kpi.verdict))
    screen.print(table)
    screen.print()


def _show_deniers(screen: Console, found: tuple[Denier, ...]) -> None:
    title = "What the balancer denied: proposals, by rule (several may deny one)"
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in DENIERS:
        table.add_column(name, justify="left" if name in DENIERS[:2] else "right")
    for denier in found:
        harmless = f"{denier.harmless} of {denier.known}" if denier.known else ""
        table.add_row(
            denier.rule, denier.looks_at, f"{denier.denied}", f"{denier.alone}", harmless, f"{denier.only}"
        )  # fmt: skip
    screen.print(table)
    screen.print()


def _summary(found: tuple[Kpi, ...]) -> Table:
    """The figures by what is shown of them."""
    table = Table.grid(padding=(0, 2))
    for verdicts in SUMMARY:
        names = [kpi.name for kpi in found if kpi.verdict in verdicts]
        if names:
            table.add_row(" or ".join(verdicts), "; ".join(names), style=STYLES.get(verdicts[0]))
    return table


def _foot() -> Iterator[str]:
    start = figure_text(START_SECONDS, Unit.SECONDS)
    yield f"Services ({', '.join(SERVICES)}) are simulated, and take about {start} to start, which is made up."
    yield "shown: the whole interval is on the right side of the target. not shown: it is on both sides. missed: all of"
    yield "it is on the wrong side. held: so in every case. docs/simulated-day.md defines each figure."
