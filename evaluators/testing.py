"""Runs the tests of rule files, in every evaluator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from evaluators.back_ends import BACK_ENDS, BackEnd
from evaluators.failing import Failure, Found, Judged
from evaluators.staging import BOOK, calm_snapshot, staged, states
from evaluators.timelines import longest_gap
from policy_dsl.bundle import Bundle
from policy_dsl.case_times import START, number_of_snapshots
from policy_dsl.cases import MOST_SNAPSHOTS, Case
from policy_dsl.catalogue import Catalogue
from policy_dsl.program import Program

__all__ = [
    "START",
    "CaseResult",
    "Failure",
    "Found",
    "calm_snapshot",
    "judges",
    "promoted",
    "run_cases",
    "states",
]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one test in some evaluators; it passed if there are no failures, which are in order of time."""

    case: Case
    evaluators: tuple[str, ...]
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Whether every expectation held in every evaluator."""
        return not self.failures


def judges(names: Sequence[str] = ("interpreter", "python", "duckdb")) -> dict[str, BackEnd]:
    """The evaluators by name. KeyError for a name that is none."""
    return {name: BACK_ENDS[name] for name in names}


def promoted(program: Program) -> Program:
    """The program with its observing rules binding: a test says what a rule means, bound or not."""
    return replace(program, rules=tuple(replace(r, observing=False) for r in program.rules))


def run_cases(
    bundle: Bundle, catalogue: Catalogue, evaluators: Mapping[str, BackEnd] | None = None, match: str | None = None
) -> Iterator[CaseResult]:
    """Run the tests of a bundle, those whose `policy: name` holds `match` if it is given, in the files' order."""
    program = promoted(bundle.written)
    asked = evaluators or judges()
    cases = [c for c in bundle.cases if match is None or match in f"{c.policy}: {c.name}"]
    failures: dict[int, list[tuple[_Place, Failure]]] = {number: [] for number in range(len(cases))}
    for batch in _batches(cases):
        scenes = [scene for book in batch for scene in staged(cases[book.case], book.variant, book.name, catalogue)]
        of = {book.name: book.case for book in batch}
        max_gap = longest_gap(None, cases[batch[0].case].cadence)
        for order, (name, back_end) in enumerate(asked.items()):
            decisions = back_end(program, max_gap=max_gap)([scene.snapshot for scene in scenes])
            for index, place, failure in _failures(Judged(name, scenes, decisions), order):
                failures[of[scenes[index].snapshot.book]].append((place, failure))
    for number, case in enumerate(cases):
        found = [failure for _, failure in sorted(failures[number], key=lambda f: f[0])]
        yield CaseResult(case, tuple(asked), tuple(found))


@dataclass(frozen=True, slots=True)
class _Book:
    """A variant of a test, and the book that it is: the tests of one call know nothing of each other."""

    case: int
    variant: int
    name: str


def _batches(cases: Sequence[Case]) -> Iterator[list[_Book]]:
    """The books to decide in one call each: of one cadence, and of no more snapshots than fit in memory."""
    by_cadence: dict[int, list[_Book]] = {}
    count = 0
    for number, case in enumerate(cases):
        for variant in range(len(case.variants)):
            by_cadence.setdefault(case.cadence, []).append(_Book(number, variant, f"{BOOK}-{count}"))
            count += 1
    for cadence, books in by_cadence.items():
        batch: list[_Book] = []
        size = 0
        for book in books:
            more = number_of_snapshots(cases[book.case].variants[book.variant], cadence)
            if batch and size + more > MOST_SNAPSHOTS:
                yield batch
                batch, size = [], 0
            batch.append(book)
            size += more
        yield batch


_Place = tuple[int, int, int, int]
"""Where a failure stands among those of its test: variant, time, expectation, evaluator."""


def _failures(judged: Judged, order: int) -> Iterator[tuple[int, _Place, Failure]]:
    """What failed at which snapshot, in one evaluator."""
    for index, scene in enumerate(judged.scenes):
        for number, failure in judged.failures(index):
            yield index, (scene.variant, scene.at, number, order), failure
