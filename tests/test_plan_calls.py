"""The calls of the plan, as they stand there but for where they import from: constructors take no arguments."""

from __future__ import annotations

from typing import Any

import pytest

from modules.ai_hedgefund_os import AIHedgeFundOS, SystemRiskMode
from modules.emergency_stop_system import EmergencyStopSystem
from modules.meta_strategy_controller import MetaStrategyController
from modules.model_supervisor import ModelSupervisor
from modules.opportunity_ranker import OpportunityRanker
from modules.orchestrator_policy import OrchestratorPolicy
from modules.portfolio_balancer import PortfolioBalancer
from modules.position_intelligence import PositionIntelligenceLayer
from modules.profit_amplification import ProfitAmplificationLayer
from modules.retraining_orchestrator import RetrainingOrchestrator
from modules.self_healing import SelfHealing
from modules.smart_execution import SmartExecution
from modules.trading_mathematician import TradingMathematician
from modules.universe_os import UniverseOS


def log(*said: object) -> None:
    """What the plan's snippets do with what they found out."""


def test_orchestrator_policy_gates_a_signal() -> None:
    policy = OrchestratorPolicy()
    confidence, skipped = 0.65, False
    current_policy = policy.get_current_policy()
    if not current_policy["allow_trades"]:
        log("Trading not allowed")
        skipped = True
    elif confidence < current_policy["min_confidence"]:
        log(f"Confidence {confidence} < {current_policy['min_confidence']}")
        skipped = True
    # Without a fund nothing is known, and what is not known is not allowed.
    assert skipped
    assert current_policy["allow_trades"] is False
    assert isinstance(current_policy["min_confidence"], float)


POSITION: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "LONG",
    "unrealized_pnl_pct": 0.05,
    "current_R": 2.5,
    "pil_classification": "WINNER",
}


def test_position_intelligence_classifies() -> None:
    pil = PositionIntelligenceLayer()
    classification = pil.classify_position(POSITION)
    assert classification.category == "WINNER"
    assert pil.classify_position(POSITION | {"current_R": -0.9, "unrealized_pnl_pct": -0.02}).category == "LOSER"


def test_profit_amplification_evaluates() -> None:
    pil = PositionIntelligenceLayer()
    pal = ProfitAmplificationLayer(pil=pil)
    action = pal.evaluate_position(POSITION)
    assert action in {"ADD_SIZE", "EXTEND_HOLD"}
    loser = POSITION | {"current_R": -0.5, "unrealized_pnl_pct": -0.01}
    assert pal.evaluate(loser).action == "NO_ACTION"
    assert ProfitAmplificationLayer().evaluate(POSITION).action == action


def test_portfolio_balancer_knows_the_universe() -> None:
    universe = UniverseOS()
    pba = PortfolioBalancer(universe=universe)
    assert pba.get_symbol_category("BTCUSDT") == "CORE"


def test_trading_mathematician_sizes() -> None:
    math_ai = TradingMathematician()
    params = math_ai.calculate_optimal_parameters(balance=10_000, atr_pct=0.02, win_rate=0.6)
    margin, leverage = params["margin_usd"], params["leverage"]
    tp_pct, sl_pct = params["tp_pct"], params["sl_pct"]
    assert 0 < margin <= 10_000
    assert leverage >= 1
    assert tp_pct >= 2 * sl_pct > 0
    assert math_ai.calculate_optimal_parameters(balance=10_000, atr_pct=0.02, win_rate=0.3)["margin_usd"] == 0


def test_ai_hfos_sets_the_risk_mode_and_the_cascade_follows() -> None:
    ai_hfos = AIHedgeFundOS()
    ai_hfos.set_risk_mode(SystemRiskMode.SAFE)
    assert ai_hfos.get_risk_mode() is SystemRiskMode.SAFE
    directives = {d.output: d.value for listed in ai_hfos.directives().values() for d in listed}
    assert directives["pba.max_exposure"] == 0.5
    assert directives["pal.amplification"] == "OFF"
    assert directives["orchestrator.min_confidence"] == 0.7
    assert directives["universe.min_tier"] == "CORE"
    assert directives["healing.stance"] == "DEFENSIVE"


@pytest.mark.parametrize("urgency", ["low", "normal", "high"])
def test_smart_execution_places_an_order(urgency: str) -> None:
    aelm = SmartExecution()
    order = aelm.execute_order(symbol="BTCUSDT", side="BUY", size=0.1, urgency=urgency)
    assert 0 <= order.filled <= 0.1


def test_meta_strategy_controller_evaluates_the_market() -> None:
    msc = MetaStrategyController()
    market_state = msc.evaluate_market_conditions()
    if market_state["risk_mode"] == "AGGRESSIVE":
        log("scalping")
    elif market_state["risk_mode"] == "DEFENSIVE":
        log("conservative strategies only")
    assert market_state["risk_mode"] in {"DEFENSIVE", "NORMAL", "AGGRESSIVE"}


def test_opportunity_ranker_names_at_most_twenty() -> None:
    ranker = OpportunityRanker()
    top_symbols = ranker.get_top_opportunities(limit=20)
    assert 0 < len(top_symbols) <= 20


def test_the_modules_that_the_plan_only_starts_are_made_without_arguments_too() -> None:
    names = [made().name for made in (EmergencyStopSystem, ModelSupervisor, RetrainingOrchestrator, SelfHealing)]
    assert names == ["ess", "model_supervisor", "retraining_orchestrator", "self_healing"]
