from __future__ import annotations

import json
from pathlib import Path

from tests.api.conftest import Run

CANDLES = "symbol,ts,open,high,low,close,volume\n" + "".join(
    f"BTCUSDT,2025-10-10T{hour:02d}:00:00Z,{100 + hour},{102 + hour},{99 + hour},{101 + hour},10\n"
    for hour in range(24)
)


def test_candles_become_a_recording(run: Run, tmp_path: Path) -> None:
    (tmp_path / "candles.csv").write_text(CANDLES, encoding="utf-8")
    shown = run("import", "candles.csv", "--to", "recorded").stdout
    assert "24 snapshots" in shown
    assert (tmp_path / "recorded" / "recording.json").is_file()


def test_what_was_made_as_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "candles.csv").write_text(CANDLES, encoding="utf-8")
    found = json.loads(run("import", "candles.csv", "--to", "recorded", "--json").stdout)
    [book] = found["books"].values()
    assert (found["recording"], book["snapshots"], found["recorded_verdicts"]) == ("recorded", 24, 0)


def test_a_place_that_is_taken(run: Run, tmp_path: Path) -> None:
    (tmp_path / "candles.csv").write_text(CANDLES, encoding="utf-8")
    run("import", "candles.csv", "--to", "recorded")
    assert "error[RF747]" in run("import", "candles.csv", "--to", "recorded", code=2).stderr
    run("import", "candles.csv", "--to", "recorded", "--overwrite")


def test_files_that_are_not_there_or_damaged(run: Run, tmp_path: Path) -> None:
    assert (
        "`nowhere.csv` cannot be read: no such file" in run("import", "nowhere.csv", "--to", "recorded", code=2).stderr
    )
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" + b"\0" * 40)
    assert "`cut.parquet` cannot be read" in run("import", "cut.parquet", "--to", "recorded", code=2).stderr
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert "error[RF8" in run("import", "odd.csv", "--to", "recorded", code=2).stderr
    assert not (tmp_path / "recorded").exists()


def test_what_it_needs_to_know(run: Run) -> None:
    assert "Missing argument" in run("import", "--to", "recorded", code=2).output
    assert "Missing option '--to'" in run("import", "candles.csv", code=2).output
