"""The loop of the fund: state, facts, snapshot, decision, action; each step stored before the next relies on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from traceback import format_exception
from typing import ClassVar, Protocol

import structlog

from evaluators.decision import Decision
from evaluators.python import PythonEvaluator
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.store_follower import StoreFollower
from evaluators.telling import Told
from modules.assembly import Assembled, assemble
from modules.inputs import Inputs, Request
from modules.judge import Answer, answer_of
from modules.runtime.outcomes import Outcome
from modules.runtime.runner import Runner
from policy_dsl.bundle import Bundle

log = structlog.get_logger()


TOLD_EVERY = 10_000
"""Snapshots of a long replay from one word of it to the next."""


def _tell_of_replay(book: str, count: int) -> None:
    if count and count % TOLD_EVERY == 0:
        log.info("replaying", book=book, snapshots=count)


class World(Protocol):
    """Where a fund's state comes from, and where what is decided goes."""

    def inputs(self, ts: int, before: Snapshot | None, requests: Mapping[str, Request]) -> Inputs:
        """The raw state at `ts` (ms since 1970 UTC), with these requests. What cannot be had is left out."""
        ...

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        """Do what was decided, and nothing else."""
        ...


class NoWorld:
    """A fund without a venue: it knows nothing of a market or a book, and does nothing."""

    def __init__(self, book: str = "main") -> None:
        self.book = book

    def inputs(self, ts: int, before: Snapshot | None, requests: Mapping[str, Request]) -> Inputs:
        """Nothing but the time."""
        del requests
        return Inputs(self.book, ts, before=before)

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        """Nothing can be done."""


@dataclass(frozen=True, slots=True)
class Step:
    """One snapshot of the fund: what was known and why not more, what was decided by which rules, and why."""

    assembled: Assembled
    told: Told
    answer: Answer
    bundle: Bundle
    evaluator: PythonEvaluator = field(repr=False)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    """What came of the requests that were allowed, by key; none of one that nobody carries out."""

    @property
    def ts(self) -> int:
        """The time of the snapshot, ms since 1970 UTC."""
        return self.assembled.snapshot.ts

    def decide_again(self, snapshot: Snapshot) -> Decision:
        """What the same rules say of the step's `told.snapshot`, or of one like it; nothing is kept."""
        return self.evaluator.decide(snapshot)


@dataclass(slots=True)
class Fund:
    """A fund at work on one book. `last` is its newest step, None before the first.

    `outcomes` tells what came of the requests that were allowed at a time.

    The bundle is stored when the fund is made. Steps come one at a time, whoever asks for them.
    """

    store: Store
    bundle: Bundle
    runner: Runner
    world: World
    max_gap: int
    book: str = "main"
    last: Step | None = None
    outcomes: Callable[[int], Mapping[str, Outcome]] = lambda _: {}
    follower: ClassVar[type[StoreFollower]] = StoreFollower
    """What decides and tells the snapshots of the book."""

    _follower: StoreFollower = field(init=False)
    _stepping: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._follower = self._following(self.bundle)

    def prepared(self, bundle: Bundle) -> Callable[[], None]:
        """What puts another bundle in force, or the same rules in other modes, from the next snapshot on.

        What looks back, the emergency stop's latch too, is worked out anew: what those rules say of every snapshot that
        is stored. Nothing is left then that the disk could refuse to write. Raises PolicyError where the store does not
        take the bundle, or cannot be read.
        """
        follower = self._following(bundle)
        follower.resume(self.book)  # the long part: steps go on meanwhile

        def put_in_force() -> None:
            with self._stepping:
                follower.catch_up(self.book)
                self.bundle, self._follower = bundle, follower

        return put_in_force

    def _following(self, bundle: Bundle) -> StoreFollower:
        files = {name: source.text for name, source in bundle.sources.items()}
        self.store.save_bundle(bundle.program.hash, files)
        return self.follower(self.store, bundle.program, max_gap=self.max_gap, on_replay=_tell_of_replay)

    def _decided(self) -> Decision | None:
        """The newest decision; after a restart the one that is stored, None where there is none."""
        if self.last is not None:
            return self.last.told.decision
        newest = self.store.latest(self.book)
        stored = () if newest is None else self.store.decisions(self.book, since=newest.ts)
        return next((found.decision for found in stored), None)

    def step(self, ts: int, requests: Mapping[str, Request] | None = None) -> Step:
        """Live through the snapshot at `ts` (ms since 1970 UTC), after the newest one that is stored.

        The decision is stored before anything is done about it. An action that fails is logged and is for the next
        snapshot to see. Raises PolicyError (RF777) for a time that is not after the newest.
        """
        with self._stepping:
            inputs = self.world.inputs(ts, self.store.latest(self.book), requests or {})
            inputs = replace(inputs, decided=self._decided())
            assembled = assemble(self.book, ts, self.runner.supplied(inputs))
            told = self._follower.tell(assembled.snapshot)
            answer = answer_of(told.decision, self.bundle, told.reasons)
            self.last = Step(assembled, told, answer, self.bundle, self._follower.evaluator)
            try:
                self.world.obey(answer, inputs)
            except Exception as error:  # noqa: BLE001 -- see below
                # What could not be done is still to be done, and the next snapshot shows that it was not.
                log.warning("an action failed", ts=ts, error=repr(error), where=format_exception(error))
            self.last = replace(self.last, outcomes=self.outcomes(ts))
            return self.last
