from __future__ import annotations

from pathlib import Path

from tests.api.conftest import Run


def test_the_demonstration_names_the_rules_that_bound_and_why(run: Run, tmp_path: Path) -> None:
    shown = run("demo", "--out", "here").stdout
    for told in ("the price feed goes silent", "orders fail by the dozen", "the market crashes"):
        assert told in shown
    outage, storm, crash = (shown.index(word) for word in ("price feed", "orders fail", "market crashes"))
    assert "ess.stale_data" in shown[outage:storm]
    assert "ess.errors" in shown[storm:crash]
    assert "ess.drawdown" in shown[crash:]
    assert "SAFE" in shown[crash:]
    assert "06:05    a person re-arms the stop: ess.state, HALTED since 05:38, is ARMED" in shown[outage:storm]
    assert "10:10    a person re-arms the stop: ess.state, HALTED since 09:48, is ARMED" in shown[storm:crash]
    assert "CAUTIOUS before → SAFE (09:48) → CAUTIOUS (10:42) → NORMAL (10:53)" in shown[storm:crash]
    assert "a person asks for a reset, and ess.state stays HALTED: ess.drawdown" in shown[crash:]
    report = tmp_path / "here" / "report.html"
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(report) in shown
