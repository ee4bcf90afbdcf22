"""Requests of many callers judged in one snapshot: whoever asks while a step is at work is judged in the next one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from threading import Lock

from modules.inputs import Request
from modules.runtime.fund import Step
from modules.venues.venue import HungUp

MOST_REQUESTS = 100
"""Requests in one snapshot: while they are judged nobody else is, the stop neither. Who would make them more waits for
the next one."""

Requests = Mapping[str, Request]


@dataclass(frozen=True, slots=True)
class Judged:
    """The step in which a caller's requests were judged, and by his ids those that they have in it."""

    step: Step
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Asked:
    requests: Requests
    answer: Future[Judged]


@dataclass(slots=True)
class Joint:
    """Judges requests with `step`. Callers' ids are kept; where two use the same one, the later is told apart.

    Where a joint step fails each caller's requests are judged by themselves, so that only he pays whose they are.
    """

    step: Callable[[Requests], Step]
    _is_over: bool = False
    _waiting: deque[_Asked] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="decisions"))

    def ask(self, requests: Requests) -> Future[Judged]:
        """The answer to a caller's requests, once they have been judged. After `leave` it is HungUp."""
        asked = _Asked(requests, Future())
        with self._lock:
            if self._is_over:
                asked.answer.set_exception(HungUp("the fund ends"))
                return asked.answer
            self._waiting.append(asked)
        with suppress(RuntimeError):  # it was closed a moment ago, and the answer says so
            self._worker.submit(self._judge_waiting)
        return asked.answer

    def leave(self) -> None:
        """Take no more, and judge none of those who wait: they are told so."""
        with self._lock:
            self._is_over = True
            waiting, self._waiting = list(self._waiting), deque()
        for asked in waiting:
            if asked.answer.set_running_or_notify_cancel():
                asked.answer.set_exception(HungUp("the fund ends"))

    def close(self) -> None:
        """Let the step that is at work end, and take no more."""
        self.leave()
        self._worker.shutdown(wait=True)

    def _judge_waiting(self) -> None:
        """Judge whoever waits by now. Each caller brings one such call with him, and each call takes one at least."""
        batch = self._taken()
        if not batch:
            return
        try:
            self._answer(batch)
        except BaseException as error:  # noqa: BLE001 -- it is the caller's to see, and no reason for others not to be judged
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            for asked in batch:
                self._answer_alone(asked)

    def _answer_alone(self, asked: _Asked) -> None:
        try:
            self._answer([asked])
        except BaseException as error:  # noqa: BLE001 -- as above
            asked.answer.set_exception(error)

    def _answer(self, batch: Sequence[_Asked]) -> None:
        keys, requests = _told_apart(asked.requests for asked in batch)
        step = self.step(requests)
        for asked, own in zip(batch, keys, strict=True):
            asked.answer.set_result(Judged(step, own))

    def _taken(self) -> list[_Asked]:
        batch: list[_Asked] = []
        size = 0
        with self._lock:
            while self._waiting and (not batch or size + len(self._waiting[0].requests) <= MOST_REQUESTS):
                asked = self._waiting.popleft()
                if asked.answer.set_running_or_notify_cancel():
                    batch.append(asked)
                    size += len(asked.requests)
        return batch


def _told_apart(callers: Iterable[Requests]) -> tuple[list[dict[str, str]], dict[str, Request]]:
    """For each caller the ids in the step by his own, and all requests by the ids in the step."""
    taken: dict[str, Request] = {}
    keys: list[dict[str, str]] = []
    for requests in callers:
        own: dict[str, str] = {}
        for id in sorted(requests):
            key = id if id not in taken else next(k for n in count(2) if (k := f"{id}~{n}") not in taken)
            taken[key], own[id] = requests[id], key
        keys.append(own)
    return keys, taken
