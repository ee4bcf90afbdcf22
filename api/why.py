"""Why a state is decided as it is: the rules that bind, what they saw, and what would have to change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from api.states import kept_end
from api.subjects import facts_read
from api.values import OutputTexts
from evaluators.counterfactual import Change, Decide, would_change
from evaluators.decision import Decision
from evaluators.explanation import Margin, Reason
from evaluators.keeping import Kept
from evaluators.snapshot import Snapshot
from policy_dsl.bundle import Bundle
from policy_dsl.catalogue import Catalogue
from policy_dsl.program import Program

_TRUTH = {True: "true", False: "false", None: "unknown"}


def questions(program: Program, decision: Decision, shown: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """The outputs (and rows) that are not at their loosest, of those shown: what one asks "what would change it" of."""
    for id in shown:
        starts, value = program.output(id).starts, decision.outputs[id]
        if isinstance(value, Mapping):
            yield from ((id, key) for key in sorted(value) if value[key] not in (starts, ()))
        elif value not in (starts, ()):
            yield id, None


def changes(
    program: Program, catalogue: Catalogue, snapshot: Snapshot, decide: Decide, asked: Iterable[tuple[str, str | None]]
) -> Iterator[tuple[str, str | None, Change | None]]:
    """For each output (and row), the smallest change of facts found that decides it otherwise."""
    for output, key in asked:
        yield output, key, would_change(program, catalogue, snapshot, decide, output, key)


def reason_lines(reason: Reason, bundle: Bundle, taken: Mapping[str, str]) -> Iterator[str]:
    """A reason for a reader: rule, place, what it binds, the facts it saw, each comparison with its margin.

    `taken` says of facts that a switch took away, by path, which one.
    """
    name = f"{reason.rule}[{reason.key}]" if reason.key else reason.rule
    sure = "" if reason.definite else " (because something is missing)"
    yield f"{name}: {reason.because or 'fires'}{sure}"
    where = reason.place(bundle.sources)
    acts = [*reason.binds, *(f"alert {level.value}" for level in reason.alerts)]
    yield f"  binds {', '.join(acts)}" + (f", {where}" if where else "")
    for seen in reason.seen:
        yield f"  saw {seen.name} = {seen.value}"
    for path, gone in _lacked(reason, bundle, taken):
        yield f"  {path} is missing: {gone}"
    for margin in reason.margins:
        yield f"  {margin.comparison}: {_TRUTH[margin.truth]}" + _margin(margin)


def _lacked(reason: Reason, bundle: Bundle, taken: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The facts among those taken away that the rule of a reason reads, and what took each."""
    rule = next((rule for rule in bundle.program.rules if rule.id == reason.rule), None) if taken else None
    if rule is not None:
        yield from ((path, taken[path]) for path in sorted(facts_read(rule) & taken.keys()))


def _margin(margin: Margin) -> str:
    if not margin.left:
        return ""
    figures = f" ({margin.left} against {margin.right}"
    return figures + (f", {margin.text.removeprefix('-')} apart)" if margin.text else ")")


def change_line(output: str, key: str | None, change: Change | None, texts: OutputTexts, catalogue: Catalogue) -> str:
    """What would decide an output otherwise, in a line."""
    name = output if key is None else f'{output}["{key}"]'
    if change is None:
        return f"{name}: no change of up to six facts was found that decides it otherwise"
    moves = " and ".join(move.text(catalogue) for move in change.moves)
    return f"{name} would be {texts.text(output, change.after)} with {moves}"


def stays_line(kept: Kept, program: Program) -> str:
    """That no fact of the moment decides an output otherwise, which keeps its value."""
    name = kept.output if kept.key is None else f'{kept.output}["{kept.key}"]'
    return f"{name}: no fact of this moment; it stays {kept_end(kept, program)}"


def reason_document(reason: Reason, bundle: Bundle, taken: Mapping[str, str]) -> dict[str, Any]:
    """A reason as plain JSON, with everything it went by; `missing` are those of the facts `taken` that it reads."""
    return {
        "rule": reason.rule,
        "entity": reason.key or None,
        "because": reason.because,
        "definite": reason.definite,
        "binds": list(reason.binds),
        "alerts": [level.value for level in reason.alerts],
        "at": reason.place(bundle.sources),
        "saw": {s.name: s.value for s in reason.seen},
        "missing": dict(_lacked(reason, bundle, taken)),
        "comparisons": [
            {"condition": m.comparison, "holds": m.truth, "left": m.left, "right": m.right, "apart": m.text or None}
            for m in reason.margins
        ],
    }


def change_document(
    output: str, key: str | None, change: Change | None, texts: OutputTexts, catalogue: Catalogue
) -> dict[str, Any]:
    """What would decide an output otherwise, as plain JSON; `moves` is null where nothing was found."""
    out: dict[str, Any] = {"output": output, "entity": key, "moves": None}
    if change is not None:
        out["moves"] = [move.text(catalogue) for move in change.moves]
        out |= {"from": texts.json(output, change.before), "to": texts.json(output, change.after)}
    return out
