"""Follows books and says of each decision why it is as it is: the rules that bind, and what outputs keep."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.decision import Decision
from evaluators.explanation import Reason, observed, reasons
from evaluators.keeping import Kept, kept
from evaluators.python import PythonEvaluator
from evaluators.python.evaluator import PythonBook
from evaluators.snapshot import Snapshot
from evaluators.timelines import DEFAULT_MAX_GAP
from policy_dsl.program import Program


@dataclass(frozen=True, slots=True)
class Told:
    """A decision and why. `snapshot` has what came before in its `past`: an evaluator can decide it as it stands.

    `would_be` are the reasons of observing rules; `kept` are values that no rule asks for now.
    """

    snapshot: Snapshot
    decision: Decision
    reasons: tuple[Reason, ...]
    would_be: tuple[Reason, ...]
    kept: tuple[Kept, ...]


def tell(book: PythonBook, snapshot: Snapshot) -> Told:
    """The decision on the next snapshot of a book, and why."""
    evaluator = book.evaluator
    seen = book.recall(snapshot) if evaluator.looks_back else snapshot
    decision = book.decide(snapshot)
    found = reasons(evaluator.told, seen, decision)
    binding = {(output, reason.key) for reason in found for output in reason.binds}
    standing = tuple(
        k
        for k in kept(evaluator.told, decision, book.origins(snapshot.ts))
        if not {(k.output, ""), (k.output, k.key or "")} & binding
    )
    would_be = observed(evaluator.told, seen, decision) if decision.observed else ()
    return Told(seen, decision, found, would_be, standing)


class Teller:
    """Decides the snapshots of books as they come, times of a book increasing, and tells why when asked."""

    def __init__(self, program: Program, *, max_gap: int = DEFAULT_MAX_GAP) -> None:
        self.evaluator = PythonEvaluator(program, max_gap=max_gap)
        self.told = self.evaluator.told
        self._books: dict[str, PythonBook] = {}

    def follow(self, snapshot: Snapshot) -> Decision:
        """The decision on the next snapshot of its book, without the reasons, which cost more."""
        return self._book(snapshot).decide(snapshot)

    def tell(self, snapshot: Snapshot) -> Told:
        """The decision on the next snapshot of its book, and why."""
        return tell(self._book(snapshot), snapshot)

    def _book(self, snapshot: Snapshot) -> PythonBook:
        """The book; of a program that does not look back every snapshot stands for itself."""
        if snapshot.book not in self._books:
            self._books[snapshot.book] = PythonBook(self.evaluator)
        return self._books[snapshot.book]
