"""The shared workload written by hand: what a trader who programs well would write in place of the 24 rules."""

# ruff: noqa: PLR0915, PLR1730 -- all rules stand in one function, and a comparison is faster than a call of `min`

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy_dsl.types import Value

Grants = tuple[tuple[str, tuple[int, ...]], ...]
Outputs = dict[str, Value | Grants | dict[str, Value]]

# Quanta: ratios and leverage 1e-9, rates 1e-6 a day, durations milliseconds.
MAX_DRAWDOWN, CRASH_DRAWDOWN, DEFENSIVE_DRAWDOWN, CALM_DRAWDOWN = 50_000_000, 20_000_000, 30_000_000, 10_000_000
MAX_ERRORS, MAX_ERROR_RATE, MAX_AGE, MAX_MISMATCH = 14_400_000_000, 50_000_000, 300_000, 10_000_000
CRASH_TURBULENCE, CRASH_BREADTH = 990_000_000, 100_000_000
MAX_DAILY_LOSS, MAX_OPEN_LOSS = 30_000_000, 40_000_000
MAX_EXPOSURE, DEFENSIVE_EXPOSURE, SAFE_EXPOSURE = 800_000_000, 650_000_000, 500_000_000
MAX_MARGIN, MAX_CORRELATED, MAX_RISK = 600_000_000, 400_000_000, 60_000_000
START_RISK, LOW_RISK = 10_000_000, 5_000_000
START_CONFIDENCE, CAUTIOUS_CONFIDENCE = 550_000_000, 600_000_000
HIGH_CONFIDENCE, SAFE_CONFIDENCE = 650_000_000, 700_000_000
START_LEVERAGE, DEFENSIVE_LEVERAGE, MARGIN_LEVERAGE = 30_000_000_000, 10_000_000_000, 5_000_000_000

HALTED, ARMED = 0, 1
SAFE, DEFENSIVE, CAUTIOUS, NORMAL, AGGRESSIVE = range(5)
LOW, HIGH, EXTREME, TRENDING = 0, 2, 3, 2
NO_ENTRY, DEFENSIVE_ENTRY, ANY_ENTRY = range(3)
EXPANSION, CORE = 0, 1
CANCEL, FLATTEN = ("CANCEL_ORDERS", ()), ("FLATTEN", ())


