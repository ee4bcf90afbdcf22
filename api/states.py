"""States given to a command: read from a file, decided, and explained as documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from api.terminal import show_diagnostics
from evaluators.back_ends import Decide
from evaluators.decision import Decision
from evaluators.decision_documents import Entry, decision_document
from evaluators.documents import read_documents
from evaluators.explanation import Reason, reasons
from evaluators.snapshot import Snapshot
from policy_dsl.bundle import Bundle
from policy_dsl.catalogue import Catalogue
from policy_dsl.diagnostics import Findings, Source
from policy_dsl.program import Program


def read_states(path: Path, catalogue: Catalogue, *, calm: bool) -> tuple[Snapshot, ...]:
    """The snapshots in a state file; what was taken as missing is noted on standard error.

    Raises PolicyError with every problem of the file.
    """
    findings = Findings()
    snapshots = read_documents(path, catalogue, calm, findings)
    source = {str(path): Source(str(path), path.read_text(encoding="utf-8-sig"))} if findings.items else {}
    show_diagnostics(findings.sorted(), source, err=True)
    return snapshots


def decided(
    bundle: Bundle, decide: Decide, snapshots: Iterable[Snapshot]
) -> Iterator[tuple[Snapshot, Decision, tuple[Reason, ...]]]:
    """Each snapshot with its decision and the reasons for it."""
    for snapshot in snapshots:
        [decision] = decide([snapshot])
        yield snapshot, decision, reasons(bundle.program, snapshot, decision)


def document(program: Program, decision: Decision, found: Iterable[Reason], bundle: Bundle) -> dict[str, Any]:
    """A decision as JSON with its reasons and alerts."""
    why = list(found)
    return decision_document(
        decision, program, [_reason(r, bundle) for r in why if r.binds], [a for r in why for a in _alerts(r)]
    )


def _reason(reason: Reason, bundle: Bundle) -> Entry:
    return {
        "rule": reason.rule,
        "entity": reason.key or None,
        "because": reason.because,
        "definite": reason.definite,
        "binds": list(reason.binds),
        "at": reason.place(bundle.sources),
    }


def _alerts(reason: Reason) -> Iterator[Entry]:
    for level in reason.alerts:
        yield {
            "level": level.value,
            "rule": reason.rule,
            "entity": reason.key or None,
            "because": reason.because,
        }
