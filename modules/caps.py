"""What the rules allow a proposal to be, by their params: the figures have one place, and it is the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policy_dsl.bundle import Bundle
from policy_dsl.program import Param
from policy_dsl.quantities import from_quanta
from policy_dsl.types import Quantity

SIZE = ("pretrade.max_order", "pba.symbol_limit", "pba.sector_limit", "pba.correlated_limit", "pba.total_limit")
"""The params that limit the notional of one request, as shares of equity, where nothing else is held."""

LEVERAGE = ("math.most_leverage", "pba.leverage_limit")
"""The params that limit leverage by itself."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Params by id, in document units: ratios as fractions, leverage as multiples."""

    figures: Mapping[str, float]

    def __getitem__(self, param: str) -> float:
        return self.figures[param]

    def of(self, params: tuple[str, ...]) -> dict[str, float]:
        """Those params with their values."""
        return {param: self.figures[param] for param in params}


def caps_of(bundle: Bundle, packaged: Bundle) -> Caps:
    """The caps of a bundle, as it is configured; a param that it has not is that of the packaged rules."""
    figures = {param.id: _figure(param) for rules in (packaged, bundle) for param in rules.program.params}
    return Caps({id: value for id, value in figures.items() if value is not None})


def _figure(param: Param) -> float | None:
    """The value of a param that is a number; None for any other."""
    if not isinstance(param.type, Quantity):
        return None
    return float(from_quanta(int(param.value), param.type.unit))
