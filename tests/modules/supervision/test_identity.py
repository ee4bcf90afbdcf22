"""A process is known by its number and its beginning, and is ended with all that it has begun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from time import monotonic, sleep

from modules.supervision.identity import Identity, end

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
)  # fmt: skip
PARENT = ("/bin/sh", "-c", "sleep 600 & echo $!; exec sleep 600")


def begun(argv: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)


def identity(child: subprocess.Popen[bytes]) -> Identity:
    found = Identity.of(child.pid)
    assert found is not None
    return found


def soon(what: Callable[[], bool]) -> bool:
    until = monotonic() + 60
    while not what() and monotonic() < until:
        sleep(0.01)
    return what()


def test_a_process_is_there_until_it_has_ended_whether_or_not_anybody_has_asked() -> None:
    own = Identity.of(os.getpid())
    assert own is not None
    assert own.is_there()
    assert own.is_of_here()
    with begun(SLEEPER) as child:
        one = identity(child)
        assert one.is_there()
        os.kill(child.pid, signal.SIGKILL)
        assert soon(lambda: not one.is_there())  # nobody has waited for it yet
        child.wait()
    assert Identity.of(child.pid) != one


def test_another_process_with_the_same_number_is_left_alone() -> None:
    with begun(SLEEPER) as child:
        earlier = replace(identity(child), start=identity(child).start - 1)
        assert not earlier.is_there()
        end([earlier], 0.0)
        end([replace(identity(child), place="another machine")], 0.0)
        assert child.poll() is None
        end([identity(child)], 5.0)
        assert child.wait(60) == -signal.SIGTERM


def test_what_does_not_end_by_itself_is_killed() -> None:
    with begun(STUBBORN) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"deaf\n"
        end([identity(child)], 0.1)
        assert child.wait(60) == -signal.SIGKILL


def test_what_a_process_has_begun_ends_with_it_even_if_it_died_before() -> None:
    with begun(PARENT) as child:
        assert child.stdout is not None
        one, orphan = identity(child), int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        left = Identity.of(orphan)
        assert left is not None
        end([one], 5.0)
        assert soon(lambda: not left.is_there())
