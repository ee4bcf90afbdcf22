"""A recording appears whole or not at all, and holds nothing that does not fit."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluators.recording import RecordingWriter
from evaluators.snapshot import Snapshot
from policy_dsl.diagnostics import PolicyError
from tests.evaluators.stored_states import (
    AT,
    CATALOGUE,
    MINUTE,
    RICH,
    codes,
    opened,
    recorded,
    refusals,
    snapshot,
    writer,
)


def interrupted(path: Path, error: type[BaseException], **options: Any) -> None:
    with writer(path, **options) as recording:
        recording.add(snapshot(5))
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_recording_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        interrupted(tmp_path / "r", error)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_what_was_there(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    with pytest.raises(KeyboardInterrupt):
        interrupted(path, KeyboardInterrupt, overwrite=True)
    assert [s.ts for s in opened(path).snapshots("main")] == [AT]


def test_a_killed_writer_leaves_nothing_at_the_target(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from evaluators.recording import RecordingWriter\n"
        "from evaluators.snapshot import Snapshot\n"
        "from tests.catalogue_for_tests import small_catalogue\n"
        "with RecordingWriter(sys.argv[1], small_catalogue(), cadence_ms=1) as w:\n"
        "    w.write('snapshot', 'main', {'ts': list(range(1000))})\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "r")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "r").exists()
    assert opened(recorded(tmp_path / "r", RICH)).count == 1


def test_an_occupied_place_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    assert refusals(lambda: recorded(path, snapshot())) == [
        ("RF747", f"`{path}` exists already", "name another place, or ask to overwrite it")
    ]
    with writer(path, overwrite=True) as recording:
        recording.add(snapshot(7))
    assert opened(path).span == (AT + 7 * MINUTE, AT + 7 * MINUTE)
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_what_is_no_recording_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert codes(lambda: writer(tmp_path / "mine", overwrite=True).__enter__()) == ["RF747"]
    assert codes(lambda: writer(tmp_path / "mine" / "letter.txt", overwrite=True).__enter__()) == ["RF747"]
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    assert opened(recorded(tmp_path / "r", RICH)).count == 1


def test_a_place_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert codes(lambda: recorded(tmp_path / "file" / "r", RICH)) == ["RF748"]


def test_nothing_recorded_is_refused(tmp_path: Path) -> None:
    assert codes(lambda: recorded(tmp_path / "r")) == ["RF745"]
    assert list(tmp_path.iterdir()) == []


def test_times_of_a_book_strictly_increase(tmp_path: Path) -> None:
    with writer(tmp_path / "r") as recording:
        recording.add(RICH)
        recording.add(replace(RICH, facts=dict(RICH.facts) | {"account.equity": None}))
        assert refusals(lambda: recording.add(snapshot())) == [
            (
                "RF743",
                "book `main`: the snapshot of 2025-10-10T21:00:00Z is there already, with other content",
                "times of one book strictly increase",
            )
        ]
        assert codes(lambda: recording.add(snapshot(-1))) == ["RF743"]
        assert codes(lambda: recording.write("snapshot", "main", {"ts": [AT]})) == ["RF743"]
        assert codes(lambda: recording.write("snapshot", "main", {"ts": [AT + 2, AT + 1]})) == ["RF743"]
        recording.add(snapshot(-1, "other"))
        recording.write("snapshot", "main", {"ts": [AT + 1]})
    assert opened(tmp_path / "r").count == 3


@pytest.mark.parametrize(
    ("columns", "code", "message"),
    [
        ({"account.drawdwn": [1]}, "RF742", "`snapshot` has no column `account.drawdwn`"),
        ({"key": ["a"]}, "RF742", "`snapshot` has no column `key`"),
        ({"account.drawdown": [0.5]}, "RF744", "column `account.drawdown` holds values of another type"),
        ({"account.drawdown": np.array([0.5])}, "RF744", "column `account.drawdown` holds values of another type"),
        ({"account.drawdown": [True]}, "RF744", "column `account.drawdown` holds values of another type"),
        ({"account.equity": [2**63]}, "RF744", "column `account.equity` holds a number outside 64 bits"),
        ({"account.equity": np.array([2**64 - 1])}, "RF744", "column `account.equity` holds a number outside 64 bits"),
        ({"account.equity": np.zeros((1, 1), int)}, "RF744", "column `account.equity` holds values of another type"),
        ({"account.equity": [1, 2]}, "RF744", "column `account.equity` of `snapshot` has 2 values for 1 times"),
        ({"operator.stop_requested": [1]}, "RF744", "column `operator.stop_requested` holds values of another type"),
        ({"operator.note": [1]}, "RF744", "column `operator.note` holds values of another type"),
        ({"operator.note": ["\ud800"]}, "RF744", "column `operator.note` holds a character that is no text"),
        ({"market.volatility": ["HGIH"]}, "RF744", "`HGIH` is not a level of `market.volatility`"),
        ({"market.volatility": [1.5]}, "RF744", "column `market.volatility` holds values of another type"),
        ({"known.position": ["yes"]}, "RF744", "column `known.position` holds values of another type"),
        ({"ts": [0.5]}, "RF743", "`ts` takes milliseconds since 1970 as integers, or datetime64, none of them missing"),
        ({"ts": [10**18]}, "RF743", "`ts` lies outside the years 1 to 9999"),
    ],
)  # fmt: skip
def test_bad_columns_are_refused(tmp_path: Path, columns: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught, writer(tmp_path / "r") as recording:
        recording.write("snapshot", "main", {"ts": [AT], **columns})
    assert [(d.code, d.message) for d in caught.value.diagnostics] == [(code, message)]


@pytest.mark.parametrize(
    ("entity", "book", "columns", "code"),
    [
        ("posiiton", "main", {"ts": [AT]}, "RF742"),
        ("position", "main", {"ts": [AT]}, "RF744"),
        ("position", "main", {"ts": [AT], "key": [None]}, "RF744"),
        ("position", "main", {"ts": [AT], "key": [""]}, "RF744"),
        ("position", "main", {"key": ["p1"]}, "RF743"),
        ("position", "a/b", {"ts": [AT], "key": ["p1"]}, "RF743"),
    ],
)
def test_bad_rows_are_refused(tmp_path: Path, entity: str, book: str, columns: dict[str, Any], code: str) -> None:
    with pytest.raises(PolicyError) as caught, writer(tmp_path / "r") as recording:
        recording.write(entity, book, columns)
    assert [d.code for d in caught.value.diagnostics] == [code]


@pytest.mark.parametrize(
    "stranger",
    [
        Snapshot("main", AT, {"account.drawdwn": 1}),
        Snapshot("main", AT, {}, {"positon": {}}),
        Snapshot("main", AT, {}, {"position": {"p1": {"sied": 1}}}),
        Snapshot("main", AT, {}, {}, {"position": ()}),
        Snapshot("main", AT, {}, {"account": {}}),
    ],
)
def test_a_snapshot_of_another_catalogue_is_refused(tmp_path: Path, stranger: Snapshot) -> None:
    assert codes(lambda: recorded(tmp_path / "r", stranger)) == ["RF742"]


@pytest.mark.parametrize(
    ("rows", "known", "message"),
    [
        ({"ts": [AT, AT], "key": ["a", "a"]}, True, "has two rows `a`"),
        ({"ts": [AT + 1], "key": ["a"]}, True, "where there is no snapshot"),
        ({"ts": [AT], "key": ["a"]}, False, "where there is no snapshot, or one whose `known.position` is not true"),
        ({"ts": [AT], "key": ["a"]}, None, "where there is no snapshot, or one whose `known.position` is not true"),
    ],
)
def test_stray_rows_are_refused(tmp_path: Path, rows: dict[str, Any], known: bool | None, message: str) -> None:
    def write() -> None:
        with writer(tmp_path / "r") as recording:
            recording.write("position", "main", rows)
            recording.write("snapshot", "main", {"ts": [AT], "known.position": [known]})

    [(code, found, _)] = refusals(write)
    assert code == "RF745"
    assert message in found
    assert list(tmp_path.iterdir()) == []


def test_a_cadence_is_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cadence"):
        RecordingWriter(tmp_path / "r", CATALOGUE, cadence_ms=0)
