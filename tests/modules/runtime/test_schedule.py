"""The schedule: steps come at once and then evenly, one at a time, and one that fails costs only itself."""

from __future__ import annotations

from threading import Event, Lock

from structlog.testing import capture_logs

from modules.runtime.schedule import Schedule


def test_a_step_that_fails_costs_only_itself() -> None:
    done, count = Event(), [0]

    def step() -> None:
        count[0] += 1
        if count[0] == 1:
            raise RuntimeError("the disk is full")
        done.set()

    schedule = Schedule(step, 0.02)
    schedule.start()
    assert done.wait(60)
    schedule.stop()
    seen = count[0]
    assert seen >= 2
    schedule.stop()
    assert count[0] == seen


def test_steps_never_overlap() -> None:
    busy, overlapped, done, count = Lock(), Event(), Event(), [0]

    def step() -> None:
        if not busy.acquire(blocking=False):
            overlapped.set()
            return
        done.wait(0.05)
        count[0] += 1
        if count[0] == 3:
            done.set()
        busy.release()

    schedule = Schedule(step, 0.01)
    with capture_logs() as logs:
        schedule.start()
        assert done.wait(60)
        schedule.stop()
    assert not overlapped.is_set()
    assert "a step is left out: the one before it is still at work" in {line["event"] for line in logs}


def test_a_schedule_that_never_began_is_stopped_quietly() -> None:
    called: list[int] = []
    Schedule(lambda: called.append(1), 0.01).stop()
    assert called == []
