"""Processes that die are started again, within the budget of the rules and with a backoff; nothing cascades."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from evaluators.documents import snapshot_from_document
from evaluators.timestamps import format_time
from modules.facts import CATALOGUE
from modules.inputs import Inputs, Machinery
from modules.judge import Judge
from modules.self_healing import SelfHealing
from modules.supervision import BackendError, Command, Processes, Systemd, Watch

NOW = 1_760_000_000_000
SECOND = 1000
JUDGE = Judge()


@dataclass
class Fake:
    """A back end in which everything is as the test says."""

    alive: dict[str, bool | None]
    restarts: list[str] = field(default_factory=list)
    helps: bool = False
    breaks: bool = False

    def names(self) -> Sequence[str]:
        return sorted(self.alive)

    def is_alive(self, name: str) -> bool:
        found = self.alive[name]
        if found is None:
            raise BackendError("nobody knows")
        return found

    def restart(self, name: str) -> None:
        self.restarts.append(name)
        if self.breaks:
            raise BackendError("no such program")
        self.alive[name] = self.helps


def permitted(watch: Watch, ts: int, *, calm: bool = True) -> dict[str, list[str]]:
    """What the rules permit of what the watch sees, in an ordinary moment or in one of which nothing else is known."""
    machinery = Machinery(watch.look(ts), tuple(watch.failures))
    supply = SelfHealing().compute(Inputs("main", ts, machinery=machinery))
    state = {"book": "main", "ts": format_time(ts), "service": supply.rows["service"]}
    answer = JUDGE.answer_to(snapshot_from_document(state, CATALOGUE, calm=calm))
    found: dict[str, list[str]] = {key: list(items) for key, items in answer.outputs["healing.actions"].items()}
    return found


def test_a_service_that_is_down_is_restarted_and_one_that_works_is_not() -> None:
    backend = Fake({"feed": False, "execution": True}, helps=True)
    watch = Watch(backend)
    assert watch.repair(permitted(watch, NOW), NOW) == [("feed", "RESTART")]
    assert watch.repair(permitted(watch, NOW + SECOND), NOW + SECOND) == []
    assert backend.restarts == ["feed"]


def test_a_service_that_was_down_from_the_first_look_on_is_not_said_to_have_been_well() -> None:
    backend = Fake({"feed": False, "execution": True})
    watch = Watch(backend)
    with capture_logs() as logs:
        watch.look(NOW)
        backend.alive["execution"] = False
        watch.look(NOW + SECOND)
    changes = [(line["service"], line["was"], line["now"]) for line in logs if line["event"] == "a service has changed"]
    assert changes == [("feed", None, "down"), ("execution", "well", "down")]


def test_restarts_that_do_not_help_wait_longer_each_time_and_end_with_the_budget() -> None:
    backend = Fake({"feed": False})
    watch = Watch(backend)
    tried = []
    for second in range(120):
        ts = NOW + second * SECOND
        if watch.repair(permitted(watch, ts), ts):
            tried.append(second)
    # The rules want 5 s for each restart of the last hour before the next one, and no more than three.
    assert tried == [0, 5, 15]
    later = NOW + 3_700 * SECOND
    assert watch.repair(permitted(watch, later), later) == [("feed", "RESTART")]


def test_where_nothing_else_is_known_one_restart_an_hour_must_do() -> None:
    watch = Watch(Fake({"feed": False}))
    tried = [s for s in range(120) if watch.repair(permitted(watch, at(s), calm=False), at(s))]
    assert tried == [0]


def at(second: int) -> int:
    return NOW + second * SECOND


def test_a_service_is_back_when_it_answers_and_not_when_its_restart_says_done() -> None:
    """What restarts may reach nothing any more: a machine that was moved, a container that is another one now."""
    watch = Watch(Fake({"feed": False}))
    assert watch.repair(permitted(watch, NOW), NOW) == [("feed", "RESTART")]
    after = watch.look(NOW + SECOND)
    supply = SelfHealing().compute(Inputs("main", NOW + SECOND, machinery=Machinery(after, tuple(watch.failures))))
    assert supply.rows["service"]["feed"]["status"] == "DOWN"
    assert supply.single["system.errors_per_minute"] == 1
    state = {"book": "main", "ts": format_time(NOW + SECOND), "service": supply.rows["service"]}
    answer = JUDGE.answer_to(snapshot_from_document(state, CATALOGUE, calm=True))
    assert answer.of("orchestrator.allow_trades") is False


def test_a_restart_that_fails_counts_against_the_budget() -> None:
    backend = Fake({"feed": False}, breaks=True)
    watch = Watch(backend)
    assert watch.repair(permitted(watch, NOW), NOW) == []
    assert [f.kind for f in watch.failures] == ["down", "restart"]
    assert len(watch.look(NOW + 1)["feed"].restarted) == 1


def test_what_the_rules_do_not_permit_is_not_done() -> None:
    backend = Fake({"feed": False})
    watch = Watch(backend)
    watch.look(NOW)
    assert watch.repair({}, NOW) == []
    assert watch.repair({"feed": [], "other": ["RESTART"]}, NOW) == []
    assert backend.restarts == []


def test_a_service_that_is_there_and_does_not_work_is_degraded() -> None:
    def refuses() -> bool:
        raise ConnectionRefusedError

    reconnected: list[str] = []
    watch = Watch(
        Fake({"feed": True}),
        checks={"feed": refuses},
        repairs={("feed", "RECONNECT"): lambda: reconnected.append("feed")},
    )
    assert watch.repair(permitted(watch, NOW), NOW) == [("feed", "RECONNECT")]
    assert reconnected == ["feed"]
    assert watch.look(NOW + SECOND)["feed"].is_degraded


def test_a_repair_that_raises_is_a_failure_and_no_more() -> None:
    def fails() -> None:
        raise OSError

    watch = Watch(Fake({"feed": True}), checks={"feed": lambda: False}, repairs={("feed", "RECONNECT"): fails})
    assert watch.repair(permitted(watch, NOW), NOW) == []
    assert [f.kind for f in watch.failures] == ["unhealthy", "reconnect"]


def test_what_cannot_be_asked_for_is_not_known_to_be_down_and_not_restarted() -> None:
    watch = Watch(Fake({"feed": None}))
    assert watch.repair(permitted(watch, NOW), NOW) == []
    assert watch.look(NOW)["feed"].answers is None
    assert {f.kind for f in watch.failures} == {"unknown"}


def test_what_goes_on_failing_fails_once_a_minute_however_often_one_looks() -> None:
    backend = Fake({"feed": False})
    watch = Watch(backend)
    for second in range(61):
        watch.look(at(second))
        watch.failed("feed", "RECONNECT")
    assert [(f.kind, f.at) for f in watch.failures] == [("down", NOW), ("reconnect", at(1)), ("down", at(60))]


def test_what_is_permitted_by_an_earlier_state_than_the_last_repair_was_that_repair() -> None:
    backend = Fake({"feed": False})
    watch = Watch(backend)
    watch.look(NOW)
    assert watch.repair({"feed": ["RESTART"]}, NOW, known=NOW) == [("feed", "RESTART")]
    # Snapshots of requests, which go by the facts of the one before.
    assert watch.repair({"feed": ["RESTART"]}, NOW + 10, known=NOW) == []
    assert watch.repair({"feed": ["RESTART"]}, at(5), known=at(5)) == [("feed", "RESTART")]
    assert len(watch.look(at(5))["feed"].restarted) == 2


def test_a_restart_that_cannot_be_remembered_is_not_done() -> None:
    def full(name: str, ts: int) -> None:
        raise OSError(28, f"no space for {name} at {ts}")

    backend = Fake({"feed": False})
    watch = Watch(backend, record=full)
    assert watch.repair(permitted(watch, NOW), NOW) == []
    assert backend.restarts == []
    assert watch.look(NOW + 1)["feed"].restarted == ()


def test_restarts_of_before_count() -> None:
    watch = Watch(Fake({"feed": False}), restarted={"feed": [at(-4000), at(-60), at(-40), at(-20)]})
    assert watch.repair(permitted(watch, NOW), NOW) == []
    assert watch.look(NOW)["feed"].restarted == (at(-60), at(-40), at(-20))


def test_while_a_repair_is_at_work_nothing_is_begun_or_counted() -> None:
    busy = {"feed"}
    backend = Fake({"feed": False})
    watch = Watch(backend, is_busy=busy.__contains__)
    assert watch.repair(permitted(watch, NOW), NOW) == []
    assert watch.look(NOW)["feed"].restarted == ()
    busy.clear()
    assert watch.repair(permitted(watch, at(1)), at(1)) == [("feed", "RESTART")]


def test_repairs_take_turns_and_a_restart_comes_first() -> None:
    done: list[str] = []
    repairs = {("feed", item): partial(done.append, item) for item in ("RECONNECT", "CLEAR_CACHE")}
    watch = Watch(Fake({"feed": True}), repairs=repairs, is_busy=lambda _: len(done) > len(turns))
    turns: list[int] = []
    for second in range(4):
        watch.repair({"feed": ["RECONNECT", "CLEAR_CACHE"]}, at(second))
        turns.append(second)
    assert done == ["CLEAR_CACHE", "RECONNECT", "CLEAR_CACHE", "RECONNECT"]
    backend = Fake({"feed": False})
    both = Watch(backend, repairs=repairs, is_busy=lambda _: bool(backend.restarts))
    assert both.repair({"feed": ["RECONNECT", "RESTART"]}, NOW) == [("feed", "RESTART")]


def test_a_heartbeat_says_when_it_was() -> None:
    silence: dict[str, float] = {"feed": 12.2}
    watch = Watch(Fake({"feed": True}), silence=silence.get)
    assert watch.look(NOW)["feed"].seen == at(-12)
    silence["feed"] = 40.0
    assert watch.look(at(20))["feed"].seen == at(-12)


# --- real processes ---------------------------------------------------------------------------------------------------

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")


@pytest.fixture
def processes() -> Iterator[Processes]:
    made = Processes({"feed": Command(SLEEPER), "broken": Command(("/nonexistent/program",))})
    yield made
    made.close()


def test_a_killed_process_is_back_within_thirty_seconds(processes: Processes) -> None:
    processes.restart("feed")
    first = processes.pid("feed")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    killed = time.monotonic()
    watch = Watch(Processes({"feed": processes.commands["feed"]}, _running=processes._running))
    while (pid := processes.pid("feed")) in (None, first):
        ts = int(time.time() * 1000)
        watch.repair(permitted(watch, ts), ts)
        # The plan asks for less than 30 s; a loop that never restarts must not hang the tests.
        assert time.monotonic() - killed < 30
    assert pid != first


def test_a_program_that_is_not_there_is_an_error_with_its_name(processes: Processes) -> None:
    with pytest.raises(BackendError, match="`broken` does not start"):
        processes.restart("broken")
    with pytest.raises(BackendError, match="no service is called `other`"):
        processes.restart("other")
    assert not processes.is_alive("broken")


def test_what_a_service_prints_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "feed.log"
    made = Processes({"feed": Command((sys.executable, "-c", "print('hello')"), log)})
    made.restart("feed")
    until = time.monotonic() + 60
    while made.is_alive("feed") and time.monotonic() < until:
        time.sleep(0.02)
    made.close()
    assert log.read_text() == "hello\n"


def test_systemd_is_asked_by_unit(tmp_path: Path) -> None:
    program = tmp_path / "systemctl"
    program.write_text('#!/bin/sh\necho "$@" >> "$0.calls"\n[ "$2" = feed.service ] && echo active || exit 3\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    units = Systemd({"feed": "feed.service", "gone": "gone.service"}, str(program))
    assert units.is_alive("feed")
    assert not units.is_alive("gone")
    units.restart("feed")
    with pytest.raises(BackendError, match=r"`gone\.service` does not restart"):
        units.restart("gone")
    assert (tmp_path / "systemctl.calls").read_text().splitlines() == [
        "is-active feed.service", "is-active gone.service", "restart feed.service", "restart gone.service",
    ]  # fmt: skip
    with pytest.raises(BackendError, match="systemd does not answer"):
        Systemd({"feed": "feed.service"}, str(tmp_path / "missing")).is_alive("feed")
