from __future__ import annotations

import json
from pathlib import Path

from tests.api.conftest import Run


def test_a_day_is_simulated_and_replayed(run: Run, tmp_path: Path) -> None:
    found = json.loads(run("simulate", "--to", "day", "--seed", "3", "--json").stdout)
    assert (found["recording"], found["seed"]) == ("day", 3)
    assert (tmp_path / "day" / "recording.json").is_file()
    assert "error[RF747]" in run("simulate", "--to", "day", code=2).stderr


def test_what_is_refused(run: Run) -> None:
    assert "Missing option '--to'" in run("simulate", code=2).output
    assert "Invalid value for '--day'" in run("simulate", "--to", "day", "--day", "tomorrow", code=2).output
    assert "Invalid value for '--seed'" in run("simulate", "--to", "day", "--seed", "-1", code=2).output
