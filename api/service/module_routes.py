"""`/v1/modules`: how each module stands, and the hands that switch it or set the mode of its policy."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI

from api.service.asked import Hand
from api.service.problems import Problem
from api.service.running import Running
from evaluators.timestamps import format_time
from modules.module import Module
from modules.runtime.switches import MODES
from policy_dsl.configuration import Mode

log = structlog.get_logger()


def add_module_routes(app: FastAPI, running: Running) -> None:
    """Add the routes of a fund's modules."""

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

    @app.post("/v1/modules/{name}/set_mode/{mode}")
    def set_mode(name: str, mode: str, hand: Hand) -> dict[str, Any]:
        """Let a module's policy run off, observed or enforced from the next snapshot on."""
        module = _named(running, name)
        check_mode(module, mode)
        running.check()
        found = running.board.set_mode(running.now(), name, mode, hand.person, hand.reason)
        if found is not Mode.ENFORCE:
            log.warning(
                "a policy binds nothing from now on",
                policy=module.policy,
                mode=found.value,
                halted=running.is_halted(),
                person=hand.person,
                reason=hand.reason,
            )
        return _module(running, module)


def check_mode(module: Module, mode: str) -> None:
    """Raises Problem (422) for a word that is no mode, and for a module whose policy could not run in one."""
    if mode.lower() not in MODES:
        raise Problem(422, "no such mode", f"no mode is called `{mode}`: one of {', '.join(MODES)}", modes=list(MODES))
    if module.policy is None:
        raise Problem(422, "no policy", f"`{module.name}` has no policy that could run in a mode: switch it off or on")


def failing(running: Running) -> dict[str, str]:
    """By name the modules that supply nothing, and why."""
    runner = running.fund.runner
    found = {}
    for module in runner.modules:
        run = runner.runs.get(module.name)
        if not runner.is_on(module.name):
            found[module.name] = "switched off"
        elif run is not None and run.fault is not None:
            found[module.name] = run.fault
    return found


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
    running.check()  # what is written to a file that was taken away is kept nowhere
    running.board.switch(running.now(), name, hand.person, hand.reason, on=on)
    return _module(running, module)
