"""The fund's models at work: they predict at every bar, what came of it is kept, and versions are exchanged.

Nothing here says when to train or whom to trust. Whatever cannot be read or written costs the model concerned its
facts, never the fund.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, Self
from zlib import crc32

import numpy as np
import structlog

from evaluators.refusals import refusal
from evaluators.timestamps import format_time
from modules.estimates.hours import HOUR_MS, hourly, newest
from modules.feeds.candles import Candles
from modules.inputs.models import Challenger, ModelRecord
from modules.learning.features import volatility
from modules.learning.history import BEGAN, CHANGED, FAILED, TRAINED, History
from modules.learning.kinds import four_models
from modules.learning.model import Model, Trained, TrainingError, seen
from modules.learning.predictions import Made, PredictionRecord
from modules.learning.shelf import Pointer, Shelf, ShelfError, Version
from modules.learning.workers import ProcessWorker, Worker
from policy_dsl.quantities import MS_PER_DAY

log = structlog.get_logger()

WINDOW_DAYS = 30.0
"""How far back a training looks."""

LATE_DAYS = 12.0
"""How far back the inputs of late reach, that are compared with those of the training."""

CANARY_SYMBOLS = 10
"""A canary speaks for the model in one of so many symbols."""

SHELF, PREDICTIONS, HISTORY = "shelf", "predictions.jsonl", "trainings.jsonl"


@dataclass(slots=True)
class Learning:
    """The models of a fund: `kinds` by name, their versions on `shelf`, what they predicted in `record`.

    `candles` gives the bars closed by a time, as for the world of a fund. `records` is what modules are given.
    """

    shelf: Shelf
    record: PredictionRecord
    history: History
    worker: Worker
    candles: Callable[[int], Candles | None]
    kinds: Mapping[str, Model] = field(default_factory=four_models)
    window_days: float = WINDOW_DAYS
    regime: str | None = None
    """The market's regime of late, for a training that begins now; None where nobody knows."""
    lock: RLock = field(default_factory=RLock)
    """Held while something is read and changed, so that a person and a rule do not change it at once."""
    _loaded: dict[tuple[str, Version], Trained] = field(default_factory=dict)
    _running: dict[str, Future[Trained]] = field(default_factory=dict)
    _shown: Candles | None = None
    _predicted: list[Made] = field(default_factory=list)
    _told: dict[str, tuple[Any, ModelRecord]] = field(default_factory=dict)

    @classmethod
    def opened(
        cls, folder: Path, candles: Callable[[int], Candles | None], worker: Worker | None = None, **settings: Any
    ) -> Self:
        """The models kept in this folder, which is made if need be.

        Raises ShelfError or JournalError where another process has it open, or a journal of it is damaged.
        """
        with ExitStack() as opened:
            shelf = Shelf.opened(folder / SHELF)
            opened.callback(shelf.close)
            record = PredictionRecord(folder / PREDICTIONS)
            opened.callback(record.close)
            history = History(folder / HISTORY)
            opened.pop_all()
        return cls(shelf, record, history, worker or ProcessWorker(), candles, **settings)

    def close(self) -> None:
        """Let go of every file. A training that runs is ended, and is a failure on record at the next start."""
        self.worker.close()
        self.record.close()
        self.history.close()
        self.shelf.close()

    def records(self, ts: int) -> Mapping[str, ModelRecord]:
        """Every model's record at `ts` (ms), after what has happened up to then: trainings ended, bars closed."""
        with self.lock:
            self._finish(ts)
            self._shown = self.candles(ts)
            hours = _fresh(self._shown, ts, LATE_DAYS)
            if hours is not None:
                self._observe(ts, hours)
            return {name: self._record(name, hours) for name in sorted(self.kinds)}

    def says(self, model: str) -> Mapping[str, tuple[float, str]]:
        """What a model says at the newest bar: by symbol the probability of being higher, and which version says it.

        While a canary runs, it speaks for one symbol in ten, always the same ones.
        """
        with self.lock:
            pointer, _ = self._read(model)
            by = {made.version: made.probabilities for made in self._predicted if made.model == model}
            live, canary = str(pointer.live), str(pointer.challenger)
            said = {symbol: (p, live) for symbol, p in by.get(live, {}).items()}
            if pointer.canary_since is not None:
                chosen = {s: p for s, p in by.get(canary, {}).items() if crc32(s.encode()) % CANARY_SYMBOLS == 0}
                said |= {symbol: (p, canary) for symbol, p in chosen.items()}
            return said

    def pointer(self, model: str) -> Pointer:
        """Which versions of a model count. Raises ShelfError for a damaged pointer."""
        return self.shelf.pointer(model)

    def point(self, model: str, pointer: Pointer) -> None:
        """Exchange which versions of a model count, and keep on record that it was done. Raises OSError."""
        with self.lock:
            self.shelf.point(model, pointer)
            self.history.note(pointer.changed or 0, model, CHANGED, pointer.because)

    def start(self, model: str, ts: int, because: str) -> None:
        """Begin a training of `model` on the candles of `ts`, beside whatever is live.

        It is on record before it begins. Raises PolicyError (RF860) where it cannot begin, OSError where it cannot be
        written down.
        """
        with self.lock:
            kind = self._kind(model)
            if model in self._running:
                raise refusal("RF860", f"a training of `{model}` is running")
            # What was shown last, if it is of late: fetching is for whoever takes snapshots.
            hours = _fresh(self._shown, ts, self.window_days) or _fresh(self.candles(ts), ts, self.window_days)
            if hours is None:
                raise refusal("RF860", f"there are no candles of late that `{model}` could be trained on")
            self.history.note(ts, model, BEGAN, because)
            self._running[model] = self.worker.start(kind, hours, self.regime)

    def start_by_hand(self, model: str, ts: int, person: str, reason: str) -> None:
        """Begin a training because a person asks for it; a model without a live version goes live with it."""
        self.start(model, ts, _by(person, reason))

    def begin(self, ts: int, person: str, reason: str) -> tuple[str, ...]:
        """Begin a training of every model that has no live version, and return their names."""
        with self.lock:
            new = [name for name in sorted(self.kinds) if name not in self._running and self._is_new(name)]
            for name in new:
                self.start_by_hand(name, ts, person, reason)
            return tuple(new)

    def roll_back(self, model: str, ts: int, because: str) -> None:
        """Put the version before in the live one's place. Raises PolicyError (RF860) where there is none to be had."""
        with self.lock:
            self._kind(model)
            pointer = self.pointer(model)
            if pointer.before is None:
                raise refusal("RF860", f"`{model}` has no earlier version to go back to")
            try:
                self.shelf.load(model, pointer.before)
            except ShelfError as error:
                raise refusal("RF860", f"`{model}` cannot go back: {error}") from error
            self.point(model, pointer.rolled_back(ts, because))

    def roll_back_by_hand(self, model: str, ts: int, person: str, reason: str) -> None:
        """Go back to the version before because a person asks for it."""
        self.roll_back(model, ts, _by(person, reason))

    def withdraw_by_hand(self, model: str, ts: int, person: str, reason: str) -> None:
        """Do away with a challenger because a person asks for it."""
        because = _by(person, reason)
        with self.lock:
            self._kind(model)
            pointer = self.pointer(model)
            if pointer.challenger is None:
                raise refusal("RF860", f"`{model}` has no challenger")
            self.point(model, pointer.withdrawn(ts, because))

    def _kind(self, model: str) -> Model:
        if model not in self.kinds:
            raise refusal("RF860", f"there is no model `{model}`", f"one of {', '.join(sorted(self.kinds))}")
        return self.kinds[model]

    def _is_new(self, model: str) -> bool:
        try:
            return self.pointer(model).live is None
        except ShelfError:
            return False

    def _finish(self, ts: int) -> None:
        """Put what trainings that ended have made on the shelf, beside what is live."""
        for model, future in list(self._running.items()):
            if not future.done():
                continue
            del self._running[model]
            try:
                trained = future.result()
                self._shelve(model, ts, trained)
            except (TrainingError, ShelfError, OSError) as error:
                self._failed(model, ts, str(error))
            except Exception as error:  # noqa: BLE001 -- whatever a training raises is a training that failed
                self._failed(model, ts, repr(error))

    def _shelve(self, model: str, ts: int, trained: Trained) -> None:
        """A version becomes the challenger; where none is live there is nothing to challenge, and it goes live."""
        pointer, version = self.pointer(model), self.shelf.add(trained)
        because = f"version {version} was trained on candles up to {format_time(trained.trained_at)}"
        changed = pointer.challenged(version, ts, because)
        self.shelf.point(model, changed if pointer.live is not None else changed.deployed_challenger(ts, because))
        self.history.note(ts, model, TRAINED, because)

    def _failed(self, model: str, ts: int, why: str) -> None:
        log.warning("a training failed", model=model, why=why)
        try:
            self.history.note(ts, model, FAILED, why)
        except OSError as error:
            log.warning("it could not be put on record", error=str(error))

    def _observe(self, ts: int, hours: Candles) -> None:
        """Predict at the newest bar, once, and note what came of earlier predictions."""
        at = int(hours.closed[-1])
        if at <= self.record.newest or ts < at:
            return
        predicted = [made for name in sorted(self.kinds) for made in self._predict(name, hours)]
        moves = dict(zip(hours.symbols, volatility(hours)[-1].tolist(), strict=True))
        known = {symbol: v for symbol, v in moves.items() if np.isfinite(v)}
        try:
            self.record.take(hours, known, predicted)
        except OSError as error:
            # What was not written down was not predicted; the models have no new outcome to be judged by.
            log.warning("predictions could not be put on record", error=str(error))
            return
        self._predicted = predicted

    def _predict(self, model: str, hours: Candles) -> list[Made]:
        """What each version of a model that counts says at the newest bar."""
        found: list[Made] = []
        at, kind = int(hours.closed[-1]), self.kinds[model]
        if (at // hours.cadence_ms) % kind.horizon:
            return found
        pointer, _ = self._read(model)
        for version in dict.fromkeys(v for v in (pointer.live, pointer.challenger, pointer.before) if v is not None):
            trained, fault = self._version(model, version)
            if trained is None:
                log.warning("a version cannot predict", model=model, version=str(version), why=fault)
                continue
            try:
                row = kind.predict(trained.parameters, _last(hours, kind.looks_back))[-1]
            except Exception as error:  # noqa: BLE001 -- a version that cannot predict costs its model, never the fund
                log.warning("a version did not predict", model=model, version=str(version), why=repr(error))
                continue
            known = {s: float(p) for s, p in zip(hours.symbols, row, strict=True) if np.isfinite(p)}
            if known:
                found.append(Made(at, model, str(version), kind.horizon, known))
        return found

    def _read(self, model: str) -> tuple[Pointer, str | None]:
        """The pointer, and what is wrong with it, if anything is."""
        try:
            return self.pointer(model), None
        except (ShelfError, OSError) as error:
            return Pointer(), str(error)

    def _version(self, model: str, version: Version) -> tuple[Trained | None, str | None]:
        """A version that can predict, or why it cannot. What was loaded once is not read again."""
        trained = self._loaded.get((model, version))
        if trained is None:
            try:
                trained = self.shelf.load(model, version)
                self._check(trained)
            except ShelfError as error:
                return None, str(error)
            self._loaded[model, version] = trained
        return trained, None

    def _check(self, trained: Trained) -> None:
        """Raises ShelfError for a version that this release's model cannot predict with."""
        kind = self.kinds[trained.model]
        if (trained.features, trained.horizon, trained.cadence_ms) != (kind.features, kind.horizon, HOUR_MS):
            raise ShelfError(f"`{trained.model}` was trained on other inputs than this release has: train it anew")
        try:
            kind.check(trained.parameters)
        except ValueError as error:
            raise ShelfError(f"`{trained.model}` has other figures than this release takes: {error}") from error

    def _record(self, model: str, hours: Candles | None) -> ModelRecord:
        pointer, fault = self._read(model)
        bar = None if hours is None else int(hours.closed[-1])
        key = (pointer, fault, bar, self.record.newest, self.history.began.get(model))
        if model not in self._told or self._told[model][0] != key:
            self._told[model] = (key, self._fresh_record(model, pointer, fault, hours))
        return self._told[model][1]

    def _fresh_record(self, model: str, pointer: Pointer, fault: str | None, hours: Candles | None) -> ModelRecord:
        began, live = self.history.began.get(model), pointer.live
        if live is None:
            return ModelRecord(training_began=began, fault=fault or "no version of it has gone live yet")
        trained, fault = self._version(model, live)
        if trained is None:
            return ModelRecord(training_began=began, fault=fault)
        return ModelRecord(
            predictions=self.record.predictions(model, str(live)),
            trained_at=trained.trained_at,
            regime=trained.regime,
            trained_on=np.array(trained.inputs, dtype=np.float64).reshape(-1, len(trained.features)),
            sees=None if hours is None else seen(hours, trained.features),
            losses=np.array(self.record.losses(model, str(live)), dtype=np.float64),
            expected_loss=None if trained.expected is None else trained.expected.mean,
            loss_deviation=None if trained.expected is None else trained.expected.deviation,
            training_began=began,
            challenger=self._challenger(model, pointer, live),
            before=None
            if pointer.before is None
            else self.record.compared(model, str(live), str(pointer.before), pointer.deployed or 0),
        )

    def _challenger(self, model: str, pointer: Pointer, live: Version) -> Challenger | None:
        if pointer.challenger is None:
            return None
        trained, _ = self._version(model, pointer.challenger)
        if trained is None:
            return None
        try:
            apart = self.shelf.are_apart(model, live, pointer.challenger)
        except (ShelfError, OSError) as error:
            log.warning("versions are not as they were written", model=model, why=str(error))
            apart = False
        names, since = (model, str(live), str(pointer.challenger)), pointer.canary_since
        canary = {} if since is None else {"as_canary": self.record.compared(*names, since)}
        return Challenger(trained.trained_at, self.record.compared(*names), apart, since, **canary)


def _fresh(candles: Candles | None, ts: int, days: float) -> Candles | None:
    """The hours of the last `days` before `ts`; None where there are none or the newest is over for an hour."""
    if candles is None or candles.cadence_ms > HOUR_MS or not candles.symbols:
        return None
    hours = hourly(newest(candles, ts, days))
    if len(hours.opened) == 0 or ts - int(hours.closed[-1]) >= HOUR_MS:
        return None
    return hours


def _last(hours: Candles, bars: int) -> Candles:
    """The newest bars."""
    return newest(hours, int(hours.closed[-1]), bars * hours.cadence_ms / MS_PER_DAY)


def _by(person: str, reason: str) -> str:
    if not person.strip() or not reason.strip():
        raise refusal("RF851", "a change of a model needs a person and a reason")
    return f"{person.strip()}: {reason.strip()}"
