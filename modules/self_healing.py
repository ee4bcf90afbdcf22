"""Self-Healing: how the fund's services do, from their heartbeats, their answers and their failures."""

from __future__ import annotations

from typing import Any, ClassVar

from modules.inputs import Failure, Inputs, Service
from modules.supply import Row, Supply

HOUR_MS, MINUTE_MS = 3_600_000, 60_000

ACTIONS = "healing.actions"
"""The output that says what may be repaired."""

UNWATCHED = "nobody watches the services"


class SelfHealing:
    """Supplies rows of services, the error rates of all of them together, and `error` events. It repairs nothing.

    What may be repaired is for the rules of `healing`; `modules.supervision` does what they permit.
    """

    name: ClassVar[str] = "self_healing"
    policy: ClassVar[str | None] = "healing"
    port: ClassVar[int | None] = 8009
    interval: ClassVar[float] = 5
    owners: ClassVar[tuple[str, ...]] = ("Self-Healing",)

    def compute(self, inputs: Inputs) -> Supply:
        """The facts of the services at `inputs.ts`; a rate of no requests at all is unknown."""
        services, ts = inputs.machinery.services, inputs.ts
        if services is None:
            reasons = dict.fromkeys(("service", "system.error_rate", "system.errors_per_minute"), UNWATCHED)
            return Supply(reasons=reasons)
        reasons = {}
        rows: dict[str, Row] = {}
        for name in sorted(services):
            rows[name] = _row(services[name], ts)
            if "status" not in rows[name]:
                reasons[f'service["{name}"].status'] = "it was not asked how it does"
            if "error_rate" not in rows[name]:
                reasons[f'service["{name}"].error_rate'] = "nothing was asked of it in five minutes"
        requests = sum(s.requests for s in services.values())
        single: dict[str, Any] = {
            "system.errors_per_minute": sum(ts - MINUTE_MS < f.at <= ts for f in inputs.machinery.failures)
        }
        if requests > 0:
            single["system.error_rate"] = sum(s.failures for s in services.values()) / requests
        else:
            reasons["system.error_rate"] = "nothing was asked of any service in five minutes"
        news = [f for f in inputs.machinery.failures if _told_by(inputs) < f.at <= ts]
        return Supply(single, {"service": rows}, {"error": tuple(_event(f) for f in news)}, reasons)


def _told_by(inputs: Inputs) -> int:
    """The time up to which failures have been told: by this process, or else in the snapshot before."""
    if inputs.told is not None:
        return inputs.told
    return inputs.ts - MINUTE_MS if inputs.before is None else inputs.before.ts


def _row(service: Service, ts: int) -> Row:
    row: dict[str, Any] = {
        "affects_trading": service.affects_trading,
        "restarts": sum(ts - HOUR_MS < at <= ts for at in service.restarted),
    }
    if service.answers is not None:
        row["status"] = "DOWN" if not service.answers else "DEGRADED" if service.is_degraded else "UP"
    if service.requests > 0:
        row["error_rate"] = service.failures / service.requests
    restarted = [at for at in service.restarted if at <= ts]
    if restarted or service.began is not None:
        row["since_restart"] = (ts - (max(restarted) if restarted else min(ts, service.began or ts))) / 1000
    if service.seen is not None:
        row["last_seen"] = max(0, ts - service.seen) / 1000
    return row


def _event(failure: Failure) -> Row:
    return {"service": failure.service, "kind": failure.kind}
