"""`/v1/ess` and `/v1/hfos`: how the stop and the risk mode stand, and the hands that people put on them.

A hand that tightens and cannot, since the policy that would obey it does not enforce, is kept and told to be in vain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from fastapi import FastAPI

from api.modes import set_by
from api.service.asked import Hand, HandOnMode
from api.service.binding import binding_document, policy_that_lets_go
from api.service.problems import Problem
from api.service.running import Running
from api.states import rule_document
from evaluators.decision_documents import Entry
from evaluators.timestamps import format_time
from modules.runtime.controls import NotKeptError
from modules.runtime.fund import Step
from modules.runtime.switches import POLICIES
from policy_dsl.configuration import Mode
from policy_dsl.diagnostics import PolicyError

MODE_WORDS = {Mode.OFF: "off", Mode.OBSERVE: "observed"}

MOST_HANDS = 10
"""Hands at once. Their threads are their own: all others may be at work for callers when somebody pulls the stop."""

RESET = "the reset"

STATE, ACTIONS, MODE = "ess.state", "ess.actions", "hfos.risk_mode"


def add_stop_routes(app: FastAPI, running: Running) -> None:
    """Add the routes of the stop. What is asked is on disk before a snapshot is taken at once, which is the answer."""
    controls, hands = running.board.controls, ThreadPoolExecutor(MOST_HANDS, thread_name_prefix="hands")

    async def asked(*call: Any) -> dict[str, Any]:
        return await asyncio.get_running_loop().run_in_executor(hands, partial(_after, running, *call))

    @app.get("/v1/ess")
    def state() -> dict[str, Any]:
        """How the stop stands in the newest snapshot."""
        return _state(running, running.newest(), STATE)

    @app.post("/v1/ess:trip")
    async def trip(hand: Hand) -> dict[str, Any]:
        """Pull the stop: it halts the fund until somebody asks for it to be re-armed."""
        return await asked(controls.stop, hand, STATE, "the stop")

    @app.post("/v1/ess:reset")
    async def reset(hand: Hand) -> dict[str, Any]:
        """Ask for the stop to be re-armed. The rules say whether it is: not while a cause stands."""
        return await asked(controls.reset, hand, STATE, RESET)

    @app.post("/v1/ess:new_peak")
    async def new_peak(hand: Hand) -> dict[str, Any]:
        """Let the peak of equity and the losing streak count from now on, so that old losses halt no longer."""
        return await asked(controls.reset_peak, hand, STATE)

    @app.post("/v1/ess:flatten_on_stop")
    async def flatten_on_stop(hand: Hand) -> dict[str, Any]:
        """Let a stop close positions, from now on: one that holds already, too, as far as the rules permit it."""
        return await asked(partial(controls.flatten_on_stop, flatten=True), hand, STATE, "that a stop closes")

    @app.post("/v1/ess:keep_on_stop")
    async def keep_on_stop(hand: Hand) -> dict[str, Any]:
        """Let a stop leave positions as they are, from now on; so it is where nobody has said anything."""
        return await asked(partial(controls.flatten_on_stop, flatten=False), hand, STATE)

    @app.get("/v1/hfos")
    def mode() -> dict[str, Any]:
        """The risk mode in the newest snapshot."""
        return _state(running, running.newest(), MODE)

    @app.post("/v1/hfos:hold")
    async def hold(hand: HandOnMode) -> dict[str, Any]:
        """Let the fund be no bolder than a mode until somebody releases it."""

        def held(at: int, person: str, reason: str) -> None:
            controls.hold_risk_mode(at, hand.mode, person, reason)

        return await asked(held, hand, MODE, "the hand on the risk mode")

    @app.post("/v1/hfos:release")
    async def release(hand: Hand) -> dict[str, Any]:
        """Take the hand off the risk mode: it is the rules' alone again."""
        return await asked(controls.release_risk_mode, hand, MODE)


