"""`ringfence record`: snapshots of a live feed into a recording."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from api.commands.import_files import JsonOption, OverwriteOption, ToOption
from api.commands.serve import EVERY, EveryOption, SeedOption, VenueOption
from api.durations import duration
from api.terminal import console, count_of, show_json


def record(
    *,
    to: ToOption,
    venue: VenueOption = "paper",
    every: EveryOption = EVERY,
    longest: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="How long; until Ctrl-C where nothing is said.")
    ] = None,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Record what a fund would see of a venue. Nothing is decided or traded; Ctrl-C ends it, and it is complete.

    At a real venue the market is recorded as it is, and the account is one on paper that never trades.
    """
    every_ms = duration(every, "--every")
    longest_ms = None if longest is None else duration(longest, "--for")
    screen = console(err=True)
    screen.print("starting")
    count, what = _recorded(str(to), venue, every_ms, longest_ms, seed, overwrite=overwrite)
    if as_json:
        show_json({"recording": str(to), "snapshots": count, "venue": what})
    else:
        console().print(f"recording: {to} ({count_of(count, 'snapshot')} at {what})")


def _recorded(
    to: str, venue: str, every_ms: int, longest_ms: int | None, seed: int, *, overwrite: bool
) -> tuple[int, str]:
    """How many snapshots were recorded, and of what."""
    import os

    from api.bundles import catalogue
    from api.service.server import log_to_stderr
    from api.service.stopping import hanging_up, stopping, ticks
    from api.service.venues import opened_venue
    from evaluators.recording import RecordingWriter
    from modules.runtime.watching import watching
    from modules.venues.venue import HungUp

    log_to_stderr()
    looking = {key: value for key, value in os.environ.items() if key != "RINGFENCE_LIVE"}
    longest = None if longest_ms is None else longest_ms / 1000
    with stopping() as asked, opened_venue(venue, None, looking, seed=seed) as found:
        source = f"recorded at {found.what}"
        writer = RecordingWriter(to, catalogue(), cadence_ms=every_ms, overwrite=overwrite, source=source)
        count = 0
        with writer, watching(found.venue, found.now, every_ms / 1000) as look:
            console(err=True).print(f"recording {found.what} into {to}; Ctrl-C ends it")
            # A snapshot of a venue that hangs at the end is none: nobody knows what it would have told.
            with hanging_up(found.venue, asked), suppress(HungUp):
                for _ in ticks(every_ms / 1000, asked, longest):
                    writer.add(look())
                    count += 1
        return count, found.what
