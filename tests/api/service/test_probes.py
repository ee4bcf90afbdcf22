"""Probes of whatever runs the service: they may ask with HEAD, and see the status alone."""

from __future__ import annotations

from pathlib import Path

import httpx2

from api.service.alone import create_module_app
from api.service.app import create_app
from tests.api.service.test_alone import made
from tests.api.service.test_service import serving
from tests.api.test_status import at_a_port


def probed(port: int, *paths: str) -> dict[str, int]:
    """The status of each path; nothing else is in the answer."""
    found = {path: httpx2.head(f"http://127.0.0.1:{port}{path}") for path in paths}
    assert all(answer.content == b"" for answer in found.values())
    return {path: answer.status_code for path, answer in found.items()}


def test_a_fund_answers_probes_before_and_after_it_is_ready(tmp_path: Path) -> None:
    with serving(tmp_path) as served, at_a_port(create_app(served.running)) as port:
        assert probed(port, "/health", "/ready") == {"/health": 200, "/ready": 503}
        served.running.step()
        assert probed(port, "/health", "/ready", "/v1/policy") == {"/health": 200, "/ready": 200, "/v1/policy": 405}


def test_a_module_alone_answers_a_probe() -> None:
    one = made("universe_os")
    with at_a_port(create_module_app(one)) as port:
        assert probed(port, "/health") == {"/health": 200}
    one.runner.close()
