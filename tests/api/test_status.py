"""`ringfence status`: one command that tells what stopped a fund, since when, and what re-arms it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from api.commands import status
from api.service.app import create_app
from evaluators.keeping import Kept, Kind
from modules.judge import packaged_bundle
from tests.api.conftest import Run
from tests.api.service.test_service import HAND, MINUTE, Served, serving


@contextmanager
def at_a_port(app: Any) -> Iterator[int]:
    """The app behind a real socket, while the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = Thread(target=server.run, args=([taken],))
        thread.start()
        try:
            yield taken.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as made:
        yield made


def test_one_command_tells_what_stopped_the_fund_since_when_and_what_re_arms_it(run: Run, served: Served) -> None:
    served.running.step()
    with at_a_port(create_app(served.running)) as port:
        served.clock.ms += MINUTE
        httpx2.post(f"http://127.0.0.1:{port}/v1/ess:trip", json=HAND)
        served.clock.ms += MINUTE
        served.running.step()
        said = run("status", "--port", str(port), code=1).stdout
        assert said.splitlines()[:2] == [
            f"HALTED; 1 policy does not bind: supervisor (observe, by {packaged_bundle().configuration.path})",
            "the newest snapshot is of 2025-10-09T08:55:20Z",
        ]
        assert "by hand: stop, ada at 2025-10-09T08:54:20Z: it misprices" in said
        stop = said.partition("ess.state = HALTED, since ")[2].partition("\n\n")[0]
        assert "ess.manual_stop: a person has asked for the emergency stop, " in stop
        assert "what would let go: ess.state" in stop
        assert f"curl -X POST http://127.0.0.1:{port}/v1/ess:reset" in said
        found = json.loads(run("status", "--port", str(port), "--json", code=1).stdout)
        (ess,) = [o for o in found["outputs"] if o["output"] == "ess.state"]
        assert ess["value"] == "HALTED"
        assert "ess.manual_stop" in {r["rule"] for r in ess["rules"]}
        assert [o["output"] for o in found["outputs"][:2]] == ["ess.state", "hfos.risk_mode"]
        assert "hfos.emergency_stop" in run("status", "--port", str(port), "--all", code=1).stdout


def test_since_when_an_output_has_its_value_is_exact_where_this_process_saw_it_come(served: Served) -> None:
    served.running.step()
    first = served.http.get("/v1/status").json()
    assert {o["since_is_exact"] for o in first["outputs"] if o["kept"] is None} == {False}
    mode = next(o for o in first["outputs"] if o["output"] == "hfos.risk_mode")
    assert mode["since"] == "2025-10-09T08:53:20Z"
    served.clock.ms += MINUTE
    served.running.step()
    again = next(o for o in served.http.get("/v1/status").json()["outputs"] if o["output"] == "hfos.risk_mode")
    assert again["since"] == mode["since"]


def test_what_is_kept_says_until_when_or_what_lets_go_in_its_own_line(run: Run, served: Served) -> None:
    step = served.running.step()
    kept = (
        Kept(
            "orchestrator.allow_trades", None, 0, Kind.RELAXING, ("ess.halted",), step.ts - MINUTE, step.ts + 9 * MINUTE
        ),
        Kept("ess.state", None, 0, Kind.LATCHED, ("ess.drawdown",), step.ts - MINUTE, None),
        Kept("hfos.risk_mode", None, 0, Kind.RELAXING, (), step.ts - MINUTE, step.ts + MINUTE),
    )
    served.running.fund.last = replace(step, told=replace(step.told, kept=kept))
    with at_a_port(create_app(served.running)) as port:
        lines = run("status", "--port", str(port), code=1).stdout.splitlines()
    trades = next(line for line in lines if line.startswith("orchestrator.allow_trades = no, since "))
    assert ": ess.halted, " in trades
    assert trades.endswith("; kept until 2025-10-09T09:02:20Z, unless it is asked for again")
    asked = "asked for by ess.drawdown at 2025-10-09T08:52:20Z"
    assert f"  latched until operator.reset_requested: {asked}" in lines
    mode = "kept until 2025-10-09T08:54:20Z, unless it is asked for again"
    assert f"  {mode}: asked for by what it kept before at 2025-10-09T08:52:20Z" in lines
    outputs = {o["output"]: o["kept"] for o in served.http.get("/v1/status").json()["outputs"]}
    assert outputs["orchestrator.allow_trades"]["ends"].startswith("kept until 2025-10-09T09:02:20Z")
    assert outputs["ess.state"]["ends"] == "latched until operator.reset_requested"


