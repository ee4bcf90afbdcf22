"""Joint judgement: who asks while a step is at work is judged in the next, and an error costs him alone who made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any, cast

import pytest

from api.service.joint import MOST_REQUESTS, Joint
from modules.inputs import Request
from modules.runtime.fund import Step
from modules.venues.venue import HungUp

BUY = Request("BTCUSDT", "LONG", 0)


@dataclass
class Steps:
    """A fund that notes what it is asked, and fails for a symbol that it cannot bear."""

    began: Event = field(default_factory=Event)
    gate: Event = field(default_factory=Event)
    seen: list[list[str]] = field(default_factory=list)

    def __call__(self, requests: Mapping[str, Request]) -> Step:
        self.seen.append(list(requests))
        self.began.set()
        assert self.gate.wait(60)
        symbols = {request.symbol for request in requests.values()}
        if "BAD" in symbols:
            raise RuntimeError("it cannot be judged")
        if "END" in symbols:
            raise SystemExit(3)
        return cast(Step, len(self.seen))


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def joint(steps: Steps) -> Iterator[Joint]:
    made = Joint(steps)
    yield made
    steps.gate.set()
    made.close()


def asked(joint: Joint, steps: Steps, *batches: dict[str, Request]) -> list[Any]:
    """Asks for all of them while a step is at work, and lets it end."""
    joint.ask({"first": BUY})
    assert steps.began.wait(60)
    answers = [joint.ask(batch) for batch in batches]
    steps.gate.set()
    return [answer.exception(60) or answer.result(60) for answer in answers]


def test_who_asks_while_a_step_is_at_work_is_judged_in_the_next(joint: Joint, steps: Steps) -> None:
    one, two = asked(joint, steps, {"a": BUY}, {"b": BUY, "c": BUY})
    assert steps.seen == [["first"], ["a", "b", "c"]]
    assert one.step == two.step == 2
    assert (one.keys, two.keys) == ({"a": "a"}, {"b": "b", "c": "c"})


def test_two_callers_with_one_id_are_told_apart(joint: Joint, steps: Steps) -> None:
    found = asked(joint, steps, {"r": BUY}, {"r": BUY, "r~2": BUY}, {"r": BUY})
    keys = [judged.keys for judged in found]
    assert keys == [{"r": "r"}, {"r": "r~2", "r~2": "r~2~2"}, {"r": "r~3"}]
    assert steps.seen[1] == ["r", "r~2", "r~2~2", "r~3"]


def test_an_error_costs_him_alone_who_made_it(joint: Joint, steps: Steps) -> None:
    good, bad, also_good = asked(joint, steps, {"r": BUY}, {"r": Request("BAD", "LONG", 0)}, {"r": BUY})
    assert isinstance(bad, RuntimeError)
    assert steps.seen[1:] == [["r", "r~2", "r~3"], ["r"], ["r"], ["r"]]
    assert (good.keys, also_good.keys) == ({"r": "r"}, {"r": "r"})


def test_who_asks_is_told_whatever_a_step_raises(joint: Joint, steps: Steps) -> None:
    alone = joint.ask({"r": Request("END", "LONG", 0)})
    steps.gate.set()
    assert isinstance(alone.exception(10), SystemExit)
    assert joint.ask({"r": BUY}).result(10).keys == {"r": "r"}


def test_a_step_takes_no_more_than_it_may(joint: Joint, steps: Steps) -> None:
    many = {f"r{n:04}": BUY for n in range(MOST_REQUESTS)}
    asked(joint, steps, many, {"a": BUY}, {"b": BUY})
    assert [len(keys) for keys in steps.seen] == [1, MOST_REQUESTS, 2]


def test_who_has_gone_is_not_judged(joint: Joint, steps: Steps) -> None:
    joint.ask({"first": BUY})
    assert steps.began.wait(60)
    joint.ask({"gone": BUY}).cancel()
    stays = joint.ask({"stays": BUY})
    steps.gate.set()
    stays.result(60)
    assert steps.seen[1] == ["stays"]


def test_at_the_end_the_step_at_work_is_answered_and_who_waits_is_told(joint: Joint, steps: Steps) -> None:
    first = joint.ask({"first": BUY})
    assert steps.began.wait(60)
    waits = joint.ask({"waits": BUY})
    joint.leave()
    assert isinstance(waits.exception(60), HungUp)
    assert isinstance(joint.ask({"late": BUY}).exception(60), HungUp)
    steps.gate.set()
    assert first.result(60).keys == {"first": "first"}
    joint.close()
    assert steps.seen == [["first"]]
