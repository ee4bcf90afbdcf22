"""Requests that nobody means: drawn from a seed, so that a fund on paper has something to judge."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from modules.inputs import Request
from modules.venues.venue import Venue

EACH_STEP = 0.5
"""Probability of a proposal at a step."""

MODELS = ("lightgbm", "nhits", "patchtst", "xgboost")
NOTIONAL = (500.0, 5_000.0)
STOP, TARGET = 0.02, 0.05
"""Distances / price."""


@dataclass(slots=True)
class Proposals:
    """Proposes to open positions at a venue, without any skill."""

    venue: Venue
    seed: int
    _rng: np.random.Generator = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng([self.seed, 9])

    def at(self, ts: int) -> dict[str, Request]:
        """What is proposed at `ts` (ms since 1970 UTC), by id; nothing at about every other step."""
        tickers = self.venue.tickers()
        if not tickers or self._rng.random() >= EACH_STEP:
            return {}
        symbol = sorted(tickers)[int(self._rng.integers(len(tickers)))]
        side = "LONG" if self._rng.random() < 1 / 2 else "SHORT"
        sign, price = (1 if side == "LONG" else -1), tickers[symbol].price
        self._count += 1
        request = Request(
            symbol,
            side,
            ts,
            notional=float(self._rng.uniform(*NOTIONAL)),
            leverage=2.0,
            model=str(self._rng.choice(MODELS)),
            confidence=float(self._rng.beta(10, 4)),
            votes=int(self._rng.integers(1, len(MODELS) + 1)),
            urgency="NORMAL",
            stop=price * (1 - sign * STOP),
            target=price * (1 + sign * TARGET),
        )
        return {f"{symbol}-{side.lower()}-{self._count}": request}
