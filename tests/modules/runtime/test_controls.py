"""What people ask for by hand: with a name and a reason, kept over a restart, a reset once."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.inputs import Operator
from modules.runtime.controls import Controls
from policy_dsl.diagnostics import PolicyError

NOW = 1_760_000_000_000


def test_a_stop_stands_until_it_is_withdrawn() -> None:
    controls = Controls()
    controls.stop(NOW, "ada", "the venue is down")
    assert [controls.shown().stop_requested for _ in range(3)] == [True] * 3
    controls.reset(NOW + 1, "ada", "it is up")
    assert not controls.shown().stop_requested


def test_a_reset_shows_once() -> None:
    controls = Controls()
    controls.reset(NOW, "ada", "all is well")
    assert [controls.shown().reset_requested for _ in range(2)] == [True, False]


@pytest.mark.parametrize(("person", "reason"), [("", "why"), ("ada", ""), (" ", "why"), ("ada", "\t")])
def test_nothing_is_asked_without_a_person_and_a_reason(person: str, reason: str) -> None:
    controls = Controls()
    with pytest.raises(PolicyError, match="RF851"):
        controls.reset(NOW, person, reason)
    assert controls.shown() == Operator()
    assert controls.calls == []


def test_a_restart_keeps_a_stop_and_shows_no_reset_twice(tmp_path: Path) -> None:
    path = tmp_path / "controls.jsonl"
    first = Controls(path)
    first.flatten_on_stop(NOW, "ada", "weekend", flatten=True)
    first.reset(NOW, "ada", "well")
    first.stop(NOW, "bob", "no")
    assert first.shown().reset_requested
    first.close()
    again = Controls(path)
    assert again.shown() == Operator(stop_requested=True, flatten_on_stop=True, reason="no")
    assert [(call.what, call.person) for call in again.calls] == [("flatten", "ada"), ("reset", "ada"), ("stop", "bob")]
    again.close()
