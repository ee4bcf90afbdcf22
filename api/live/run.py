"""`ringfence simulate --live`: a paper fund steps as its clock does, and tells what binds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from api.live.moments import Moment
from api.live.proposals import Proposals
from api.service.hosting import Hosting, hosted
from api.service.server import log_to_stderr
from api.service.stopping import stopping, ticks
from api.terminal import console
from modules.runtime.embedded_venue import wall_clock

if TYPE_CHECKING:
    from rich.table import Table

Show = Callable[[Moment, Moment | None], None]


def run_live(rules: Path, every_ms: int, speed: float, longest_ms: int | None, seed: int, *, as_json: bool) -> None:
    """Step a paper fund until Ctrl-C, or for `longest_ms` of its own time.

    Raises PolicyError for whatever speaks against the fund, before it begins.
    """
    log_to_stderr()
    clock = _Turns(wall_clock())
    settings = Hosting(rules, None, every_ms, os.environ, seed=seed, wall=lambda: clock.at, waits=True)
    before: Moment | None = None
    with stopping() as asked, hosted(settings) as fund, _shown(as_json=as_json) as show:
        proposals = Proposals(fund.venue.venue, seed)
        turns = repeat(None) if longest_ms is None else repeat(None, longest_ms // every_ms + 1)
        for _ in zip(ticks(every_ms / 1000 / speed, asked), turns, strict=False):
            moment = Moment.of(fund.running.step(proposals.at(fund.venue.now())))
            show(moment, before)
            before = moment
            clock.at += every_ms


@dataclass(slots=True)
class _Turns:
    """A clock that goes on by a whole interval from one snapshot to the next, however long the one took."""

    at: int


@contextmanager
def _shown(*, as_json: bool) -> Iterator[Show]:
    """How moments are shown: as JSON, as a table that changes in place, or as lines where there is no terminal."""
    screen = console()
    if as_json:
        yield lambda moment, before: typer.echo(json.dumps(moment.document(before), ensure_ascii=False))
    elif not screen.is_terminal:

        def lines(moment: Moment, before: Moment | None) -> None:
            for line in moment.lines(before):
                typer.echo(line)

        yield lines
    else:
        from rich.live import Live

        with Live(console=screen, auto_refresh=False) as live:

            def table(moment: Moment, before: Moment | None) -> None:
                for key, rules in moment.refused.items():
                    live.console.print(f"{key}: " + (f"denied by {', '.join(rules)}" if rules else "allowed"))
                live.update(_table(moment, before), refresh=True)

            yield table


def _table(moment: Moment, before: Moment | None) -> Table:
    """What holds for the whole fund, and what binds; what is new is marked."""
    from rich.table import Table

    found = moment.document(before)
    equity = "unknown" if moment.equity is None else f"{moment.equity:,.2f}"
    made = Table(
        "what",
        "now",
        title=f"{found['ts']}   equity {equity}   {moment.missing} facts are missing",
        title_justify="left",
    )
    for name, text in moment.outputs.items():
        made.add_row(name, text, style="bold" if name in found["changed"] else None)
    made.add_section()
    for rule, why in moment.because.items():
        made.add_row(rule, why, style="bold" if rule in found["binds"] else None)
    return made
