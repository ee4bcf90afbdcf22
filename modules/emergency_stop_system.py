"""ESS, the emergency stop: how it stands, and the hands that may pull it or ask for it to be re-armed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import time
from typing import ClassVar

from modules.inputs import Inputs
from modules.judge import Answer, Judge
from modules.runtime.controls import Controls
from modules.supply import Supply

CANCEL, FLATTEN = "CANCEL_ORDERS", "FLATTEN"
"""Items of `ess.actions`."""


@dataclass(frozen=True, slots=True)
class StopState:
    """The stop at `ts` (ms since 1970 UTC): whether it halts the fund, what is to be done, and by rule why."""

    ts: int
    is_halted: bool
    cancel_orders: bool
    flatten: bool
    because: Mapping[str, str]


class EmergencyStopSystem:
    """Supplies no facts: the rules of `ess` trip the stop, latch it, and say when a reset re-arms it.

    `answer` gives the fund's newest decision, None before the first one; without one the fund is halted. `controls` are
    where people ask.
    """

    name: ClassVar[str] = "ess"
    policy: ClassVar[str | None] = "ess"
    port: ClassVar[int | None] = 8012
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        answer: Callable[[], Answer | None] = lambda: None,
        controls: Controls | None = None,
        judge: Judge | None = None,
        now: Callable[[], float] = time,
    ) -> None:
        self._answer, self._judge, self._now = answer, judge, now
        self.controls = controls or Controls()

    def compute(self, inputs: Inputs) -> Supply:
        """No facts."""
        del inputs
        return Supply()

    def state(self) -> StopState:
        """How the stop stands in the fund's newest decision."""
        answer = self._answer()
        if answer is None:
            self._judge = self._judge or Judge()
            answer = self._judge.answer(self._ms(), ())
        actions = answer.of("ess.actions")
        said = {rule: why for rule, why in sorted(answer.because.items()) if rule.startswith(f"{self.policy}.")}
        halted = answer.of("ess.state") == "HALTED"
        return StopState(answer.decision.ts, halted, CANCEL in actions, FLATTEN in actions, said)

    def trip(self, person: str, reason: str) -> None:
        """Pull the stop: the next snapshot halts. Raises PolicyError (RF851) without a person or a reason."""
        self.controls.stop(self._ms(), person, reason)

    def reset(self, person: str, reason: str) -> None:
        """Ask for it to be re-armed; the rules refuse while a cause stands. Raises PolicyError (RF851) as `trip`."""
        self.controls.reset(self._ms(), person, reason)

    def _ms(self) -> int:
        return int(self._now() * 1000)
