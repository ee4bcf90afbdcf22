"""`ringfence serve` in a process of its own, as an operator starts and ends it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx2

from tests.conftest import ROOT

PATIENCE_SECONDS = 120
HAND = {"person": "ada", "reason": "to see"}


@dataclass(frozen=True, slots=True)
class Service:
    """A service that `http` asks, many callers at once; `said` is the file in which its standard error is."""

    process: subprocess.Popen[bytes]
    http: httpx2.Client
    said: Path

    def get(self, path: str) -> Any:
        """The answer to a question, which is a good one."""
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        """The answer to what is asked for, which is a good one."""
        answer = self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def end(self, number: int) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[Service]:
    """A service that is ready to answer; killed at the end, if it is still there."""
    said = folder / "said.txt"
    with said.open("wb") as file:
        process = _started(folder, file, *words)
    try:
        with httpx2.Client(base_url=_url(process, said), timeout=PATIENCE_SECONDS) as http:
            yield Service(process, http, said)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


def _started(folder: Path, said: Any, *words: str) -> subprocess.Popen[bytes]:
    """The command, started in `folder`; its standard error goes to `said`."""
    command = [sys.executable, "-c", "from api.cli import main; main()", "serve", "--port", "0", *words]
    return subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=said)


def _url(process: subprocess.Popen[bytes], said: Path) -> str:
    until = monotonic() + PATIENCE_SECONDS
    while monotonic() < until:
        found = re.search(r"listening on (\S+);", said.read_text(encoding="utf-8"))
        if found is not None:
            return found[1]
        assert process.poll() is None, said.read_text(encoding="utf-8")
        sleep(0.05)
    raise AssertionError(f"it did not start:\n{said.read_text(encoding='utf-8')}")
