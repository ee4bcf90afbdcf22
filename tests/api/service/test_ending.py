"""A service that ends answers whoever still waits, and whoever asks after that, by a problem document."""

from __future__ import annotations

import asyncio
import json
from asyncio import Event
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any

from api.service.ending import Ending
from tests.api.service.test_service import HAND, problem, serving

Sent = list[dict[str, Any]]


async def asked(ending: Ending) -> Sent:
    """What is sent to one caller."""
    sent: Sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    await ending({"type": "http", "method": "POST", "path": "/v1/ess:trip", "headers": []}, receive, send)
    return sent


def is_problem(sent: Sent) -> bool:
    head, body = sent
    kind = dict(head["headers"])[b"content-type"]
    statuses = (head["status"], json.loads(body["body"])["status"])
    return (*statuses, kind) == (503, 503, b"application/problem+json")


def app(gate: Event | None = None, after: Event | None = None) -> Any:
    """Answers in two parts, the first once `gate` is set and the second after `after`."""

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        if gate is not None:
            await gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if after is not None:
            await after.wait()
        await send({"type": "http.response.body", "body": b"done"})

    return answer


def test_as_long_as_it_does_not_end_the_app_answers() -> None:
    sent = asyncio.run(asked(Ending(app())))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


def test_who_has_no_answer_a_moment_later_is_told_that_it_ends_and_who_asks_then_at_once() -> None:
    async def whole() -> tuple[Sent, Sent]:
        ending = Ending(app(Event()), patience=0.3)
        waits = asyncio.ensure_future(asked(ending))
        await asyncio.sleep(0)
        ending.begin()
        late = await asked(ending)
        assert not waits.done()
        return await waits, late

    waited, late = asyncio.run(whole())
    assert is_problem(waited)
    assert is_problem(late)


def test_what_is_answered_in_time_or_has_begun_to_be_is_answered_whole() -> None:
    async def whole() -> tuple[Sent, Sent]:
        gate, after = Event(), Event()
        quick, long = Ending(app(gate), patience=60.0), Ending(app(after=after), patience=0.01)
        both = asyncio.ensure_future(asked(quick)), asyncio.ensure_future(asked(long))
        await asyncio.sleep(0)
        quick.begin()
        long.begin()
        await asyncio.sleep(0.05)
        gate.set()
        after.set()
        return await both[0], await both[1]

    for sent in asyncio.run(whole()):
        assert [message.get("status", message.get("body")) for message in sent] == [200, b"done"]


def test_a_step_at_work_is_let_end_unless_its_venue_hangs_and_a_stop_pulled_then_is_kept(tmp_path: Path) -> None:
    with serving(tmp_path) as served, ThreadPoolExecutor(1) as pool:
        with served.running._clock:  # a step is at work
            leaving = pool.submit(served.running.leave, lambda: False)
            sleep(0.3)
            assert not leaving.done()
        leaving.result(60)
        with served.running._clock:
            pool.submit(served.running.leave, lambda: True).result(60)
        status, detail = problem(served.http.post("/v1/ess:trip", json=HAND))
        assert (status, detail.partition(":")[0]) == (503, "the service ends")
        (call,) = served.running.board.controls.calls
        assert (call.what, call.person) == ("stop", "ada")
