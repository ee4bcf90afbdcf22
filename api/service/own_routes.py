"""What one module alone is asked, each its own: the universe, a category, a position, a mode, the stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from api.service.problems import Problem
from evaluators.timestamps import format_time
from modules.ai_hedgefund_os import AIHedgeFundOS
from modules.emergency_stop_system import EmergencyStopSystem
from modules.inputs import Inputs
from modules.meta_strategy_controller import MetaStrategyController
from modules.module import Module
from modules.opportunity_ranker import OpportunityRanker
from modules.orchestrator_policy import OrchestratorPolicy
from modules.position_intelligence import PositionIntelligenceLayer
from modules.profit_amplification import ProfitAmplificationLayer
from modules.universe_os import UniverseOS

SECOND = 1000

Newest = Callable[[], Inputs | None]


def add_own_routes(app: APIRouter, module: Module, inputs: Newest) -> None:
    """Add what `module` in particular is asked, on its newest `inputs`."""
    match module:
        case UniverseOS():
            _add_universe(app, module, inputs)
        case PositionIntelligenceLayer() | ProfitAmplificationLayer():
            _add_position(app, module)
        case MetaStrategyController():
            app.get("/conditions")(lambda: module.evaluate_market_conditions(_there(inputs)))
        case OpportunityRanker():
            app.get("/top")(lambda: module.get_top_opportunities(inputs=_there(inputs)))
        case OrchestratorPolicy():
            app.get("/policy")(lambda: _dated(module.get_current_policy(), "as_of", SECOND))
        case AIHedgeFundOS() | EmergencyStopSystem():
            app.get("/state")(lambda: _state(module))
        case _:
            pass  # Its facts are all there is to ask.


def _add_universe(app: APIRouter, module: UniverseOS, inputs: Newest) -> None:
    @app.get("/universe")
    def universe() -> list[dict[str, Any]]:
        """Every symbol that the venue lists: the universe first, and why each other is not in it."""
        return [asdict(member) for member in module.universe(_there(inputs))]

    @app.get("/universe/{symbol}")
    def member(symbol: str) -> dict[str, Any]:
        """One symbol."""
        found = next((m for m in module.universe(_there(inputs)) if m.symbol == symbol), None)
        if found is None:
            raise Problem(404, "no such symbol", f"the venue lists no `{symbol}`")
        return asdict(found)


def _add_position(app: APIRouter, module: PositionIntelligenceLayer | ProfitAmplificationLayer) -> None:
    if isinstance(module, PositionIntelligenceLayer):
        pil = module

        @app.post("/classify")
        def classify(position: dict[str, Any]) -> dict[str, Any]:
            """How a position that is handed over does; what is not known of it is named."""
            return asdict(pil.classify_position(position))

    else:
        pal = module

        @app.post("/evaluate")
        def evaluate(position: dict[str, Any]) -> dict[str, Any]:
            """What the rules permit for a position that is handed over, in ordinary times."""
            return asdict(pal.evaluate(position))


def _state(module: AIHedgeFundOS | EmergencyStopSystem) -> dict[str, Any]:
    """How a fund's mode or stop stands, as plain JSON."""
    found = _dated(asdict(module.state()), "ts")
    hand = found.get("hand")
    return found if hand is None else found | {"hand": _dated(hand, "at")}


def _dated(found: dict[str, Any], name: str, unit: int = 1) -> dict[str, Any]:
    """The document with the time under `name`, in `unit` ms since 1970 UTC, as times are written elsewhere."""
    return found | {name: format_time(round(found[name] * unit))}


def _there(inputs: Newest) -> Inputs:
    found = inputs()
    if found is None:
        raise Problem(503, "not ready", "the module has not run yet")
    return found
