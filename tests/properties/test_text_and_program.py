"""Rule text means what the typed program means: parsed and checked, it decides every state alike."""

from __future__ import annotations

from hypothesis import given, note
from hypothesis import strategies as st

from policy_dsl.bundle import load_text
from tests.conformance.evaluators import REFERENCE
from tests.strategies.snapshots import snapshots
from tests.strategies.sources import sources
from tests.strategies.timelines import timelines
from tests.strategies.vocabulary import CATALOGUE


@given(st.data())
def test_text_decides_as_the_program_it_was_written_from(data: st.DataObject) -> None:
    program, files = data.draw(sources())
    for text in files.values():
        note(text)
    checked = load_text(files, CATALOGUE).program
    states = data.draw(st.lists(snapshots(program), min_size=1, max_size=3))
    assert REFERENCE(checked)(states) == REFERENCE(program)(states)


@given(st.data())
def test_text_decides_every_timeline_as_the_program_it_was_written_from(data: st.DataObject) -> None:
    program, files = data.draw(sources(temporal=True))
    for text in files.values():
        note(text)
    checked = load_text(files, CATALOGUE).program
    line = data.draw(timelines(program))
    decide, wanted = (REFERENCE(p, max_gap=line.max_gap) for p in (checked, program))
    assert decide(line.snapshots) == wanted(line.snapshots)
