"""Does to the models what the rules permit: trains, tries, exchanges, takes back; one thing to a model at a time."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import structlog

from modules.facts import CATALOGUE
from modules.facts.levels import REGIME
from modules.inputs import Inputs
from modules.judge import Answer
from modules.learning.learning import Learning
from modules.learning.shelf import Pointer, ShelfError
from policy_dsl.diagnostics import PolicyError

log = structlog.get_logger()

POLICY = "retraining."
ACTIONS = POLICY + "actions"
RETRAIN, CANARY, DEPLOY, WITHDRAW, ROLLBACK = "RETRAIN", "CANARY", "DEPLOY", "WITHDRAW", "ROLLBACK"

FACTS_AGE = max(
    fact.max_age or 0 for fact in CATALOGUE.entities["model"].facts.values() if fact.owner == "Retraining Orchestrator"
)
"""How old (ms) a fact may be that a decision rests on. What was decided sooner after a change may still speak of the
model as it was before: nothing is done on it, or a proof of one version would put another one in its place."""


@dataclass(slots=True)
class Training:
    """The hands of the Retraining Orchestrator. A failure to do one thing leaves the others as they would be."""

    learning: Learning

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        """Do what the rules permit at `inputs.ts`.

        A canary runs for as long as it is permitted, and stops at once when it is not. Everything else waits until the
        facts must have taken note of what was done before.
        """
        self.learning.regime = _regime(inputs)
        permitted = answer.outputs.get(ACTIONS, {})
        for model in sorted(self.learning.kinds):
            try:
                with self.learning.lock:
                    self._change(model, permitted.get(model, ()), answer, inputs.ts)
            except (ShelfError, OSError, PolicyError) as error:
                log.warning("a model was not changed", model=model, error=str(error))

    def _change(self, model: str, permitted: Container[str], answer: Answer, ts: int) -> None:
        pointer = self.learning.pointer(model)
        is_settled = pointer.changed is None or ts - pointer.changed > FACTS_AGE
        if pointer.canary_since is not None and CANARY not in permitted:
            does_harm = is_settled and WITHDRAW in permitted
            stopped = pointer.withdrawn if does_harm else pointer.left_alone
            self.learning.point(model, stopped(ts, _because(answer, model, "its canary is not permitted any more")))
            return
        if not is_settled:
            return
        for action in (WITHDRAW, ROLLBACK, DEPLOY, CANARY):
            changed = _changed(pointer, action, ts, _because(answer, model, action)) if action in permitted else None
            if changed is not None:
                if changed.live is not None and changed.live != pointer.live:
                    self.learning.shelf.load(model, changed.live)
                self.learning.point(model, changed)
                return
        if RETRAIN in permitted and ts - max(self.learning.history.began.values(), default=0) > FACTS_AGE:
            self.learning.start(model, ts, _because(answer, model, RETRAIN))


def _changed(pointer: Pointer, action: str, ts: int, because: str) -> Pointer | None:
    """The pointer after an action that is permitted; None where there is nothing to do."""
    if action == ROLLBACK:
        return None if pointer.before is None else pointer.rolled_back(ts, because)
    if pointer.challenger is None:
        return None
    if action == WITHDRAW:
        return pointer.withdrawn(ts, because)
    if action == DEPLOY and pointer.canary_since is not None:
        return pointer.deployed_challenger(ts, because)
    return pointer.tried(ts, because) if action == CANARY and pointer.canary_since is None else None


def _because(answer: Answer, model: str, what: str) -> str:
    """What is done, with the rules of the policy that fired on this model: the decision has what they saw."""
    fired = sorted({f.rule for f in answer.decision.firings if f.key == model and f.rule.startswith(POLICY)})
    return f"{what}, by the rules in force: {', '.join(fired) or 'none'}"


def _regime(inputs: Inputs) -> str | None:
    """The market's regime in the stored snapshot before."""
    rank = None if inputs.before is None else inputs.before.facts.get("market.regime")
    return REGIME.members[rank] if isinstance(rank, int) else None
