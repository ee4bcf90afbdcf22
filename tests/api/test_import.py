from __future__ import annotations

import json
from pathlib import Path

from evaluators.recording import Recording
from evaluators.timestamps import parse_time
from modules.facts import CATALOGUE
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


def test_a_person_re_arms_the_stop_at_the_next_snapshot(run: Run, tmp_path: Path) -> None:
    (tmp_path / "candles.csv").write_text(CANDLES, encoding="utf-8")
    resets = ("--reset", "2025-10-10T04:30:00Z", "--reset", "2025-10-10T09:00")
    shown = run("import", "candles.csv", "--to", "recorded", *resets).stdout
    told = [line for line in shown.splitlines() if "re-arms" in line]
    assert told == [f"  a person re-arms the emergency stop at 2025-10-10T{hour}:00:00Z" for hour in ("05", "09")]
    recording = Recording.open(tmp_path / "recorded", CATALOGUE)
    pressed = [s.ts for s in recording.snapshots(recording.books[0]) if s.facts["operator.reset_requested"]]
    assert pressed == [parse_time("2025-10-10T05:00:00Z"), parse_time("2025-10-10T09:00:00Z")]
    again = run("import", "candles.csv", "--to", "recorded", "--overwrite", "--json", *resets).stdout
    [book] = json.loads(again)["books"].values()
    assert book["resets"] == ["2025-10-10T05:00:00Z", "2025-10-10T09:00:00Z"]


def test_a_reset_that_means_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "candles.csv").write_text(CANDLES, encoding="utf-8")
    unread = run("import", "candles.csv", "--to", "recorded", "--reset", "noon", code=2).output
    assert "Invalid value for --reset" in unread
    assert "write 2025-10-10 or 2025-10-10T21:00:00Z" in " ".join(unread.replace("│", " ").split())
    stray = run("import", "candles.csv", "--to", "recorded", "--reset", "2026-10-10T04:30:00Z", code=2).stderr
    assert "error[RF809]: the reset of 2026-10-10T04:30:00Z is of no paper fund" in stray
    assert "`candles` is there from 2025-10-10T00:00:00Z to 2025-10-11T00:00:00Z" in stray
    (tmp_path / "trades.csv").write_text(
        "symbol,close_ts,profit_abs\nBTCUSDT,2025-10-10T02:00:00Z,5\n", encoding="utf-8"
    )
    no_fund = run("import", "trades.csv", "--to", "recorded", "--reset", "2025-10-10T04:30:00Z", code=2).stderr
    assert "only candles become a paper fund" in no_fund
    assert not (tmp_path / "recorded").exists()


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
