"""Every evaluator decides random programs on random states, and over random timelines, as the reference does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from evaluators.python import PythonEvaluator
from evaluators.python.evaluator import PythonBook
from evaluators.snapshot import Snapshot
from tests.conformance.evaluators import COMPILED, EVALUATORS, REFERENCE
from tests.strategies.programs import programs
from tests.strategies.snapshots import snapshots
from tests.strategies.timelines import timelines


@pytest.mark.parametrize("name", COMPILED)
@settings(report_multiple_bugs=False)
@given(data=st.data())
def test_whole_decisions_are_equal(name: str, data: st.DataObject) -> None:
    program = data.draw(programs(free_arguments=True))
    drawn = data.draw(st.lists(snapshots(program), min_size=1, max_size=4))
    # The same states once more, in another order: what an evaluator remembers may not show.
    states = drawn + data.draw(st.permutations(drawn))
    expected = REFERENCE(program)(states)
    actual = EVALUATORS[name](program)(states)
    note(f"reference: {expected}")
    assert actual == expected


@pytest.mark.parametrize("name", COMPILED)
@settings(report_multiple_bugs=False)
@given(data=st.data())
def test_whole_timelines_are_decided_alike(name: str, data: st.DataObject) -> None:
    program = data.draw(programs(free_arguments=True, temporal=True))
    line = data.draw(timelines(program))
    expected = REFERENCE(program, max_gap=line.max_gap)(line.snapshots)
    actual = EVALUATORS[name](program, max_gap=line.max_gap)(line.snapshots)
    note(f"reference: {expected}")
    assert actual == expected


@pytest.mark.parametrize("name", EVALUATORS)
@settings(report_multiple_bugs=False)
@given(data=st.data())
def test_a_run_cut_at_any_snapshot_and_resumed_decides_as_one_that_was_not(name: str, data: st.DataObject) -> None:
    """Whoever starts anew is told what was before of that book, and goes on; so what is later plays no part either."""
    program = data.draw(programs(temporal=True))
    line = data.draw(timelines(program))
    resumed = [told_up_to(place, line.snapshots) for place in range(len(line.snapshots))]
    decide = EVALUATORS[name](program, max_gap=line.max_gap)
    decisions = iter(decide([*line.snapshots, *(snapshot for story in resumed for snapshot in story)]))
    whole = [next(decisions) for _ in line.snapshots]
    for expected, story in zip(whole, resumed, strict=True):
        *_, last = [next(decisions) for _ in story]
        assert replace(last, book=expected.book) == expected


def told_up_to(place: int, snapshots: list[Snapshot]) -> list[Snapshot]:
    """One snapshot and those of its book before it, as a book of which nobody has heard."""
    book = snapshots[place].book
    return [replace(s, book=f"{book}-up-to-{place}") for s in snapshots[: place + 1] if s.book == book]


@pytest.mark.parametrize("name", EVALUATORS)
@settings(max_examples=settings().max_examples // 4, report_multiple_bugs=False)
@given(data=st.data())
def test_a_timeline_told_in_parts_is_decided_as_in_one_go(name: str, data: st.DataObject) -> None:
    program = data.draw(programs(temporal=True))
    line = data.draw(timelines(program))
    cut = data.draw(st.integers(0, len(line.snapshots)))
    whole = EVALUATORS[name](program, max_gap=line.max_gap)(line.snapshots)
    decide = EVALUATORS[name](program, max_gap=line.max_gap)
    assert decide(line.snapshots[:cut]) + decide(line.snapshots[cut:]) == whole


@settings(report_multiple_bugs=False)
@given(st.data())
def test_what_a_book_leaves_to_a_snapshot_is_all_that_a_decision_needs(data: st.DataObject) -> None:
    """A snapshot that holds what was before decides by itself, so that it can be explained at any time."""
    program = data.draw(programs(temporal=True))
    line = data.draw(timelines(program, books=1))
    evaluator = PythonEvaluator(program, max_gap=line.max_gap)
    book = PythonBook(evaluator)
    told, decisions = [], []
    for snapshot in line.snapshots:
        told.append(book.recall(snapshot))
        decisions.append(book.decide(snapshot))
    assert [evaluator.decide(snapshot) for snapshot in told] == decisions
