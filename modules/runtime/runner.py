"""Runs modules: each at its interval, each for itself, so that one that fails costs its own facts and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as TakesTooLong
from dataclasses import dataclass, field, replace
from threading import Thread
from time import perf_counter
from traceback import format_exception

import structlog

from modules.assembly import Supplied, facts_of
from modules.inputs import Inputs
from modules.module import Module
from modules.runtime.shape import misshapen, plain
from modules.supply import Supply, joined

log = structlog.get_logger()

DEFAULT_PATIENCE = 5.0
"""Seconds that a module may take before the snapshot goes on without its facts."""

EARLY_MS = 500
"""A module runs as much before its interval is over: snapshots are never quite even, and it would wait for another."""

LONGEST_WORDS = 1_000
"""Letters of what a module says of its error, and of a line of where it was."""

PARTING_SECONDS = 1.0
"""How long runs may go on once the fund ends."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a module's last run went: when (ms), for how long (seconds), and what was wrong, if anything."""

    at: int
    seconds: float
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a run gave nothing, in words, and `where` it failed."""

    why: str
    where: tuple[str, ...] = ()


@dataclass(slots=True)
class _Work:
    """A run that was begun on the inputs of `ts` (ms), and what comes of it."""

    ts: int
    future: Future[Supplied | _Fault]
    started: float = field(default_factory=perf_counter)
    ended: float | None = None

    def __post_init__(self) -> None:
        self.future.add_done_callback(self._end)

    def _end(self, _: Future[Supplied | _Fault]) -> None:
        self.ended = perf_counter()

    @property
    def seconds(self) -> float:
        """How long it took, or has taken up to now."""
        return (perf_counter() if self.ended is None else self.ended) - self.started


@dataclass(slots=True)
class Runner:
    """The modules in the order in which they run: those that read the facts of others come after them.

    `is_on` says whether a module is switched on now. What a module supplied stays until it runs again, grows too old,
    fails, or is switched off; its events are of the one snapshot after its run. Every module whose interval is longer
    than `behind` seconds runs beside the snapshots: none waits for it, and what it supplies is in the first one after
    its end. It may take its interval. With None each run is awaited, so that the same inputs give the same snapshots.

    A run may take `patience` seconds. With None it may take any time, and has no thread of its own: for a fund whose
    time is simulated.

    A module that had nothing to supply, and every module once there are candles for the first time, runs again with the
    next snapshot: what a fund does not know at its start must not be missing for an interval.
    """

    modules: Sequence[Module]
    is_on: Callable[[str], bool] = lambda _: True
    patience: float | None = DEFAULT_PATIENCE
    behind: float | None = None
    runs: dict[str, Run] = field(default_factory=dict)
    _supplied: dict[str, Supplied] = field(default_factory=dict)
    _busy: dict[str, _Work] = field(default_factory=dict)
    _beside: dict[str, _Work] = field(default_factory=dict)
    _again: set[str] = field(default_factory=set)
    _told: dict[str, int] = field(default_factory=dict)
    _had_candles: bool = False

    def supplied(self, inputs: Inputs) -> list[Supplied]:
        """What every module supplies at `inputs.ts`, having run those that are due on what those before it supply."""
        if inputs.market.candles is not None and not self._had_candles:
            self._had_candles = True
            self._again.update(module.name for module in self.modules)
        known, found = Supply(), []
        for module in self.modules:
            self._supplied[module.name] = made = self._next(module, inputs, known)
            known = joined(known, made.supply)
            found.append(made)
        return found

    def close(self) -> None:
        """Let what is at work end, for a moment; what hangs is left behind."""
        wait([work.future for work in self._busy.values()], PARTING_SECONDS)

    def _next(self, module: Module, inputs: Inputs, known: Supply) -> Supplied:
        if not self.is_on(module.name):
            self.runs.pop(module.name, None)
            self._told.pop(module.name, None)
            self._beside.pop(module.name, None)
            return _nothing(module, inputs.ts, f"{module.name} is switched off")
        if self.behind is not None and module.interval > self.behind:
            return self._run_beside(module, inputs, known)
        if self._is_due(module, inputs.ts):
            return self._run(module, self._seen_by(module, inputs, known))
        return _without_events(self._supplied[module.name])

    def _is_due(self, module: Module, ts: int) -> bool:
        last = self.runs.get(module.name)
        if last is None or last.fault is not None or module.name in self._again:
            return True
        return ts - last.at >= module.interval * 1000 - EARLY_MS

    def _seen_by(self, module: Module, inputs: Inputs, known: Supply) -> Inputs:
        return replace(inputs, known=known, told=self._told.get(module.name))

    def _run(self, module: Module, inputs: Inputs) -> Supplied:
        work = self._begin(module, inputs, waits=self.patience is None)
        return self._still_busy(module, inputs.ts) if work is None else self._outcome(module, work, self.patience)

    def _run_beside(self, module: Module, inputs: Inputs, known: Supply) -> Supplied:
        """What a module that runs beside the snapshots has supplied by now; its next run is begun if it is due."""
        work, supplied = self._beside.get(module.name), self._supplied.get(module.name)
        if work is not None and not work.future.done():
            if work.seconds > module.interval:
                return self._failed(module, work, f"it took over {module.interval:g} s")
        elif work is not None:
            del self._beside[module.name]
            supplied = self._outcome(module, work, 0.0)
        elif supplied is not None:
            supplied = _without_events(supplied)
        if module.name not in self._beside and self._is_due(module, inputs.ts):
            begun = self._begin(module, self._seen_by(module, inputs, known))
            if begun is None:
                return self._still_busy(module, inputs.ts)
            self._beside[module.name] = begun
        return supplied or _nothing(module, inputs.ts, f"{module.name} has not ended its first run")

    def _begin(self, module: Module, inputs: Inputs, *, waits: bool = False) -> _Work | None:
        """A run on `inputs`, which is over if this `waits` for it; None while an earlier one goes on."""
        busy = self._busy.get(module.name)
        if busy is not None and not busy.future.done():
            return None
        work = _Work(inputs.ts, Future())
        self._busy[module.name] = work
        self._again.discard(module.name)
        if waits:
            _compute(module, inputs, work.future, waits=True)
        else:
            # A thread of its own, which no other run waits for and which does not keep the process from ending.
            whole, asks = (module, inputs, work.future), {"waits": False}
            Thread(target=_compute, args=whole, kwargs=asks, name=f"module {module.name}", daemon=True).start()
        return work

    def _outcome(self, module: Module, work: _Work, patience: float | None) -> Supplied:
        """What a run supplies; no facts where it fails, or takes longer than `patience` seconds from now."""
        try:
            found = work.future.result(patience)
        except TakesTooLong:
            return self._failed(module, work, f"it took over {patience:g} s")
        if isinstance(found, _Fault):
            log.warning("module failed", module=module.name, error=found.why, where=found.where)
            return self._failed(module, work, found.why)
        supply = found.supply
        self.runs[module.name] = Run(work.ts, work.seconds)
        self._told[module.name] = work.ts
        if module.owners and not (supply.single or supply.rows or supply.events):
            self._again.add(module.name)
        return found

    def _still_busy(self, module: Module, ts: int) -> Supplied:
        fault = "it still works on an earlier snapshot"
        self.runs[module.name] = Run(ts, 0.0, fault)
        return _nothing(module, ts, f"{module.name} failed: {fault}")

    def _failed(self, module: Module, work: _Work, fault: str) -> Supplied:
        self.runs[module.name] = Run(work.ts, work.seconds, fault)
        return _nothing(module, work.ts, f"{module.name} failed: {fault}")


def _compute(module: Module, inputs: Inputs, run: Future[Supplied | _Fault], *, waits: bool) -> None:
    """Run a module and read what it gives, for whoever asks what came of the run.

    Whatever it raises costs its facts, never the loop: what would end the process too, and an error of its words. An
    interrupt that comes while the fund `waits` in this very thread is a person's.
    """
    try:
        found: Supplied | _Fault = _read(module, inputs)
    except BaseException as error:
        run.set_result(_fault_of(error))
        if waits and isinstance(error, KeyboardInterrupt):
            raise
    else:
        run.set_result(found)


def _read(module: Module, inputs: Inputs) -> Supplied | _Fault:
    """What a module supplies, as plain values of its own that are read here, where it costs nobody else's time."""
    supply = module.compute(inputs)
    wrong = misshapen(supply)
    if wrong is not None:
        return _Fault(wrong)
    made = Supplied(module.name, module.owners, inputs.ts, plain(supply))
    made.reading  # noqa: B018 -- it is kept, and the snapshot finds it
    return made


def _fault_of(error: BaseException) -> _Fault:
    kind = type(error).__name__
    try:
        where = tuple(_shortened(line) for line in format_exception(error))
        return _Fault(f"it raised {kind}: {_shortened(str(error))}", where)
    except BaseException:  # noqa: BLE001 -- an error that cannot even be told is told by its name
        return _Fault(f"it raised {kind}")


def _shortened(text: str) -> str:
    """Words for a person: no longer than anybody reads, and of characters that can be written down."""
    return text[:LONGEST_WORDS].encode(errors="replace").decode()


def _nothing(module: Module, ts: int, why: str) -> Supplied:
    """No facts, and for each fact that the module owns the reason."""
    reasons = {fact.path: why for fact in facts_of(module.owners)}
    return Supplied(module.name, module.owners, ts, Supply(reasons=reasons))


def _without_events(supplied: Supplied) -> Supplied:
    """What was supplied to an earlier snapshot: what happened then does not happen again."""
    if not supplied.supply.events:
        return supplied
    return replace(supplied, supply=replace(supplied.supply, events={}))
