"""The service: `/health`, `/ready`, `/metrics`, and under `/v1` the policy, decisions, rules and modules."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.service.asked import Batch, Hand
from api.service.problems import Problem, answer_with_problems
from api.service.running import Running
from api.states import document
from api.values import OutputTexts
from api.why import change_line, changes
from evaluators.explanation import Reason
from evaluators.timestamps import format_time
from modules.facts import CATALOGUE
from modules.module import Module
from modules.runtime.fund import Step
from policy_dsl.program import Rule

VERDICT = "verdict"


def create_app(running: Running) -> FastAPI:
    """The service over a fund that runs."""
    app = FastAPI(title="ringfence", docs_url=None, redoc_url=None)
    answer_with_problems(app)

    @app.get("/health")
    def health() -> dict[str, Any]:
        """The process is there."""
        last = running.fund.last
        return {"status": "up", "snapshot": None if last is None else format_time(last.ts)}

    @app.get("/ready")
    def ready() -> dict[str, Any]:
        """Decisions are there and not older than a gap."""
        last = _newest(running)
        age = running.now() - last.ts
        if age > running.fund.max_gap:
            raise Problem(
                503, "not ready", f"the newest snapshot is {age // 1000} s old", snapshot=format_time(last.ts)
            )
        return {"status": "ready", "snapshot": format_time(last.ts)}

    @app.get("/metrics")
    def metrics() -> Response:
        """What Prometheus reads."""
        return Response(generate_latest(running.meters.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/policy")
    def policy() -> dict[str, Any]:
        """Every output of the newest snapshot with its reasons, and why facts are missing."""
        last = _newest(running)
        return _document(running, last) | {"missing": dict(last.assembled.reasons)}

    @app.post("/v1/decisions")
    def decisions(batch: Batch) -> dict[str, Any]:
        """Judge requests jointly in a snapshot of their own, which is stored before the answer."""
        now = running.now()
        step = running.step({key: asked.request(now) for key, asked in batch.requests.items()})
        return {
            "ts": format_time(step.ts),
            "book": running.fund.book,
            "bundle": running.fund.bundle.program.hash,
            "decisions": {key: _verdict(running, step, key) for key in sorted(batch.requests)},
        }

    @app.get("/v1/rules")
    def rules() -> list[dict[str, Any]]:
        """Every rule: its policy's mode, where it stands, when it fired last, since when for want of a fact."""
        return [_rule(running, rule) for rule in running.fund.bundle.program.rules]

    _add_modules(app, running)
    return app


def _add_modules(app: FastAPI, running: Running) -> None:
    @app.get("/v1/modules")
    def modules() -> list[dict[str, Any]]:
        """Every module."""
        return [_module(running, module) for module in running.fund.runner.modules]

    @app.get("/v1/modules/{name}")
    def module(name: str) -> dict[str, Any]:
        """One module: whether it is on, its mode, its last run."""
        return _module(running, _named(running, name))

    @app.post("/v1/modules/{name}/disable")
    def disable(name: str, hand: Hand) -> dict[str, Any]:
        """Switch a module off: its facts are missing from the next snapshot on, and what is missing tightens."""
        return _switched(running, name, hand, on=False)

    @app.post("/v1/modules/{name}/enable")
    def enable(name: str, hand: Hand) -> dict[str, Any]:
        """Switch a module on again."""
        return _switched(running, name, hand, on=True)


def _newest(running: Running) -> Step:
    if running.fund.last is None:
        raise Problem(503, "not ready", "no snapshot has been decided yet")
    return running.fund.last


def _document(running: Running, step: Step) -> dict[str, Any]:
    bundle = running.fund.bundle
    return document(bundle.program, step.told, bundle, lambda _: True)


def _verdict(running: Running, step: Step, key: str) -> dict[str, Any]:
    """The verdict on one request, why, and the smallest change found that would decide it otherwise."""
    bundle = running.fund.bundle

    def about(reason: Reason) -> bool:
        return reason.key == key and VERDICT in reason.binds

    made = document(bundle.program, step.told, bundle, about)
    verdict = step.answer.of(VERDICT, key)
    told: dict[str, Any] = {"verdict": verdict, "reasons": made["reasons"], "would_change": None}
    if verdict == "DENY":
        decide = running.fund.decide_again
        (found,) = changes(bundle.program, CATALOGUE, step.told.snapshot, decide, [(VERDICT, key)])
        told["would_change"] = change_line(*found, OutputTexts(bundle.program), CATALOGUE)
    return told


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


def _named(running: Running, name: str) -> Module:
    found = next((m for m in running.fund.runner.modules if m.name == name), None)
    if found is None:
        known = [m.name for m in running.fund.runner.modules]
        raise Problem(404, "no such module", f"no module is called `{name}`", modules=known)
    return found


def _module(running: Running, module: Module) -> dict[str, Any]:
    run = running.fund.runner.runs.get(module.name)
    mode = None if module.policy is None else running.fund.bundle.configuration.mode(module.policy).value
    return {
        "module": module.name,
        "on": running.fund.runner.is_on(module.name),
        "policy": module.policy,
        "mode": mode,
        "interval": module.interval,
        "last_run": None if run is None else format_time(run.at),
        "seconds": None if run is None else run.seconds,
        "fault": None if run is None else run.fault,
    }


def _switched(running: Running, name: str, hand: Hand, *, on: bool) -> dict[str, Any]:
    module = _named(running, name)
    what = f"{'enable' if on else 'disable'} {name}"
    running.controls.note(running.now(), what, hand.person, hand.reason)
    running.switch(name, on=on)
    return _module(running, module)