def test_a_fund_that_does_not_decide_says_so_and_why(run: Run, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.running.step()

    def fails(*_: object) -> None:
        raise OSError("no space left on device")

    with at_a_port(create_app(served.running)) as port:
        served.clock.ms += 4 * MINUTE
        monkeypatch.setattr(served.world, "inputs", fails)
        with pytest.raises(OSError, match="no space"):
            served.running.step()
        said = run("status", "--port", str(port), code=1).stdout
        why = "the newest snapshot is 240 s old, and the last one failed: OSError: no space left on device"
        assert f"NOT DECIDING: {why}" in said
        ready = served.http.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["detail"] == why


def test_a_clock_that_was_put_back_is_told(run: Run, served: Served) -> None:
    served.running.step()
    served.clock.ms -= 60 * MINUTE
    # It goes on deciding, by a time that does not go back.
    later = served.running.step()
    assert served.running.step().ts == later.ts + 1
    ready = served.http.get("/ready")
    assert ready.status_code == 503
    assert ready.json()["detail"] == "the clock was put back: the newest snapshot is 3600 s ahead of it"
    with at_a_port(create_app(served.running)) as port:
        assert "NOT DECIDING: the clock was put back" in run("status", "--port", str(port), code=1).stdout


def test_modules_that_are_off_are_named_with_who_switched_them(run: Run, served: Served) -> None:
    served.http.post("/v1/modules/feed/disable", json=HAND)
    served.running.step()
    assert served.http.get("/ready").json()["failing"] == {"feed": "switched off"}
    with at_a_port(create_app(served.running)) as port:
        halted = served.http.get("/v1/status").json()["halted"]
        said = run("status", "--port", str(port), code=int(halted)).stdout
        assert "by hand: disable feed, ada at 2025-10-09T08:53:20Z: it misprices" in said
        assert "no facts from feed: switched off" in said


def test_where_nobody_answers_the_command_says_what_to_do(run: Run, served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = str(taken.getsockname()[1])
    assert "nobody listens at port" in run("status", "--port", free, code=2).stderr
    assert "--port" in run("status", "--port", "70000", code=2).stderr
    with at_a_port(FastAPI()) as port:
        assert "tells no status: Not Found" in run("status", "--port", str(port), code=2).stderr
    with at_a_port(create_app(served.running)) as port:
        assert "no snapshot has been decided yet" in run("status", "--port", str(port), code=2).stderr


def test_a_service_that_does_not_do_well_is_told_with_what_is_known_of_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = {
        "rule": "healing.spent",
        "because": "restarting it does not help",
        "definite": True,
        "at": "healing.rules:53",
    }
    unsure = {**rule, "rule": "healing.coming_up", "definite": False}
    known = {"status": "DOWN", "affects_trading": True, "restarts": 3, "last_seen": 40.2, "rules": [rule, unsure]}
    unknown = {"status": None, "affects_trading": None, "restarts": None, "last_seen": None, "rules": [unsure]}
    found = {
        "ts": "2026-01-07T00:00:00Z", "deciding": True, "unready": None, "fault": None, "halted": False, "outputs": [],
        "stop_binds": True, "not_binding": [],
        "hands": [], "failing": {}, "missing": 0,
        "services": [
            {"service": "feed", "fault": "no such program", **known},
            {"service": "store", "fault": None, **unknown},
            {"service": "venue", "fault": None, **unknown, "status": "UP"},
        ],
    }  # fmt: skip
    monkeypatch.setattr(status, "_asked", lambda _: found)
    assert run("status").stdout.splitlines()[3:] == [
        "service feed: DOWN, restarts in an hour: 3, last seen 40 s ago, and trading depends on it",
        "  healing.spent: restarting it does not help, healing.rules:53",
        "  healing.coming_up: restarting it does not help (for want of a fact), healing.rules:53",
        "  the last repair failed: no such program",
        "service store: nobody knows how it does, restarts in an hour: unknown",
        "  healing.coming_up: restarting it does not help (for want of a fact), healing.rules:53",
    ]
