"""Cheap choices: one strategy for each number of options, made once, so that large values are drawn quickly."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


def choose(draw: st.DrawFn, options: Sequence[T]) -> T:
    """One of the options; a failing example shrinks towards the first."""
    return options[0] if len(options) == 1 else options[draw(_below(len(options)))]


def chance(draw: st.DrawFn, one_in: int) -> bool:
    """True about once in that many times; shrinks towards false."""
    return draw(_below(one_in)) == one_in - 1


@cache
def _below(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)
