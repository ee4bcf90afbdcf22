"""How far each position comes on the way to being added to: of few that are, a reader asks why not more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluators.snapshot import Fields
from modules.facts.levels import CATEGORY
from modules.runtime.fund import Step
from modules.runtime.ledger import Lot
from modules.trading_day.lived import Stage
from policy_dsl.bundle import Bundle
from policy_dsl.types import Value

ADD = "ADD_SIZE"
"""The action that adds to a position; the names of its orders begin so, too."""

ACTIONS, TREND, LEAST_R = "pal.actions", "pal.trend", "pal.min_r"
"""The outputs that say what may be done with a position and what trend carries it; the param of the R an add takes."""

WINNER, STRONG, ALLOW = CATEGORY.rank("WINNER"), "STRONG", "ALLOW"


class Growth:
    """What is written down of each position of a run, by its symbol and the time of its opening."""

    def __init__(self, bundle: Bundle) -> None:
        self._least = next((p.value for p in bundle.program.params if p.id == LEAST_R), None)
        self._is_known = {ACTIONS, TREND} <= {o.id for o in bundle.program.outputs} and self._least is not None
        self._reached: dict[tuple[str, int], set[Stage]] = {}

    def stages(self) -> Mapping[Stage, int]:
        """How many positions came so far."""
        if not self._is_known:
            return {}
        return {stage: sum(stage in reached for reached in self._reached.values()) for stage in Stage}

    def note(self, step: Step, lots: Mapping[str, Lot]) -> None:
        """Write down how far the positions of a snapshot have come, of which `lots` says when they were opened."""
        if not self._is_known:
            return
        snapshot, outputs = step.assembled.snapshot, step.answer.outputs
        for key, row in (snapshot.collection("position") or {}).items():
            lot = lots.get(str(row.get("symbol")))
            if lot is not None:
                found = self._reached.setdefault((str(row["symbol"]), lot.opened), set())
                found |= self._of_position(key, row, outputs)
        for row_key, row in (snapshot.collection("request") or {}).items():
            lot = lots.get(str(row.get("symbol")))
            if lot is not None and row_key.startswith("add-"):
                found = self._reached.setdefault((str(row["symbol"]), lot.opened), set())
                found |= {Stage.ASKED, *([Stage.ALLOWED] if step.answer.of("verdict", row_key) == ALLOW else [])}

    def _of_position(self, key: str, row: Fields, outputs: Mapping[str, Any]) -> set[Stage]:
        found = {Stage.WINNER} if row.get("category") == WINNER else set()
        if _is_over(row.get("r_multiple"), self._least):
            found.add(Stage.FAR)
            if outputs[TREND].get(key) == STRONG:
                found.add(Stage.STRONG)
        if ADD in (outputs[ACTIONS].get(key) or {}):
            found.add(Stage.GRANTED)
        return found


def _is_over(value: Value | None, least: Value | None) -> bool:
    return isinstance(value, int) and isinstance(least, int) and value > least
