"""The fund-wide rules of the default bundle, written by hand in SQL: what an analyst would write for a dry run.

Rules of `ess`, `hfos`, `orchestrator`, `pal` and `locks`, with all that they look back on and hold on to. A snapshot a
minute is taken for granted.
"""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.recordings import MINUTE

MAX_GAP = 180_000

MODES = "['SAFE', 'DEFENSIVE', 'CAUTIOUS', 'NORMAL', 'AGGRESSIVE']"

FACTS = {
    "ess.drawdown": ('"account.drawdown" > 50000000', '"account.drawdown" <= 50000000'),
    "ess.errors": ('"system.errors_per_minute" > 14400000000', '"system.errors_per_minute" <= 14400000000'),
    "ess.losing_streak": ('"account.losing_streak" > 5', '"account.losing_streak" <= 5'),
    "ess.manual_stop": ('"operator.stop_requested"', 'NOT "operator.stop_requested"'),
    "ess.reconciliation_gap": ('"account.reconciliation_gap" > 10000000', '"account.reconciliation_gap" <= 10000000'),
    "ess.stale_data": ('"market.data_age" > 300000', '"market.data_age" <= 300000'),
    "ess.flatten_by_choice": ('NOT "operator.flatten_on_stop"', '"operator.flatten_on_stop"'),
    "hfos.crash_with_losses": (
        """"market.volatility" = 'EXTREME' AND "account.drawdown" > 20000000""",
        """"market.volatility" <> 'EXTREME' OR "account.drawdown" <= 20000000""",
    ),
    "hfos.market_crash": (
        '"market.turbulence" > 990000000 AND "market.breadth" < 100000000',
        '"market.turbulence" <= 990000000 OR "market.breadth" >= 100000000',
    ),
    "hfos.fast_crash": ('"market.hour_move" < -80000000', '"market.hour_move" >= -80000000'),
    "hfos.by_hand": (""""operator.risk_mode" <> 'AGGRESSIVE'""", """"operator.risk_mode" = 'AGGRESSIVE'"""),
    "hfos.conflict": ('"fund.conflicts" > 0', '"fund.conflicts" <= 0'),
    "hfos.drawdown": ('"account.drawdown" > 30000000', '"account.drawdown" <= 30000000'),
    "hfos.turbulence": (
        """"market.volatility" IN ('HIGH', 'EXTREME')""",
        """"market.volatility" NOT IN ('HIGH', 'EXTREME')""",
    ),
    "hfos.ordinary_times": (
        """"market.regime" <> 'TRENDING' OR "market.volatility" <> 'LOW' OR "account.drawdown" >= 10000000""",
        """"market.regime" = 'TRENDING' AND "market.volatility" = 'LOW' AND "account.drawdown" < 10000000""",
    ),
    "orchestrator.daily_loss": ('"account.daily_loss" > 30000000', '"account.daily_loss" <= 30000000'),
    "orchestrator.extreme_volatility": (
        """"market.volatility" = 'EXTREME'""",
        """"market.volatility" <> 'EXTREME'""",
    ),
    "orchestrator.losing_streak": ('"account.losing_streak" > 3', '"account.losing_streak" <= 3'),
    "pal.amplifier_off": ('NOT "fund.amplifier_on"', '"fund.amplifier_on"'),
}
"""Rules over facts of the moment: their conditions, and the contraries."""

OVER_TIME = {
    "ess.closing": "closing",
    "ess.reset_left_on": "reset_left_on",
    "orchestrator.high_volatility": "high",
    "orchestrator.ranging": "ranging",
    "orchestrator.no_trend": "no_trend",
    "orchestrator.weak_models": "weak",
    "locks.drawdown": "sunk",
    "locks.many_stops": "many_stops",
}
"""Rules over time, and over rows: the columns of three-valued truth that they come to."""

FOLLOWING = {
    "ess.halted": "halted",
    "hfos.emergency_stop": "halted",
    "hfos.cautious_directives": "mode <= 3",
    "hfos.defensive_directives": "mode <= 2",
    "hfos.crash_directives": "mode = 1",
    "hfos.crash_brakes": "mode = 1",
    "locks.recovering": "waiting",
    "orchestrator.blocked": "NOT trades",
    "orchestrator.reduced": "profile <= 2",
}
"""Rules that follow from outputs, which are always known."""

RULES = (*FACTS, *OVER_TIME, *FOLLOWING)
BIT = {rule: 1 << place for place, rule in enumerate(RULES)}

