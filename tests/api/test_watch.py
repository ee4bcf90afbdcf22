"""`serve --watch`: killed services pause trading and are back, one that always dies is given up, none is lost."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.bundles import rules_path
from api.service.app import create_app
from api.service.hosting import Hosted, Hosting, hosted
from modules.facts.levels import SERVICE_STATUS
from modules.runtime.fund import Step
from modules.supervision.identity import Identity
from tests.api.conftest import Run
from tests.api.served import PATIENCE_SECONDS, Service, serving
from tests.api.test_status import at_a_port

NOW = 1_760_000_000_000
SECOND, MINUTE = 1000, 60_000
RECOVERY_SECONDS = 30
"""The plan's."""

SERVICE = """
import os, pathlib, time
with open("pids", "a") as file: print(os.getpid(), file=file)
while True:
    pathlib.Path("beat").touch()
    time.sleep(0.05)
"""

TABLE = f"""
[services.feed]
command = ["{sys.executable}", "service.py"]
heartbeat = {{ file = "beat", within = "10s" }}
"""

DIES = """
[services.broken]
command = ["/bin/sh", "-c", "exit 1"]
affects_trading = false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with services; whatever was started there is ended."""
    (tmp_path / "service.py").write_text(SERVICE, encoding="utf-8")
    (tmp_path / "services.toml").write_text(TABLE, encoding="utf-8")
    yield tmp_path
    for pid in pids(tmp_path):
        if Identity.of(pid) is not None:
            os.kill(pid, signal.SIGKILL)


def pids(folder: Path) -> list[int]:
    path = folder / "pids"
    return [int(line) for line in path.read_text(encoding="ascii").split()] if path.exists() else []


def alive(folder: Path) -> list[int]:
    return [pid for pid in pids(folder) if Identity.of(pid) is not None]


@dataclass
class Living:
    """A fund in memory whose time goes on as the test says, with services that are real."""

    fund: Hosted
    clock: list[int]
    steps: list[Step] = field(default_factory=list)

    def step(self, after: int = 0) -> Step:
        """One more snapshot, `after` ms from the one before by the fund's time."""
        self.clock[0] += after
        self.steps.append(self.fund.running.step())
        return self.steps[-1]

    def until(self, what: Callable[[Step], bool], after: int = SECOND) -> Step:
        """Steps, each a short while after the other by the wall, until one is as is waited for."""
        ends = monotonic() + PATIENCE_SECONDS
        while not what(step := self.step(after)):
            assert monotonic() < ends, [status(one) for one in self.steps]
            sleep(0.1)
        return step


def facts(step: Step, name: str = "feed") -> Mapping[str, Any]:
    rows = step.told.snapshot.rows["service"]
    assert rows is not None
    return rows[name]


def status(step: Step, name: str = "feed") -> str | None:
    rank = facts(step, name).get("status")
    return None if rank is None else SERVICE_STATUS.members[rank]


def trades(step: Step) -> bool:
    return bool(step.answer.of("orchestrator.allow_trades"))


def binds(step: Step, output: str) -> set[str]:
    return {reason.rule for reason in step.told.reasons if output in reason.binds}


@contextmanager
def living(folder: Path) -> Iterator[Living]:
    clock = [NOW]
    settings = Hosting(
        rules_path(None),
        None,
        5 * SECOND,
        os.environ,
        wall=lambda: clock[0],
        waits=True,
        watch=folder / "services.toml",
    )
    with hosted(settings) as fund:
        yield Living(fund, clock)


def test_a_killed_service_is_back_and_trading_goes_on_while_one_that_always_dies_is_given_up(
    folder: Path, run: Run
) -> None:
    (folder / "services.toml").write_text(TABLE + DIES, encoding="utf-8")
    with living(folder) as life:
        assert trades(life.step())
        assert_restarted_once_for_each_look(life)
        check_recovery(life, folder)
        check_pause(life)
        check_given_up(life, run)


def assert_restarted_once_for_each_look(life: Living) -> None:
    """Requests are judged in snapshots of their own, in which what is known of the services is that of before."""
    life.until(lambda step: status(step, "broken") == "DOWN", after=5 * SECOND)
    assert life.fund.services is not None
    before = len(life.fund.services.past.restarted["broken"])
    for _ in range(10):
        assert status(life.step(1), "broken") == "DOWN"
    assert len(life.fund.services.past.restarted["broken"]) == before


def check_recovery(life: Living, folder: Path) -> None:
    """Killed, it stops trading, and is another process within the plan's half minute."""
    (first,) = pids(folder)
    os.kill(first, signal.SIGKILL)
    killed = monotonic()
    down = life.until(lambda step: status(step) == "DOWN")
    assert not trades(down)
    assert "healing.trading_service_down" in binds(down, "orchestrator.allow_trades")
    back = life.until(lambda step: status(step) == "UP")
    took = monotonic() - killed
    print(f"killed, restarted and back in {took:.1f} s")  # noqa: T201 -- pytest -rP shows what was measured
    assert took < RECOVERY_SECONDS
    assert len(pids(folder)) == 2
    assert alive(folder) == [pids(folder)[1]]
    assert facts(back)["restarts"] == 1
    assert not trades(back)


