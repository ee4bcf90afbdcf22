"""The service: `/health`, `/ready`, `/metrics`; under `/v1` the policy, decisions, rules, modules, models and hands."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.service.asked import Batch
from api.service.binding import not_binding
from api.service.loopback import LoopbackOnly
from api.service.model_routes import add_model_routes
from api.service.module_routes import add_module_routes, failing
from api.service.problems import Problem, answer_with_problems
from api.service.reading import read_strictly
from api.service.running import Running
from api.service.status_routes import add_status_route
from api.service.stop_routes import add_stop_routes
from api.states import document
from api.values import OutputTexts
from api.why import change_line, changes
from evaluators.explanation import Reason
from evaluators.timestamps import format_time
from modules.facts import CATALOGUE
from modules.runtime.fund import Step
from modules.runtime.outcomes import Outcome
from policy_dsl.program import Rule

VERDICT = "verdict"

FEW = 10
"""So many requests judged together may each take the time of a search for the smallest change unasked."""


def create_app(running: Running) -> FastAPI:
    """The service over a fund that runs."""
    app = FastAPI(title="ringfence", docs_url=None, redoc_url=None)
    app.add_middleware(LoopbackOnly)
    read_strictly(app)
    answer_with_problems(app)
    _add_process_routes(app, running)
    _add_policy_routes(app, running)
    add_module_routes(app, running)
    add_model_routes(app, running)
    add_stop_routes(app, running)
    add_status_route(app, running)
    return app


def _add_process_routes(app: FastAPI, running: Running) -> None:
    @app.head("/health", include_in_schema=False)
    @app.get("/health")
    def health() -> dict[str, Any]:
        """The process is there."""
        last = running.fund.last
        return {"status": "up", "snapshot": None if last is None else format_time(last.ts)}

    @app.head("/ready", include_in_schema=False)
    @app.get("/ready")
    def ready() -> dict[str, Any]:
        """Decisions are there and not older than a gap."""
        last = running.newest()
        why = running.unready()
        if why is not None:
            raise Problem(503, "not ready", why, snapshot=format_time(last.ts), not_binding=not_binding(running))
        return {
            "status": "ready",
            "snapshot": format_time(last.ts),
            "failing": failing(running),
            "not_binding": not_binding(running),
        }

    @app.get("/metrics")
    def metrics() -> Response:
        """What Prometheus reads."""
        return Response(generate_latest(running.meters.registry), media_type=CONTENT_TYPE_LATEST)


def _add_policy_routes(app: FastAPI, running: Running) -> None:
    @app.get("/v1/policy")
    def policy() -> dict[str, Any]:
        """Every output of the newest snapshot with its reasons, and why facts are missing."""
        last = running.newest()
        made = document(last.bundle.program, last.told, last.bundle, lambda _: True)
        return made | {"missing": dict(last.assembled.reasons)}

    @app.post("/v1/decisions")
    async def decisions(batch: Batch, *, would_change: bool | None = None) -> dict[str, Any]:
        """Judge requests jointly with those of other callers, in a snapshot that is stored before the answer.

        Each denial comes with the smallest change that would allow it; unless asked for, not where many are judged
        together, for it takes its time.
        """
        now = running.now()
        judged = await asyncio.wrap_future(
            running.joint.ask({key: asked.request(now) for key, asked in batch.requests.items()})
        )
        step, keys = judged.step, judged.keys
        together = len(step.answer.outputs.get(VERDICT, ()))
        search = together <= FEW if would_change is None else would_change
        verdicts = await run_in_threadpool(
            lambda: {own: _verdict(step, key, would_change=search) for own, key in sorted(keys.items())}
        )
        return {
            "ts": format_time(step.ts),
            "book": running.fund.book,
            "bundle": step.bundle.hash,
            "judged_together": together,
            "decisions": verdicts,
        }

    @app.get("/v1/rules")
    def rules() -> list[dict[str, Any]]:
        """Every rule: its policy's mode, where it stands, when it fired last, since when for want of a fact."""
        return [_rule(running, rule) for rule in running.fund.bundle.program.rules]


def _verdict(step: Step, key: str, *, would_change: bool) -> dict[str, Any]:
    """The verdict on one request, why, and with `would_change` the smallest change that would decide it otherwise."""
    program = step.bundle.program

    def about(reason: Reason) -> bool:
        return reason.key == key and VERDICT in reason.binds

    made = document(program, step.told, step.bundle, about)
    verdict = step.answer.of(VERDICT, key)
    told: dict[str, Any] = {"id": key, "verdict": verdict, "reasons": made["reasons"], "would_change": None}
    told["carried_out"] = _carried_out(step.outcomes.get(key))
    if would_change and verdict == "DENY":
        (found,) = changes(program, CATALOGUE, step.told.snapshot, step.decide_again, [(VERDICT, key)])
        told["would_change"] = change_line(*found, OutputTexts(program), CATALOGUE)
    return told


def _carried_out(outcome: Outcome | None) -> dict[str, Any] | None:
    """What came of a request that was allowed; None where nobody has carried it out."""
    if outcome is None:
        return None
    end = outcome.end
    return {
        "outcome": None if end is None else end.outcome,
        "filled": None if end is None else end.filled,
        "average": None if end is None else end.average,
        "why": outcome.why,
        "before": outcome.before,
    }


def _rule(running: Running, rule: Rule) -> dict[str, Any]:
    sources = running.fund.bundle.sources
    place = None
    if rule.span is not None and rule.span.path in sources:
        place = f"{rule.span.path}:{sources[rule.span.path].place(rule.span.start).line}"
    fired = running.fired.get(rule.id)
    return {
        "rule": rule.id,
        "policy": rule.policy,
        "mode": "observe" if rule.observing else "enforce",
        "at": place,
        "last_fired": None if fired is None else format_time(fired.at),
        "because": None if fired is None else fired.because,
        "unknown_since": None if fired is None or fired.unknown_since is None else format_time(fired.unknown_since),
    }
