"""Services as processes: nothing runs that is not on record, and nothing twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from modules.supervision import BackendError, Command, Processes
from modules.supervision.identity import Identity
from modules.supervision.processes import AFTER_A_WORD

TOUCHES = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(600)"


def command(folder: Path, name: str = "ran") -> Command:
    return Command((sys.executable, "-c", TOUCHES, name), cwd=folder)


def ran(path: Path) -> int:
    """The number of the process that wrote it."""
    until = monotonic() + 60
    while monotonic() < until:
        if path.exists() and (text := path.read_text(encoding="ascii")):
            return int(text)
        sleep(0.01)
    raise AssertionError(f"{path} was not written")


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes({"feed": command(tmp_path)})
    yield made
    made.close()


def test_it_runs_in_its_folder_with_what_it_is_told_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGFENCE_VENUE_SECRET", "not for it")
    log = tmp_path / "log"
    made = Processes({"feed": Command(("/bin/sh", "-c", "pwd; env; cat"), log, {"DEPTH": "20"}, tmp_path)})
    made.restart("feed")
    until = monotonic() + 60
    while made.is_alive("feed") and monotonic() < until:  # its standard input is at its end
        sleep(0.01)
    said = log.read_text(encoding="utf-8")
    assert said.startswith(f"{tmp_path}\n")
    assert "DEPTH=20" in said
    assert "not for it" not in said
    assert made.close() == []


def test_what_cannot_be_kept_on_record_is_not_started(tmp_path: Path) -> None:
    def full(name: str, identity: Identity) -> None:
        assert (name, identity.is_there()) == ("feed", True)
        raise OSError(28, "no space left on device")

    made = Processes({"feed": command(tmp_path)}, full)
    with pytest.raises(BackendError, match=r"`feed` does not start: .*no space left"):
        made.restart("feed")
    assert not made.is_alive("feed")
    assert made.close() == []
    assert not (tmp_path / "ran").exists()


def test_a_process_whose_fund_died_before_its_word_never_becomes_the_service(tmp_path: Path) -> None:
    argv = (*AFTER_A_WORD, *command(tmp_path).argv)
    with subprocess.Popen(argv, cwd=tmp_path, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(60) != 0
    assert not (tmp_path / "ran").exists()


def test_one_that_is_taken_over_is_the_one_and_a_restart_ends_it_first(tmp_path: Path, processes: Processes) -> None:
    processes.restart("feed")
    first = ran(tmp_path / "ran")
    later = Processes({"feed": command(tmp_path, "again")})
    found = Identity.of(first)
    assert found is not None
    later.adopt("feed", found)
    assert later.pid("feed") == first
    later.restart("feed")
    assert ran(tmp_path / "again") == later.pid("feed") != first
    assert not found.is_there()
    assert not processes.is_alive("feed")
    assert later.close() == ["feed"]


def test_beside_one_that_does_not_end_none_is_started(
    tmp_path: Path, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.restart("feed")
    first = ran(tmp_path / "ran")
    with monkeypatch.context() as patched:
        patched.setattr("modules.supervision.processes.end", lambda found, _: list(found))
        with pytest.raises(BackendError, match=f"`feed` does not end, and there are not to be two: process {first}"):
            processes.restart("feed")
        assert processes.close() == []
    assert processes.pid("feed") == first
    assert processes.close() == ["feed"]
    assert not processes.is_alive("feed")


def test_once_they_are_ended_none_is_started(tmp_path: Path, processes: Processes) -> None:
    processes.restart("feed")
    one = Identity.of(ran(tmp_path / "ran"))
    assert processes.close() == ["feed"]
    assert one is not None
    assert not one.is_there()
    with pytest.raises(BackendError, match="the fund ends"):
        processes.restart("feed")
    assert not processes.is_alive("feed")


def test_a_program_is_looked_for_where_it_would_run(tmp_path: Path) -> None:
    program = tmp_path / "here.sh"
    program.write_text("#!/bin/sh\nexec sleep 600\n", encoding="utf-8")
    made = Processes({"feed": Command(("./here.sh",), cwd=tmp_path)})
    with pytest.raises(BackendError, match=r"there is no program `\./here\.sh`"):
        made.restart("feed")  # it cannot be run yet
    program.chmod(0o700)
    made.restart("feed")
    assert made.is_alive("feed")
    made.close()
    gone = Processes({"feed": Command(("sh",), cwd=tmp_path / "gone")})
    with pytest.raises(BackendError, match=r"`feed` does not start: there is no folder `.*gone` to start it in"):
        gone.restart("feed")


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    made = Processes({"feed": Command(("sh",), log=tmp_path / "nowhere" / "feed.log")})
    with pytest.raises(BackendError, match=r"does not start: its log `.*feed\.log` cannot be written: no such file"):
        made.restart("feed")


def test_two_commands_are_told_apart_and_secrets_are_not_in_the_mark() -> None:
    one = Command(("a",), None, {"DEPTH": "1", "TOKEN": "x"})
    other = Command(("a",), None, {"DEPTH": "1", "TOKEN": "y"})
    assert one.fingerprint("TOKEN") == other.fingerprint("TOKEN") != one.fingerprint()
    assert one.fingerprint() != Command(("a",), None, {"DEPTH": "2", "TOKEN": "x"}).fingerprint()
    assert one.fingerprint() != Command(("a",), None, one.environment, Path(os.sep)).fingerprint()