def check_pause(life: Living) -> None:
    """The rules let it be gone for ten minutes before anything new is risked."""
    pause = [trades(life.step(MINUTE)) for _ in range(11)]
    assert (pause[0], pause[-1]) == (False, True)
    assert pause == sorted(pause)


def check_given_up(life: Living, run: Run) -> None:
    """Its budget is spent: it stays down, whatever asks says so, and trading, which does not depend on it, goes on."""
    spent = life.until(lambda step: "healing.spent" in binds(step, "healing.stance"), after=20 * SECOND)
    assert (status(spent, "broken"), facts(spent, "broken")["restarts"]) == ("DOWN", 3)
    assert trades(life.step(MINUTE))
    assert life.fund.services is not None
    assert len(life.fund.services.past.restarted["broken"]) == 3
    with at_a_port(create_app(life.fund.running)) as port:
        said = run("status", "--port", str(port)).stdout
    assert "service broken: DOWN, restarts in an hour: 3" in said
    assert "broken is DOWN after 3 restarts in an hour: restarting it does not help" in said
    assert "service feed" not in said
    with TestClient(create_app(life.fund.running), base_url="http://localhost") as http:
        reasons = http.get("/v1/policy").json()["reasons"]
        broken, feed, venue = http.get("/v1/status").json()["services"]
    assert "healing.spent" in {reason["rule"] for reason in reasons}
    assert (broken["status"], broken["restarts"], broken["permitted"]) == ("DOWN", 3, [])
    assert (feed["status"], feed["restarts"], feed["affects_trading"]) == ("UP", 1, True)
    assert (venue["service"], venue["status"]) == ("venue", "UP")


def test_a_file_that_is_wrong_is_refused_at_the_start(run: Run, folder: Path) -> None:
    def said(text: str, *more: str) -> str:
        (folder / "services.toml").write_text(text, encoding="utf-8")
        return run("serve", "--port", "0", "--watch", "services.toml", *more, code=2).stderr

    assert "error[RF854]: `services.toml`: [services.feed] `commnd`: there is no such key" in said(
        "[services.feed]\ncommnd = ['a']"
    )
    assert "[services.venue]: the fund itself has a service `venue`" in said("[services.venue]\ncommand = ['a']")
    assert "`services.toml` is no TOML" in said("[services")
    assert "leave --module out" in said(TABLE, "--module", "universe_os")
    assert "cannot be read: no such file" in run("serve", "--port", "0", "--watch", "gone.toml", code=2).stderr
    assert not Path("ringfence-data").exists()
    assert pids(folder) == []


@pytest.mark.slow
def test_a_fund_that_is_killed_finds_its_services_again(folder: Path) -> None:
    words = ("--watch", "services.toml", "--every", "1s")
    with serving(folder, *words) as first:
        (pid,) = alive(folder)
        os.kill(pid, signal.SIGKILL)
        second = replaced(first, folder, pid)
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert alive(folder) == [second]
    with serving(folder, *words) as again:
        assert alive(folder) == [second]
        began = monotonic()
        while (row := known(again))["status"] is None:
            assert monotonic() - began < PATIENCE_SECONDS
            sleep(0.1)
        assert (row["status"], row["restarts"]) == ("UP", 1)
        os.kill(second, signal.SIGKILL)
        killed = monotonic()
        while known(again)["status"] != "DOWN":
            assert monotonic() - killed < RECOVERY_SECONDS
            sleep(0.1)
        reasons = {reason["rule"] for reason in again.get("/v1/policy")["reasons"]}
        assert "healing.trading_service_down" in reasons
        assert again.end(signal.SIGTERM) == 0
        assert "Traceback" not in again.said.read_text(encoding="utf-8")
    assert alive(folder) == []
    past = [json.loads(line) for line in (folder / "ringfence-data" / "services.jsonl").read_text().splitlines()]
    assert [record["did"] for record in past].count("restart") in (1, 2)


def replaced(service: Service, folder: Path, pid: int) -> int:
    """The process that came in the place of the one that was killed a moment ago, once it works."""
    killed = monotonic()
    while alive(folder) in ([], [pid]) or known(service)["restarts"] != 1 or known(service)["status"] != "UP":
        assert monotonic() - killed < RECOVERY_SECONDS, known(service)
        sleep(0.1)
    print(f"killed, restarted and back in {monotonic() - killed:.1f} s")  # noqa: T201 -- pytest -rP shows it
    return alive(folder)[0]


def known(service: Service) -> dict[str, Any]:
    """What is known of the feed in the newest snapshot; before there is one, nothing."""
    answer = service.http.get("/v1/status")
    rows = answer.json()["services"] if answer.status_code == HTTPStatus.OK else []
    found: dict[str, Any] = next((r for r in rows if r["service"] == "feed"), {"status": None, "restarts": None})
    return found
