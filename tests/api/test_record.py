"""`ringfence record`: a feed into a recording that is complete however it ends."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from api.service.stopping import stopping, ticks
from modules.runtime.watching import watching
from tests.api.conftest import Run


def test_a_feed_is_recorded_and_replayed(run: Run) -> None:
    found = json.loads(run("record", "--to", "rec", "--for", "200ms", "--every", "100ms", "--json").stdout)
    # How many there are is for the machine to say: a turn that takes longer covers the next one.
    assert found["snapshots"] in {1, 2, 3}
    assert found["venue"].startswith("paper, a made-up market")
    manifest = json.loads(Path("rec/recording.json").read_text(encoding="utf-8"))
    assert manifest["books"]["main"]["count"] == found["snapshots"]
    assert manifest["source"] == f"recorded at {found['venue']}"
    assert "error[RF747]" in run("record", "--to", "rec", "--for", "100ms", code=2).stderr


def test_ctrl_c_leaves_a_complete_recording(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def interrupted(*given: Any) -> Iterator[Callable[[], Any]]:
        looks = 0

        def look_and_interrupt() -> Any:
            nonlocal looks
            looks += 1
            if looks == 2:
                signal.raise_signal(signal.SIGINT)
            return look()

        with watching(*given) as look:
            yield look_and_interrupt

    monkeypatch.setattr("modules.runtime.watching.watching", interrupted)
    found = json.loads(run("record", "--to", "rec", "--every", "10ms", "--for", "1m", "--json").stdout)
    assert found["snapshots"] == 2
    manifest = json.loads(Path("rec/recording.json").read_text(encoding="utf-8"))
    assert manifest["books"]["main"]["count"] == 2


def test_what_is_refused(run: Run) -> None:
    assert "Missing option '--to'" in run("record", code=2).output
    assert "no duration" in run("record", "--to", "rec", "--for", "0s", code=2).stderr
    assert "is not a quantity" in run("record", "--to", "rec", "--every", "now", code=2).stderr
    assert "the venue `nowhere` cannot be used" in run("record", "--to", "rec", "--venue", "nowhere", code=2).stderr
    assert not Path("rec").exists()


def test_the_first_signal_asks_and_the_second_interrupts() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stopping() as asked:
        signal.raise_signal(signal.SIGTERM)
        assert asked.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


class Waiting(Event):
    """Nobody waits: the time that would have passed is over at once."""

    now = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0.0
        return self.is_set()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    made = Waiting()
    monkeypatch.setattr("api.service.stopping.monotonic", lambda: made.now)
    return made


def test_turns_are_even_until_their_time_is_over(asked: Waiting) -> None:
    assert [asked.now for _ in ticks(10, asked, 35)] == [0, 10, 20, 30]


def test_a_turn_that_takes_long_costs_those_that_it_covers(asked: Waiting) -> None:
    seen = []
    for _ in ticks(10, asked, 60):
        seen.append(asked.now)
        if asked.now == 0:
            asked.now += 25
    assert seen == [0, 30, 40, 50, 60]


def test_turns_end_when_they_are_asked_to() -> None:
    asked = Event()
    turns = ticks(60, asked)
    next(turns)
    asked.set()
    assert list(turns) == []
