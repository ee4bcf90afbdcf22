"""Values that a bookmark holds come back as they were; nothing else is written or read."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.decision import Firing
from evaluators.tagged_json import text_of, value_of

KEYS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.tuples(st.text(max_size=5), st.text(max_size=5))
)
FIRINGS = st.builds(Firing, st.text(max_size=5), st.text(max_size=5), st.booleans())
VALUES = st.recursive(
    KEYS | FIRINGS | st.sets(st.text(max_size=5), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.lists(inner, max_size=4).map(deque)
        | st.lists(st.tuples(KEYS, inner), max_size=4, unique_by=lambda pair: repr(pair[0])).map(dict)
    ),
    max_leaves=8,
)


def kinds(value: Any) -> Any:
    """The value with the type of everything in it, since 1 == True in Python."""
    if isinstance(value, tuple | list | deque):
        return type(value), [kinds(v) for v in value]
    if isinstance(value, dict):
        return dict, [(kinds(k), kinds(v)) for k, v in value.items()]
    return type(value), value


@given(VALUES)
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    assert kinds(value_of(text_of(value))) == kinds(value)


@pytest.mark.parametrize("value", [1.5, b"x", object(), (1, 1.0)])
def test_what_could_not_be_read_back_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        text_of(value)


@pytest.mark.parametrize("value", [1.5, {}, [], ["other", 1], ["firing", "a"], [["tuple"]], ["tuple", 0.5]])
def test_other_json_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no tagged JSON"):
        value_of(json.dumps(value))
