"""Which policies of a fund bind nothing for now, and what or who let them go."""

from __future__ import annotations

from typing import Any

from api.service.running import Running
from evaluators.timestamps import format_time
from modules.runtime.switchboard import NotBinding


def not_binding(running: Running) -> list[dict[str, Any]]:
    """The policies that do not enforce, the emergency stop first."""
    return [binding_document(found) for found in running.board.not_binding(running.fund.bundle)]


def policy_that_lets_go(running: Running, output: str) -> NotBinding | None:
    """The policy of an output, if it does not enforce; None for one that does, or that the rules do not have."""
    policy = output.partition(".")[0]
    return next((found for found in running.board.not_binding(running.fund.bundle) if found.policy == policy), None)


def binding_document(found: NotBinding) -> dict[str, Any]:
    """A policy that does not enforce, as plain JSON; `reason` and `at` are null unless a person set its mode."""
    return {
        "policy": found.policy,
        "mode": found.mode.value,
        "by": found.by,
        "reason": None if found.call is None else found.call.reason,
        "at": None if found.call is None else format_time(found.call.at),
    }