def _after(
    running: Running, call: Callable[[int, str, str], None], hand: Hand, output: str, what: str | None = None
) -> dict[str, Any]:
    """The output in a snapshot that is taken once the call is on record.

    Raises Problem: 409 where the rules cannot obey it, 503 where the disk has not kept it, or no snapshot can be
    decided after it; `what` names it, None for a call that asks for nothing.
    """
    try:
        call(running.now(), hand.person, hand.reason)
    except NotKeptError as error:
        raise _not_kept(running, output, str(what), error) from error
    try:
        step = running.step(first=True)
    except (PolicyError, OSError) as error:
        raise _not_seen(running, what or "what was asked", error) from error
    unbound = None if what is None else _unbound(running, step, output)
    if unbound is not None:
        why, more = unbound
        detail = f"{what} is kept on disk, and {why}"
        raise Problem(409, "kept on disk, and it does not bind", detail, kept=True, **more)
    return _state(running, step, output)


def _not_kept(running: Running, output: str, what: str, error: NotKeptError) -> Problem:
    """What tightens and is not on disk, once a snapshot was taken for it as far as one can be."""
    seen, more = "it is in force", dict[str, Any]()
    try:
        seen, more = _unbound(running, running.step(first=True), output) or (seen, more)
    except (PolicyError, OSError) as failed:
        seen = f"no snapshot can be decided either ({failed}), so that nothing new is allowed"
    detail = f"{what} holds while this process runs, and {seen}; it ends with it: {error}; ask again once there is room"
    return Problem(503, "it holds, and is not on disk", detail, kept=False, **more)


def _not_seen(running: Running, what: str, error: PolicyError | OSError) -> Problem:
    """What is on disk, and counts once a snapshot can be decided. Raises what speaks against the files themselves."""
    running.check()  # what was written to a file that was taken away is on no disk
    seen = f"no snapshot can be decided after it ({error}), so that nothing new is allowed"
    # The one that failed was the one that a reset shows in.
    later = "ask again once one can be" if what == RESET else "the next one obeys it: it need not be asked again"
    detail = f"{what} is on disk, and {seen}; {later}"
    return Problem(503, "it is on disk, and no snapshot can be decided", detail, kept=True)


def _unbound(running: Running, step: Step, output: str) -> tuple[str, dict[str, Any]] | None:
    """Why the rules of an output's policy bind nothing, or are not there, in words and as members of a problem."""
    if output not in step.answer.outputs:
        return f"the rules in force have no `{output}`: serve the fund with rules that have it", {}
    free = policy_that_lets_go(running, output)
    if free is None:
        return None
    path = f"/v1/modules/{next(m for m, p in POLICIES.items() if p == free.policy)}/set_mode/enforce"
    why = (
        f"does not bind: the policy `{free.policy}` is {MODE_WORDS[free.mode]}, "
        f"by {set_by(binding_document(free))}; POST {path} with a person and a reason lets it bind"
    )
    return why, {"not_binding": binding_document(free), "set_mode": path}


def _state(running: Running, step: Step, output: str) -> dict[str, Any]:
    """An output of one policy at a step, and why; `kept` tells which rules it is kept for, and since when.

    `not_binding` says of a policy that does not enforce what set its mode; null where the rules bind.
    """
    if output not in step.answer.outputs:
        raise Problem(404, "no such output", f"the rules in force have no `{output}`")
    free = policy_that_lets_go(running, output)
    policy = output.partition(".")[0]
    found: dict[str, Any] = {"ts": format_time(step.ts), output.partition(".")[2]: step.answer.of(output)}
    if output == STATE:
        found["actions"] = step.answer.outputs.get(ACTIONS, [])
    return {
        **found,
        "rules": list(_rules(step, policy)),
        "because": {rule: why for rule, why in sorted(step.answer.because.items()) if rule.startswith(f"{policy}.")},
        "kept": [
            {"rules": list(kept.rules), "since": format_time(kept.since)}
            for kept in step.told.kept
            if kept.output == output
        ],
        "not_binding": None if free is None else binding_document(free),
    }


def _rules(step: Step, policy: str) -> Iterator[Entry]:
    """The rules of a policy that fired, each once; those that are not `definite` did so for want of a fact."""
    reasons = {reason.rule: reason for reason in step.told.reasons if reason.rule.startswith(f"{policy}.")}
    yield from (rule_document(reason, step.bundle) for _, reason in sorted(reasons.items()))
