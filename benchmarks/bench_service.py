"""Signals that come at once: judged jointly by `ringfence serve`, against one by one, in the same run.

Prints ratios: how long a hundred callers wait when all ask at once, by how long they wait when each asks after the
other, and how many snapshots that makes. `python benchmarks/bench_service.py [CALLERS]`.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

from tests.api.served import Service, serving

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")


def main(callers: int) -> None:
    """Start a service on paper, ask it both ways, and print what came of it."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), "--every", "10m") as service:
        _ask(service, 0)  # what is worked out once is worked out
        started = perf_counter()
        alone = [_ask(service, n) for n in range(callers)]
        one_by_one = perf_counter() - started
        started = perf_counter()
        with ThreadPoolExecutor(callers) as pool:
            jointly = list(pool.map(lambda n: _ask(service, n), range(callers)))
        at_once = perf_counter() - started
        service.end(signal.SIGTERM)
    print(f"callers                                  {callers}")
    print(f"snapshots, one by one                    {_snapshots(alone)}")
    print(f"snapshots, at once                       {_snapshots(jointly)}")
    print(f"time at once / time one by one           {at_once / one_by_one:.2f}")


def _ask(service: Service, number: int) -> Any:
    request = {"symbol": SYMBOLS[number % len(SYMBOLS)], "side": "LONG", "notional": 500}
    return service.post("/v1/decisions?would_change=false", {"requests": {"signal": request}})


def _snapshots(answers: list[Any]) -> int:
    return len({answer["ts"] for answer in answers})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