CRASHES = ("hfos.crash_with_losses", "hfos.market_crash", "hfos.fast_crash")
FLATTENING = ("ess.drawdown", "ess.errors", "ess.losing_streak", "ess.manual_stop")
HALTING = (*FLATTENING, "ess.reconciliation_gap", "ess.stale_data")

OUTPUTS = {
    "ess.state": "CASE WHEN halted THEN 'HALTED' ELSE 'ARMED' END",
    "ess.actions.CANCEL_ORDERS": "cancel",
    "ess.actions.FLATTEN": "flatten",
    "hfos.risk_mode": f"{MODES}[mode]",
    "locks.recovery": "CASE WHEN waiting THEN 'WAITING' ELSE 'DONE' END",
    "locks.fund_entries": "CASE WHEN locked THEN 'LOCKED' ELSE 'OPEN' END",
    "orchestrator.allow_trades": "trades",
    "orchestrator.risk_profile": "['NO_NEW_TRADES', 'REDUCED', 'NORMAL'][profile]",
    "orchestrator.entry_mode": "['DEFENSIVE', 'NORMAL', 'AGGRESSIVE'][entry]",
    "orchestrator.exit_mode": "['DEFENSIVE_TRAIL', 'FAST_TP', 'TREND_FOLLOW'][leave]",
    "orchestrator.max_positions": "positions",
    "orchestrator.min_confidence": "confidence",
    "orchestrator.max_risk": "risk",
    "pba.max_exposure": "exposure",
    "pba.max_leverage": "leverage",
    "pal.amplification": f"CASE WHEN mode = 1 OR (f & {BIT['pal.amplifier_off']}) <> 0 THEN 'OFF' ELSE 'ON' END",
    "universe.max_symbols": "symbols",
    "universe.min_tier": "CASE WHEN mode = 1 THEN 'CORE' ELSE 'CONDITIONAL' END",
    "healing.stance": "CASE WHEN coalesce(safe_at > t - 600000, FALSE) THEN 'DEFENSIVE' ELSE 'NORMAL' END",
}
"""Outputs by name: what each is as text, flag or number, of the columns that `decided` ends with."""


def decided() -> str:
    """A query for every output, and for the masks of the rules that fired and of those that did for certain."""
    late = " + ".join(f"CASE WHEN {test} THEN {BIT[rule]} ELSE 0 END" for rule, test in FOLLOWING.items())
    kept = ", ".join(f'{made} AS "{name}"' for name, made in OUTPUTS.items())
    steps = f"{_now()},\n{_so_far()},\n{_folds()},\n{_judged()},\n{_held()},\n{_outputs()}"
    return f"""WITH {steps}
    SELECT book, ts, {kept}, f + late AS fired, d + late AS definite
    FROM (SELECT *, {late} AS late FROM outputs)"""


def _any(mask: str, rules: Iterable[str]) -> str:
    return f"({mask} & {sum(BIT[rule] for rule in rules)}) <> 0"


def _fired(rule: str) -> str:
    return _any("f", [rule])


OVER = "(PARTITION BY book ORDER BY ts)"


def _now() -> str:
    """What rules say of the moment, and which snapshots stand next to each other."""
    fired = " + ".join(f"CASE WHEN {no} THEN 0 ELSE {BIT[rule]} END" for rule, (_, no) in FACTS.items())
    certain = " + ".join(f"CASE WHEN {yes} THEN {BIT[rule]} ELSE 0 END" for rule, (yes, _) in FACTS.items())
    return f"""facts AS (
      SELECT book, ts, epoch_ms(ts) AS t, "known.model" AS models, "operator.reset_requested" AS reset,
        "market.volatility" IN ('HIGH', 'EXTREME') AS is_high, "market.regime" = 'RANGING' AS is_ranging,
        "market.regime" <> 'TRENDING' AS is_trendless, "account.drawdown" <= 40000000 AS is_shallow,
        "account.open_positions" = 0 AS is_flat,
        coalesce(list_position({MODES}, "operator.risk_mode"::VARCHAR), 1) AS hand,
        ({fired})::BIGINT AS f, ({certain})::BIGINT AS d
      FROM snapshot
    ), beside AS (
      SELECT *, coalesce(lead(t) OVER w, {2**62}) AS until,
        lag(t) OVER w IS NULL OR t - lag(t) OVER w > {MAX_GAP} AS apart
      FROM facts WINDOW w AS {OVER}
    )"""


