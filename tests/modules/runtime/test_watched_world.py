"""The world of a fund with its services: what is known of them, and that nothing but what is permitted is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from evaluators.snapshot import Snapshot
from modules.inputs import Failure, Inputs, Machinery, Request, Service
from modules.judge import Answer
from modules.runtime.watched_world import WatchedWorld

NOW = 1_760_000_000_000
VENUE = Service(affects_trading=True, seen=NOW, answers=True, requests=6, failures=0)
FEED = Service(affects_trading=True, seen=None, answers=False, requests=1, failures=1)


@dataclass
class Fake:
    """A world that obeys, and a watch over two services, of which one is called as the fund's own."""

    obeyed: list[int] = field(default_factory=list)
    repaired: list[tuple[Mapping[str, Iterable[str]], int, int | None]] = field(default_factory=list)
    failures: tuple[Failure, ...] = (Failure(NOW - 1, "feed", "down"),)
    breaks: bool = False

    def inputs(self, ts: int, before: Snapshot | None, requests: Mapping[str, Request]) -> Inputs:
        machinery = Machinery(
            {"venue": VENUE}, (Failure(NOW - 2, "venue", "Unreachable"), Failure(NOW, "venue", "Late"))
        )
        assert not requests
        return Inputs("main", ts, machinery=machinery, before=before)

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        assert answer.outputs is not None
        self.obeyed.append(inputs.ts)

    def look(self, ts: int) -> Mapping[str, Service]:
        assert ts == NOW
        return {"feed": FEED, "venue": FEED}

    def repair(self, actions: Mapping[str, Iterable[str]], ts: int, known: int | None) -> None:
        self.repaired.append((actions, ts, known))
        if self.breaks:
            raise RuntimeError


def answer(outputs: Mapping[str, Any]) -> Answer:
    return Answer(None, outputs, {})  # type: ignore[arg-type]  # because only the outputs are read


def test_services_and_failures_come_to_those_of_the_fund_whose_own_stay_as_they_are() -> None:
    fake = Fake()
    world = WatchedWorld(fake, fake)
    found = world.inputs(NOW, None, {}).machinery
    assert found.services == {"feed": FEED, "venue": VENUE}
    assert [(f.at - NOW, f.service) for f in found.failures] == [(-2, "venue"), (-1, "feed"), (0, "venue")]
    assert world.seen is not None
    assert world.seen.machinery == found


def test_what_is_permitted_is_begun_with_the_time_of_what_was_known() -> None:
    fake = Fake()
    world = WatchedWorld(fake, fake, lambda: NOW - 4)
    inputs = world.inputs(NOW, None, {})
    world.obey(answer({"healing.actions": {"feed": ["RESTART"]}}), inputs)
    assert fake.repaired == [({"feed": ["RESTART"]}, NOW, NOW - 4)]
    assert fake.obeyed == [NOW]


@pytest.mark.parametrize("outputs", [{}, {"healing.actions": None}, {"healing.actions": {}}])
def test_rules_that_say_nothing_permit_nothing(outputs: Mapping[str, Any]) -> None:
    fake = Fake()
    world = WatchedWorld(fake, fake)
    world.obey(answer(outputs), world.inputs(NOW, None, {}))
    assert fake.repaired == [({}, NOW, None)]


def test_a_repair_that_breaks_keeps_nothing_else_from_being_done() -> None:
    fake = Fake(breaks=True)
    world = WatchedWorld(fake, fake)
    with pytest.raises(RuntimeError):
        world.obey(answer({}), world.inputs(NOW, None, {}))
    assert fake.obeyed == [NOW]
