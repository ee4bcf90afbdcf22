"""What people ask for by hand: with a name and a reason, kept over a restart, a reset once."""

from __future__ import annotations

from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path

import pytest

from modules.inputs import Operator
from modules.runtime.controls import Call, Controls, NotKeptError
from modules.venues.journal import Journal, JournalError
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


# --- the hand on the risk mode, and the peak --------------------------------------------------------------------------


def test_a_hand_stands_until_it_is_released_over_restarts_too(tmp_path: Path) -> None:
    path = tmp_path / "controls.jsonl"
    first = Controls(path)
    first.hold_risk_mode(NOW, "CAUTIOUS", "ada", "elections")
    first.hold_risk_mode(NOW + 1, "SAFE", "bob", "worse")
    assert [first.shown().risk_mode for _ in range(2)] == ["SAFE", "SAFE"]
    first.close()
    again = Controls(path)
    assert again.operator().risk_mode == "SAFE"
    assert again.hand() == Call(NOW + 1, "hold SAFE", "bob", "worse")
    again.release_risk_mode(NOW + 2, "ada", "over")
    again.close()
    last = Controls(path)
    assert (last.operator(), last.hand()) == (Operator(), None)
    last.close()


def test_a_looser_hand_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    controls = Controls(tmp_path / "controls.jsonl")
    controls.hold_risk_mode(NOW, "DEFENSIVE", "ada", "weekend")
    for mode in ("CAUTIOUS", "NORMAL", "AGGRESSIVE"):
        with pytest.raises(PolicyError, match="RF852"):
            controls.hold_risk_mode(NOW, mode, "bob", "I think so")
    controls.hold_risk_mode(NOW, "DEFENSIVE", "bob", "I think so too")
    controls.close()
    again = Controls(tmp_path / "controls.jsonl")
    assert [call.person for call in again.calls] == ["ada", "bob"]
    again.close()


def test_a_hand_without_a_person_or_on_a_word_that_is_no_mode_is_refused() -> None:
    controls = Controls()
    with pytest.raises(PolicyError, match="RF851"):
        controls.hold_risk_mode(NOW, "SAFE", "", "why")
    with pytest.raises(PolicyError, match="RF851"):
        controls.release_risk_mode(NOW, "ada", "")
    with pytest.raises(ValueError, match="`safe` is no risk mode"):
        controls.hold_risk_mode(NOW, "safe", "ada", "why")
    assert controls.operator() == Operator()


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ('{"at":1,"what":"hold BRAVE","person":"ada","reason":"why"}', "BRAVE"),
        ('{"kind":"equity"}', "no call of a person"),
        ('{"at":"noon","what":"stop","person":"ada","reason":"why"}', "no call of a person"),
    ],
)
def test_a_journal_that_holds_what_is_no_call_is_damaged(tmp_path: Path, record: str, told: str) -> None:
    path = tmp_path / "controls.jsonl"
    path.write_text(f"{record}\n", encoding="utf-8")
    with pytest.raises(JournalError, match=told):
        Controls(path)


def test_a_new_peak_counts_from_the_call_and_re_arms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "controls.jsonl"
    first = Controls(path)
    first.stop(NOW, "ada", "drawdown")
    with pytest.raises(PolicyError, match="RF851"):
        first.reset_peak(NOW, "ada", " ")
    assert first.operator().peak_from is None
    first.reset_peak(NOW + 5, "ada", "the loss is taken")
    assert first.shown() == Operator(stop_requested=True, reason="drawdown", peak_from=NOW + 5)
    first.close()
    again = Controls(path)
    assert again.operator().peak_from == NOW + 5
    again.close()


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Controls]:
    """Controls that a person lets close positions, on a disk that takes no line more."""
    controls = Controls(tmp_path / "controls.jsonl")
    controls.flatten_on_stop(NOW, "ada", "in a hurry", flatten=True)

    def refuse(_: Journal, __: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(Journal, "append", refuse)
    yield controls
    controls.close()


def test_a_stop_and_a_hand_hold_even_where_the_disk_refuses_them(full: Controls) -> None:
    with pytest.raises(NotKeptError, match=r"controls.jsonl` cannot be written: no space left on device"):
        full.stop(NOW, "ada", "3am")
    with pytest.raises(NotKeptError):
        full.hold_risk_mode(NOW, "SAFE", "ada", "3am")
    assert full.shown() == Operator(stop_requested=True, reason="3am", risk_mode="SAFE", flatten_on_stop=True)
    assert [call.what for call in full.calls] == ["flatten", "stop", "hold SAFE"]


def test_what_loosens_counts_only_once_it_is_on_disk(full: Controls) -> None:
    before = full.operator()
    for ask in (full.reset, full.release_risk_mode, full.reset_peak):
        with pytest.raises(PolicyError, match=r"RF783: .*cannot be written: no space left on device"):
            ask(NOW, "ada", "all is well")
    with pytest.raises(PolicyError, match="RF783"):
        full.note(NOW, "enable pba", "ada", "all is well")
    assert full.operator() == before
    assert len(full.calls) == 1
