"""How busy the machine is comes to what the world tells; what is not known yet is not made up."""

from __future__ import annotations

from errno import EMFILE

import psutil  # type: ignore[import-untyped]  # because its stubs are a package of their own
import pytest

from modules.runtime.fund import NoWorld
from modules.runtime.measured_world import MeasuredWorld


def test_the_machine_is_measured_and_the_first_share_of_the_processors_is_unknown() -> None:
    world = MeasuredWorld(NoWorld("main"))
    first, second = (world.inputs(ts, None, {}) for ts in (1_000, 2_000))
    assert first.machinery.cpu is None
    assert second.machinery.cpu is not None
    assert 0 <= second.machinery.cpu <= 1
    assert first.machinery.memory is not None
    assert 0 < first.machinery.memory < 1
    assert (second.book_name, second.ts) == ("main", 2_000)


def test_a_machine_that_cannot_be_measured_is_no_reason_to_know_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(EMFILE, "Too many open files")

    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    found = MeasuredWorld(NoWorld("main")).inputs(1_000, None, {})
    assert (found.ts, found.machinery.cpu, found.machinery.memory) == (1_000, None, None)
