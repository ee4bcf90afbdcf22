"""Every evaluator decides random programs on random states as the reference does, bit for bit."""

from __future__ import annotations

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.conformance.evaluators import COMPILED, EVALUATORS, REFERENCE
from tests.strategies.programs import programs
from tests.strategies.snapshots import snapshots


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
