"""Every evaluator decides random programs on random states as the reference does, bit for bit."""

from __future__ import annotations

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from tests.conformance.evaluators import COMPILED, EVALUATORS, REFERENCE
from tests.strategies.programs import programs
from tests.strategies.snapshots import snapshots


@pytest.mark.parametrize("name", COMPILED)
@given(data=st.data())
def test_whole_decisions_are_equal(name: str, data: st.DataObject) -> None:
    program = data.draw(programs())
    states = data.draw(st.lists(snapshots(program), min_size=1, max_size=4))
    expected = REFERENCE(program)(states)
    actual = EVALUATORS[name](program)(states)
    note(f"reference: {expected}")
    assert actual == expected
