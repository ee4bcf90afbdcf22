"""Commands on rules that look back: what an output keeps, and what a part of a recording sees of the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.engines import Engine
from evaluators.recording import RecordingWriter
from evaluators.snapshot import Snapshot
from modules.facts import CATALOGUE
from tests.api.conftest import MINUTE, START, Run

RULES = """\
policy desk version 1.0.0
  "A desk that takes its time."

output risk_mode: SAFE < CAUTIOUS < NORMAL
  starts NORMAL
  relaxes after 10m

output stop: HALTED < ARMED
  starts ARMED
  latches until operator.reset_requested

output pause: flag
  starts no

rule deep
  when account.drawdown > 5%
  tighten risk_mode to SAFE
  tighten stop to HALTED
  because "the highest drawdown of an hour is {highest(account.drawdown over 1h)}"

rule lasting
  when account.drawdown > 2% throughout 5m
  tighten risk_mode to CAUTIOUS

rule stopped
  when count(trade where trade.exit is STOP_LOSS over 30m) >= 2
  tighten pause to yes for 20m
"""


@pytest.fixture(autouse=True)
def _rules(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "desk.rules").write_text(RULES, encoding="utf-8")


def drawdown(minute: int) -> float:
    """Deep from 21:05 to 21:07, middling to 21:14, then none."""
    return 0.06 if 5 <= minute < 8 else 0.03 if 8 <= minute < 15 else 0.0


def state(minute: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "book": "main",
        "ts": f"2025-10-10T21:{minute:02d}:00Z",
        "account": {"drawdown": drawdown(minute)},
        "operator": {"reset_requested": minute == 30},
    }
    return made | ({"trade": [{"exit": "STOP_LOSS"}]} if minute in (3, 4) else {})


@pytest.fixture
def timeline(tmp_path: Path) -> Path:
    path = tmp_path / "hour.jsonl"
    path.write_text("\n".join(json.dumps(state(m)) for m in range(60)), encoding="utf-8")
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    with RecordingWriter(tmp_path / "recording", CATALOGUE, cadence_ms=MINUTE, source="a test") as writer:
        for m in range(60):
            facts = {"account.drawdown": round(drawdown(m) * 10**9), "operator.reset_requested": m == 30}
            writer.add(
                Snapshot("main", START + m * MINUTE, facts, {}, {"trade": ({"exit": 0},)} if m in (3, 4) else {})
            )
    return tmp_path / "recording"


def course(found: list[dict[str, Any]], output: str) -> list[tuple[int, Any]]:
    """The minutes at which an output changed, and to what."""
    values = [f["outputs"][output] for f in found]
    return [(m, v) for m, v in enumerate(values) if m == 0 or v != values[m - 1]]


@pytest.mark.parametrize("engine", list(Engine))
def test_a_timeline_is_decided_in_the_light_of_itself(run: Run, timeline: Path, engine: Engine) -> None:
    words = ("eval", "--state", timeline, "--calm", "--json", "--engine", engine)
    found = [json.loads(line) for line in run(*words).stdout.splitlines()]
    assert course(found, "desk.risk_mode") == [(0, "NORMAL"), (5, "SAFE"), (17, "CAUTIOUS"), (24, "NORMAL")]
    assert course(found, "desk.stop") == [(0, "ARMED"), (5, "HALTED"), (30, "ARMED")]
    assert course(found, "desk.pause") == [(0, False), (4, True), (52, False)]


def test_what_an_output_keeps_names_rule_moment_and_end(run: Run, timeline: Path) -> None:
    words = ("eval", "--state", timeline, "--calm", "--json")
    found = [json.loads(line) for line in run(*words).stdout.splitlines()]
    assert found[5]["kept"] == [], "what a rule asks for now is not kept"
    kept = {k["output"]: k for k in found[20]["kept"]}
    assert kept["desk.stop"] == {
        "output": "desk.stop",
        "entity": None,
        "value": "HALTED",
        "kind": "latched",
        "rules": ["desk.deep"],
        "since": "2025-10-10T21:05:00Z",
        "until": None,
    }
    assert (kept["desk.risk_mode"]["value"], kept["desk.risk_mode"]["kind"]) == ("CAUTIOUS", "relaxing")
    assert kept["desk.risk_mode"]["rules"] == ["desk.lasting"]
    assert kept["desk.risk_mode"]["since"] == "2025-10-10T21:14:00Z"
    assert kept["desk.risk_mode"]["until"] == "2025-10-10T21:24:00Z"
    held = next(k for k in found[50]["kept"] if k["output"] == "desk.pause")
    assert (held["kind"], held["rules"], held["until"]) == ("held", ["desk.stopped"], "2025-10-10T21:52:00Z")
    shown = run("eval", "--state", timeline, "--calm", "--output", "stop").stdout
    assert "asked for by desk.deep at 2025-10-10T21:05:00Z: latched until operator.reset_requested" in shown


def test_one_moment_of_a_timeline_is_explained(run: Run, timeline: Path) -> None:
    words = ("explain", "--state", timeline, "--calm", "--at")
    shown = run(*words, "2025-10-10T21:20").stdout
    assert "desk.stop stays HALTED, asked for by desk.deep at 2025-10-10T21:05:00Z" in shown
    assert "desk.stop would be ARMED with operator.reset_requested from no to yes" in shown
    assert shown.splitlines()[0] == "main at 2025-10-10T21:20:00Z"
    safe = run(*words, "2025-10-10T21:10").stdout
    assert "no fact of this moment; it stays until 2025-10-10T21:17:00Z, unless it is asked for again" in safe
    deep = json.loads(run(*words, "2025-10-10T21:06", "--json").stdout)
    because = next(r for r in deep["reasons"] if r["rule"] == "desk.deep")["because"]
    assert because == "the highest drawdown of an hour is 6%"
    lasting = run("explain", "--state", timeline, "--calm", "--at", "2025-10-10T21:05", "--output", "stop").stdout
    assert "desk.deep: the highest drawdown of an hour is 6%" in lasting
    assert "has no state at" in run(*words, "2025-10-10T21:20:30", code=2).output


def test_states_further_apart_than_declared_are_gaps(run: Run, timeline: Path) -> None:
    words = ("eval", "--state", timeline, "--calm", "--output", "risk_mode")
    quiet, noted = run(*words), run(*words, "--cadence", "10s")
    assert "gaps" not in quiet.stderr
    assert "59 steps of the timeline longer than 30s" in noted.stderr
    assert "--cadence" in run(*words, "--cadence", "soon", code=2).output
    assert "is no duration" in run(*words, "--cadence", "5%", code=2).output


def document(run: Run, *words: str | Path) -> Any:
    return json.loads(run("dry-run", *words, "--json").stdout)


@pytest.mark.parametrize("engine", list(Engine))
def test_a_part_of_a_recording_is_decided_in_the_light_of_all_before_it(
    run: Run, recording: Path, engine: Engine
) -> None:
    part = document(run, recording, "--from", "2025-10-10T21:20", "--to", "2025-10-10T21:40", "--engine", engine)
    assert part["snapshots"] == 20
    held = [(h["value"], h["snapshots"]) for h in part["outputs"]["desk.stop"]["held"]]
    assert held == [("HALTED", 10), ("ARMED", 10)]
    assert [h["value"] for h in part["outputs"]["desk.pause"]["held"]] == [True]


@pytest.mark.parametrize("engine", list(Engine))
def test_time_that_a_value_is_only_kept_is_counted(run: Run, recording: Path, engine: Engine) -> None:
    outputs = document(run, recording, "--engine", engine)["outputs"]
    assert outputs["desk.stop"]["kept"] == [{"value": "HALTED", "seconds": 22 * 60.0}]
    assert outputs["desk.risk_mode"]["kept"] == [
        {"value": "SAFE", "seconds": 9 * 60.0},
        {"value": "CAUTIOUS", "seconds": 7 * 60.0},
    ]
    assert outputs["desk.pause"]["kept"] == [{"value": True, "seconds": 19 * 60.0}]


def test_a_report_tells_reasons_of_the_past(run: Run, recording: Path, tmp_path: Path) -> None:
    run("dry-run", recording, "--html", tmp_path / "report.html", "--output", "stop")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "the highest drawdown of an hour is 6%" in page
