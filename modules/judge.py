"""The rules' answer to a state that is handed over: for whoever asks a module about one position, order or moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from evaluators.decision import Decision
from evaluators.decision_documents import outputs_document
from evaluators.explanation import Reason
from evaluators.python import PythonEvaluator
from evaluators.python.evaluator import PythonBook
from evaluators.snapshot import Snapshot
from evaluators.telling import tell
from modules.assembly import Supplied, assemble
from modules.facts import CATALOGUE
from policy_dsl.bundle import Bundle, load

RULES = Path(__file__).resolve().parents[1] / "rules"
"""The rules that come with ringfence, beside its packages in a checkout and in site-packages alike."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the rules say of one state: `outputs` by id in document units, and by rule why.

    A rule that fired for want of a fact says so: what it says may not be so.
    """

    decision: Decision
    outputs: Mapping[str, Any]
    because: Mapping[str, str]

    def of(self, output: str, key: str | None = None) -> Any:
        """The value of an output, of one row where it has one a row; None where there is no such row."""
        value = self.outputs[output]
        return value if key is None else value.get(key)


class Judge:
    """Applies a bundle to states that stand by themselves: what looks back sees the first snapshot of a book."""

    def __init__(self, bundle: Bundle | None = None) -> None:
        self.bundle = bundle or packaged_bundle()
        self._evaluator = PythonEvaluator(self.bundle.program)

    def answer(self, ts: int, supplied: Iterable[Supplied], book: str = "main", *, why: bool = True) -> Answer:
        """What the rules say of the facts supplied, at `ts` (ms since 1970 UTC); what nobody supplies is missing.

        With `why` false it is not said why, which takes most of the time.
        """
        return self.answer_to(assemble(book, ts, supplied).snapshot, why=why)

    def answer_to(self, snapshot: Snapshot, *, why: bool = True) -> Answer:
        """What the rules say of a snapshot."""
        book = PythonBook(self._evaluator)
        if not why:
            return answer_of(book.decide(snapshot), self.bundle, ())
        told = tell(book, snapshot)
        return answer_of(told.decision, self.bundle, told.reasons)


def answer_of(decision: Decision, bundle: Bundle, why: Iterable[Reason]) -> Answer:
    """A decision with its values in document units, and what each rule that fired says."""
    return Answer(decision, outputs_document(decision.outputs, bundle.program), {r.rule: said(r) for r in why})


def said(reason: Reason) -> str:
    """What a rule that fired says, and whether it does so for want of a fact alone."""
    return reason.because if reason.definite else f"{reason.because or 'fires'} (for want of a fact)"


@cache
def packaged_bundle() -> Bundle:
    """The rules that come with ringfence, checked; loaded once."""
    return load(RULES, CATALOGUE)
