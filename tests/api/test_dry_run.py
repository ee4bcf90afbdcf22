from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from api.engines import Engine
from evaluators.recording import RecordingWriter
from modules.facts import CATALOGUE
from tests.api.conftest import DESK, MINUTE, Run, snapshots

pytestmark = pytest.mark.usefixtures("rules")


def document(run: Run, *words: str | Path) -> Any:
    """What a dry run found."""
    return json.loads(run("dry-run", *words, "--json").stdout)


@pytest.mark.parametrize("engine", list(Engine))
def test_every_engine_finds_the_same(run: Run, recording: Path, engine: Engine) -> None:
    found = document(run, recording, "--engine", engine)
    assert (found["snapshots"], found["book"], found["engine"]) == (90, "main", engine)
    held = [(h["value"], h["snapshots"]) for h in found["outputs"]["desk.risk_mode"]["held"]]
    assert held == [("NORMAL", 30), ("CAUTIOUS", 30), ("SAFE", 30)]
    assert found["outputs"]["desk.risk_mode"]["transitions"] == [
        {"from": "NORMAL", "to": "CAUTIOUS", "count": 1},
        {"from": "CAUTIOUS", "to": "SAFE", "count": 1},
    ]
    assert found["verdicts"] == {"DENY": 6, "ALLOW": 3}
    assert found["denied_by"] == {"desk.big": 5, "desk.halt": 3}


def test_what_a_rule_did(run: Run, recording: Path) -> None:
    crash = document(run, recording)["rules"]["desk.crash"]
    assert crash == {
        "observing": False,
        "snapshots": 30,
        "bound": 30,
        "firings": 30,
        "definite": 25,
        "because_missing": 5,
        "seconds": 1800,
        "episodes": [{"from": "2025-10-10T22:00:00Z", "to": "2025-10-10T22:30:00Z", "snapshots": 30, "definite": 25}],
    }


def test_an_observing_rule_is_counted_and_binds_nothing(run: Run, recording: Path) -> None:
    tired = document(run, recording)["rules"]["desk.tired"]
    assert (tired["observing"], tired["snapshots"]) == (True, 0)
    lower = DESK.replace("losing_streak > 2", "losing_streak > 0")
    Path("rules/desk.rules").write_text(lower, encoding="utf-8")
    found = document(run, recording)
    assert found["rules"]["desk.tired"]["snapshots"] == 60
    assert found["outputs"]["desk.risk_mode"]["held"][0]["snapshots"] == 30


def test_how_often_facts_are_missing(run: Run, recording: Path) -> None:
    found = document(run, recording)["unknown"]
    assert found["account.drawdown"] == {"unknown": 5, "of": 90, "rate": 5 / 90}
    assert found["request.notional"] == {"unknown": 0, "of": 9, "rate": 0}


def test_part_of_the_time(run: Run, recording: Path) -> None:
    found = document(run, recording, "--from", "2025-10-10T21:30", "--to", "2025-10-10T22:00:00Z")
    assert [h["value"] for h in found["outputs"]["desk.risk_mode"]["held"]] == ["CAUTIOUS"]
    assert (found["from"], found["to"]) == ("2025-10-10T21:30:00Z", "2025-10-10T22:00:00Z")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from", "yesterday"), "`yesterday` is not a time"),
        (("--from", "2025-10-11"), "has no snapshot in that time"),
        (("--book", "mian"), "did you mean `main`?"),
        (("--output", "verdict"), "no fund-wide output is called `verdict`"),
        (("--against", "no-such-revision"), "neither a directory nor a git revision"),
        (("--engine", "abacus"), "'abacus'"),
        (("--html", "no/such/place.html"), "cannot be written"),
        (("--markdown", "no/such/place.md"), "cannot be written"),
    ],
)
def test_what_is_refused(run: Run, recording: Path, words: tuple[str, str], message: str) -> None:
    shown = run("dry-run", recording, *words, code=2).output
    assert message in " ".join(shown.replace("│", " ").split())


def test_a_recording_that_is_not_there(run: Run) -> None:
    assert "error[RF740]" in run("dry-run", "nowhere", code=2).stderr


