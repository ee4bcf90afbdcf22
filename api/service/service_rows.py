"""How the services of a fund do, and what its rules say of each, as the newest snapshot has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api.service.running import Running
from api.states import rule_document
from evaluators.documents import rows_document
from modules.facts import CATALOGUE
from modules.runtime.fund import Step
from modules.self_healing import ACTIONS
from policy_dsl.program import Rule

SERVICE = "service"
TOLD = ("status", "affects_trading", "restarts", "since_restart", "last_seen", "error_rate")


def service_rows(running: Running, step: Step) -> Iterator[dict[str, Any]]:
    """Each service by name: its facts (None: not known; times in seconds), what may be repaired, and why not more."""
    rows = rows_document(step.told.snapshot, CATALOGUE.entities[SERVICE]) or {}
    about = {rule.id for rule in step.bundle.program.rules if _is_about_services(rule)}
    permitted = step.answer.outputs.get(ACTIONS) or {}
    faults = {} if running.services is None else running.services.patrol.faults
    for name, row in sorted(rows.items()):
        yield {
            "service": name,
            **{fact: row.get(fact) for fact in TOLD},
            "permitted": sorted(permitted.get(name, ())),
            "rules": [rule_document(r, step.bundle) for r in step.told.reasons if r.key == name and r.rule in about],
            "fault": faults.get(name),
        }


def _is_about_services(rule: Rule) -> bool:
    return rule.scope is not None and rule.scope.entity == SERVICE
