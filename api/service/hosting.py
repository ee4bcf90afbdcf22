"""A fund at work: its venue, its parts, its schedule, put together from what the command line and environment say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from api.bundles import opened
from api.service.in_place import still_in_place
from api.service.running import Running
from api.service.venues import PAPER, Clock, Opened, opened_venue
from evaluators.refusals import refusal
from modules.runtime.composition import Composed, compose
from modules.runtime.embedded_venue import wall_clock
from modules.runtime.measured_world import MeasuredWorld
from modules.runtime.runner import Runner
from modules.runtime.schedule import Schedule
from modules.runtime.switches import switches_of
from modules.runtime.venue_world import VENUE
from modules.runtime.watched_world import WatchedWorld
from modules.self_healing import SelfHealing
from modules.supervision.past import SERVICES
from modules.supervision.services import Services
from modules.supervision.watch_file import WatchedService, read_watch_file
from modules.venues.journal import JournalError, JournalInUseError
from policy_dsl.files import words_of

PATIENCE_SECONDS = 2.0
"""How long a venue may owe its answer to the step that is at work once the fund is to end. Then it is hung up on: an
order whose answer is not there yet is asked for at the next start."""

GAPS = 3
"""So many intervals may two snapshots lie apart where the rules do not say."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """What a fund is made of. `folder` None keeps it in memory, `every_ms` is the time between two snapshots.

    `wall` is the clock of a paper venue. Unless it `waits` for them, slow modules run beside the snapshots. `watch` is
    the file of the services that it looks after.
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
    watch: Path | None = None


@dataclass(frozen=True, slots=True)
class Hosted:
    """A fund that can be asked, and whose steps come once `schedule` is started."""

    composed: Composed
    running: Running
    schedule: Schedule
    venue: Opened
    services: Services | None = None


@contextmanager
def hosted(settings: Hosting) -> Iterator[Hosted]:
    """The fund, until the block ends: then its step is let end, or broken off, and every file is let go.

    Raises PolicyError for whatever speaks against it, before anything has begun.
    """
    bundle = opened(settings.rules)
    switches = switches_of(settings.environment)
    named = () if settings.watch is None else read_watch_file(settings.watch, settings.environment, {VENUE})
    with ExitStack() as stack:
        try:
            venue = stack.enter_context(
                opened_venue(
                    settings.venue, settings.folder, settings.environment, seed=settings.seed, wall=settings.wall
                )
            )
            services = _services(settings, named)
            if services is not None:
                stack.callback(services.close)
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
            raise refusal("RF853", str(error), _way_out(error)) from error
        except OSError as error:
            if not _is_of(settings.folder, error):
                raise
            why = words_of(error)
            hint = "name a folder that is there, or may be made, with --data"
            raise refusal("RF853", f"`{error.filename}` cannot be used: {why}", hint) from error
        stack.callback(composed.close)
        composed.fund.world = MeasuredWorld(composed.fund.world)
        if named and services is not None:
            composed.fund.world = WatchedWorld(composed.fund.world, services, partial(_known, composed.runner))
        running = Running(composed.fund, composed.switchboard, venue.now, composed.learning, services=services)
        if settings.folder is not None:
            running.check = still_in_place(settings.folder)
        stack.callback(running.close)
        schedule = Schedule(running.step, settings.every_ms / 1000, composed.recover)
        stack.callback(schedule.stop)
        stack.callback(venue.venue.hang_up)
        stack.callback(running.leave, lambda: venue.venue.silence() > PATIENCE_SECONDS)
        stack.callback(schedule.pause)
        if services is not None:
            stack.callback(services.rest)
            services.start()
        yield Hosted(composed, running, schedule, venue, services)


def _is_of(folder: Path | None, error: OSError) -> bool:
    """Whether a file of the folder cannot be had, the folder itself, or one that it is to be made in."""
    if folder is None or not isinstance(error.filename, str | Path):
        return False
    file = Path(error.filename)
    return file.is_relative_to(folder) or folder.is_relative_to(file)


def _way_out(error: JournalError) -> str:
    """What a person can do about a file of the folder that cannot be had."""
    first = (
        "stop that process" if isinstance(error, JournalInUseError) else "put a sound copy of the folder in its place"
    )
    return f"{first}, or choose another folder with --data"


def _services(settings: Hosting, named: Sequence[WatchedService]) -> Services | None:
    """The watched services. Without any, what an earlier fund of the folder left behind is still to be ended."""
    left = settings.folder is not None and (settings.folder / SERVICES).exists()
    return Services(named, settings.folder) if named or left else None


def _known(runner: Runner) -> int | None:
    """Of when (ms) the facts of the services are; of now where they never were."""
    run = runner.runs.get(SelfHealing.name)
    return None if run is None else run.at
