"""The signaller of a day: what it proposes to open, whatever the fund does with it, and when it gives a trade up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modules.inputs import Request
from modules.runtime.ledger import Lot
from modules.simulated_market import MINUTE_MS
from modules.trading_day.exchange import LEVERAGE
from modules.trading_day.market import DAY, DayMarket

MODELS = ("lightgbm", "nhits", "patchtst", "xgboost")
A_MINUTE = 0.25
"""Proposals a minute."""

SKILL = 0.7
"""Share of the proposals that go the way in which the symbol drifts. It is made up: nothing here shows that anybody
has it."""

NOTIONAL = (6_000.0, 18_000.0)
STOPS = (0.007, 0.014)
"""Distance of the stop / price."""

TARGET = 3.5
"""Distance of the target / that of the stop."""

HOURS = (2.0, 8.0)
"""How long a trade is held at most."""

URGENCIES = ("LOW", "NORMAL", "HIGH")
URGENCY_ODDS = (0.15, 0.75, 0.1)


@dataclass(frozen=True, slots=True)
class Signal:
    """A proposal at `minute` of the day; `stop` and `target` are distances / price, `hold` minutes at most."""

    id: str
    minute: int
    symbol: str
    side: str
    model: str
    confidence: float
    votes: int
    urgency: str
    notional: float
    stop: float
    target: float
    hold: int

    def request(self, at: int, price: float) -> Request:
        """The request at a time (ms) and a price."""
        return Request(
            self.symbol, self.side, at, self.notional, LEVERAGE, self.model, self.confidence, self.votes, self.urgency,
            stop=price * (1 - self.sign * self.stop), target=price * (1 + self.sign * self.target), client_id=self.id,
        )  # fmt: skip

    @property
    def sign(self) -> int:
        """1 for a long, -1 for a short."""
        return 1 if self.side == "LONG" else -1

    def is_over(self, opened: int, now: int) -> bool:
        """Whether the signaller gives a trade on it up: its time is over. Stop and target are the fund's to keep."""
        return now - opened >= self.hold * MINUTE_MS


def signals(seed: int, market: DayMarket) -> tuple[Signal, ...]:
    """Everything that is proposed in a day, in the order of time; the same for every run of the day."""
    rng = np.random.default_rng([seed, 5])
    found = []
    symbols = market.candles.symbols
    for minute in range(DAY):
        if rng.random() >= A_MINUTE:
            continue
        column = int(rng.integers(len(symbols)))
        drifts_up = market.drift[minute, column] > 0
        goes_up = drifts_up == (rng.random() < SKILL)
        stop = float(rng.uniform(*STOPS))
        found.append(
            Signal(
                id=f"s{minute:04d}",
                minute=minute,
                symbol=symbols[column],
                side="LONG" if goes_up else "SHORT",
                model=str(rng.choice(MODELS)),
                confidence=float(rng.beta(10, 4)),
                votes=int(rng.integers(1, len(MODELS) + 1)),
                urgency=str(rng.choice(URGENCIES, p=URGENCY_ODDS)),
                notional=float(rng.uniform(*NOTIONAL)),
                stop=stop,
                target=TARGET * stop,
                hold=round(60 * float(rng.uniform(*HOURS))),
            )
        )
    return tuple(found)


def way_out(symbol: str, lot: Lot, at: int, price: float) -> Request:
    """The request to close a position, whole and at once."""
    against = "SHORT" if lot.side == "LONG" else "LONG"
    return Request(
        symbol, against, at, lot.quantity * price, LEVERAGE, lot.model, urgency="HIGH", reduce_only=True,
        client_id=f"x-{symbol}-{at}",
    )  # fmt: skip
