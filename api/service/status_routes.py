"""`/v1/status`: what holds the fund: its outputs that are not at their loosest, the rules, since when, what lets go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from api.service.binding import not_binding
from api.service.module_routes import failing
from api.service.running import Running
from api.service.service_rows import service_rows
from api.states import kept_document, kept_end, rule_document
from api.values import OutputTexts, Shown
from api.why import change_line, changes, stays_line
from evaluators.keeping import Kept
from evaluators.timestamps import format_time
from modules.facts import CATALOGUE
from modules.runtime.controls import FLATTEN, Call
from modules.runtime.fund import Step
from modules.runtime.switchboard import DISABLE, ENABLE
from policy_dsl.program import Program

STOP = "ess.state"
"""The output of which it is told what would decide it otherwise; to look for that takes its time."""

STOP_POLICY = STOP.partition(".")[0]

FIRST = (STOP, "hfos.risk_mode")


def add_status_route(app: FastAPI, running: Running) -> None:
    """Add the route."""

    @app.get("/v1/status")
    def status() -> dict[str, Any]:
        """What holds the fund, since when, and what would let go."""
        step = running.newest()
        unready = running.unready()
        free = not_binding(running)
        return {
            "ts": format_time(step.ts),
            "deciding": unready is None,
            "unready": unready,
            "fault": running.fault,
            "halted": step.answer.outputs.get(STOP) == "HALTED",
            "stop_binds": STOP in step.answer.outputs and all(found["policy"] != STOP_POLICY for found in free),
            "not_binding": free,
            "outputs": list(_outputs(running, step)),
            "services": list(service_rows(running, step)),
            "hands": [_hand(call) for call in _standing(running)],
            "failing": failing(running),
            "missing": len(step.assembled.reasons),
        }


def _outputs(running: Running, step: Step) -> Iterator[dict[str, Any]]:
    """The outputs of the whole fund that are not at their loosest: the stop, the risk mode, then the others."""
    texts = OutputTexts(step.bundle.program)
    found = [s for s in texts.shown(step.told.decision) if s.key is None and not s.loosest]
    for shown in sorted(found, key=lambda s: FIRST.index(s.output) if s.output in FIRST else len(FIRST)):
        kept = next((k for k in step.told.kept if (k.output, k.key) == (shown.output, None)), None)
        since, exact = running.since(shown.output, step.ts)
        yield {
            "output": shown.output,
            "value": shown.text,
            "since": format_time(min(since, kept.since) if kept is not None else since),
            "since_is_exact": exact or (kept is not None and kept.since <= since),
            "rules": [rule_document(r, step.bundle) for r in step.told.reasons if shown.output in r.binds],
            "kept": None if kept is None else _kept(kept, step.bundle.program),
            "otherwise": _otherwise(step, shown, texts),
        }


def _kept(kept: Kept, program: Program) -> dict[str, Any]:
    """A value that an output keeps, and in words when or by what it lets go."""
    ends = kept_end(kept, program)
    return {**kept_document(kept, program), "ends": ends if kept.until is None else f"kept {ends}"}


def _otherwise(step: Step, shown: Shown, texts: OutputTexts) -> str | None:
    """What would decide the stop otherwise; None for another output."""
    if shown.output != STOP:
        return None
    program = step.bundle.program
    ((_, _, change),) = changes(program, CATALOGUE, step.told.snapshot, step.decide_again, [(shown.output, None)])
    kept = next((k for k in step.told.kept if (k.output, k.key) == (shown.output, None)), None)
    if change is None and kept is not None:
        return stays_line(kept, program)
    return change_line(shown.output, None, change, texts, CATALOGUE)


def _standing(running: Running) -> Iterator[Call]:
    """What people have asked for and not taken back: the stop, what it closes, a held risk mode, modules off, modes."""
    controls = running.board.controls
    calls, operator = list(controls.calls), controls.operator()
    if operator.stop_requested:
        yield from [call for call in calls if call.what == "stop"][-1:]
    if operator.flatten_on_stop:
        yield from [call for call in calls if call.what == FLATTEN][-1:]
    hand = controls.hand()
    if hand is not None:
        yield hand
    for module in running.fund.runner.modules:
        words = (f"{DISABLE} {module.name}", f"{ENABLE} {module.name}")
        yield from [c for c in [c for c in calls if c.what in words][-1:] if c.what == words[0]]
    yield from running.board.modes_by_hand()


def _hand(call: Call) -> dict[str, str]:
    return {"what": call.what, "person": call.person, "reason": call.reason, "at": format_time(call.at)}
