"""A fund at work: its venue, its parts, its schedule, put together from what the command line and environment say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.bundles import opened
from api.service.in_place import still_in_place
from api.service.running import Running
from api.service.venues import PAPER, Clock, Opened, opened_venue
from evaluators.refusals import refusal
from modules.runtime.composition import Composed, compose
from modules.runtime.embedded_venue import wall_clock
from modules.runtime.measured_world import MeasuredWorld
from modules.runtime.schedule import Schedule
from modules.runtime.switches import switches_of
from modules.venues.journal import JournalError

GAPS = 3
"""So many intervals may two snapshots lie apart where the rules do not say."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """What a fund is made of. `folder` None keeps it in memory, `every_ms` is the time between two snapshots.

    `wall` is the clock of a paper venue. Unless it `waits` for them, slow modules run beside the snapshots.
    """

    rules: Path
    folder: Path | None
    every_ms: int
    environment: Mapping[str, str]
    venue: str = PAPER
    seed: int = 0
    wall: Clock = wall_clock
    waits: bool = False
    book: str = "main"


@dataclass(frozen=True, slots=True)
class Hosted:
    """A fund that can be asked, and whose steps come once `schedule` is started."""

    composed: Composed
    running: Running
    schedule: Schedule
    venue: Opened


@contextmanager
def hosted(settings: Hosting) -> Iterator[Hosted]:
    """The fund, until the block ends: then its step is let end, and every file is let go.

    Raises PolicyError for whatever speaks against it, before anything has begun.
    """
    bundle = opened(settings.rules)
    switches = switches_of(settings.environment)
    with ExitStack() as stack:
        try:
            venue = stack.enter_context(
                opened_venue(
                    settings.venue, settings.folder, settings.environment, seed=settings.seed, wall=settings.wall
                )
            )
            composed = compose(
                venue.venue,
                settings.folder,
                bundle,
                switches=switches,
                learns=settings.folder is not None,
                book=settings.book,
                behind=None if settings.waits else settings.every_ms / 1000,
                max_gap=bundle.configuration.max_gap or GAPS * settings.every_ms,
            )
        except JournalError as error:
            raise refusal("RF853", str(error), "stop that process, or choose another folder with --data") from error
        stack.callback(composed.close)
        composed.fund.world = MeasuredWorld(composed.fund.world)
        running = Running(composed.fund, composed.switchboard, venue.now, composed.learning)
        if settings.folder is not None:
            running.check = still_in_place(settings.folder)
        stack.callback(running.close)
        schedule = Schedule(running.step, settings.every_ms / 1000, composed.recover)
        stack.callback(schedule.stop)
        yield Hosted(composed, running, schedule, venue)