def test_a_recording_that_is_damaged(run: Run, recording: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(recording, copy)
    part = next((copy / "snapshot").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    assert "error[RF746]" in run("dry-run", copy, code=2).stderr
    (copy / "recording.json").write_text("{", encoding="utf-8")
    assert "error[RF746]" in run("dry-run", copy, code=2).stderr


def test_every_book_is_replayed_unless_one_is_named(run: Run, tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "two", CATALOGUE, cadence_ms=MINUTE) as writer:
        for book in ("one", "two"):
            for snapshot in snapshots(book, minutes=3):
                writer.add(snapshot)
    assert [b["book"] for b in document(run, "two")["books"]] == ["one", "two"]
    run("dry-run", "two", "--markdown", "report.md")
    assert sorted(p.name for p in tmp_path.glob("report*")) == ["report-one.md", "report-two.md"]
    for engine in Engine:
        assert document(run, "two", "--book", "two", "--engine", engine)["snapshots"] == 3


# --- against others --------------------------------------------------------------------------------------------------


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    """The desk's rules as they were, with a rule less; the desk's own are stricter."""
    directory = tmp_path / "before"
    directory.mkdir()
    before = DESK[: DESK.index("rule rough")] + DESK[DESK.index("rule tired") :]
    (directory / "desk.rules").write_text(before, encoding="utf-8")
    return directory


def test_against_other_rules(run: Run, recording: Path, stricter: Path) -> None:
    found = document(run, recording, "--against", stricter)["comparison"]
    assert (found["snapshots"], found["counts"]) == (30, {"desk.risk_mode": {"tighter": 30}})
    [change] = found["changes"]
    assert (change["before"], change["after"], change["direction"]) == ("NORMAL", "CAUTIOUS", "tighter")
    assert (change["from"], change["to"]) == ("2025-10-10T21:30:00Z", "2025-10-10T22:00:00Z")


def test_against_themselves(run: Run, recording: Path) -> None:
    found = document(run, recording, "--against", "rules")["comparison"]
    assert (found["snapshots"], found["changes"]) == (0, [])


def test_against_a_revision(run: Run, recording: Path, stricter: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", *words], check=True, capture_output=True)

    git("init", "-q")
    now = Path("rules/desk.rules").read_text(encoding="utf-8")
    Path("rules/desk.rules").write_text((stricter / "desk.rules").read_text(encoding="utf-8"), encoding="utf-8")
    git("add", "rules")
    git("commit", "-q", "-m", "before")
    Path("rules/desk.rules").write_text(now, encoding="utf-8")
    found = document(run, recording, "--against", "HEAD")["comparison"]
    assert (found["against"], found["counts"]) == ("HEAD", {"desk.risk_mode": {"tighter": 30}})


# --- reports ---------------------------------------------------------------------------------------------------------


def test_tables_on_the_terminal(run: Run, recording: Path) -> None:
    shown = run("dry-run", recording).stdout
    assert shown.startswith("rules on book main: 2025-10-10 21:00 to 2025-10-10 22:30 UTC, 90 snapshots\n")
    for title in ("Time at each desk.risk_mode", "Changes of desk.risk_mode", "Rules", "Verdicts", "Missing facts"):
        assert title in shown
    assert "desk.crash" in shown


def test_another_output_over_time(run: Run, recording: Path) -> None:
    shown = run("dry-run", recording, "--output", "max_exposure").stdout
    assert "Time at each desk.max_exposure" in shown
    assert "Time at each desk.risk_mode" not in shown


def test_the_page_needs_nothing_else(run: Run, recording: Path, tmp_path: Path) -> None:
    run("dry-run", recording, "--html", "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert [word for word in ("http://", "https://", "@import", "src=", "url(http") if word in page] == []
    bundle = document(run, recording)["bundle"]
    for shown in (bundle, "ringfence ", "drawdown 6% is over 5%", "rules/desk.rules:14", "the tests", 'class="shade0"'):
        assert shown in page


def test_prices_are_drawn_from_candles(run: Run, recording: Path, tmp_path: Path) -> None:
    hours = [f"2025-10-10T{hour}:00:00Z,9,9,9,9,1" for hour in (20, 21)]
    rows = "".join(f"{symbol},{hour}\n" for hour in hours for symbol in ("ADAUSDT", "BTCUSDT"))
    (tmp_path / "candles.csv").write_text("symbol,ts,open,high,low,close,volume\n" + rows, encoding="utf-8")
    run("dry-run", recording, "--prices", "candles.csv", "--html", "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<text class="name" x="4" y="22.0">BTCUSDT</text>' in page
    assert "`nowhere.csv` cannot be read" in run("dry-run", recording, "--prices", "nowhere.csv", code=2).stderr


def test_what_comes_from_outside_is_text_in_the_page(run: Run, recording: Path, tmp_path: Path) -> None:
    evil = DESK.replace("volatility is {market.volatility}", "<script>alert(1)</script>")
    (tmp_path / "rules" / "desk.rules").write_text(evil, encoding="utf-8")
    run("dry-run", recording, "--html", "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_markdown(run: Run, recording: Path, tmp_path: Path, stricter: Path) -> None:
    run("dry-run", recording, "--against", stricter, "--markdown", "report.md")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text.startswith("## Dry run of `rules` on ")
    assert "| desk.risk_mode | 30 | · | · |" in text
    assert "### Episodes" not in text


def test_a_report_that_is_stopped_leaves_the_one_before(
    run: Run, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.html").write_text("before", encoding="utf-8")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("api.dry_runs.replay.Tally.see", stop)
    run("dry-run", recording, "--html", "report.html", code=130)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "before"
    assert sorted(p.name for p in tmp_path.iterdir() if "report" in p.name) == ["report.html"]
