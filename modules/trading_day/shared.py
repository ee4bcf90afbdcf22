"""Modules whose facts follow from candles or models alone, which are the same for every run of a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from modules.inputs import Inputs
from modules.meta_strategy_controller import MetaStrategyController
from modules.model_supervisor import ModelSupervisor
from modules.module import Module
from modules.supply import Supply


class SharedMarketState(MetaStrategyController):
    """MSC AI of several funds that see the same candles: what it made of some it need not make again."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[int, Supply] = {}

    def compute(self, inputs: Inputs) -> Supply:
        """The facts of the candles at hand, all of which have closed by now."""
        key = id(inputs.market.candles)
        if key not in self._made:
            self._made[key] = super().compute(inputs)
        return self._made[key]


class SharedSupervisor(ModelSupervisor):
    """Model Supervisor of several funds whose models have the same records."""

    def __init__(self) -> None:
        self._made: dict[int, Supply] = {}

    def compute(self, inputs: Inputs) -> Supply:
        """The facts of the records at hand."""
        key = id(inputs.models)
        if key not in self._made:
            self._made[key] = super().compute(inputs)
        return self._made[key]


@dataclass(frozen=True, slots=True)
class SharedModules:
    """What the runs of one day share. It must not outlive the day: candles and records are told by identity."""

    market_state: SharedMarketState = field(default_factory=SharedMarketState)
    supervisor: SharedSupervisor = field(default_factory=SharedSupervisor)

    def among(self, modules: Sequence[Module]) -> tuple[Module, ...]:
        """The modules, with the shared ones in place of their own."""
        shared: dict[str, Module] = {m.name: m for m in (self.market_state, self.supervisor)}
        return tuple(shared.get(module.name, module) for module in modules)
