"""`ringfence record`: a feed into a recording that is complete however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event
from time import monotonic, sleep

import pytest

from api.service.stopping import stopping, ticks
from tests.api.conftest import Run
from tests.conftest import ROOT


def test_a_feed_is_recorded_and_replayed(run: Run) -> None:
    found = json.loads(run("record", "--to", "rec", "--for", "200ms", "--every", "100ms", "--json").stdout)
    assert found["snapshots"] in {2, 3}
    assert found["venue"].startswith("paper, a made-up market")
    manifest = json.loads(Path("rec/recording.json").read_text(encoding="utf-8"))
    assert manifest["books"]["main"]["count"] == found["snapshots"]
    assert manifest["source"] == f"recorded at {found['venue']}"
    assert "error[RF747]" in run("record", "--to", "rec", "--for", "100ms", code=2).stderr


def test_ctrl_c_leaves_a_complete_recording(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from api.cli import main; main()", "record", "--to", "rec", "--every", "100ms"]
    with (tmp_path / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=said, stderr=said
        )
    until = monotonic() + 120
    while not list(tmp_path.glob(".rec*")) and process.poll() is None and monotonic() < until:
        sleep(0.05)
    sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, (tmp_path / "said.txt").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "rec" / "recording.json").read_text(encoding="utf-8"))["books"]["main"]["count"] >= 1


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


def test_turns_end_when_they_are_asked_to_or_their_time_is_over() -> None:
    asked = Event()
    assert len(list(ticks(0.01, asked, 0.035))) in {3, 4}
    turns = ticks(60, asked)
    next(turns)
    asked.set()
    assert list(turns) == []
