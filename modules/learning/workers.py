"""Where trainings run: apart from the fund, for so long and no longer, and without anything of the fund's in reach."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from pydantic import ValidationError

from modules.feeds.candles import Candles
from modules.learning.model import Model, Trained, TrainingError, train
from modules.learning.training_process import FAILED, packed

LIMIT = 600.0
"""Seconds that a training may take."""


class Worker(Protocol):
    """Trains models, one after the other."""

    def start(self, model: Model, candles: Candles, regime: str | None) -> Future[Trained]:
        """Begin a training, and return at once. The future raises TrainingError for one that failed."""
        ...

    def close(self) -> None:
        """Begin no further training, and end what runs."""
        ...


@dataclass(slots=True)
class ProcessWorker:
    """Trains the fund's own models, each training in a process of its own that is ended after `limit` seconds.

    What it hands over and gets back are numbers and JSON: nothing that a process sends can run here.
    """

    limit: float = LIMIT
    command: tuple[str, ...] = (sys.executable, "-m", "modules.learning.training_process")
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="training"))
    _lock: Lock = field(default_factory=Lock)
    _process: subprocess.Popen[bytes] | None = None
    _is_closed: bool = False

    def start(self, model: Model, candles: Candles, regime: str | None) -> Future[Trained]:
        """Begin a training as soon as the one before it has ended."""
        return self._pool.submit(self._train, model, candles, regime)

    def close(self) -> None:
        """Forget trainings that have not begun, and end the one that runs."""
        with self._lock:
            self._is_closed = True
            if self._process is not None:
                self._process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _train(self, model: Model, candles: Candles, regime: str | None) -> Trained:
        try:
            process = self._began()
        except OSError as error:
            raise TrainingError(f"its process could not be run: {error}") from error
        with process:
            try:
                out, errors = process.communicate(packed(model.name, model.horizon, candles, regime), self.limit)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise TrainingError(f"it took over {self.limit:g} s") from error
            finally:
                with self._lock:
                    self._process = None
        if process.returncode != 0:
            last = errors.decode(errors="replace").strip().splitlines()[-1:] or ["without a word"]
            ended = f"its process ended with {process.returncode}: {last[0]}"
            raise TrainingError(last[0] if process.returncode == FAILED else ended)
        try:
            return Trained.model_validate_json(out)
        except ValidationError as error:
            raise TrainingError("what its process returned is no model") from error

    def _began(self) -> subprocess.Popen[bytes]:
        """A process that waits for what to train on."""
        # One thread: a training is not to take the processors from what trades.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        with self._lock:
            if self._is_closed:
                raise TrainingError("the fund was stopped")
            self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module, no shell
                self.command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
            )
            return self._process


@dataclass(slots=True)
class InPlaceWorker:
    """Trains at once, where it is called: for tests and for simulations, whose time stands still meanwhile."""

    def start(self, model: Model, candles: Candles, regime: str | None) -> Future[Trained]:
        """Train, and return a future that is done."""
        future: Future[Trained] = Future()
        try:
            future.set_result(train(model, candles, regime))
        except TrainingError as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Nothing is left to close."""
