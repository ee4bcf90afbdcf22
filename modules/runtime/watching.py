"""What a fund would know of a venue, without a fund: every module computes its facts, and nothing is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evaluators.snapshot import Snapshot
from modules.assembly import assemble
from modules.feeds.history import HourlyHistory
from modules.runtime.controls import Controls
from modules.runtime.ledger import Ledger
from modules.runtime.roster import roster
from modules.runtime.runner import Runner
from modules.runtime.venue_world import VenueWorld
from modules.smart_execution import SmartExecution
from modules.venues.paper import PaperExchange
from modules.venues.venue import Venue


@contextmanager
def watching(
    venue: Venue, now: Callable[[], int], every: float, book: str = "main"
) -> Iterator[Callable[[], Snapshot]]:
    """Gives the snapshot of now (ms since 1970 UTC), each later than the one before it.

    Modules whose interval is longer than `every` seconds run beside the snapshots.
    """
    controls = Controls()
    # Nothing is ordered: what execution is handed has nothing to do with the venue that is watched.
    runner = Runner(roster(SmartExecution(PaperExchange()), controls), behind=every)
    history = HourlyHistory(venue, behind=True)
    world = VenueWorld(venue, Ledger(), controls, book, history)
    before: Snapshot | None = None

    def look() -> Snapshot:
        nonlocal before
        ts = now() if before is None else max(now(), before.ts + 1)
        before = assemble(book, ts, runner.supplied(world.inputs(ts, before, {}))).snapshot
        return before

    try:
        yield look
    finally:
        history.close()
        runner.close()
