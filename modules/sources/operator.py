"""What people have asked for by hand."""

from __future__ import annotations

from typing import ClassVar

from modules.inputs import Inputs
from modules.supply import Supply


class OperatorSource:
    """`operator.*`."""

    name: ClassVar[str] = "operator"
    policy: ClassVar[str | None] = None
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("operator",)

    def compute(self, inputs: Inputs) -> Supply:
        """The controls as they stand."""
        asked = inputs.machinery.operator
        return Supply(
            single={
                "operator.stop_requested": asked.stop_requested,
                "operator.reset_requested": asked.reset_requested,
                "operator.flatten_on_stop": asked.flatten_on_stop,
                "operator.risk_mode": asked.risk_mode,
            }
        )
