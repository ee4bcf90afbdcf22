"""What a module that is switched off takes away from a state that is handed over: as much as in a fund at work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from evaluators.snapshot import Snapshot
from modules.assembly import ANCHORS, facts_of
from modules.facts import CATALOGUE
from policy_dsl.catalogue import Rows

OWNERS: Mapping[str, tuple[str, ...]] = {
    "ai_hfos": ("AI-HFOS",),
    "pba": ("PBA",),
    "pal": ("PAL",),
    "pil": ("PIL",),
    "universe_os": ("Universe OS",),
    "model_supervisor": ("Model Supervisor",),
    "self_healing": ("Self-Healing",),
    "aelm": ("AELM",),
    "orchestrator_policy": (),
    "trading_mathematician": ("Trading Mathematician",),
    "msc_ai": ("MSC AI",),
    "opportunity_ranker": ("OpportunityRanker",),
    "ess": (),
    "retraining_orchestrator": ("Retraining Orchestrator",),
}
"""The `owners` of each module, to be read without loading the modules, which takes seconds."""


def taken_by(modules: Iterable[str]) -> Mapping[str, str]:
    """The facts that are missing without these modules, by path: `account.risk`, `position.category`; and whose."""
    return {fact.path: module for module in modules for fact in facts_of(OWNERS[module])}


def without(snapshot: Snapshot, modules: Iterable[str]) -> Snapshot:
    """The snapshot as it is where these modules are off: their facts are missing, and rows that they alone know of."""
    off = tuple(modules)
    gone = taken_by(off).keys()
    owners = {owner for module in off for owner in OWNERS[module]}
    rows = {
        entity: None
        if found is None or ANCHORS.get(entity) in owners
        else {
            key: {name: value for name, value in fields.items() if f"{entity}.{name}" not in gone}
            for key, fields in found.items()
        }
        for entity, found in snapshot.rows.items()
    }
    facts = {path: value for path, value in snapshot.facts.items() if path not in gone}
    theirs = {e.name for e in CATALOGUE.of_kind(Rows.EVENT) if {f.owner for f in e.facts.values()} <= owners}
    events = {entity: listed for entity, listed in snapshot.events.items() if entity not in theirs}
    return replace(snapshot, facts=facts, rows=rows, events=events)
