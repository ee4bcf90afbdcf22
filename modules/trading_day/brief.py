"""A fund that says of each decision which rules bind, and not how far each was from turning: days are long."""

from __future__ import annotations

from evaluators.binding import Case
from evaluators.decision import Decision
from evaluators.explanation import Reason, alerts_of
from evaluators.python.evaluator import PythonBook
from evaluators.snapshot import Snapshot
from evaluators.store_follower import StoreFollower
from evaluators.telling import Told
from modules.runtime.fund import Fund
from policy_dsl.program import Program


class BriefFollower(StoreFollower):
    """Decides as its parent does, and tells which rules bind or alert, without a word of why."""

    def tell(self, snapshot: Snapshot) -> Told:
        """The decision on the next snapshot of its book, stored with it, and the rules that bind."""
        told: list[Told] = []

        def telling(book: PythonBook, next_one: Snapshot) -> Decision:
            seen = book.recall(next_one) if book.evaluator.looks_back else next_one
            decision = book.decide(next_one)
            told.append(Told(seen, decision, binding(book.evaluator.told, seen, decision), (), ()))
            return decision

        self._next(snapshot, telling)
        return told[-1]


class BriefFund(Fund):
    """A fund whose steps tell the rules that bind and nothing more of them."""

    follower = BriefFollower


def binding(program: Program, snapshot: Snapshot, decision: Decision) -> tuple[Reason, ...]:
    """The enforced rules that fired and bind something, or alert, by rule and row."""
    return tuple(
        Reason(rule.id, firing.key, firing.definite, "", bound, alerts_of(rule), (), (), rule.span)
        for rule, firing, bound in Case(program, snapshot, decision).tells()
    )
