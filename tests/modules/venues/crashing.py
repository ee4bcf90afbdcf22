"""A process that dies in the midst of an order, and the same state opened again after it."""

from __future__ import annotations

import gc
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from modules.venues import Kind
from modules.venues.desk import Desk, Patience, Terms
from modules.venues.intents import Intents, Ticket
from modules.venues.paper import PaperExchange
from modules.venues.paper_engine import Conditions
from tests.modules.venues.flaky import Flaky
from tests.modules.venues.paper_markets import A, at, market


def die() -> None:
    """Ends this process at once, as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def forked(act: Callable[[], object]) -> int:
    """The id of a process of its own that acts so and then ends: with 0, or with 1 and a traceback if that raised.

    It collects no garbage. What an earlier test left behind would be let go of there, and a DuckDB connection that is
    let go of without its threads, which a fork does not have, ends the process.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    with warnings.catch_warnings():
        # Python 3.12 and later warn of forks beside threads. What is done here asks none of theirs for anything.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException:  # noqa: BLE001 -- nothing of the parent may go on here, whatever it was
            traceback.print_exc()
        finally:
            os._exit(code)
    if was_enabled:
        gc.enable()
    return child


def killed(act: Callable[[], object]) -> bool:
    """Whether a process of its own that acts so is killed meanwhile. AssertionError if it fails in any other way."""
    _, status = os.waitpid(forked(act), 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, -signal.SIGKILL}, f"the process failed: {code}, a signal if it is negative"
    return code != 0


def opened(folder: Path) -> tuple[PaperExchange, Desk]:
    """The exchange and the desk as they are on the disk."""
    free = Conditions(taker_fee=0.0, maker_fee=0.0, latency_ms=50)
    paper = PaperExchange(market(), start=at(10), conditions=free, journal=folder / "paper.jsonl")
    return paper, Desk(
        Flaky(paper).as_venue(),
        Intents(folder / "intents.jsonl"),
        paper.time,
        lambda seconds: paper.advance(paper.time() + int(seconds * 1000)),
        Patience(),
    )


def crash(folder: Path, moment: str) -> None:
    """Works an order, and dies at the moment named."""
    _, desk = opened(folder)
    venue = desk.venue
    assert isinstance(venue, Flaky)
    kind = Kind.IOC
    match moment:
        case "before the intent":
            venue.before["depth"] = [die]
        case "between intent and order":
            venue.before["place"] = [die]
        case "between order and answer":
            venue.after["place"] = [die]
        case "between answer and record":
            desk.intents.settle = lambda *_: die()  # type: ignore[method-assign]  # because it dies before it writes
        case "between record and end":
            desk.intents.end = lambda *_: die()  # type: ignore[method-assign]  # because it dies before it writes
        case "while a limit order rests":
            kind = Kind.LIMIT
            venue.before["order"] = [die]
    ticket = Ticket("r1", A, "LONG", 1.0, 100.0, at(10), "LONG", traded=1_000_000.0)
    desk.work(ticket, Terms(kind, 0.01, 0.1), venue.markets()[A])