def _so_far() -> str:
    """When something last was so."""
    return f"""running AS (
      SELECT book, ts, t, f, d, models, is_shallow, hand,
        max(CASE WHEN reset THEN t END) OVER w AS reset_at,
        max(CASE WHEN {_any("d", HALTING)} THEN t END) OVER w AS halted_at,
        max(CASE WHEN {_any("d", FLATTENING)} THEN t END) OVER w AS caused_at,
        max(CASE WHEN reset IS DISTINCT FROM FALSE THEN t END) OVER w AS asked_at,
        max(CASE WHEN is_high THEN t END) OVER w AS high_at,
        max(CASE WHEN is_high IS NULL THEN t END) OVER w AS high_dark,
        max(CASE WHEN is_ranging THEN t END) OVER w AS ranging_at,
        max(CASE WHEN is_ranging IS NULL THEN t END) OVER w AS ranging_dark,
        max(CASE WHEN is_trendless THEN t END) OVER w AS trendless_at,
        max(CASE WHEN is_trendless IS NULL THEN t END) OVER w AS trendless_dark,
        max(CASE WHEN reset IS FALSE THEN until END) OVER w AS unset_until,
        max(CASE WHEN reset IS NULL THEN until WHEN apart THEN t END) OVER w AS unset_dark,
        max(CASE WHEN is_shallow IS FALSE THEN until END) OVER w AS deep_until,
        max(CASE WHEN is_shallow IS NULL THEN until WHEN apart THEN t END) OVER w AS deep_dark,
        max(CASE WHEN is_flat IS FALSE THEN until END) OVER w AS open_until,
        max(CASE WHEN is_flat IS NULL THEN until WHEN apart THEN t END) OVER w AS open_dark
      FROM beside WINDOW w AS {OVER}
    )"""


def _folds() -> str:
    """The trades stopped out at a loss in the last hour, and how the models do."""
    heard = "epoch_ms(ts)"
    last = f"least(coalesce(closed_at, {heard}), {heard}) + 3600000"
    return f"""stops AS (
      SELECT book, t, count(*) FILTER (certain) AS n, count(*) FILTER (NOT certain) > 0 AS dark,
        max(closed_at) AS latest
      FROM (
        SELECT book, closed_at, closed_at IS NOT NULL AND exit IS NOT NULL AND profit IS NOT NULL AS certain,
          unnest(range({heard}, {last}, {MINUTE})) AS t
        FROM trade
        WHERE (exit IS NULL OR exit IN ('STOP_LOSS', 'TRAILING_STOP', 'LIQUIDATION')) AND coalesce(profit < 0, TRUE)
      ) GROUP BY book, t
    ), ensemble AS (
      SELECT book, ts, count(*) AS n, sum(win_rate) AS total, count(*) > count(win_rate) AS dark
      FROM model GROUP BY book, ts
    )"""


def _judged() -> str:
    """What is so of the windows, before anything is held on to."""
    fired = " + ".join(f"CASE WHEN NOT {c} THEN 0 ELSE {BIT[rule]} END" for rule, c in OVER_TIME.items())
    certain = " + ".join(f"CASE WHEN {c} THEN {BIT[rule]} ELSE 0 END" for rule, c in OVER_TIME.items())
    return f"""judged AS (
      SELECT book, ts, t, f, d, hand,
        {_any("f", HALTING)} OR coalesce(halted_at >= coalesce(reset_at, halted_at), FALSE) AS halted,
        {_within("high_at", "high_dark", 900_000)} AS high,
        {_within("ranging_at", "ranging_dark", 900_000)} AS ranging,
        {_within("trendless_at", "trendless_dark", 900_000)} AS no_trend,
        coalesce(caused_at > t - 900000, FALSE) AND NOT coalesce(asked_at > t - 900000, FALSE) AS closing,
        NOT {_within("unset_until", "unset_dark", 600_000)} AS reset_left_on,
        NOT is_shallow AND {_within("open_until", "open_dark", 14_400_000)} AS sunk,
        CASE WHEN NOT {_within("deep_until", "deep_dark", 14_400_000)}
          OR NOT {_within("open_until", "open_dark", 14_400_000)} THEN t END AS recovered_at,
        CASE WHEN NOT models OR e.dark THEN NULL ELSE coalesce(e.total, 0) < coalesce(e.n, 0) * 400000000 END AS weak,
        CASE WHEN s.dark THEN NULL ELSE coalesce(s.n, 0) >= 4 END AS many_stops,
        CASE WHEN s.n >= 4 AND NOT s.dark THEN s.latest + 3600000 END AS lock_until
      FROM running LEFT JOIN stops s USING (book, t) LEFT JOIN ensemble e USING (book, ts)
    ), raw AS (
      SELECT *, f + {fired} AS f2, d + {certain} AS d2,
        least(hand, CASE WHEN halted OR {_any("f", CRASHES)} THEN 1
          WHEN {_fired("hfos.drawdown")} THEN 2 WHEN {_any("f", ["hfos.turbulence", "hfos.conflict"])} THEN 3
          WHEN {_fired("hfos.ordinary_times")} THEN 4 ELSE 5 END) AS raw_mode,
        halted OR {_any("f", ["orchestrator.daily_loss", "orchestrator.extreme_volatility"])} AS paused
      FROM judged
    )"""


