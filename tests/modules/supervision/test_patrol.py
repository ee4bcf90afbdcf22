"""Who asks how a service does never waits for it: looks and repairs are on threads of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from time import monotonic, sleep

import pytest

from modules.supervision import BackendError
from modules.supervision import patrol as patrols
from modules.supervision.patrol import Patrol


@dataclass
class Fake:
    """A back end that does as the test says; a restart waits for `go`."""

    alive: bool = True
    error: str | None = None
    restarts: int = 0
    go: Event = field(default_factory=Event)

    def names(self) -> Sequence[str]:
        return ["feed"]

    def is_alive(self, name: str) -> bool:
        assert name == "feed"
        if self.error is not None:
            raise BackendError(self.error)
        return self.alive

    def restart(self, name: str) -> None:
        assert name == "feed"
        self.restarts += 1
        assert self.go.wait(60)
        if self.error is not None:
            raise BackendError(self.error)
        self.alive = True


@dataclass
class Beat:
    """A heartbeat that says what the test says, once `go` is set."""

    found: float | None = 0.0
    within: float = 15.0
    go: Event = field(default_factory=Event)

    def silence(self) -> float | None:
        assert self.go.wait(60)
        return self.found


@dataclass
class Patrolled:
    backend: Fake
    beat: Beat
    patrol: Patrol
    failed: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def made() -> Iterator[Patrolled]:
    backend, beat = Fake(), Beat()
    one = Patrolled(backend, beat, Patrol(backend, {"feed": beat}, every=0.01))
    one.patrol.failed = lambda name, item: one.failed.append((name, item))
    yield one
    one.backend.go.set()
    one.beat.go.set()
    one.patrol.close()


def soon(what: Callable[[], bool]) -> bool:
    until = monotonic() + 60
    while not what() and monotonic() < until:
        sleep(0.005)
    return what()


def alive(patrol: Patrol) -> bool | None:
    try:
        return patrol.is_alive("feed")
    except BackendError:
        return None


def test_nobody_knows_of_a_service_whose_heartbeat_hangs_and_nobody_waits_for_it(
    made: Patrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    patrol = made.patrol
    patrol.start()
    with pytest.raises(BackendError, match="nobody has looked at it yet"):
        patrol.is_alive("feed")
    made.beat.go.set()
    assert soon(lambda: patrol.works("feed"))
    made.beat.go.clear()
    monkeypatch.setattr(patrols, "FRESH", 0.05)
    assert soon(lambda: not patrol.works("feed"))
    assert soon(lambda: alive(patrol) is None)
    with pytest.raises(BackendError, match="whoever looks hangs"):
        patrol.is_alive("feed")
    made.beat.go.set()
    assert soon(lambda: patrol.works("feed"))


def test_a_back_end_that_cannot_tell_is_no_service_that_is_down(made: Patrolled) -> None:
    made.backend.error = "no answer"
    made.patrol.start()
    assert soon(lambda: "feed" in made.patrol._sights)
    with pytest.raises(BackendError, match="no answer"):
        made.patrol.is_alive("feed")
    assert not made.patrol.works("feed")


def test_a_restart_is_only_begun_and_one_at_a_time(made: Patrolled) -> None:
    patrol = made.patrol
    made.backend.alive = False
    made.beat.go.set()
    patrol.start()
    assert soon(lambda: alive(patrol) is False)
    patrol.restart("feed")
    assert patrol.is_busy("feed")
    made.backend.alive = True
    assert patrol.is_alive("feed") is False  # not before the restart is over
    with pytest.raises(BackendError, match="another repair is at work"):
        patrol.restart("feed")
    made.backend.go.set()
    assert soon(lambda: patrol.works("feed"))
    assert made.backend.restarts == 1
    assert not patrol.is_busy("feed")
    assert made.failed == []


def test_a_repair_that_fails_is_told_and_why(made: Patrolled) -> None:
    made.backend.error = "no such program"
    made.backend.go.set()
    made.patrol.start()
    made.patrol.restart("feed")
    assert soon(lambda: made.failed == [("feed", "RESTART")])
    assert made.patrol.faults == {"feed": "no such program"}


def test_silence_makes_a_service_ill_and_a_long_one_counts_as_gone_where_that_is_said(made: Patrolled) -> None:
    made.beat.go.set()
    made.beat.found = 20.0
    made.patrol.start()
    assert soon(lambda: made.patrol.silence("feed") is not None)
    assert made.patrol.silence("feed") == pytest.approx(20, abs=5)
    assert (alive(made.patrol), made.patrol.works("feed")) == (True, False)
    made.patrol.gone_after = {"feed": 0.1}
    assert soon(lambda: alive(made.patrol) is False)
    made.backend.go.set()
    made.patrol.gone_after = {"feed": 60.0}
    made.patrol.restart("feed")
    # It was silent for long, and was given a new beginning.
    assert soon(lambda: alive(made.patrol) is True)


def test_it_settles_as_soon_as_everything_works_or_is_dead(made: Patrolled) -> None:
    made.beat.go.set()
    made.patrol.start()
    made.patrol.settle(60)
    assert made.patrol.works("feed")
    made.backend.alive = False
    made.patrol.settle(60)


def test_who_ends_begins_nothing(made: Patrolled) -> None:
    made.beat.go.set()
    made.patrol.start()
    made.patrol.close()
    with pytest.raises(BackendError):
        made.patrol.restart("feed")
    assert made.backend.restarts == 0
