"""State documents: one snapshot as JSON, as people and programs write it, and decisions as they read them.

A document is `{"book": "main", "ts": "2025-10-10T21:00:00Z", "account": {"drawdown": 0.061}, "position": {"p1": {...}},
"trade": [...]}`: ratios are plain fractions, durations seconds, money numbers, times ISO 8601, rates events a minute,
levels their name, flags true or false. A fact left out, or null, is missing; so is a collection, except that requests
left out are no requests. Numbers with more digits than a float holds may be given as decimal text.
"""

from __future__ import annotations

from typing import Any

from evaluators.decision_documents import decision_document
from evaluators.document_files import read_documents
from evaluators.document_reader import DocumentReader
from evaluators.document_values import write_value
from evaluators.snapshot import Fields, Snapshot
from evaluators.timestamps import format_time
from policy_dsl.catalogue import Catalogue, Entity, Rows
from policy_dsl.diagnostics import Findings, PolicyError

__all__ = ["decision_document", "document_from_snapshot", "read_documents", "rows_document", "snapshot_from_document"]


def snapshot_from_document(
    doc: Any, catalogue: Catalogue, calm: bool = False, findings: Findings | None = None
) -> Snapshot:
    """The snapshot that a document (parsed JSON) describes.

    With `calm`, facts left out hold their calm value and collections left out are empty; null is missing all the same.
    Numbers that are not finite, overflow or lie out of range are missing, and `findings` takes a note of each (RF720,
    RF721).

    Raises PolicyError with every problem, named by its JSON path (RF704-RF711).
    """
    own = Findings()
    snapshot = DocumentReader(catalogue, calm, own).snapshot(doc)
    problems = [d for d in own.items if d.is_error]
    if snapshot is None or problems:
        raise PolicyError(problems)
    if findings is not None:
        findings.items += own.items
    return snapshot


def document_from_snapshot(snapshot: Snapshot, catalogue: Catalogue) -> dict[str, Any]:
    """The document of a snapshot, in the catalogue's order; missing facts and collections are left out.

    Reading it back gives the same quanta. What the catalogue does not know is not written.
    """
    out: dict[str, Any] = {"book": snapshot.book, "ts": format_time(snapshot.ts)}
    for name, entity in catalogue.entities.items():
        written: Any = None
        if entity.rows is Rows.ONE:
            written = _fields({f.name: snapshot.facts.get(f.path) for f in entity.facts.values()}, entity) or None
        elif entity.rows is Rows.KEYED:
            written = rows_document(snapshot, entity)
        elif name in snapshot.events:
            written = [_fields(fields, entity) for fields in snapshot.events[name]]
        if written is not None:
            out[name] = written
    return out


def rows_document(snapshot: Snapshot, entity: Entity) -> dict[str, dict[str, Any]] | None:
    """The rows of a keyed entity by key, as they stand in the document of a snapshot; None where they are missing."""
    rows = snapshot.rows.get(entity.name)
    return None if rows is None else {key: _fields(fields, entity) for key, fields in rows.items()}


def _fields(fields: Fields, entity: Entity) -> dict[str, Any]:
    known = ((fact, fields.get(name)) for name, fact in entity.facts.items())
    return {fact.name: write_value(fact.type, value) for fact, value in known if value is not None}
