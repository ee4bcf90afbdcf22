"""A fund's hands at a paper exchange with a market that a test can see through, and answers as the rules might give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modules.inputs import Inputs, Position, Request
from modules.judge import Answer, Judge
from modules.runtime.actions import Actions
from modules.runtime.controls import Controls
from modules.runtime.ledger import Ledger
from modules.runtime.venue_world import VenueWorld
from modules.smart_execution import SmartExecution
from modules.venues.paper import PaperExchange
from modules.venues.paper_engine import Conditions
from modules.venues.venue import Venue
from tests.modules.venues.flaky import Flaky
from tests.modules.venues.paper_markets import A, Bar, at, market

JUDGE = Judge()
UNKNOWN = JUDGE.answer(1_760_000_000_000, ())
"""What the rules say where nothing is known."""

STOP = 95.0


def answer(**outputs: Any) -> Answer:
    """An answer with these outputs, dots as two underscores, and of the others those that nothing known gives."""
    named = {name.replace("__", "."): value for name, value in outputs.items()}
    quiet: dict[str, Any] = {"ess.actions": {}, "verdict": {}, "pba.actions": {}, "pal.actions": {}}
    return replace(UNKNOWN, outputs={**UNKNOWN.outputs, **quiet, **named})


def allowed(*keys: str) -> dict[str, Any]:
    """Outputs that allow these requests, and let them trade at once."""
    return {
        "verdict": dict.fromkeys(keys, "ALLOW"),
        "aelm__order_type": dict.fromkeys(keys, "IOC"),
        "aelm__max_slippage": dict.fromkeys(keys, 0.01),
        "aelm__max_participation": 0.1,
    }


@dataclass
class Scene:
    """A fund at `venue`, which is `paper` behind something that fails as it is told."""

    paper: PaperExchange
    venue: Flaky
    ledger: Ledger
    actions: Actions
    world: VenueWorld

    def look(self, **requests: Request) -> Inputs:
        """The state of now."""
        return self.world.inputs(self.paper.time(), None, requests)

    def step(self, requests: dict[str, Request] | None = None, **outputs: Any) -> Inputs:
        """A snapshot a second later, and what is done about it; what the fund itself asked for is in the inputs."""
        self.paper.advance(self.paper.time() + 1000)
        seen = self.look(**(requests or {}))
        self.world.obey(answer(**outputs), seen)
        return seen

    def open(self, quantity: float, side: str = "LONG", stop: float | None = STOP, target: float | None = None) -> None:
        """Open a position of so many units at about 100, and let the ledger know."""
        self.propose(quantity, side, stop, target)
        self.look()

    def propose(
        self, quantity: float, side: str = "LONG", stop: float | None = STOP, target: float | None = None
    ) -> None:
        """Open a position of so many units at about 100, of which the ledger learns with the next look."""
        request = Request(
            A, side, self.paper.time(), quantity * 100.0, leverage=10.0, model="xgboost", confidence=0.8, votes=3,
            stop=stop, target=target,
        )  # fmt: skip
        self.step({"open": request}, **allowed("open"))

    @property
    def held(self) -> Position | None:
        """The position that the venue has."""
        return self.paper.positions().get(A)

    def close(self) -> None:
        """Let go of every file."""
        self.actions.execution.intents.close()
        self.ledger.close()
        self.paper.close()


def scene(
    later: Sequence[Bar] = (),
    folder: Path | None = None,
    *,
    stops: bool = False,
    wait: Callable[[float], None] | None = None,
) -> Scene:
    """A fund at a paper exchange whose price is 100 and then goes as `later` says, a minute a bar.

    With a folder it is as it was left there. `stops` says whether the venue takes stop orders.
    """
    free = Conditions(taker_fee=0.0, maker_fee=0.0, latency_ms=0)
    path = None if folder is None else folder / "paper.jsonl"
    paper = PaperExchange(market(later, volume=1_000_000.0, books={}), start=at(10), conditions=free, journal=path)
    paper.takes_stops = stops
    venue = Flaky(paper)
    ledger = Ledger(None if folder is None else folder / "ledger.jsonl", fee=0.0)
    controls = Controls()
    execution = SmartExecution(
        venue.as_venue(), intents=None if folder is None else folder / "intents.jsonl", clock=paper.time,
        wait=wait or (lambda seconds: paper.advance(paper.time() + int(seconds * 1000))),
        stop_requested=controls.stop_requested,
    )  # fmt: skip
    known: Venue = venue.as_venue()
    actions = Actions(known, execution, ledger, _judge=JUDGE)
    world = VenueWorld(
        known, ledger, controls, ended=actions.ended, act=actions.obey, refused=actions.refused,
        wanted=actions.wanted, ticket_of=execution.intents.ticket_of, unsure=actions.unsure,
    )  # fmt: skip
    return Scene(paper, venue, ledger, actions, world)
