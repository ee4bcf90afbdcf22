"""Signs of life: a file that is touched, and a page that answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from time import time

import pytest

from modules.supervision.heartbeats import Answer, TouchedFile


@pytest.mark.parametrize(("ago", "silence"), [(0.0, 0.0), (40.0, 40.0), (-5.0, 0.0)])
def test_a_file_tells_how_long_ago_it_was_touched(tmp_path: Path, ago: float, silence: float) -> None:
    path = tmp_path / "beat"
    path.touch()
    os.utime(path, (time() - ago, time() - ago))
    assert TouchedFile(path, 15.0).silence() == pytest.approx(silence, abs=2)


def test_a_file_that_is_not_there_or_of_the_future_is_no_sign(tmp_path: Path) -> None:
    path = tmp_path / "beat"
    assert TouchedFile(path, 15.0).silence() is None
    assert TouchedFile(path / "below", 15.0).silence() is None
    path.touch()
    os.utime(path, (time() + 3600, time() + 3600))
    assert TouchedFile(path, 15.0).silence() is None


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response({"/well?x=1": 200, "/empty": 204, "/moved": 302}.get(self.path, 503))
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Pages) as server:
        thread = Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "silence"), [("/well?x=1", 0.0), ("/empty", 0.0), ("/moved", None), ("/ill", None), ("", None)]
)
def test_a_page_with_a_good_status_is_a_sign(port: int, path: str, silence: float | None) -> None:
    assert Answer(f"http://127.0.0.1:{port}{path}", 15.0).silence() == silence


def test_a_page_that_nobody_serves_is_none() -> None:
    assert Answer("http://127.0.0.1:1/", 15.0).silence() is None
