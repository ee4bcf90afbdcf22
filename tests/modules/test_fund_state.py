"""The fund over candles: every fact of every snapshot comes from what was known by then."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from evaluators.snapshot import Snapshot
from modules.estimates.liquidation import liquidation_price
from modules.facts import CATALOGUE
from modules.facts.levels import EFFECT, VOLATILITY
from modules.feeds import read_candles
from modules.fund_state import Surroundings, fund_state
from modules.operations import Troubles, operations
from modules.paper_holding import Style
from modules.paper_requests import Ask
from tests.modules.samples import HOUR_MS, SHORT, START_MS, first_bars, made_candles, shaken_after

STYLE = Style(slots=3, pace=2, rest=3, universe=6, enter=0.3, leave=0.3, stop_days=0.7, target_r=1.5)
QUANTA = 10**9


def made(seed: int = 7, around: Surroundings | None = None, first: int = 0) -> list[Snapshot]:
    state = fund_state(made_candles(seed), style=STYLE, horizons=SHORT, around=around, first=first)
    return list(state.snapshots(CATALOGUE))


def number(snapshot: Snapshot, path: str) -> float:
    found = snapshot.facts[path]
    assert isinstance(found, int)
    return float(found)


def test_a_snapshot_is_taken_at_the_close_of_each_candle() -> None:
    found = made()
    assert [s.ts for s in found] == [START_MS + HOUR_MS * (i + 1) for i in range(120)]
    assert found[22].facts["clock.now"] == found[22].ts
    assert (found[22].facts["clock.hour"], found[22].facts["clock.weekday"]) == (23, 2)
    assert (found[23].facts["clock.hour"], found[23].facts["clock.weekday"]) == (0, 3)
    assert all(s.facts["market.data_age"] == 0 for s in found)


def test_it_is_the_same_every_time() -> None:
    assert made() == made()


@pytest.mark.parametrize("later", ["unknown", "halved"])
def test_no_fact_sees_ahead(later: str) -> None:
    candles = made_candles(7)
    other = first_bars(candles, 80) if later == "unknown" else shaken_after(candles, 80, 0.5)
    now, then = (list(fund_state(c, style=STYLE, horizons=SHORT).snapshots(CATALOGUE))[:80] for c in (candles, other))
    assert now == then


def test_the_account_agrees_with_its_positions() -> None:
    found = [s for s in made() if s.rows["position"]]
    assert len(found) > 50
    for snapshot in found:
        rows = snapshot.rows["position"] or {}
        assert snapshot.facts["account.open_positions"] == len(rows)
        notional = sum(int(r["notional"] or 0) for r in rows.values())
        equity = number(snapshot, "account.equity")
        assert number(snapshot, "account.gross_exposure") / QUANTA == pytest.approx(notional / equity, abs=1e-6)
        shares = sum(int(r["exposure"] or 0) for r in (snapshot.rows["symbol"] or {}).values())
        assert shares / QUANTA == pytest.approx(notional / equity, abs=1e-6)
        in_sectors = sum(int(r["exposure_share"] or 0) for r in (snapshot.rows["sector"] or {}).values())
        assert in_sectors / QUANTA == pytest.approx(notional / equity, abs=1e-6)
        free = number(snapshot, "account.free_margin")
        assert free == pytest.approx(equity - number(snapshot, "account.used_margin"), abs=2)
        assert 0 <= number(snapshot, "account.correlated_exposure") <= number(snapshot, "account.gross_exposure")


def test_requests_are_counted_one_after_the_other() -> None:
    checked = 0
    for snapshot in made():
        gross = number(snapshot, "account.gross_exposure") / QUANTA
        for _, row in sorted((snapshot.collection("request") or {}).items()):
            change = int(row["notional"] or 0) / number(snapshot, "account.equity")
            gross += change if row["effect"] == 0 else -change
            assert int(row["exposure_after"] or 0) / QUANTA == pytest.approx(gross, abs=1e-6)
            assert int(row["symbol_share_after"] or 0) <= int(row["exposure_after"] or 0)
            assert int(row["correlated_after"] or 0) <= int(row["exposure_after"] or 0)
            assert (row["correlated_after"] == 0) == (row["correlated_positions_after"] == 0)
            checked += 1
    assert checked > 10


def test_what_candles_do_not_tell_is_missing_and_said_so() -> None:
    state = fund_state(made_candles(7), style=STYLE, horizons=SHORT)
    last = list(state.snapshots(CATALOGUE))[-1]
    assert all(r.get("spread") is None and r.get("funding_rate") is None for r in (last.rows["symbol"] or {}).values())
    assert state.gaps["symbol.spread"] == "candles hold no order book"
    assert state.gaps["market.volatility"] == "not enough history before 2025-01-01T20:00:00Z"


def test_a_symbol_that_falls_silent_ages_and_leaves_the_universe() -> None:
    candles = made_candles(7)
    for panel in (candles.open, candles.high, candles.low, candles.close, candles.volume):
        panel[50:60, 0] = panel[:5, 1] = np.nan
    found = list(fund_state(candles, style=STYLE, horizons=SHORT).snapshots(CATALOGUE))
    silent, late = candles.symbols[0], candles.symbols[1]
    row = (found[54].rows["symbol"] or {})[silent]
    assert (row["price_age"], row["in_universe"], row["atr"]) == (5 * HOUR_MS, False, None)
    assert late not in (found[4].rows["symbol"] or {})
    assert late in (found[5].rows["symbol"] or {})


def test_a_market_that_stands_still_and_then_jumps_is_no_error() -> None:
    candles = made_candles(7)
    for panel in (candles.open, candles.high, candles.low, candles.close):
        panel[:80], panel[80:] = 100.0, 140.0
    candles.volume[:] = 0.0
    found = list(fund_state(candles, style=STYLE, horizons=SHORT).snapshots(CATALOGUE))
    assert all(number(s, "account.equity") > 99_000 * 10**6 for s in found)
    assert found[80].facts["market.volatility"] == VOLATILITY.rank("EXTREME")
    assert {r["tier"] for r in (found[85].rows["symbol"] or {}).values()} == {0}
    assert {r["trend_t"] for r in (found[70].rows["symbol"] or {}).values()} == {None}


def test_facts_go_stale_and_then_missing_while_the_feed_is_out() -> None:
    seen = np.arange(120)
    seen[60:64] = 59
    found = made(around=Surroundings(seen=seen))
    assert [s.facts["market.data_age"] for s in found[59:65]] == [0, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS, 4 * HOUR_MS, 0]
    assert found[60].facts["market.volatility"] == found[59].facts["market.volatility"]
    assert found[61].facts["market.volatility"] is None
    assert found[60].facts["account.equity"] is None
    assert found[60].facts["account.open_positions"] is not None
    assert all(r["notional"] is None for r in (found[60].rows["position"] or {}).values())
    assert found[60].collection("request") == {}
    assert found[64].facts["account.equity"] is not None


def test_only_what_is_asked_for_is_kept() -> None:
    whole, part = made(), made(first=100)
    assert part == whole[100:]


def test_a_request_tells_what_its_risk_is_worth_and_what_the_record_bears() -> None:
    asked = [(s, row) for s in made() for row in (s.collection("request") or {}).values()]
    opening = [(s, row) for s, row in asked if row["effect"] == EFFECT.rank("OPEN")]
    assert len(opening) > 10
    assert {row["reward_risk"] for _, row in opening} == {round(STYLE.target_r * QUANTA)}
    end = abs(1 - liquidation_price(1.0, 1, STYLE.leverage))
    assert {row["liquidation_distance"] for _, row in opening} == {round(end * QUANTA)}
    assert all(row["safe_leverage"] is not None and row["stop_ranges"] is not None for _, row in opening)
    trades = [row["kelly_trades"] for _, row in opening]
    assert trades[0] == 0
    assert trades == sorted(trades, key=lambda count: int(count or 0))
    for _, row in opening:
        assert (row["kelly_notional"] is None) == (row["kelly_trades"] == 0)
    closing = [row for _, row in asked if row["effect"] == EFFECT.rank("CLOSE")]
    assert closing
    assert all(row["reward_risk"] is None and row["kelly_trades"] is None for row in closing)


def test_proposals_are_requests_that_change_nothing_else() -> None:
    ask = Ask(0, -1, "OPEN", "xgboost", 0.8, 3, 5_000.0, 2.0, 100.0, urgency="HIGH", duplicate=True, repeats=4)
    plain, asked = made(), made(around=Surroundings(proposals={90: (ask,)}))
    rows = (asked[90].collection("request") or {}).values()
    (row,) = (r for r in rows if r["model"] == "xgboost")
    assert (row["side"], row["urgency"], row["duplicate"], row["repeats_last_minute"]) == (1, 2, True, 4)
    assert (row["notional"], row["margin"]) == (5_000 * 10**6, 2_500 * 10**6)
    assert asked[91:] == plain[91:]
    assert asked[90].rows["position"] == plain[90].rows["position"]


def test_machinery_runs_without_trouble_but_as_told() -> None:
    ts = 60_000 * np.arange(1, 11, dtype=np.int64)
    failures = np.where(np.arange(10) == 4, 30, 0)
    down = np.arange(10) >= 8
    ran = operations(ts, {"execution": Troubles(failures, down)})
    rate = np.asarray(ran.single["system.error_rate"])
    assert rate[3] == 0
    assert rate[4] == rate[8] == pytest.approx(30 / (5 * 60 * 3))
    assert rate[9] == 0
    assert np.asarray(ran.single["system.errors_per_minute"]).tolist() == failures.tolist()
    rows = ran.entities["service"]
    status = [s for s, key in zip(rows.fields["status"], rows.keys, strict=True) if key == "execution"]
    assert status == ["UP"] * 4 + ["DEGRADED"] + ["UP"] * 3 + ["DOWN"] * 2
    seen = [s for s, key in zip(rows.fields["last_seen"], rows.keys, strict=True) if key == "execution"]
    assert seen[-3:] == [0, 60, 120]
    assert len(ran.entities["error"].keys) == 30


def test_the_crash_of_october_2025_is_seen_in_its_hour(shared_data: Path) -> None:
    futures, _ = read_candles(shared_data / "candles_1h.parquet")
    state = fund_state(futures)
    at = int(np.searchsorted(state.ts, int(datetime(2025, 10, 10, 22, tzinfo=UTC).timestamp() * 1000)))
    drawdown = np.ma.masked_array(state.single["account.drawdown"]).filled(QUANTA) / QUANTA
    volatility = np.ma.masked_array(state.single["market.volatility"]).filled(-1)
    assert drawdown[at] > 0.05
    assert volatility[at] >= VOLATILITY.rank("HIGH")
    before = slice(0, at - 8)
    assert drawdown[before].max() < 0.03
    assert np.ma.masked_array(state.single["account.losing_streak"])[before].max() <= 5
    assert np.ma.masked_array(state.single["account.gross_exposure"])[before].max() < 0.8 * QUANTA
    assert math.isclose(float(np.ma.masked_array(state.single["account.equity"])[0]), 100_000 * 10**6)
