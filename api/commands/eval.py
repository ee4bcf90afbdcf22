"""`ringfence eval`: what the rules decide of one state, or of each state of a timeline."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.bundles import RulesOption, catalogue, rules_path
from api.engines import CadenceOption, Engine, EngineOption
from api.terminal import console, show_json

if TYPE_CHECKING:
    from rich.console import Console

    from api.values import OutputTexts, Shown
    from evaluators.explanation import Reason
    from evaluators.telling import Told
    from policy_dsl.program import Program


def evaluate(
    *,
    state: Annotated[
        Path, typer.Option("--state", metavar="FILE", help="A state (.json), or a timeline, one a line (.jsonl).")
    ],
    rules: RulesOption = None,
    output: Annotated[str | None, typer.Option("--output", metavar="NAME", help="Show this output only.")] = None,
    calm: Annotated[
        bool, typer.Option("--calm", help="Facts that the state leaves out hold their calm value, as in tests.")
    ] = False,
    cadence: CadenceOption = None,
    engine: EngineOption = Engine.PYTHON,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: a document, or for a timeline one a line.")
    ] = False,
) -> None:
    """Apply the rules to a state: outputs, the rules that bind and why, and what observing rules would change.

    ENABLE_<MODULE> and <MODULE>_MODE in the environment count as in `ringfence serve`, which is told.
    """
    from api.names import resolved
    from api.states import document, max_gap_of, read_states, told
    from api.switched import opened_as_switched
    from api.values import OutputTexts
    from evaluators.back_ends import BACK_ENDS

    facts = catalogue()
    bundle, switched = opened_as_switched(rules_path(rules), os.environ)
    program = bundle.program
    only = None if output is None else resolved(output, (o.id for o in program.outputs), "output", "--output")
    snapshots = switched.states(read_states(state, facts, calm=calm))
    texts, screen, timeline = OutputTexts(program), console(), len(snapshots) > 1
    max_gap = max_gap_of(bundle, cadence, snapshots)
    if switched.line() and not as_json:
        screen.print(switched.line(), soft_wrap=True)
    decisions = BACK_ENDS[engine.value](program, max_gap=max_gap)(list(snapshots))
    for decision, why in zip(decisions, told(bundle, snapshots, max_gap), strict=True):
        made = replace(why, decision=decision, kept=tuple(k for k in why.kept if only in (None, k.output)))
        if not as_json:
            _show(screen, texts, program, made, only)
            continue
        found = document(program, made, bundle, lambda reason: _is_about(reason, only))
        found["switched"] = switched.documents()
        if only is not None:
            found |= {part: {k: v for k, v in found[part].items() if k == only} for part in ("outputs", "would_be")}
        if timeline:
            typer.echo(json.dumps(found, ensure_ascii=False))
        else:
            show_json(found)


def _is_about(reason: Reason, only: str | None) -> bool:
    return only is None or only in reason.binds


def _show(screen: Console, texts: OutputTexts, program: Program, told: Told, only: str | None) -> None:
    from rich.table import Table

    from evaluators.timestamps import format_time

    decision, why = told.decision, [reason for reason in told.reasons if _is_about(reason, only)]
    table = Table("output", "value", "bound by", title=f"{decision.book} at {format_time(decision.ts)}", expand=False)
    for shown in texts.shown(decision, only):
        style = "dim" if shown.loosest else None
        table.add_row(shown.name, shown.text, "\n".join(_bound_by(shown, why, told, program)), style=style)
    screen.print(table)
    for reason in why:
        for level in reason.alerts:
            screen.print(f"{level.value} {_named(reason)}: {_because(reason)}", style="bold red")
    for shown in texts.shown(replace(decision, outputs=decision.would_be), only):
        screen.print(f"observing rules would have it: {shown.name} = {shown.text}")


def _bound_by(shown: Shown, why: list[Reason], told: Told, program: Program) -> list[str]:
    from api.states import kept_cause

    if shown.loosest and shown.text != "nothing":
        return []
    kept = [kept_cause(k, program) for k in told.kept if (k.output, k.key) == (shown.output, shown.key)]
    return kept + [
        f"{_named(reason)}: {_because(reason)}"
        for reason in why
        if shown.output in reason.binds and reason.key in ("", shown.key or reason.key)
    ]


def _named(reason: Reason) -> str:
    return f"{reason.rule}[{reason.key}]" if reason.key else reason.rule


def _because(reason: Reason) -> str:
    text = reason.because or "fires"
    return text if reason.definite else f"{text} (because something is missing)"
