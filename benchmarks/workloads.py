"""The workload that benchmarks share: 24 fund-wide rules over 18 facts, and states to judge.

The rules are of the kinds of the default bundle: triggers of an emergency stop, a risk mode, limits, and directives
that follow from the mode. `benchmarks.by_hand` holds the same rules written in Python.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from evaluators.snapshot import Snapshot
from modules.facts import default_catalogue
from policy_dsl.bundle import load_text
from policy_dsl.catalogue import Fact
from policy_dsl.program import Program
from policy_dsl.types import Flag, Levels, Value

RULES = """\
policy desk version 1.0.0
  "Twenty-four rules over eighteen facts."

output state: HALTED < ARMED                                       starts ARMED
output actions: set of CANCEL_ORDERS, FLATTEN
output risk_mode: SAFE < DEFENSIVE < CAUTIOUS < NORMAL < AGGRESSIVE starts AGGRESSIVE
output allow_trades: flag                                          starts yes       tightens down
output min_confidence: ratio in 0% to 100%                         starts 55%       tightens up
output max_exposure: ratio in 0% to 100%                           starts 80%       tightens down
output max_leverage: leverage in 0x to 30x                         starts 30x       tightens down
output max_positions: count in 0 to 8                              starts 8         tightens down
output max_risk: ratio in 0% to 2%                                 starts 1%        tightens down
output amplification: OFF < ON                                     starts ON
output entry_mode: NONE < DEFENSIVE < NORMAL                       starts NORMAL
output min_tier: EXPANSION < CORE                                  starts EXPANSION tightens up

rule r01_stop        when operator.stop_requested            tighten state to HALTED permit CANCEL_ORDERS permit FLATTEN
rule r02_drawdown    when account.drawdown > 5%              tighten state to HALTED permit CANCEL_ORDERS permit FLATTEN
rule r03_streak      when account.losing_streak > 5           tighten state to HALTED permit CANCEL_ORDERS
rule r04_errors      when system.errors_per_minute > 10/min   tighten state to HALTED permit CANCEL_ORDERS
rule r05_stale       when market.data_age > 5m                tighten state to HALTED
rule r06_mismatch    when account.reconciliation_gap > 1%     tighten state to HALTED
rule r07_halted      when state is HALTED                     tighten risk_mode to SAFE tighten allow_trades to no
rule r08_losses      when market.volatility is EXTREME and account.drawdown > 2%      tighten risk_mode to SAFE
rule r09_crash       when market.turbulence > 99% and market.breadth < 10%            tighten risk_mode to SAFE
rule r10_defensive   when account.drawdown > 3%               tighten risk_mode to DEFENSIVE
rule r11_volatile    when market.volatility in {HIGH, EXTREME} tighten risk_mode to CAUTIOUS
rule r12_ordinary    unless market.regime is TRENDING and market.volatility is LOW and account.drawdown < 1%
                     tighten risk_mode to NORMAL
rule r13_daily_loss  when account.daily_loss > 3%             tighten allow_trades to no
rule r14_open_loss   when account.open_loss > 4%              tighten max_risk to 0.5%
rule r15_unlucky     when account.losing_streak >= 3          tighten min_confidence to 65% tighten max_risk to 0.5%
rule r16_full        when account.open_positions >= 8         tighten entry_mode to NONE
rule r17_exposed     when account.gross_exposure > 80%        tighten entry_mode to NONE
rule r18_margin      when account.margin_usage > 60%          tighten max_leverage to 5x
rule r19_correlated  when account.correlated_exposure > 40% and account.open_positions > 3 tighten max_positions to 4
rule r20_failing     when system.error_rate > 5%              tighten entry_mode to DEFENSIVE
rule r21_at_risk     when account.risk > 6%                   tighten allow_trades to no
rule r22_cautious    when risk_mode <= CAUTIOUS               tighten min_confidence to 60% tighten amplification to OFF
rule r23_directives  when risk_mode <= DEFENSIVE              tighten max_leverage to 10x tighten max_positions to 5
                                                              tighten max_exposure to 65%
