"""The modules of a fund, in the order in which they run: who reads the facts of others comes after them."""

from __future__ import annotations

from collections.abc import Callable

from modules.ai_hedgefund_os import AIHedgeFundOS
from modules.emergency_stop_system import EmergencyStopSystem
from modules.judge import Answer
from modules.meta_strategy_controller import MetaStrategyController
from modules.model_supervisor import ModelSupervisor
from modules.module import Module
from modules.opportunity_ranker import OpportunityRanker
from modules.orchestrator_policy import OrchestratorPolicy
from modules.portfolio_balancer import PortfolioBalancer
from modules.position_intelligence import PositionIntelligenceLayer
from modules.profit_amplification import ProfitAmplificationLayer
from modules.retraining_orchestrator import RetrainingOrchestrator
from modules.runtime.controls import Controls
from modules.self_healing import SelfHealing
from modules.smart_execution import SmartExecution
from modules.sources import BookSource, ClockSource, FeedSource, OperatorSource
from modules.trading_mathematician import TradingMathematician
from modules.universe_os import UniverseOS


def roster(
    execution: SmartExecution, controls: Controls, answer: Callable[[], Answer | None] = lambda: None
) -> tuple[Module, ...]:
    """Every source and module there is; `answer` gives the fund's newest decision to those that tell of it."""
    pil, universe = PositionIntelligenceLayer(), UniverseOS()
    return (
        BookSource(),
        FeedSource(),
        OperatorSource(),
        ClockSource(),
        MetaStrategyController(),
        universe,
        OpportunityRanker(),
        pil,
        PortfolioBalancer(universe=universe),
        TradingMathematician(),
        execution,
        ModelSupervisor(),
        RetrainingOrchestrator(),
        SelfHealing(),
        OrchestratorPolicy(answer),
        ProfitAmplificationLayer(pil=pil),
        EmergencyStopSystem(answer, controls),
        AIHedgeFundOS(answer, controls),
    )
