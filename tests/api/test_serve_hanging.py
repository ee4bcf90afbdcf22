"""`ringfence serve` at a venue that takes every connection and never answers."""

from __future__ import annotations

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.api.served import HAND, serving

BUY = {"symbol": "BTCUSDT", "side": "LONG", "notional": 500}


@pytest.mark.slow
def test_a_venue_that_hangs_keeps_nobody_from_the_stop_or_from_ending_the_fund(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        monkeypatch.setenv("RINGFENCE_VENUE_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        # The gap is 24 s, and the time for questions half of that, or ten seconds where that is less.
        with serving(tmp_path, "--venue", "binanceusdm", "--every", "8s") as service:
            began = monotonic()
            assert service.post("/v1/ess:trip", HAND)["state"] == "HALTED"
            assert monotonic() - began < 20, "that of the step that is at work, and a slow machine"
            # Nobody asks once more what had no answer a moment ago.
            judged = service.post("/v1/decisions", {"requests": {"in": BUY}})
            assert judged["decisions"]["in"]["verdict"] == "DENY"
            with ThreadPoolExecutor(1) as pool:
                sleep(2)
                waits = pool.submit(service.http.post, "/v1/decisions", json={"requests": {"late": BUY}})
                sleep(0.5)
                began = monotonic()
                assert service.end(signal.SIGTERM) == 0
                assert monotonic() - began < 20
                answer = waits.result(10)
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            said = service.said.read_text(encoding="utf-8")
            assert "Traceback" not in said, said
