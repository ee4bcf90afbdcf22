"""`ringfence serve`: what it refuses to start on, what a crash leaves, many callers at once, and how it ends."""

from __future__ import annotations

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.api.conftest import Run
from tests.api.served import HAND, Service, serving

BUY = {"symbol": "BTCUSDT", "side": "LONG", "notional": 500}
SELL = {"symbol": "BTCUSDT", "side": "SHORT", "notional": 500, "reduce_only": True}


@pytest.mark.parametrize(
    ("variable", "word", "said"),
    [
        ("ENABLE_PBA", "ture", "a switch is true or false, not `ture`"),
        ("ENABLE_PBAA", "true", "no module is called `pbaa`"),
        ("PBA_MODE", "bold", "a mode is off, observe or enforce, not `bold`"),
        ("PIL_MODE", "off", "`pil` has no policy that could run in a mode"),
        ("RINGFENCE_LIVE", "maybe", "a switch is true or false, not `maybe`"),
        ("RINGFENCE_LIVE", "1", "`RINGFENCE_LIVE` is on, and the venue is paper"),
    ],
)
def test_a_word_that_nobody_knows_is_refused_at_start(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, word: str, said: str
) -> None:
    monkeypatch.setenv(variable, word)
    assert said in run("serve", "--port", "0", code=2).stderr
    assert not Path("ringfence-data/fund.duckdb").exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("afile", "`afile` cannot be used: file exists"),
        ("afile/fund", "`afile/fund` cannot be used: not a directory"),
        ("/proc/fund", "`/proc/fund` cannot be used: no such file or directory"),
        ("/proc/fund/main", "`/proc/fund` cannot be used: no such file or directory"),
        ("taken", "`taken/controls.jsonl` cannot be used: is a directory"),
    ],
)
def test_a_folder_that_cannot_be_one_is_refused_with_a_code_and_a_way_out(run: Run, data: str, said: str) -> None:
    Path("afile").touch()
    Path("taken/controls.jsonl").mkdir(parents=True)
    refused = run("serve", "--port", "0", "--data", data, code=2).stderr
    assert f"error[RF853]: {said}\n" in refused
    assert "help: name a folder that is there, or may be made, with --data" in refused


def test_what_cannot_be_served_is_refused_in_plain_words(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = run("serve", "--port", port, code=2).stderr
        assert f"port {port} cannot be had: address already in use" in said
        assert "--port" in said
    assert "`fast` is not a quantity" in run("serve", "--every", "fast", code=2).stderr
    assert "no duration" in run("serve", "--every", "0s", code=2).stderr
    assert "no duration" in run("serve", "--every", "5%", code=2).stderr
    assert "--port" in run("serve", "--port", "70000", code=2).stderr
    said = run("serve", "--port", "0", "--venue", "nowhere", code=2).stderr
    assert "error[RF853]: the venue `nowhere` cannot be used" in said
    assert "help: name paper, or an exchange that ccxt knows" in said
    assert "no module is called `pbaa`" in run("serve", "--module", "pbaa", code=2).stderr
    assert "has no port of its own" in run("serve", "--module", "msc_ai", code=2).stderr
    Path("bad.rules").write_text("policy desk version 1.0.0\nrule x\n  when nonsense\n", encoding="utf-8")
    assert "error[RF101]" in run("serve", "--port", "0", "--rules", "bad.rules", code=2).stderr
    assert "error[RF110]" in run("serve", "--port", "0", "--rules", "nowhere", code=2).stderr
    monkeypatch.setenv("RINGFENCE_LIVE", "on")
    assert "there are no keys for `binanceusdm`" in run("serve", "--port", "0", "--venue", "binanceusdm", code=2).stderr
    monkeypatch.setenv("RINGFENCE_VENUE_KEY", "half-of-a-pair")
    said = run("serve", "--port", "0", "--venue", "binanceusdm", code=2).stderr
    assert "belong together" in said
    assert "half-of-a-pair" not in said


@pytest.mark.parametrize("terms", ["{", "[]", '{"seed": "x", "start": 1}', '{"seed": 0, "start": 1, "before": -2}'])
def test_a_folder_that_is_damaged_is_refused_by_name(run: Run, tmp_path: Path, terms: str) -> None:
    (tmp_path / "fund").mkdir()
    (tmp_path / "fund" / "market.json").write_text(terms, encoding="utf-8")
    said = run("serve", "--port", "0", "--data", "fund", code=2).stderr
    assert "`fund/market.json` is damaged" in said
    assert "put a sound copy of the folder in its place" in said
    assert "stop that process" not in said, "nobody has it open"


def test_what_was_decided_asked_and_held_outlives_a_kill(run: Run, tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        _joins_many_callers(first)
        assert first.post("/v1/ess:trip", HAND)["state"] == "HALTED"
        first.post("/v1/modules/pil/disable", HAND)
        before = first.get("/v1/policy")
        # Another service on the same folder ends at once, and says why.
        assert "open in another process" in run("serve", "--port", "0", code=2).stderr
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
    with serving(tmp_path) as second:
        again = second.post("/v1/decisions", {"requests": {"in": BUY}})
        assert again["decisions"]["in"]["verdict"] == "DENY"
        assert again["ts"] > before["ts"]
        assert again["bundle"] == before["bundle"]
        # The person's stop stands; once it is withdrawn, what it latched is let go by the same call.
        assert "ess.manual_stop" in second.get("/v1/ess")["because"]
        assert second.get("/v1/modules/pil")["on"] is False
        assert second.post("/v1/ess:reset", HAND)["because"].get("ess.manual_stop") is None
        assert second.end(signal.SIGTERM) == 0
        assert "Traceback" not in second.said.read_text(encoding="utf-8")


def _joins_many_callers(service: Service) -> None:
    """A hundred signals at once: each caller has his own answer, and far fewer snapshots are taken than calls."""
    asked = [BUY if n % 2 else SELL for n in range(100)]
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda one: service.post("/v1/decisions", {"requests": {"r": one}}), asked))
    verdicts = {
        ("ALLOW" if one is SELL else "any", a["decisions"]["r"]["verdict"])
        for one, a in zip(asked, answers, strict=True)
    }
    assert {v for kind, v in verdicts if kind == "ALLOW"} == {"ALLOW"}
    assert len({(a["ts"], a["decisions"]["r"]["id"]) for a in answers}) == 100
    assert len({a["ts"] for a in answers}) < 50
