"""One module that runs by itself, without rules: what it computes of a venue, and its switch and mode in this process.

It runs with the modules whose facts it reads, on what a venue tells; nothing is decided, stored or traded. Switched off
it computes nothing and answers no question of its own. Its mode is kept and told: modes are of rules, and rules run in
`ringfence serve`. What a module would answer by the rules of its policy, it does not where that is off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import structlog
from fastapi import APIRouter, Depends, FastAPI

from api.service.asked import Hand
from api.service.loopback import LoopbackOnly
from api.service.module_routes import check_mode
from api.service.own_routes import add_own_routes
from api.service.problems import Problem, answer_with_problems
from api.service.reading import read_strictly
from evaluators.documents import document_from_snapshot
from evaluators.refusals import refusal
from evaluators.snapshot import Snapshot
from evaluators.timestamps import format_time
from modules.ai_hedgefund_os import AIHedgeFundOS
from modules.assembly import assemble, facts_of
from modules.emergency_stop_system import EmergencyStopSystem
from modules.facts import CATALOGUE
from modules.feeds.history import HourlyHistory
from modules.inputs import Inputs
from modules.module import Module
from modules.orchestrator_policy import OrchestratorPolicy
from modules.profit_amplification import ProfitAmplificationLayer
from modules.runtime.controls import Controls
from modules.runtime.ledger import Ledger
from modules.runtime.roster import roster
from modules.runtime.runner import Runner
from modules.runtime.switches import MODES, POLICIES, mode_variable
from modules.runtime.venue_world import VenueWorld
from modules.smart_execution import SmartExecution
from modules.venues.paper import PaperExchange
from modules.venues.venue import Venue
from policy_dsl.configuration import Mode
from policy_dsl.diagnostics import did_you_mean

log = structlog.get_logger()

BOOK = "main"

BY_RULES = (ProfitAmplificationLayer, OrchestratorPolicy, AIHedgeFundOS, EmergencyStopSystem)
"""The modules that answer by the rules of their policy, and not by facts alone."""


@dataclass(slots=True)
class Alone:
    """A module with what it needs; `step` lets it see the venue once more. `now` is in ms since 1970 UTC.

    The hours of `history` are fetched beside the steps: until they are there, what is worked out of them is missing.
    `off` says by what or whom it was switched off, None while it is on; `mode_by` what or who set its mode.
    """

    module: Module
    runner: Runner
    world: VenueWorld
    history: HourlyHistory
    now: Callable[[], int]
    mode: Mode = Mode.ENFORCE
    off: str | None = None
    mode_by: str = ""
    inputs: Inputs | None = None
    snapshot: Snapshot | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def is_on(self) -> bool:
        """Whether it runs."""
        return self.off is None

    def check_answers(self) -> None:
        """Raises Problem (503) where it was switched off, and where it would go by the rules of a policy that is."""
        if self.off is not None:
            raise Problem(503, "switched off", f"{self.module.name} was switched off by {self.off}", enable="/enable")
        if self.mode is Mode.OFF and isinstance(self.module, BY_RULES):
            why = f"{self.module.name} answers by the rules of `{self.module.policy}`, which are off, by {self.mode_by}"
            raise Problem(503, "its policy is off", why, set_mode="/set_mode/enforce")

    def step(self) -> None:
        """Compute what is due on what the venue tells now."""
        with self._lock:
            inputs = self.world.inputs(self.now(), self.snapshot, {})
            made = assemble(BOOK, inputs.ts, self.runner.supplied(inputs))
            self.inputs, self.snapshot, self.reasons = inputs, made.snapshot, dict(made.reasons)

    def close(self) -> None:
        """End its threads. The venue is whoever's who made it."""
        self.history.close()
        self.runner.close()

    def facts(self) -> dict[str, Any]:
        """The module's own facts as a state document, and why those that are missing are."""
        if self.snapshot is None:
            raise Problem(503, "not ready", "the module has not run yet")
        own = {fact.path for fact in facts_of(self.module.owners)}
        document = document_from_snapshot(self.snapshot, CATALOGUE)
        kept: dict[str, Any] = {"ts": document["ts"]}
        for name in CATALOGUE.entities:
            if name in document:
                found = _only(own, name, document[name])
                if found:
                    kept[name] = found
        missing = {path: why for path, why in self.reasons.items() if _path_of(path) in own}
        return {**kept, "missing": missing}