def _within(last: str, dark: str, duration: int) -> str:
    return f"(CASE WHEN {last} > t - {duration} THEN TRUE WHEN {dark} > t - {duration} THEN NULL ELSE FALSE END)"


def _held() -> str:
    """What relaxes, latches, or is locked for a time."""
    modes = ", ".join(f"max(CASE WHEN raw_mode = {mode} THEN t END) OVER w AS mode_{mode}" for mode in range(1, 5))
    mode = " ".join(f"WHEN mode_{mode} > t - 1800000 THEN {mode}" for mode in range(1, 5))
    return f"""held AS (
      SELECT book, ts, t, f2 AS f, d2 AS d, halted, high, ranging, no_trend, weak, many_stops,
        max(CASE WHEN sunk THEN t END) OVER w AS sunk_at,
        max(recovered_at) OVER w AS recovered_at, max(lock_until) OVER w AS lock_until,
        max(CASE WHEN paused THEN t END) OVER w AS paused_at, {modes}
      FROM raw WINDOW w AS {OVER}
    ), modes AS (
      SELECT book, ts, t, f, d, halted, high IS NOT FALSE AS high, ranging IS NOT FALSE AS ranging,
        no_trend IS NOT FALSE AS no_trend, weak IS NOT FALSE AS weak, many_stops IS NULL AS uncounted, lock_until,
        CASE {mode} ELSE 5 END AS mode, NOT coalesce(paused_at > t - 600000, FALSE) AS trades,
        {_fired("locks.drawdown")} OR coalesce(sunk_at >= coalesce(recovered_at, sunk_at), FALSE) AS waiting,
        {_any("d", (*HALTING, "ess.closing"))} AS cancel,
        {_any("d", (*FLATTENING, "ess.closing"))} AND NOT {_fired("ess.flatten_by_choice")} AS flatten
      FROM held
    )"""


def _outputs() -> str:
    """The outputs that follow."""
    unlucky = _fired("orchestrator.losing_streak")
    return f"""profiles AS (
      SELECT *, CASE WHEN NOT trades THEN 1 WHEN mode <= 2 OR high THEN 2 ELSE 3 END AS profile,
        max(CASE WHEN mode = 1 THEN t END) OVER {OVER} AS safe_at
      FROM modes
    ), outputs AS (
      SELECT *, waiting OR uncounted OR coalesce(lock_until > t, FALSE) AS locked,
        CASE WHEN NOT trades OR mode <= 3 OR ranging OR {unlucky} THEN 1 WHEN no_trend THEN 2 ELSE 3 END AS entry,
        CASE WHEN mode <= 2 THEN 1 WHEN ranging THEN 2 ELSE 3 END AS leave,
        CASE WHEN mode = 1 THEN 3::BIGINT WHEN mode = 2 THEN 5 ELSE 8 END AS positions,
        greatest(CASE WHEN mode = 1 THEN 700000000::BIGINT ELSE 500000000 END,
          500000000 + CASE WHEN high THEN 30000000 ELSE 0 END + CASE WHEN ranging THEN 50000000 ELSE 0 END
          + CASE WHEN {unlucky} THEN 50000000 ELSE 0 END + CASE WHEN weak THEN 50000000 ELSE 0 END) AS confidence,
        CASE WHEN NOT trades THEN 0::BIGINT ELSE 10000 * CASE WHEN ranging THEN 7 ELSE 10 END
          * CASE WHEN {unlucky} THEN 3 ELSE 10 END * CASE WHEN profile <= 2 THEN 5 ELSE 10 END END AS risk,
        CASE WHEN mode = 1 THEN 500000000::BIGINT ELSE 800000000 END AS exposure,
        CASE WHEN mode = 1 THEN 5000000000::BIGINT WHEN mode = 2 THEN 10000000000 ELSE 20000000000 END AS leverage,
        CASE WHEN mode <= 2 THEN 50::BIGINT ELSE 200 END AS symbols
      FROM profiles
    )"""
