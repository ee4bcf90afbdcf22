"""The world of a fund together with the services beside it, which are repaired as far as the rules permit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from evaluators.snapshot import Snapshot
from modules.inputs import Failure, Inputs, Request, Service
from modules.judge import Answer
from modules.runtime.fund import World
from modules.self_healing import ACTIONS


class Watching(Protocol):
    """Knows how services do, and repairs them; neither takes any time."""

    @property
    def failures(self) -> Iterable[Failure]:
        """What failed within five minutes of the newest look."""
        ...

    def look(self, ts: int) -> Mapping[str, Service]:
        """How each service does at `ts` (ms since 1970 UTC), by name."""
        ...

    def repair(self, actions: Mapping[str, Iterable[str]], ts: int, known: int | None) -> object:
        """Do what is permitted by what was known at `known` (None: what is known now)."""
        ...


@dataclass(slots=True)
class WatchedWorld:
    """Adds to `world` the services that `watch` looks at; `seen` is what it told last.

    `known` tells of when (ms) the facts of the services are. Self-Healing supplies them at its own interval, while
    requests are judged in snapshots between: what the rules permit by one state of a service is permitted once.
    """

    world: World
    watch: Watching
    known: Callable[[], int | None] = lambda: None
    seen: Inputs | None = None

    def inputs(self, ts: int, before: Snapshot | None, requests: Mapping[str, Request]) -> Inputs:
        """The state of the world with that of the services."""
        found = self.world.inputs(ts, before, requests)
        services = {**self.watch.look(ts), **(found.machinery.services or {})}
        failures = sorted((*found.machinery.failures, *self.watch.failures), key=lambda f: (f.at, f.service, f.kind))
        machinery = replace(found.machinery, services=services, failures=tuple(failures))
        self.seen = replace(found, machinery=machinery)
        return self.seen

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        """Begin to repair what may be repaired, and do what else was decided."""
        try:
            self.watch.repair(answer.outputs.get(ACTIONS) or {}, inputs.ts, self.known())
        finally:
            self.world.obey(answer, inputs)