def known(facts: Mapping[str, Any]) -> tuple[Outputs, tuple[str, ...]]:
    """The outputs and the rules that fired, where every fact is known, which nobody checks."""
    drawdown, streak = facts["account.drawdown"], facts["account.losing_streak"]
    volatility, positions = facts["market.volatility"], facts["account.open_positions"]
    state, mode, trade = ARMED, AGGRESSIVE, True
    confidence, exposure, leverage = START_CONFIDENCE, MAX_EXPOSURE, START_LEVERAGE
    most_positions, risk, amplification = 8, START_RISK, 1
    entry, tier = ANY_ENTRY, EXPANSION
    cancel = flatten = False
    fired = []
    if facts["operator.stop_requested"]:
        state, cancel, flatten = HALTED, True, True
        fired.append("desk.r01_stop")
    if drawdown > MAX_DRAWDOWN:
        state, cancel, flatten = HALTED, True, True
        fired.append("desk.r02_drawdown")
    if streak > 5:
        state, cancel = HALTED, True
        fired.append("desk.r03_streak")
    if facts["system.errors_per_minute"] > MAX_ERRORS:
        state, cancel = HALTED, True
        fired.append("desk.r04_errors")
    if facts["market.data_age"] > MAX_AGE:
        state = HALTED
        fired.append("desk.r05_stale")
    if facts["account.reconciliation_gap"] > MAX_MISMATCH:
        state = HALTED
        fired.append("desk.r06_mismatch")
    if state == HALTED:
        mode, trade = SAFE, False
        fired.append("desk.r07_halted")
    if volatility == EXTREME and drawdown > CRASH_DRAWDOWN:
        mode = SAFE
        fired.append("desk.r08_losses")
    if facts["market.turbulence"] > CRASH_TURBULENCE and facts["market.breadth"] < CRASH_BREADTH:
        mode = SAFE
        fired.append("desk.r09_crash")
    if drawdown > DEFENSIVE_DRAWDOWN:
        if mode > DEFENSIVE:
            mode = DEFENSIVE
        fired.append("desk.r10_defensive")
    if volatility >= HIGH:
        if mode > CAUTIOUS:
            mode = CAUTIOUS
        fired.append("desk.r11_volatile")
    if not (facts["market.regime"] == TRENDING and volatility == LOW and drawdown < CALM_DRAWDOWN):
        if mode > NORMAL:
            mode = NORMAL
        fired.append("desk.r12_ordinary")
    if facts["account.daily_loss"] > MAX_DAILY_LOSS:
        trade = False
        fired.append("desk.r13_daily_loss")
    if facts["account.open_loss"] > MAX_OPEN_LOSS:
        risk = LOW_RISK
        fired.append("desk.r14_open_loss")
    if streak >= 3:
        confidence, risk = HIGH_CONFIDENCE, LOW_RISK
        fired.append("desk.r15_unlucky")
    if positions >= 8:
        entry = NO_ENTRY
        fired.append("desk.r16_full")
    if facts["account.gross_exposure"] > MAX_EXPOSURE:
        entry = NO_ENTRY
        fired.append("desk.r17_exposed")
    if facts["account.margin_usage"] > MAX_MARGIN:
        leverage = MARGIN_LEVERAGE
        fired.append("desk.r18_margin")
    if facts["account.correlated_exposure"] > MAX_CORRELATED and positions > 3:
        most_positions = 4
        fired.append("desk.r19_correlated")
    if facts["system.error_rate"] > MAX_ERROR_RATE:
        if entry > DEFENSIVE_ENTRY:
            entry = DEFENSIVE_ENTRY
        fired.append("desk.r20_failing")
    if facts["account.risk"] > MAX_RISK:
        trade = False
        fired.append("desk.r21_at_risk")
    if mode <= CAUTIOUS:
        amplification = 0
        if confidence < CAUTIOUS_CONFIDENCE:
            confidence = CAUTIOUS_CONFIDENCE
        fired.append("desk.r22_cautious")
    if mode <= DEFENSIVE:
        exposure = DEFENSIVE_EXPOSURE
        if leverage > DEFENSIVE_LEVERAGE:
            leverage = DEFENSIVE_LEVERAGE
        if most_positions > 5:
            most_positions = 5
        fired.append("desk.r23_directives")
    if mode == SAFE:
        exposure, confidence, tier = SAFE_EXPOSURE, SAFE_CONFIDENCE, CORE
        fired.append("desk.r24_safe")
    actions = (CANCEL, FLATTEN) if flatten else (CANCEL,) if cancel else ()
    return {
        "desk.actions": actions,
        "desk.entry_mode": entry,
        "desk.max_risk": risk,
        "desk.state": state,
        "verdict": {},
        "desk.allow_trades": trade,
        "desk.risk_mode": mode,
        "desk.amplification": amplification,
        "desk.max_exposure": exposure,
        "desk.max_leverage": leverage,
        "desk.max_positions": most_positions,
        "desk.min_confidence": confidence,
        "desk.min_tier": tier,
    }, tuple(fired)


