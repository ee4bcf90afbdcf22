from __future__ import annotations

import json
from pathlib import Path

from tests.api.conftest import Run


def test_a_day_is_simulated_and_replayed(run: Run, tmp_path: Path) -> None:
    found = json.loads(run("simulate", "--to", "day", "--seed", "3", "--json").stdout)
    assert (found["recording"], found["seed"]) == ("day", 3)
    assert (tmp_path / "day" / "recording.json").is_file()
    assert "error[RF747]" in run("simulate", "--to", "day", code=2).stderr


def test_a_paper_fund_lives_and_tells_what_binds(run: Run) -> None:
    words = ("simulate", "--live", "--for", "3m", "--speed", "3600", "--seed", "3")
    told = [json.loads(line) for line in run(*words, "--json").stdout.splitlines()]
    assert len(told) == 4
    assert told[0]["changed"]["ess.state"] == "ARMED"
    assert {"binds", "no_longer_binds", "requests", "equity"} <= set(told[0])
    # What was told once is told again only when it changes.
    assert "ess.state" not in told[1]["changed"]
    lines = run(*words).stdout.splitlines()
    assert any(line.endswith("ess.state: ARMED") for line in lines)


def test_what_is_refused(run: Run) -> None:
    assert "say one of --to RECORDING, --live and --day" in run("simulate", code=2).output
    assert "say one of --to RECORDING, --live and --day" in run("simulate", "--live", "--to", "day", code=2).output
    assert "Invalid value for '--date'" in run("simulate", "--to", "day", "--date", "tomorrow", code=2).output
    assert "Invalid value for '--seed'" in run("simulate", "--to", "day", "--seed", "-1", code=2).output
    assert "Invalid value for '--speed'" in run("simulate", "--live", "--speed", "0", code=2).output
    assert "no duration" in run("simulate", "--live", "--every", "0m", code=2).output
