"""Services over the lives of a fund: taken over, ended, started anew or left to the rules; never two of one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import pytest

from modules.supervision import keeper
from modules.supervision.identity import Identity
from modules.supervision.keeper import keep
from modules.supervision.past import SERVICES, Past
from modules.supervision.services import Services
from modules.supervision.watch_file import read_watch_file
from policy_dsl.diagnostics import PolicyError
from tests.conftest import ROOT

NOW = 1_760_000_000_000

SERVICE = """
import os, sys, time
with open("pids", "a") as file: print(os.getpid(), file=file)
time.sleep(600)
"""

FUND = """
import os, sys, time
from pathlib import Path
from modules.supervision.services import Services
from modules.supervision.watch_file import read_watch_file
services = Services(read_watch_file(Path("services.toml"), os.environ, ()), Path("fund"), grace=float(sys.argv[1]))
services.start()
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a service in it; whatever was started there is ended."""
    (tmp_path / "service.py").write_text(SERVICE, encoding="utf-8")
    (tmp_path / "fund").mkdir()
    write(tmp_path, "feed")
    yield tmp_path
    for pid in pids(tmp_path):
        if Identity.of(pid) is not None:
            os.kill(pid, signal.SIGKILL)


def write(folder: Path, *names: str, more: str = "") -> None:
    tables = [f"[services.{name}]\ncommand = ['{sys.executable}', 'service.py']\n{more}\n" for name in names]
    (folder / "services.toml").write_text("".join(tables), encoding="utf-8")


def pids(folder: Path) -> list[int]:
    """Every process that has ever been the service, in turn."""
    path = folder / "pids"
    return [int(line) for line in path.read_text(encoding="ascii").splitlines()] if path.exists() else []


def alive(folder: Path) -> list[int]:
    return [pid for pid in pids(folder) if Identity.of(pid) is not None]


def soon(what: Callable[[], bool]) -> bool:
    until = monotonic() + 60
    while not what() and monotonic() < until:
        sleep(0.01)
    return what()


def has_run(folder: Path, times: int) -> bool:
    return len(pids(folder)) == times


def is_down(services: Services) -> bool:
    return services.look(NOW)["feed"].answers is False


def opened(folder: Path) -> Services:
    named = read_watch_file(folder / "services.toml", os.environ, ())
    return Services(named, folder / "fund", every=0.02)


@contextmanager
def started(folder: Path) -> Iterator[Services]:
    services = opened(folder)
    try:
        services.start()
        yield services
    finally:
        services.close()


@contextmanager
def killed(folder: Path, grace: float = 600.0) -> Iterator[None]:
    """A fund in a process of its own that has started the services, and was killed."""
    command = (sys.executable, "-c", FUND, str(grace))
    with subprocess.Popen(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    ) as fund:
        assert fund.stdout is not None
        assert fund.stdout.readline() == b"started\n"
        assert soon(lambda: bool(alive(folder)))
        fund.kill()
    yield


@contextmanager
def crashed(folder: Path) -> Iterator[None]:
    """A fund that has started the services, and of which nothing else is left."""
    services = opened(folder)
    services.start()
    assert soon(lambda: bool(alive(folder)))
    services.patrol.close()
    assert services._keeper is not None
    services._keeper.close()
    services.past.close()
    yield
    for running in services.processes._running.values():
        assert running.child is not None
        running.child.kill()
        running.child.wait()


def keepers(folder: Path) -> list[Identity]:
    lines = (folder / "fund" / SERVICES).read_text(encoding="utf-8").splitlines()
    found = [record for line in lines if (record := json.loads(line))["did"] == "keeper"]
    return [Identity(r["pid"], r["start"], r["place"]) for r in found]


def test_they_begin_and_end_with_the_fund_in_order(folder: Path) -> None:
    for life in (1, 2):
        with started(folder) as services:
            assert soon(partial(has_run, folder, life))
            found = services.look(NOW)["feed"]
            assert (found.answers, found.is_degraded, found.restarted) == (True, False, ())
        assert alive(folder) == []
    assert [one for one in keepers(folder) if one.is_there()] == []


def test_a_process_that_outlived_its_fund_is_taken_over_and_there_are_never_two(folder: Path) -> None:
    with killed(folder):
        (pid,) = alive(folder)
        with started(folder) as services:
            assert services.processes.pid("feed") == pid
            assert services.look(NOW)["feed"].restarted == ()
            assert soon(lambda: len([one for one in keepers(folder) if one.is_there()]) == 1)
        assert pids(folder) == [pid]
        assert alive(folder) == []


def test_one_that_died_is_left_to_the_rules_and_its_restarts_count_on(folder: Path) -> None:
    with crashed(folder):
        past = Past(folder / "fund" / SERVICES)
        past.restart("feed", NOW - 1000)
        past.close()
        os.kill(alive(folder)[0], signal.SIGKILL)
        assert soon(lambda: alive(folder) == [])
        for _ in range(2):  # a fund that crashes again and again gives it no new life
            with started(folder) as services:
                assert soon(partial(is_down, services))
                assert services.look(NOW)["feed"].restarted == (NOW - 1000,)
        assert len(pids(folder)) == 1
        with started(folder) as services:
            assert soon(partial(is_down, services))
            services.repair({"feed": ["RESTART"]}, NOW, None)
            assert soon(lambda: services.look(NOW)["feed"].answers is True)
            assert services.look(NOW)["feed"].restarted == (NOW - 1000, NOW)
        with started(folder) as services:
            assert services.look(NOW + 1)["feed"].restarted == (NOW - 1000, NOW)


def test_another_command_is_started_in_the_place_of_the_one_that_runs(folder: Path) -> None:
    with crashed(folder):
        (pid,) = alive(folder)
        write(folder, "feed", more="env = { DEPTH = '2' }")
        with started(folder) as services:
            assert soon(lambda: len(pids(folder)) == 2)
            assert alive(folder) == [services.processes.pid("feed")] != [pid]


def test_what_nobody_names_any_more_is_ended(folder: Path) -> None:
    with crashed(folder):
        services = Services((), folder / "fund")  # a fund that watches nothing
        services.start()
        assert soon(lambda: alive(folder) == [])
        services.close()
        assert [one for one in keepers(folder) if one.is_there()] == []


def test_a_process_of_another_start_of_the_machine_ended_with_it(folder: Path) -> None:
    past = Past(folder / "fund" / SERVICES)
    own = Identity.of(os.getpid())
    assert own is not None
    fingerprint = read_watch_file(folder / "services.toml", os.environ, ())[0].fingerprint
    past.start("feed", Identity(own.pid, own.start, "before"), fingerprint)
    past.close()
    with started(folder):
        assert soon(lambda: len(alive(folder)) == 1)


@pytest.mark.slow
def test_without_a_fund_to_come_back_they_are_ended_and_begin_anew_with_the_next(folder: Path) -> None:
    with killed(folder, grace=0.2):
        assert soon(lambda: alive(folder) == [])
        assert soon(lambda: not keepers(folder)[-1].is_there())
        with started(folder) as services:
            assert soon(lambda: len(alive(folder)) == 1)
            assert services.look(NOW)["feed"].restarted == ()


def test_a_keeper_waits_while_a_fund_is_there_and_is_itself_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "AGAIN", 0.01)
    with started(folder) as services:
        first = keepers(folder)[-1]
        os.kill(first.pid, signal.SIGKILL)
        assert soon(lambda: keepers(folder)[-1] != first and keepers(folder)[-1].is_there())
        assert soon(lambda: len(alive(folder)) == 1)
        assert services.processes.is_alive("feed")


def test_the_keeper_ends_what_is_there_so_that_it_begins_anew(folder: Path) -> None:
    with crashed(folder):
        keep(folder / "fund" / SERVICES, 0.0)
        assert alive(folder) == []
        with started(folder) as services:
            assert soon(partial(has_run, folder, 2))
            assert services.look(NOW)["feed"].restarted == ()


def test_one_that_ends_at_the_same_moment_as_the_fund_did_not_die(folder: Path) -> None:
    with started(folder) as services:
        assert soon(partial(has_run, folder, 1))
        assert services.patrol.works("feed")
        services.rest()
        os.kill(alive(folder)[0], signal.SIGKILL)
        services.repair({"feed": ["RESTART"]}, NOW, None)  # a last snapshot
        assert services.look(NOW)["feed"].restarted == ()
    with started(folder):
        assert soon(partial(has_run, folder, 2))


def test_a_restart_that_cannot_be_kept_is_not_done_and_says_why(folder: Path) -> None:
    with started(folder) as services:
        assert soon(partial(has_run, folder, 1))
        os.kill(alive(folder)[0], signal.SIGKILL)
        assert soon(partial(is_down, services))
        (folder / "fund" / SERVICES).rename(folder / "elsewhere")
        services.repair({"feed": ["RESTART"]}, NOW, None)
        assert not services.patrol.is_busy("feed")
        assert "could not be kept on disk" in services.patrol.faults["feed"]
        (folder / "elsewhere").rename(folder / "fund" / SERVICES)
        services.repair({"feed": ["RESTART"]}, NOW, None)
        assert soon(partial(has_run, folder, 2))


def test_what_the_machine_does_not_have_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    (folder / "services.toml").write_text("[services.store]\nunit = 'store'\n", encoding="utf-8")
    with pytest.raises(PolicyError, match="`store` is a unit of systemd, and there is no `systemctl` here"):
        opened(folder)
    monkeypatch.setitem(sys.modules, "docker", None)
    (folder / "services.toml").write_text("[services.store]\ncontainer = 'store'\n", encoding="utf-8")
    with pytest.raises(PolicyError, match="`store` is a container, and Docker's SDK is not installed"):
        opened(folder)


def test_a_program_that_is_not_there_is_a_service_that_is_down_and_says_why(folder: Path) -> None:
    (folder / "services.toml").write_text("[services.feed]\ncommand = ['./nothing']\n", encoding="utf-8")
    with started(folder) as services:
        assert soon(partial(is_down, services))
        assert services.patrol.faults == {"feed": "`feed` does not start: there is no program `./nothing`"}
        services.repair({"feed": ["RESTART"]}, NOW, None)
        assert soon(lambda: not services.patrol.is_busy("feed"))
        services.look(NOW + 1)
        assert "restart" in {failure.kind for failure in services.failures}


def test_what_else_is_permitted_is_a_command_of_its_own(folder: Path) -> None:
    write(folder, "feed", more="reconnect = ['sh', '-c', 'echo again >> said; exit 3']\nlog = 'log'")
    with started(folder) as services:
        services.repair({"feed": ["RECONNECT", "CLEAR_CACHE"], "other": ["RESTART"]}, NOW, None)
        assert soon(lambda: "feed" in services.patrol.faults)
        assert services.patrol.faults == {"feed": "`sh` ended with 3"}
        services.look(NOW + 1)
        assert [f.kind for f in services.failures] == ["reconnect"]
        assert soon(partial(has_run, folder, 1))
    assert (folder / "said").read_text(encoding="ascii") == "again\n"
