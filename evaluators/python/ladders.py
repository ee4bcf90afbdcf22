"""Tests of one name, put together: it is asked once whether the name is known, and a stricter test only after a looser.

A fund's rules hold many thresholds against one fact (a drawdown of 1 %, 2 %, 3 %, 5 %); on a calm day all of them cost
one comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evaluators.python.scribe import INDENT
from evaluators.python.truths import Clause, Cut

TALLEST = 8
"""Tests nested in one another; Python's parser allows 100."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A test of a name that may be None, and what it adds to the mask `word`.

    `possible` where the name is None, `full` where the test holds. `cut` places the test among others of the name.
    """

    label: str
    test: Clause
    cut: Cut | None
    word: str
    possible: int
    full: int


def climb(name: str, rungs: list[Rung]) -> list[str]:
    """The lines that add all that tests of `name` say."""
    unknown: dict[str, int] = {}
    for rung in rungs:
        unknown[rung.word] = unknown.get(rung.word, 0) + rung.possible
    lines = [f"if {name} is None:", *(f"{INDENT}{word} += {bits}" for word, bits in unknown.items())]
    if len(rungs) == 1:
        return [rungs[0].label, *lines, f"elif {rungs[0].test.text}:", INDENT + _added(rungs[0])]
    return [*lines, "else:", *(INDENT + line for ladder in _ladders(rungs) for line in _steps(ladder))]


def _added(rung: Rung) -> str:
    return f"{rung.word} += {rung.full}"


def _ladders(rungs: list[Rung]) -> Iterator[list[Rung]]:
    """Tests of which each holds only where the one before does."""
    for upward in (True, False):
        cuts = [(rung.cut, rung) for rung in rungs if rung.cut is not None and rung.cut.upward is upward]
        ordered = [rung for _, rung in sorted(cuts, key=lambda pair: pair[0].looseness)]
        yield from (ordered[at : at + TALLEST] for at in range(0, len(ordered), TALLEST))
    yield from ([rung] for rung in rungs if rung.cut is None)


def _steps(ladder: list[Rung]) -> Iterator[str]:
    for depth, rung in enumerate(ladder):
        indent = INDENT * depth
        yield from (f"{indent}{rung.label}", f"{indent}if {rung.test.text}:", f"{indent}{INDENT}{_added(rung)}")
