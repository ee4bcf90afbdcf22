"""Every fact that rules may name, as pydantic models by subject, and the catalogue made of them."""

from __future__ import annotations

from functools import cache

from modules.facts.account import AccountFacts, ClockFacts, FundFacts, OperatorFacts, SystemFacts
from modules.facts.events import ErrorEvent, OrderEvent, TradeEvent
from modules.facts.market import MarketFacts, SectorFacts, SymbolFacts
from modules.facts.operations import ModelFacts, ServiceFacts
from modules.facts.trading import PositionFacts, RequestFacts
from policy_dsl.catalogue import Catalogue, FactModel, catalogue_of

FACT_MODELS: tuple[type[FactModel], ...] = (
    AccountFacts, MarketFacts, ClockFacts, OperatorFacts, FundFacts, SystemFacts, SymbolFacts, PositionFacts,
    RequestFacts, SectorFacts, ModelFacts, ServiceFacts, TradeEvent, ErrorEvent, OrderEvent,
)  # fmt: skip


@cache
def default_catalogue() -> Catalogue:
    """The catalogue of every fact of the fund; made once."""
    return catalogue_of(FACT_MODELS)


CATALOGUE = default_catalogue()
"""The catalogue of every fact of the fund."""

__all__ = ["CATALOGUE", "FACT_MODELS", "default_catalogue"]
