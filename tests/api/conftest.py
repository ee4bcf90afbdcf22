"""A small desk: rules, a recording of an hour and a half, and the command line to run on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from evaluators.recording import RecordingWriter
from evaluators.snapshot import Snapshot
from evaluators.timestamps import parse_time
from modules.facts import CATALOGUE
from modules.facts.levels import VOLATILITY
from policy_dsl.cache import cached
from policy_dsl.quantities import Unit, to_quanta

START = parse_time("2025-10-10T21:00:00Z")
MINUTE = 60_000

DESK = """\
policy desk version 1.0.0
  "A small desk."

param deep = 5% in 1% to 10%

output risk_mode: SAFE < CAUTIOUS < NORMAL
  starts NORMAL
  tightens down

output max_exposure: ratio in 0% to 300%
  starts 200%
  tightens down

rule crash
  when account.drawdown > deep
  tighten risk_mode to SAFE
  alert CRITICAL
  because "drawdown {account.drawdown} is over {deep}"

rule big for each request
  when request.notional > 2_000 USD
  deny
  because "{request.notional} is a lot"

rule halt for each request
  when risk_mode is SAFE
  deny
  because "risk mode is SAFE"

rule less
  when risk_mode is SAFE
  tighten max_exposure to 50%

rule rough
  when market.volatility in {HIGH, EXTREME}
  tighten risk_mode to CAUTIOUS
  because "volatility is {market.volatility}"

rule tired observing
  when account.losing_streak > 2
  tighten risk_mode to CAUTIOUS
  because "{account.losing_streak} losses in a row"

test "a deep drawdown makes the desk safe"
  given account.drawdown = 6%
  expect risk_mode is SAFE and max_exposure is 50%

test "where it bites"
  | account.drawdown | risk_mode |
  | 5%               | NORMAL    |
  | 5.01%            | SAFE      |
  | missing          | SAFE      |
"""

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where commands remember checked rules, all tests together."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session", autouse=True)
def _rules_are_read_back_once() -> Iterator[None]:
    """What one command remembered of rules, the next one in this process has without reading it."""
    found: dict[str, Any] = {}

    def remembered(key: str, make: Callable[[], Any]) -> Any:
        if key not in found:
            found[key] = cached(key, make)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.bundles.cached", remembered)
        yield


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty directory, with a cache and rules of their own, at a width that does not vary."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGFENCE_CACHE", str(cache))
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("RINGFENCE_RULES", "RINGFENCE_DEBUG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run() -> Run:
    """Runs `ringfence` with the words given; expects the exit code `code`."""

    def invoke(*words: str | Path, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == code, f"exit {result.exit_code}\n{result.output}\n{result.exception!r}"
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The desk's rules, in a directory."""
    directory = tmp_path / "rules"
    directory.mkdir()
    (directory / "desk.rules").write_text(DESK, encoding="utf-8")
    return directory


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state in a deep drawdown that asks to open a position."""
    path = tmp_path / "state.json"
    document: dict[str, Any] = {
        "book": "main",
        "ts": "2025-10-10T21:00:00Z",
        "account": {"drawdown": 0.061, "losing_streak": 0},
        "market": {"volatility": "LOW"},
        "request": {"r1": {"effect": "OPEN", "notional": 500}},
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def snapshots(book: str = "main", minutes: int = 90) -> Iterator[Snapshot]:
    """A calm half hour, one of high volatility, then a drawdown of 6 %, which is missing for the last five minutes."""
    for minute in range(minutes):
        ts = START + minute * MINUTE
        drawdown = None if minute >= 85 else to_quanta(0.06 if minute >= 60 else 0.01, Unit.RATIO)
        level = VOLATILITY.rank("HIGH" if 30 <= minute < 60 else "LOW")
        facts = {
            "account.drawdown": drawdown,
            "account.equity": to_quanta(100_000 - 50 * minute, Unit.MONEY),
            "account.losing_streak": minute // 30,
            "market.volatility": level,
        }
        notional = to_quanta(5_000 if minute % 20 == 0 else 500, Unit.MONEY)
        opening = {"r1": {"effect": 0, "notional": notional}} if minute % 10 == 0 else {}
        yield Snapshot(book, ts, facts, {"request": opening})


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those snapshots as a recording; leave it as it is."""
    path = tmp_path_factory.mktemp("recorded") / "desk"
    with RecordingWriter(path, CATALOGUE, cadence_ms=MINUTE, source="the tests") as writer:
        for snapshot in snapshots():
            writer.add(snapshot)
    return path
