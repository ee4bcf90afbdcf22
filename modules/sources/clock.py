"""The clock and the machine that the fund runs on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from modules.inputs import Inputs
from modules.supply import Supply


class ClockSource:
    """`clock.*`, and of `system` what the machine itself tells."""

    name: ClassVar[str] = "clock"
    policy: ClassVar[str | None] = None
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("runtime",)

    def compute(self, inputs: Inputs) -> Supply:
        """The facts of the time of the snapshot."""
        now = datetime.fromtimestamp(inputs.ts / 1000, UTC)
        facts: dict[str, Any] = {
            "clock.now": inputs.ts / 1000,
            "clock.hour": now.hour,
            "clock.weekday": now.weekday(),
            "system.cpu": inputs.machinery.cpu,
            "system.memory": inputs.machinery.memory,
        }
        reasons = {f"system.{n}": "not measured" for n in ("cpu", "memory") if facts[f"system.{n}"] is None}
        if inputs.before is None:
            reasons["system.snapshot_gap"] = "this is the first snapshot"
        else:
            facts["system.snapshot_gap"] = (inputs.ts - inputs.before.ts) / 1000
        return Supply(single=facts, reasons=reasons)