def judged(facts: Mapping[str, Any]) -> tuple[Outputs, tuple[tuple[str, bool], ...]]:
    """The outputs and the rules that fired, each with whether it did for certain; what is missing tightens."""
    get = facts.get
    drawdown, streak, volatility = get("account.drawdown"), get("account.losing_streak"), get("market.volatility")
    positions, regime = get("account.open_positions"), get("market.regime")
    state, mode, trade = ARMED, AGGRESSIVE, True
    confidence, exposure, leverage = START_CONFIDENCE, MAX_EXPOSURE, START_LEVERAGE
    most_positions, risk, amplification = 8, START_RISK, 1
    entry, tier = ANY_ENTRY, EXPANSION
    cancel = flatten = False
    fired: list[tuple[str, bool]] = []
    stop = get("operator.stop_requested")
    if stop is None or stop:
        state = HALTED
        if stop:
            cancel = flatten = True
        fired.append(("desk.r01_stop", stop is not None))
    if drawdown is None or drawdown > MAX_DRAWDOWN:
        state = HALTED
        if drawdown is not None:
            cancel = flatten = True
        fired.append(("desk.r02_drawdown", drawdown is not None))
    if streak is None or streak > 5:
        state = HALTED
        if streak is not None:
            cancel = True
        fired.append(("desk.r03_streak", streak is not None))
    errors = get("system.errors_per_minute")
    if errors is None or errors > MAX_ERRORS:
        state = HALTED
        if errors is not None:
            cancel = True
        fired.append(("desk.r04_errors", errors is not None))
    age = get("market.data_age")
    if age is None or age > MAX_AGE:
        state = HALTED
        fired.append(("desk.r05_stale", age is not None))
    gap = get("account.reconciliation_gap")
    if gap is None or gap > MAX_MISMATCH:
        state = HALTED
        fired.append(("desk.r06_mismatch", gap is not None))
    if state == HALTED:
        mode, trade = SAFE, False
        fired.append(("desk.r07_halted", True))
    if (volatility is None or volatility == EXTREME) and (drawdown is None or drawdown > CRASH_DRAWDOWN):
        mode = SAFE
        fired.append(("desk.r08_losses", volatility is not None and drawdown is not None))
    turbulence, breadth = get("market.turbulence"), get("market.breadth")
    if (turbulence is None or turbulence > CRASH_TURBULENCE) and (breadth is None or breadth < CRASH_BREADTH):
        mode = SAFE
        fired.append(("desk.r09_crash", turbulence is not None and breadth is not None))
    if drawdown is None or drawdown > DEFENSIVE_DRAWDOWN:
        if mode > DEFENSIVE:
            mode = DEFENSIVE
        fired.append(("desk.r10_defensive", drawdown is not None))
    if volatility is None or volatility >= HIGH:
        if mode > CAUTIOUS:
            mode = CAUTIOUS
        fired.append(("desk.r11_volatile", volatility is not None))
    quiet = drawdown is not None and drawdown < CALM_DRAWDOWN
    if regime != TRENDING or volatility != LOW or not quiet:
        if mode > NORMAL:
            mode = NORMAL
        certain = regime not in (None, TRENDING) or volatility not in (None, LOW) or not (drawdown is None or quiet)
        fired.append(("desk.r12_ordinary", certain))
    daily_loss = get("account.daily_loss")
    if daily_loss is None or daily_loss > MAX_DAILY_LOSS:
        trade = False
        fired.append(("desk.r13_daily_loss", daily_loss is not None))
    open_loss = get("account.open_loss")
    if open_loss is None or open_loss > MAX_OPEN_LOSS:
        risk = LOW_RISK
        fired.append(("desk.r14_open_loss", open_loss is not None))
    if streak is None or streak >= 3:
        confidence, risk = HIGH_CONFIDENCE, LOW_RISK
        fired.append(("desk.r15_unlucky", streak is not None))
    if positions is None or positions >= 8:
        entry = NO_ENTRY
        fired.append(("desk.r16_full", positions is not None))
    gross = get("account.gross_exposure")
    if gross is None or gross > MAX_EXPOSURE:
        entry = NO_ENTRY
        fired.append(("desk.r17_exposed", gross is not None))
    margin = get("account.margin_usage")
    if margin is None or margin > MAX_MARGIN:
        leverage = MARGIN_LEVERAGE
        fired.append(("desk.r18_margin", margin is not None))
    correlated = get("account.correlated_exposure")
    if (correlated is None or correlated > MAX_CORRELATED) and (positions is None or positions > 3):
        most_positions = 4
        fired.append(("desk.r19_correlated", correlated is not None and positions is not None))
    error_rate = get("system.error_rate")
    if error_rate is None or error_rate > MAX_ERROR_RATE:
        if entry > DEFENSIVE_ENTRY:
            entry = DEFENSIVE_ENTRY
        fired.append(("desk.r20_failing", error_rate is not None))
    at_risk = get("account.risk")
    if at_risk is None or at_risk > MAX_RISK:
        trade = False
        fired.append(("desk.r21_at_risk", at_risk is not None))
    if mode <= CAUTIOUS:
        amplification = 0
        if confidence < CAUTIOUS_CONFIDENCE:
            confidence = CAUTIOUS_CONFIDENCE
        fired.append(("desk.r22_cautious", True))
    if mode <= DEFENSIVE:
        exposure = DEFENSIVE_EXPOSURE
        if leverage > DEFENSIVE_LEVERAGE:
            leverage = DEFENSIVE_LEVERAGE
        if most_positions > 5:
            most_positions = 5
        fired.append(("desk.r23_directives", True))
    if mode == SAFE:
        exposure, confidence, tier = SAFE_EXPOSURE, SAFE_CONFIDENCE, CORE
        fired.append(("desk.r24_safe", True))
    actions = (CANCEL, FLATTEN) if flatten else (CANCEL,) if cancel else ()
    return {
        "desk.actions": actions,
        "desk.entry_mode": entry,
        "desk.max_risk": risk,
        "desk.state": state,
        "verdict": {},
        "desk.allow_trades": trade,
        "desk.risk_mode": mode,
        "desk.amplification": amplification,
        "desk.max_exposure": exposure,
        "desk.max_leverage": leverage,
        "desk.max_positions": most_positions,
        "desk.min_confidence": confidence,
        "desk.min_tier": tier,
    }, tuple(fired)
