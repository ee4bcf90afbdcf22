"""What a fund starts with is left out of collections, and is collected like anything else afterwards."""

from __future__ import annotations

import gc

import pytest

from modules.runtime.lasting import lasting


def test_what_is_there_is_left_alone_for_as_long_as_the_fund_is_at_work() -> None:
    before = gc.get_freeze_count()
    with lasting():
        assert gc.get_freeze_count() > before + 1000
    assert gc.get_freeze_count() == 0


def test_it_is_let_go_whatever_ends_the_fund() -> None:
    with pytest.raises(KeyboardInterrupt), lasting():
        raise KeyboardInterrupt
    assert gc.get_freeze_count() == 0
