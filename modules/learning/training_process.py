"""A training in a process of its own: reads what to train on from its input, and writes the version to its output."""

from __future__ import annotations

import io
import json
import os
import sys
import warnings

import numpy as np

from modules.feeds.candles import Candles
from modules.learning.kinds import four_models
from modules.learning.model import TrainingError, train

FAILED = 3
"""How the process ends where the training failed; its last line says why."""

PANELS = ("open", "high", "low", "close", "volume")
CALM = 10
"""How far it stands back behind what trades, in steps of `nice`."""


def packed(model: str, horizon: int, candles: Candles, regime: str | None) -> bytes:
    """What to train, and on what, as arrays of numbers and JSON."""
    told = {
        "model": model, "horizon": horizon, "regime": regime, "book": candles.book, "cadence_ms": candles.cadence_ms,
        "symbols": list(candles.symbols),
    }  # fmt: skip
    arrays = {name: getattr(candles, name) for name in PANELS}
    out = io.BytesIO()
    np.savez(out, told=np.frombuffer(json.dumps(told).encode(), np.uint8), opened=candles.opened, **arrays)
    return out.getvalue()


def main() -> int:
    """Train what the input asks for. Returns 0 with the version on the output, or 3 with the reason as last line."""
    os.nice(CALM)
    warnings.simplefilter("ignore")
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as given:
        told = json.loads(given["told"].tobytes())
        panels = {name: given[name] for name in PANELS}
        candles = Candles(told["book"], told["cadence_ms"], given["opened"], tuple(told["symbols"]), **panels)
    try:
        trained = train(four_models(told["horizon"])[told["model"]], candles, told["regime"])
    except TrainingError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    sys.stdout.write(trained.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
