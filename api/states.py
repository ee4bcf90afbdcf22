"""States given to a command: read from a file, decided, and explained as documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import typer

from api.durations import duration
from api.terminal import count_of, show_diagnostics
from evaluators.decision_documents import Entry, decision_document
from evaluators.document_values import write_value as as_json
from evaluators.documents import read_documents
from evaluators.explanation import Reason
from evaluators.keeping import Kept, Kind
from evaluators.snapshot import Snapshot
from evaluators.support import looks_back
from evaluators.telling import Teller, Told
from evaluators.timelines import DEFAULT_CADENCE, longest_gap
from evaluators.timestamps import format_time
from policy_dsl.bundle import Bundle
from policy_dsl.catalogue import Catalogue
from policy_dsl.diagnostics import Findings, Source
from policy_dsl.program import Program
from policy_dsl.types import DURATION
from policy_dsl.writing import write_expression, write_value


def read_states(path: Path, catalogue: Catalogue, *, calm: bool) -> tuple[Snapshot, ...]:
    """The snapshots in a state file; what was taken as missing is noted on standard error.

    Raises PolicyError with every problem of the file.
    """
    findings = Findings()
    snapshots = read_documents(path, catalogue, calm, findings)
    source = {str(path): Source(str(path), path.read_text(encoding="utf-8-sig"))} if findings.items else {}
    show_diagnostics(findings.sorted(), source, err=True)
    return snapshots


def max_gap_of(bundle: Bundle, cadence: str | None, snapshots: Sequence[Snapshot]) -> int:
    """The longest distance (ms) of two states that is no gap; a note on standard error where there are longer ones.

    Raises BadParameter for a cadence that is not a duration.
    """
    apart = DEFAULT_CADENCE if cadence is None else duration(cadence, "--cadence")
    max_gap = longest_gap(bundle.configuration.max_gap, apart)
    times: dict[str, list[int]] = {}
    for snapshot in snapshots:
        times.setdefault(snapshot.book, []).append(snapshot.ts)
    gaps = sum(b - a > max_gap for book in times.values() for a, b in pairwise(book))
    if gaps and looks_back(bundle.program):
        length = write_value(max_gap, DURATION)
        typer.secho(
            f"note: {count_of(gaps, 'step')} of the timeline longer than {length}, which conditions over time take for"
            " gaps (--cadence says how far apart states are)",
            fg="blue",
            err=True,
        )
    return max_gap


def told(bundle: Bundle, snapshots: Iterable[Snapshot], max_gap: int) -> Iterator[Told]:
    """Each snapshot with its decision, in the light of those before it, and the reasons for it."""
    teller = Teller(bundle.program, max_gap=max_gap)
    return (teller.tell(snapshot) for snapshot in snapshots)


def document(program: Program, found: Told, bundle: Bundle, about: Callable[[Reason], bool]) -> dict[str, Any]:
    """A decision as JSON with its reasons and alerts, as far as they are `about` what is asked for."""
    why = [reason for reason in found.reasons if about(reason)]
    entries = [_reason(r, bundle) for r in why if r.binds]
    made = decision_document(found.decision, program, entries, [a for r in why for a in _alerts(r)])
    return made | {"kept": [kept_document(k, program) for k in found.kept]}


def kept_document(kept: Kept, program: Program) -> dict[str, Any]:
    """A value that an output keeps, as plain JSON; `until` is null for a latch."""
    return {
        "output": kept.output,
        "entity": kept.key,
        "value": as_json(program.output(kept.output).type, kept.value),
        "kind": kept.kind.value,
        "rules": list(kept.rules),
        "since": format_time(kept.since),
        "until": None if kept.until is None else format_time(kept.until),
    }


def kept_line(kept: Kept, program: Program) -> str:
    """A value that an output keeps, in a sentence: what, by which rule, since when, and until when."""
    output = program.output(kept.output)
    name = output.id if kept.key is None else f'{output.id}["{kept.key}"]'
    return f"{name} stays {write_value(kept.value, output.type)}, {kept_cause(kept, program)}"


def kept_cause(kept: Kept, program: Program) -> str:
    """Why an output keeps a value: by which rule, since when, and until when."""
    asked = ", ".join(kept.rules) or "what it kept before"
    return f"asked for by {asked} at {format_time(kept.since)}: {kept_end(kept, program)}"


def kept_end(kept: Kept, program: Program) -> str:
    """When an output lets go of a value that it keeps."""
    release = program.output(kept.output).latches_until
    if kept.kind is Kind.LATCHED and release is not None:
        return f"latched until {write_expression(release)}"
    return f"until {format_time(cast(int, kept.until))}, unless it is asked for again"


def rule_document(reason: Reason, bundle: Bundle) -> Entry:
    """A rule and what it says, where what it binds and on which row is known beside it."""
    return {
        "rule": reason.rule,
        "because": reason.because,
        "definite": reason.definite,
        "at": reason.place(bundle.sources),
    }


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
