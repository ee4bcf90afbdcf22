"""The decisions of tests: each test a timeline, decided at the snapshots at which it expects something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from evaluators.decision import Decision
from evaluators.staging import BOOK, staged
from evaluators.telling import Teller, Told
from evaluators.timelines import longest_gap
from policy_dsl.cases import Case
from policy_dsl.catalogue import Catalogue
from policy_dsl.program import Program


@dataclass(slots=True)
class TestedProgram:
    """A program, and the tests that it is told by; one teller does for all tests of a cadence."""

    program: Program
    cases: tuple[Case, ...]
    catalogue: Catalogue
    _tellers: dict[int, Teller] = field(default_factory=dict)
    _books: count[int] = field(default_factory=count)

    def firing(self, rule: str) -> Iterator[Case]:
        """The tests in which a rule fires where they expect something."""
        for case in self.cases:
            found = (d for v in range(len(case.variants)) for d in self._decisions(case, v))
            if any(f.rule == rule for decision in found for f in decision.firings):
                yield case

    def first_firing(self, rule: str) -> tuple[Case, Told] | None:
        """The first decision in which a rule fires, definitely if there is one, and why it is as it is."""
        unsure: tuple[Case, int, int] | None = None
        for case in self.cases:
            for variant in range(len(case.variants)):
                for decision in self._decisions(case, variant):
                    firings = [f for f in decision.firings if f.rule == rule]
                    if any(f.definite for f in firings):
                        return case, self._told(case, variant, decision.ts)
                    if firings and unsure is None:
                        unsure = case, variant, decision.ts
        return None if unsure is None else (unsure[0], self._told(*unsure))

    def _decisions(self, case: Case, variant: int) -> Iterator[Decision]:
        teller, book = self._teller(case)
        for scene in staged(case, variant, book, self.catalogue):
            decision = teller.follow(scene.snapshot)
            if scene.expected:
                yield decision

    def _told(self, case: Case, variant: int, ts: int) -> Told:
        teller, book = self._teller(case)
        for scene in staged(case, variant, book, self.catalogue):
            if scene.snapshot.ts == ts:
                return teller.tell(scene.snapshot)
            teller.follow(scene.snapshot)
        raise ValueError(f"the test `{case.name}` has no snapshot at {ts}")

    def _teller(self, case: Case) -> tuple[Teller, str]:
        """Whoever tells tests of that cadence, and a book that it has not met."""
        if case.cadence not in self._tellers:
            self._tellers[case.cadence] = Teller(self.program, max_gap=longest_gap(None, case.cadence))
        return self._tellers[case.cadence], f"{BOOK}-{next(self._books)}"
