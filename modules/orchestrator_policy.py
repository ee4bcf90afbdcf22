"""Orchestrator Policy: what the fund's policy is now, for whoever is about to trade."""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any, ClassVar

from modules.inputs import Inputs
from modules.judge import Answer, Judge
from modules.supply import Supply

OUTPUTS = (
    "allow_trades", "min_confidence", "max_risk", "risk_profile", "entry_mode", "exit_mode", "max_positions",
)  # fmt: skip
"""The outputs of the policy."""


class OrchestratorPolicy:
    """Supplies no facts: the policy is what the rules of `orchestrator` make of everybody else's.

    `answer` gives the fund's newest decision, None before the first one. Without a fund nothing is known, and what is
    not known is not allowed.
    """

    name: ClassVar[str] = "orchestrator_policy"
    policy: ClassVar[str | None] = "orchestrator"
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ()

    def __init__(self, answer: Callable[[], Answer | None] = lambda: None, judge: Judge | None = None) -> None:
        self._answer = answer
        self._judge = judge

    def compute(self, inputs: Inputs) -> Supply:
        """No facts."""
        del inputs
        return Supply()

    def get_current_policy(self) -> dict[str, Any]:
        """The policy by name of its outputs, `as_of` (seconds since 1970 UTC), and `because`: what each rule says.

        Whoever trades on it must see for himself how old it is.
        """
        answer = self._answer() or self._unknown()
        policy: dict[str, Any] = {name: answer.of(f"{self.policy}.{name}") for name in OUTPUTS}
        because = {rule: why for rule, why in answer.because.items() if rule.startswith(f"{self.policy}.")}
        return policy | {"as_of": answer.decision.ts / 1000, "because": because}

    def _unknown(self) -> Answer:
        if self._judge is None:
            self._judge = Judge()
        return self._judge.answer(int(time() * 1000), ())
