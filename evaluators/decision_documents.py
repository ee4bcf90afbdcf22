"""Decisions as JSON: what programs and people read of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evaluators.decision import Decision, Firing, OutputValue, PerRow
from evaluators.document_values import write_value
from evaluators.program_index import index_of
from evaluators.timestamps import format_time
from policy_dsl.program import Output, Program

Entry = Mapping[str, Any]
"""A reason or an alert as plain JSON, such as `{"rule": "hfos.drawdown", "entity": null, "because": "..."}`."""


def decision_document(
    decision: Decision,
    program: Program,
    reasons: Iterable[Entry] | None = None,
    alerts: Iterable[Entry] = (),
) -> dict[str, Any]:
    """The decision as plain JSON: `ts`, `book`, `bundle`, `outputs`, `reasons`, `alerts`, `would_be`.

    Values are in document units: levels by name, ratios as fractions, a set as its items with their arguments, an
    output of each row as an object by key. `reasons` and `alerts` come from whoever explains decisions and are taken
    as they are; without `reasons`, the rules that fired are listed with no text.
    """
    fired = [_bare(f) for f in decision.firings] if reasons is None else [dict(r) for r in reasons]
    return {
        "ts": format_time(decision.ts),
        "book": decision.book,
        "bundle": program.hash,
        "outputs": outputs_document(decision.outputs, program),
        "reasons": fired,
        "alerts": [dict(a) for a in alerts],
        "would_be": outputs_document(decision.would_be, program),
    }


def _bare(firing: Firing) -> dict[str, Any]:
    return {"rule": firing.rule, "entity": firing.key or None, "because": None, "definite": firing.definite}


def outputs_document(values: Mapping[str, OutputValue | PerRow], program: Program) -> dict[str, Any]:
    """Values of outputs as plain JSON, by id."""
    out: dict[str, Any] = {}
    for output in program.outputs:
        if output.id in values:
            value = values[output.id]
            if isinstance(value, Mapping):
                out[output.id] = {key: _value(output, value[key], program) for key in sorted(value)}
            else:
                out[output.id] = _value(output, value, program)
    return out


def _value(output: Output, value: OutputValue, program: Program) -> Any:
    if isinstance(value, tuple):
        kinds = index_of(program).arguments
        return {
            item: [write_value(k, a) for k, a in zip(kinds.get((output.id, item), ()), args, strict=True)]
            for item, args in value
        }
    return write_value(output.type, value)
