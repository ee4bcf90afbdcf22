"""Trainings in a process of their own: the same result, an end to what takes too long, a reason for what fails."""

from __future__ import annotations

import io
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.learning.kinds import four_models
from modules.learning.model import TrainingError, train
from modules.learning.training_process import FAILED, main, packed
from modules.learning.workers import InPlaceWorker, ProcessWorker
from tests.modules.learning.markets import turning
from tests.modules.samples import first_bars

MARKET = turning(300, 300)
MODEL = four_models()["nhits"]
PATIENCE = 120.0


@pytest.fixture
def worker() -> Iterator[ProcessWorker]:
    found = ProcessWorker()
    yield found
    found.close()


def test_a_process_learns_what_would_be_learnt_in_place(worker: ProcessWorker) -> None:
    future = worker.start(MODEL, MARKET, "RANGING")
    apart, here = future.result(PATIENCE), train(MODEL, MARKET, "RANGING")
    assert (apart.model, apart.regime, apart.trained_at) == ("nhits", "RANGING", here.trained_at)
    assert apart.inputs == here.inputs
    assert apart.parameters["weights"] == pytest.approx(here.parameters["weights"])


def test_a_training_that_takes_too_long_is_ended() -> None:
    worker = ProcessWorker(limit=0.05)
    with pytest.raises(TrainingError, match=r"^it took over 0.05 s$"):
        worker.start(MODEL, MARKET, None).result(PATIENCE)
    worker.close()


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import os; os.kill(os.getpid(), 9)", "ended with -9: without a word"),
        ("raise MemoryError('too much')", "ended with 1: MemoryError: too much"),
        ("print('{}')", "returned is no model"),
        ("import sys; sys.stderr.write('0 samples are known'); sys.exit(3)", "^0 samples are known$"),
    ],
)
def test_a_process_that_dies_or_talks_nonsense_is_a_training_that_failed(program: str, why: str) -> None:
    worker = ProcessWorker(command=(sys.executable, "-c", program))
    with pytest.raises(TrainingError, match=why):
        worker.start(MODEL, MARKET, None).result(PATIENCE)
    worker.close()


def test_a_program_that_is_not_there_is_a_training_that_failed() -> None:
    worker = ProcessWorker(command=("/no/such/program",))
    with pytest.raises(TrainingError, match="could not be run"):
        worker.start(MODEL, MARKET, None).result(PATIENCE)
    worker.close()


def test_a_fund_that_stops_waits_for_no_training(tmp_path: Path) -> None:
    began = tmp_path / "began"
    program = f"import pathlib, time; pathlib.Path({str(began)!r}).touch(); time.sleep(600)"
    worker = ProcessWorker(command=(sys.executable, "-c", program))
    running, waiting = worker.start(MODEL, MARKET, None), worker.start(MODEL, MARKET, None)
    until = time.monotonic() + PATIENCE
    while not began.exists():
        assert time.monotonic() < until, "the program has not begun"
        time.sleep(0.01)
    worker.close()
    with pytest.raises(TrainingError, match="ended with -9"):
        running.result(0)
    assert waiting.cancelled() or isinstance(waiting.exception(0), TrainingError)


def worked(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> int:
    """Does here what a process would do with what it was sent."""
    monkeypatch.setattr("os.nice", lambda _: 0)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(sent)))
    with warnings.catch_warnings():
        return main()


def test_a_training_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert worked(monkeypatch, packed("nhits", 1, first_bars(MARKET, 20), None)) == FAILED
    assert capsys.readouterr().err == "0 samples are known, and it takes 250\n"


def test_what_is_handed_over_can_run_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packed("nhits", 1, MARKET, None)[:2] == b"PK"
    with pytest.raises(ValueError, match="pickle"):
        worked(monkeypatch, b"cos\nsystem\n(S'true'\ntR.")


def test_in_place_a_failure_is_in_the_future_too() -> None:
    assert InPlaceWorker().start(MODEL, MARKET, None).result() == train(MODEL, MARKET)
    with pytest.raises(TrainingError):
        InPlaceWorker().start(MODEL, first_bars(MARKET, 20), None).result()
