"""Runs modules: each at its interval, each for itself, so that one that fails costs its own facts and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TakesTooLong
from dataclasses import dataclass, field, replace
from time import perf_counter
from traceback import format_exception
from typing import Any

import structlog

from modules.assembly import Supplied, facts_of
from modules.inputs import Inputs
from modules.module import Module
from modules.supply import Supply, merged

log = structlog.get_logger()

DEFAULT_PATIENCE = 5.0
"""Seconds that a module may take before the snapshot goes on without its facts."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a module's last run went: when (ms), for how long (seconds), and what was wrong, if anything."""

    at: int
    seconds: float
    fault: str | None = None


@dataclass(slots=True)
class Runner:
    """The modules in the order in which they run: those that read the facts of others come after them.

    `is_on` says whether a module is switched on now. What a module supplied stays until it runs again, grows too old,
    fails, or is switched off.
    """

    modules: Sequence[Module]
    is_on: Callable[[str], bool] = lambda _: True
    patience: float = DEFAULT_PATIENCE
    runs: dict[str, Run] = field(default_factory=dict)
    _supplied: dict[str, Supplied] = field(default_factory=dict)
    _busy: dict[str, Future[Any]] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(thread_name_prefix="module"))

    def supplied(self, inputs: Inputs) -> list[Supplied]:
        """What every module supplies at `inputs.ts`, having run those that are due."""
        for module in self.modules:
            if not self.is_on(module.name):
                self.runs.pop(module.name, None)
                self._supplied[module.name] = _nothing(module, inputs.ts, f"{module.name} is switched off")
            elif self._is_due(module, inputs.ts):
                known = merged(part.supply for part in self._before(module))
                self._supplied[module.name] = self._run(module, replace(inputs, known=known))
        return list(self._before(None))

    def close(self) -> None:
        """Wait for nobody."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _before(self, module: Module | None) -> Iterable[Supplied]:
        """What the modules before this one have supplied; all of it for None."""
        for other in self.modules:
            if other is module:
                return
            if other.name in self._supplied:
                yield self._supplied[other.name]

    def _is_due(self, module: Module, ts: int) -> bool:
        last = self.runs.get(module.name)
        return last is None or last.fault is not None or ts - last.at >= module.interval * 1000

    def _run(self, module: Module, inputs: Inputs) -> Supplied:
        busy = self._busy.get(module.name)
        if busy is not None and not busy.done():
            return self._failed(module, inputs.ts, 0.0, "it still works on an earlier snapshot")
        started = perf_counter()
        future: Future[Any] = self._pool.submit(module.compute, inputs)
        self._busy[module.name] = future
        try:
            supply = future.result(self.patience)
        except TakesTooLong:
            return self._failed(module, inputs.ts, perf_counter() - started, f"it took over {self.patience:g} s")
        except Exception as error:  # noqa: BLE001 -- see below
            # Whatever a module raises costs its facts, never the loop.
            log.warning("module failed", module=module.name, error=repr(error), where=format_exception(error))
            return self._failed(
                module, inputs.ts, perf_counter() - started, f"it raised {type(error).__name__}: {error}"
            )
        if not isinstance(supply, Supply):
            return self._failed(module, inputs.ts, perf_counter() - started, f"it returned a {type(supply).__name__}")
        self.runs[module.name] = Run(inputs.ts, perf_counter() - started)
        return Supplied(module.name, module.owners, inputs.ts, supply)

    def _failed(self, module: Module, ts: int, seconds: float, fault: str) -> Supplied:
        self.runs[module.name] = Run(ts, seconds, fault)
        return _nothing(module, ts, f"{module.name} failed: {fault}")


def _nothing(module: Module, ts: int, why: str) -> Supplied:
    """No facts, and for each fact that the module owns the reason."""
    reasons = {fact.path: why for fact in facts_of(module.owners)}
    return Supplied(module.name, module.owners, ts, Supply(reasons=reasons))
