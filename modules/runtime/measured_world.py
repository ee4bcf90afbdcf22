"""The world of a fund together with how busy the machine is that it runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import psutil  # type: ignore[import-untyped]  # because its stubs are a package of their own
import structlog

from evaluators.snapshot import Snapshot
from modules.inputs import Inputs, Request
from modules.judge import Answer
from modules.runtime.fund import World

log = structlog.get_logger()


@dataclass(slots=True)
class MeasuredWorld:
    """Adds to `world` the shares of the processors and of the memory that are in use, over the whole machine.

    The processors' is that since the snapshot before; at the first one nobody knows it.
    """

    world: World
    _has_begun: bool = False

    def inputs(self, ts: int, before: Snapshot | None, requests: Mapping[str, Request]) -> Inputs:
        """What the world tells, and what was measured."""
        found = self.world.inputs(ts, before, requests)
        try:
            cpu, memory = psutil.cpu_percent(interval=None) / 100, psutil.virtual_memory().percent / 100
        except (OSError, psutil.Error) as error:  # as where no more files can be opened: then nobody knows either
            log.warning("the machine cannot be measured", error=str(error))
            return found
        known = cpu if self._has_begun else None
        self._has_begun = True
        return replace(found, machinery=replace(found.machinery, cpu=known, memory=memory))

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        """Let the world do it."""
        self.world.obey(answer, inputs)