def alone(name: str, venue: Venue, now: Callable[[], int], mode: Mode) -> Alone:
    """The module called `name` by itself at `venue`. Raises PolicyError (RF853) where there is none."""
    controls = Controls()
    # Orders are no matter of a module alone: what it is given to execute with stands apart from the venue.
    found = roster(SmartExecution(PaperExchange()), controls)
    names = [m.name for m in found]
    if name not in POLICIES or name not in names:
        known = [n for n in names if n in POLICIES]
        hint = did_you_mean(name, known) or f"one of {', '.join(known)}"
        raise refusal("RF853", f"no module is called `{name}`", hint)
    needed = found[: names.index(name) + 1]
    runner = Runner(needed)
    history = HourlyHistory(venue, behind=True)
    world = VenueWorld(venue, Ledger(), controls, BOOK, history)
    made = Alone(needed[-1], runner, world, history, now, mode, mode_by=mode_variable(name))
    runner.is_on = lambda one: one != name or made.is_on
    return made


def create_module_app(one: Alone) -> FastAPI:
    """The service of a module by itself."""
    app = FastAPI(title=f"ringfence {one.module.name}", docs_url=None, redoc_url=None)
    app.add_middleware(LoopbackOnly)
    read_strictly(app)
    answer_with_problems(app)

    @app.head("/health", include_in_schema=False)
    @app.get("/health")
    def health() -> dict[str, Any]:
        """The process is there, and how the module's last run went."""
        return _health(one)

    @app.post("/disable")
    def disable(hand: Hand | None = None) -> dict[str, Any]:
        """Let its facts be missing from now on."""
        return _switched(one, hand, on=False)

    @app.post("/enable")
    def enable(hand: Hand | None = None) -> dict[str, Any]:
        """Let it compute again, from now on."""
        return _switched(one, hand, on=True)

    @app.post("/set_mode/{mode}")
    def set_mode(mode: str, hand: Hand | None = None) -> dict[str, Any]:
        """Keep the mode, and tell it."""
        check_mode(one.module, mode)
        one.mode, one.mode_by = MODES[mode.lower()], _hand(one, hand, f"/set_mode/{mode}")
        log.info("mode set", module=one.module.name, mode=one.mode.value, **_who(hand))
        return _health(one)

    @app.get("/facts")
    def facts() -> dict[str, Any]:
        """The module's facts at its newest run."""
        return one.facts()

    own = APIRouter(route_class=app.router.route_class, dependencies=[Depends(one.check_answers)])
    add_own_routes(own, one.module, lambda: one.inputs)
    app.include_router(own)
    return app


def _health(one: Alone) -> dict[str, Any]:
    run = one.runner.runs.get(one.module.name)
    return {
        "status": "up",
        "module": one.module.name,
        "on": one.is_on,
        "off_by": one.off,
        "policy": one.module.policy,
        "mode": None if one.module.policy is None else one.mode.value,
        "interval": one.module.interval,
        "last_run": None if run is None else format_time(run.at),
        "fault": None if run is None else run.fault,
    }


def _switched(one: Alone, hand: Hand | None, *, on: bool) -> dict[str, Any]:
    one.off = None if on else _hand(one, hand, "/disable")
    log.info("module switched", module=one.module.name, on=on, **_who(hand))
    one.step()
    return _health(one)


def _hand(one: Alone, hand: Hand | None, path: str) -> str:
    """Who called, when and why; a call may leave out who, as the plan's do."""
    who = f"a call of {path} that names nobody" if hand is None else hand.person
    return f"{who} at {format_time(one.now())}" + ("" if hand is None else f": {hand.reason}")


def _who(hand: Hand | None) -> dict[str, str]:
    return {} if hand is None else {"person": hand.person, "reason": hand.reason}


def _only(own: set[str], entity: str, written: Any) -> Any:
    """Of an entity as it is written in a document, the facts that are the module's."""
    if isinstance(written, list):
        return [row for event in written if (row := _only(own, entity, event))]
    rows: dict[str, Any] = written
    if any(isinstance(value, dict) for value in rows.values()):
        return {key: row for key, fields in rows.items() if (row := _only(own, entity, fields))}
    return {name: value for name, value in rows.items() if f"{entity}.{name}" in own}


def _path_of(place: str) -> str:
    """The path of the fact at a place: `symbol.trend` of `symbol["BTCUSDT"].trend`."""
    entity, _, rest = place.partition("[")
    return f"{entity}.{rest.rpartition('.')[2]}" if rest else place
