"""The venue of a served fund: paper, or a real exchange, on which nothing is traded unless it is said twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from evaluators.refusals import refusal
from modules.runtime.embedded_venue import PaperClock, Terms, embedded_venue, wall_clock
from modules.runtime.switches import FLAGS
from modules.venues.venue import NotPermitted, Venue

PAPER = "paper"
LIVE = "RINGFENCE_LIVE"
"""What the environment must say for a fund to trade with money; keys are needed too."""

ENDPOINT = "RINGFENCE_VENUE_ENDPOINT"
"""What in the environment replaces the host of an exchange's addresses: https, or on this machine."""

FILLS = "fills.jsonl"

Clock = Callable[[], int]
"""Tells ms since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A venue and the clock of a fund there (ms since 1970 UTC). `what` tells a person what it is."""

    venue: Venue
    now: Clock
    what: str


@contextmanager
def opened_venue(
    name: str, folder: Path | None, environment: Mapping[str, str], *, seed: int = 0, wall: Clock = wall_clock
) -> Iterator[Opened]:
    """The venue called `name`: `paper`, whose time is that of `wall`, or an exchange that ccxt knows.

    Raises PolicyError (RF850, RF853) for a name that nobody knows, and for live trading that is not wholly set up;
    JournalError for files in `folder` that are damaged or in use. At the end of the block it is hung up on.
    """
    live = _is_live(environment)
    if name == PAPER:
        if live:
            hint = f"name one, as in --venue binanceusdm, or leave {LIVE} out"
            raise refusal("RF853", f"`{LIVE}` is on, and the venue is paper", hint)
        exchange = embedded_venue(Terms(seed, wall()), folder)
        try:
            yield Opened(exchange, PaperClock(exchange, wall), f"paper, a made-up market of seed {seed}")
        finally:
            exchange.close()
    else:
        with _exchange(name, folder, environment, live=live) as found:
            yield found


@contextmanager
def _exchange(name: str, folder: Path | None, environment: Mapping[str, str], *, live: bool) -> Iterator[Opened]:
    from modules.venues.ccxt_venue import CcxtVenue
    from modules.venues.credentials import FILE, KEY, SECRET, credentials
    from modules.venues.paper_fills import PaperFills

    try:
        keys = credentials(environment) if live else None
        if live and keys is None:
            hint = f"set {FILE}, or {KEY} and {SECRET}"
            raise refusal("RF853", f"`{LIVE}` is on, and there are no keys for `{name}`", hint)
        venue = CcxtVenue(name, credentials=keys, live=live, endpoint=environment.get(ENDPOINT))
    except (ValueError, NotPermitted) as error:
        hint = "name paper, or an exchange that ccxt knows, such as binanceusdm, with --venue"
        raise refusal("RF853", f"the venue `{name}` cannot be used: {error}", hint) from error
    with ExitStack() as stack:
        stack.callback(venue.hang_up)
        if live:
            alone = "; stops do not wait there, and nobody watches them while the fund is down"
            yield Opened(venue, wall_clock, f"{name}, LIVE: orders move money{'' if venue.takes_stops else alone}")
            return
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        fills = PaperFills(venue, journal=None if folder is None else folder / FILLS)
        stack.callback(fills.close)
        yield Opened(fills, wall_clock, f"{name}, real prices and paper fills")


def _is_live(environment: Mapping[str, str]) -> bool:
    word = environment.get(LIVE, "off").strip().lower()
    if word not in FLAGS:
        raise refusal("RF850", f"`{LIVE}`: a switch is true or false, not `{word}`", f"one of {', '.join(FLAGS)}")
    return FLAGS[word]