rule r24_safe        when risk_mode is SAFE                   tighten max_exposure to 50% tighten min_confidence to 70%
                                                              tighten min_tier to CORE
"""

FACTS = (
    "account.correlated_exposure",
    "account.daily_loss",
    "account.drawdown",
    "account.gross_exposure",
    "account.losing_streak",
    "account.margin_usage",
    "account.open_loss",
    "account.open_positions",
    "account.reconciliation_gap",
    "account.risk",
    "market.breadth",
    "market.data_age",
    "market.regime",
    "market.turbulence",
    "market.volatility",
    "operator.stop_requested",
    "system.error_rate",
    "system.errors_per_minute",
)


def program() -> Program:
    """The 24 rules, checked against the default catalogue."""
    return load_text({"desk.rules": RULES}, default_catalogue()).program


# --- states ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Range:
    """What a fact does: it wanders around `calm`, and in a bad hour around `bad` (quanta, ranks, flags)."""

    calm: int
    bad: int


RANGES = {
    "account.correlated_exposure": Range(200_000_000, 500_000_000),
    "account.daily_loss": Range(5_000_000, 40_000_000),
    "account.drawdown": Range(10_000_000, 60_000_000),
    "account.gross_exposure": Range(400_000_000, 900_000_000),
    "account.losing_streak": Range(1, 6),
    "account.margin_usage": Range(300_000_000, 700_000_000),
    "account.open_loss": Range(10_000_000, 50_000_000),
    "account.open_positions": Range(4, 8),
    "account.reconciliation_gap": Range(1_000_000, 11_000_000),
    "account.risk": Range(20_000_000, 70_000_000),
    "market.breadth": Range(600_000_000, 50_000_000),
    "market.data_age": Range(1_000, 310_000),
    "market.turbulence": Range(500_000_000, 995_000_000),
    "system.error_rate": Range(5_000_000, 60_000_000),
    "system.errors_per_minute": Range(1_440_000_000, 15_840_000_000),
}


def recorded(count: int, seed: int = 7, missing: float = 0.0) -> list[dict[str, Value | None]]:
    """States as a fund records them, one a minute: figures wander, one hour in eight is a bad one.

    `missing` is the share of facts that are missing (None), each for ten minutes at a time.
    """
    chance = random.Random(seed)  # noqa: S311 -- a seeded workload keeps no secret
    states = []
    gone: dict[str, int] = {}
    for minute in range(count):
        bad = minute // 60 % 8 == 7
        state = {path: _figure(path, bad, chance) for path in FACTS}
        for path in FACTS:
            if chance.random() < missing / 10:
                gone[path] = minute + 10
        states.append({path: None if gone.get(path, -1) > minute else value for path, value in state.items()})
    return states


def scattered(count: int, seed: int = 7, missing: float = 0.0) -> list[dict[str, Value | None]]:
    """States of which hardly two are alike: every fact on its good or its bad side by itself."""
    chance = random.Random(seed)  # noqa: S311 -- a seeded workload keeps no secret
    return [
        {path: None if chance.random() < missing else _figure(path, chance.random() < 0.5, chance) for path in FACTS}
        for _ in range(count)
    ]


def _figure(path: str, bad: bool, chance: random.Random) -> Value:
    fact = _fact(path)
    if isinstance(fact.type, Flag):
        return bad and chance.random() < 0.02
    if isinstance(fact.type, Levels):
        shift = 1 if bad else 0
        return min(len(fact.type.members) - 1, chance.choice((0, 1, 1, 2)) + shift)
    around = RANGES[path].bad if bad else RANGES[path].calm
    value = round(around * chance.uniform(0.6, 1.4))
    return value if fact.high is None else min(value, fact.high)


_CATALOGUE = default_catalogue()


def _fact(path: str) -> Fact:
    found = _CATALOGUE.fact(path)
    assert found is not None, path
    return found


def snapshots(states: list[dict[str, Value | None]]) -> list[Snapshot]:
    """The states as snapshots of one book, a minute apart."""
    return [Snapshot("main", 60_000 * minute, state) for minute, state in enumerate(states)]
