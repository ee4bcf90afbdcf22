"""Four made-up prediction models: what they propose over a day, and how they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from modules.estimates.proportions import interval
from modules.facts.levels import URGENCY
from modules.paper_requests import Ask
from modules.state_columns import EntityColumns, RowLog

MODELS = ("lightgbm", "nhits", "patchtst", "xgboost")
PROPOSALS_A_MINUTE = 0.25
SIZES = (2_000.0, 4_000.0, 8_000.0, 40_000.0)
SIZE_ODDS = (0.5, 0.3, 0.17, 0.03)
LEVERAGES = (1.0, 2.0, 3.0, 10.0)
LEVERAGE_ODDS = (0.3, 0.4, 0.27, 0.03)
TARGET_R = 2.5
"""Their targets are so many times as far away as their stops."""

MODEL_FIELDS = (
    "health", "trend", "win_rate", "average_r", "calibration", "brier", "samples", "long_share", "bias_p", "drift_p",
    "age", "regime", "win_rate_low", "since_training", "challenger_age", "canary_age",
)  # fmt: skip


def proposals(rng: np.random.Generator, bars: Sequence[int], symbols: int) -> Mapping[int, Sequence[Ask]]:
    """What the models propose to open, by bar: mostly sensible, now and then oversized, repeated or sent twice."""
    found: dict[int, list[Ask]] = {}
    recent: Counter[tuple[int, int]] = Counter()
    for bar in bars:
        if rng.random() >= PROPOSALS_A_MINUTE:
            recent.clear()
            continue
        ask = _proposal(rng, symbols)
        twice = rng.random() < 1 / 40
        found[bar] = [_repeated(ask, recent[ask.symbol, ask.sign], False)]
        recent[ask.symbol, ask.sign] += 1
        if twice:
            found[bar].append(_repeated(ask, recent[ask.symbol, ask.sign], True))
    return found


def _proposal(rng: np.random.Generator, symbols: int) -> Ask:
    notional = float(rng.choice(SIZES, p=SIZE_ODDS))
    stop = float(rng.uniform(0.01, 0.04))
    far = rng.random() < 1 / 30
    return Ask(
        symbol=int(rng.integers(symbols)),
        sign=1 if rng.random() < 1 / 2 else -1,
        effect="OPEN",
        model=str(rng.choice(MODELS)),
        confidence=float(rng.beta(8, 4)),
        votes=int(rng.integers(1, len(MODELS) + 1)),
        notional=notional,
        leverage=float(rng.choice(LEVERAGES, p=LEVERAGE_ODDS)),
        risk=notional * (stop + 0.001),
        stop=stop,
        reward=TARGET_R,
        urgency=str(rng.choice(URGENCY.members, p=(0.3, 0.6, 0.1))),
        price_deviation=float(rng.uniform(0.02, 0.08) if far else rng.uniform(0, 0.002)),
    )


def _repeated(ask: Ask, repeats: int, duplicate: bool) -> Ask:
    return Ask(
        ask.symbol, ask.sign, ask.effect, ask.model, ask.confidence, ask.votes, ask.notional, ask.leverage, ask.risk,
        ask.stop, ask.reward, urgency=ask.urgency, price_deviation=ask.price_deviation, duplicate=duplicate,
        repeats=repeats,
    )  # fmt: skip


def model_rows(rng: np.random.Generator, ts: NDArray[np.int64], degrades_from: int) -> EntityColumns:
    """How the models do at each snapshot. From `degrades_from` (ms) on, `patchtst` is DEGRADED and its inputs drift."""
    rows = RowLog(MODEL_FIELDS)
    ages = rng.uniform(0.5, 5, len(MODELS)) * 86_400
    quality = rng.uniform(0.52, 0.6, len(MODELS))
    for at in ts.tolist():
        passed = (at - int(ts[0])) / 1000
        samples = 400 + int(passed // 600)
        for i, name in enumerate(MODELS):
            fails = name == "patchtst" and at >= degrades_from
            rows.add(
                at, name, "DEGRADED" if fails else "HEALTHY", "DEGRADING" if fails else "STABLE",
                quality[i] - 0.1 * fails, 0.3 - 0.4 * fails, 0.95 - 0.2 * fails, 0.23 + 0.05 * fails,
                samples, 0.5, 0.6, 0.4 * (1 - fails) + 0.001 * fails, float(ages[i] + passed),
                "NORMAL", interval(round((quality[i] - 0.1 * fails) * samples), samples)[0], float(ages[i] + passed),
                0.0, 0.0,
            )  # fmt: skip
    return rows.columns()
