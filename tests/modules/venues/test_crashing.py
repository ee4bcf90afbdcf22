"""The process that dies on purpose tells its death from every other end."""

from __future__ import annotations

import gc

import pytest

from tests.modules.venues.crashing import die, killed


def test_a_process_that_dies_is_told_from_one_that_ends() -> None:
    assert killed(die)
    assert not killed(lambda: None)


def test_a_process_that_raises_was_not_killed_and_is_no_answer() -> None:
    with pytest.raises(AssertionError, match="the process failed: 1"):
        killed(lambda: 1 / 0)


def test_it_collects_no_garbage_and_leaves_its_parent_collecting() -> None:
    def collects() -> None:
        if gc.isenabled():
            die()

    assert not killed(collects)
    assert gc.isenabled()
