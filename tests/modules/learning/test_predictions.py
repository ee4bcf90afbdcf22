"""The record of predictions: written before the outcome, settled by candles, the same after a restart."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from modules.disk import Disk
from modules.estimates.prediction_record import bias_probability
from modules.feeds.candles import Candles
from modules.inputs.models import Predictions
from modules.learning.outcomes import COST, STOP
from modules.learning.predictions import KEPT_DAYS, Made, PredictionRecord
from modules.venues.journal import JournalError
from policy_dsl.quantities import MS_PER_DAY
from tests.modules.hourly_market import HOUR, candles_of
from tests.modules.samples import first_bars

CLOSE = np.array([[100.0, 50.0], [101.0, 50.0], [100.0, 51.0], [100.0, 51.0], [103.0, 51.0], [103.0, 52.0]])
MARKET = candles_of(CLOSE, ("A", "B"), reach=0.0)
VOLATILITY = {"A": 0.01, "B": 0.01}


def now(bars: int) -> Candles:
    """The candles when so many bars had closed."""
    return first_bars(MARKET, bars)


def closed(bars: int) -> int:
    return int(MARKET.closed[bars - 1])


def say(bars: int, version: str = "v1", horizon: int = 1, **probabilities: float) -> Made:
    return Made(closed(bars), "m", version, horizon, probabilities)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[PredictionRecord]:
    found = PredictionRecord(tmp_path / "predictions.jsonl")
    yield found
    found.close()


def reopened(record: PredictionRecord) -> PredictionRecord:
    record.close()
    return PredictionRecord(record.path)


def test_a_bar_counts_once_with_the_prediction_that_was_the_surest(record: PredictionRecord) -> None:
    record.take(now(1), VOLATILITY, [say(1, A=0.6, B=0.3)])
    assert len(record.predictions("m", "v1").at) == 0
    record.take(now(2), VOLATILITY, [])
    found = record.predictions("m", "v1")
    # B was said to fall with 70 %, and stayed: it has not risen.
    assert found.at.tolist() == [closed(1)]
    assert found.probability.tolist() == [0.7]
    assert found.is_long.tolist() == [False]
    assert (found.came_true.tolist(), found.market_rose.tolist()) == ([1.0], [0.0])
    assert found.r_multiple[0] == pytest.approx(-COST / (STOP * 0.01))
    assert record.losses("m", "v1") == pytest.approx((((0.6 - 1) ** 2 + 0.3**2) / 2,))


def test_a_long_that_rose_came_true(record: PredictionRecord) -> None:
    record.take(now(1), VOLATILITY, [say(1, A=0.9, B=0.5)])
    record.take(now(2), VOLATILITY, [])
    found = record.predictions("m", "v1")
    assert (found.is_long[0], found.came_true[0]) == (True, 1.0)
    assert found.r_multiple[0] == pytest.approx((0.01 - COST) / 0.02)


def test_everything_is_the_same_after_a_restart(record: PredictionRecord) -> None:
    record.take(now(1), VOLATILITY, [say(1, A=0.6, B=0.3), say(1, "v2", A=0.4, B=0.4)])
    record.take(now(2), VOLATILITY, [say(2, A=0.612345678, B=0.3)])
    again = reopened(record)
    assert again.newest == closed(2)
    again.take(now(3), VOLATILITY, [say(3, A=0.5, B=0.9)])
    third = reopened(again)
    for version in ("v1", "v2"):
        assert again.losses("m", version) == third.losses("m", version)
        assert again.predictions("m", version).at.tolist() == third.predictions("m", version).at.tolist()
    assert third.predictions("m", "v1").at.tolist() == [closed(1), closed(2)]
    third.close()


def test_nothing_is_predicted_twice_nor_afterwards(record: PredictionRecord) -> None:
    record.take(now(2), VOLATILITY, [say(2, A=0.6)])
    record.take(now(2), VOLATILITY, [say(2, A=0.9)])
    record.take(now(1), VOLATILITY, [say(1, A=0.9)])
    record.take(now(3), VOLATILITY, [])
    found = record.predictions("m", "v1")
    assert (found.at.tolist(), found.came_true.tolist()) == ([closed(2)], [0.0])


def test_an_outcome_over_several_bars_waits_for_the_last_of_them(record: PredictionRecord) -> None:
    record.take(now(2), VOLATILITY, [say(2, horizon=3, A=0.8)])
    record.take(now(4), VOLATILITY, [])
    assert record.losses("m", "v1") == ()
    record.take(now(5), VOLATILITY, [])
    assert record.losses("m", "v1") == pytest.approx((0.04,))
    # From 101 it fell by 1 % on the way, not as far as the stop.
    assert record.predictions("m", "v1").r_multiple[0] == pytest.approx((103 / 101 - 1 - COST) / (STOP * 3**0.5 * 0.01))


def test_a_symbol_without_an_outcome_costs_itself_alone(record: PredictionRecord) -> None:
    gap = CLOSE.copy()
    gap[1, 1] = np.nan
    record.take(now(1), VOLATILITY, [say(1, A=0.6, B=0.99)])
    record.take(first_bars(candles_of(gap, ("A", "B"), reach=0.0), 2), VOLATILITY, [])
    assert record.losses("m", "v1") == pytest.approx((0.16,))
    assert record.predictions("m", "v1").probability.tolist() == [0.6]


def test_a_gap_in_the_candles_leaves_no_outcome_and_nothing_waits_for_ever(record: PredictionRecord) -> None:
    record.take(now(1), VOLATILITY, [say(1, A=0.6)])
    late = candles_of(np.full((3, 2), 100.0), ("A", "B"), end=closed(1) + 40 * HOUR)
    record.take(late, VOLATILITY, [])
    assert record.losses("m", "v1") == ()
    again = reopened(record)
    again.take(now(2), VOLATILITY, [])
    assert again.losses("m", "v1") == ()
    again.close()


def test_an_outcome_that_comes_late_is_put_in_its_place(record: PredictionRecord) -> None:
    for bars in (1, 2, 3):
        record.take(now(bars), VOLATILITY, [say(bars, A=0.6, B=0.4)])
    assert record.predictions("m", "v1").at.tolist() == [closed(1), closed(2)]
    without = first_bars(MARKET, 5)
    keep = [0, 1, 2, 4]
    panels = {n: getattr(without, n)[keep] for n in ("opened", "open", "high", "low", "close", "volume")}
    record.take(replace(without, **panels), VOLATILITY, [say(5, A=0.6, B=0.4)])
    record.take(now(6), VOLATILITY, [])
    assert record.predictions("m", "v1").at.tolist() == [closed(1), closed(2), closed(3), closed(5)]


def test_two_versions_are_compared_where_both_predicted_the_same(record: PredictionRecord) -> None:
    record.take(now(1), VOLATILITY, [say(1, A=0.6, B=0.6), say(1, "v2", A=0.9, B=0.1)])
    record.take(now(2), VOLATILITY, [say(2, A=0.6, B=0.6), say(2, "v2", A=0.9)])
    record.take(now(3), VOLATILITY, [say(3, A=0.6, B=0.6)])
    record.take(now(4), VOLATILITY, [say(4, A=0.6, B=0.6), say(4, "v2", A=0.9, B=0.2)])
    record.take(now(5), VOLATILITY, [])
    found = record.compared("m", "v1", "v2")
    assert found.other.at.tolist() == [closed(1), closed(4)]
    assert found.loss == pytest.approx([(0.16 + 0.36) / 2, (0.16 + 0.36) / 2])
    assert found.other_loss == pytest.approx([0.01, (0.01 + 0.04) / 2])
    assert record.compared("m", "v1", "v2", closed(4)).other.at.tolist() == [closed(4)]
    assert len(record.compared("m", "v1", "v9").loss) == 0


def test_what_cannot_be_written_was_not_predicted(record: PredictionRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    record.take(now(1), VOLATILITY, [say(1, A=0.6)])

    def full(_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(record._journal, "append", full)
        with pytest.raises(OSError, match="no space"):
            record.take(now(2), VOLATILITY, [say(2, A=0.6)])
    assert record.newest == closed(1)
    assert record.losses("m", "v1") == ()
    record.take(now(2), VOLATILITY, [say(2, A=0.7)])
    assert (record.newest, len(record.losses("m", "v1"))) == (closed(2), 1)


def test_a_record_that_was_written_twice_counts_once(record: PredictionRecord) -> None:
    record.take(now(1), VOLATILITY, [say(1, A=0.6)])
    record.take(now(2), VOLATILITY, [say(2, A=0.7)])
    record.take(now(3), VOLATILITY, [])
    record.close()
    assert record.path is not None
    lines = record.path.read_bytes().splitlines(keepends=True)
    record.path.write_bytes(b"".join(line for line in lines for _ in range(2)))
    again = PredictionRecord(record.path)
    assert again.predictions("m", "v1").at.tolist() == [closed(1), closed(2)]
    assert again.losses("m", "v1") == record.losses("m", "v1")
    again.close()


def test_outcomes_of_long_ago_count_no_more(record: PredictionRecord) -> None:
    record.take(now(1), VOLATILITY, [say(1, A=0.6)])
    record.take(now(2), VOLATILITY, [])
    later = candles_of(CLOSE, ("A", "B"), end=closed(1) + 121 * 24 * HOUR)
    record.take(later, VOLATILITY, [Made(int(later.closed[-1]), "m", "v1", 1, {"A": 0.6})])
    assert record.losses("m", "v1") == ()


def test_a_model_that_has_stopped_leaning_is_not_held_to_how_it_leaned_before(tmp_path: Path) -> None:
    """Its predictions go on while nobody trades on them, and what it said long ago leaves the count."""
    days = KEPT_DAYS + 61
    close = np.where(np.arange(days) % 2 == 0, 101.0, 100.0)[:, None]
    market = candles_of(close, ("A",), cadence=MS_PER_DAY, reach=0.0)
    record = PredictionRecord(tmp_path / "predictions.jsonl")
    seen: dict[int, float | None] = {}
    for day in range(1, days):
        bars = first_bars(market, day)
        # LONG whatever comes for 60 days; from then on as often one way as the other, right and wrong in turn.
        probability = 0.9 if day <= 60 or day % 4 in {1, 2} else 0.1
        record.take(bars, {"A": 0.01}, [Made(int(bars.closed[-1]), "m", "v1", 1, {"A": probability})])
        if day in {61, days - 1}:
            record.close()
            record = PredictionRecord(record.path)
            found = record.predictions("m", "v1")
            seen[day] = bias_probability(found.is_long, found.market_rose)
    record.close()
    leaning, later = seen.values()
    assert leaning is not None
    assert later is not None
    assert leaning < 0.001
    assert later > 0.3


def test_a_damaged_record_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(b"{broken\n{}\n")
    with pytest.raises(JournalError, match="line 1"):
        PredictionRecord(path)


def lived(record: PredictionRecord, market: Candles, bars: range) -> None:
    """Two versions predict at every bar of the market but each seventh, one of them three bars ahead."""
    for bar in bars:
        at, p = int(market.closed[bar - 1]), 0.5 + 0.4 * np.sin(bar)
        said = [Made(at, "m", "v1", 1, {"A": p, "B": 1 - p}), Made(at, "m", "v2", 3, {"A": 1 - p, "B": p})]
        record.take(first_bars(market, bar), VOLATILITY, said if bar % 7 else [])


def told(record: PredictionRecord) -> list[object]:
    found = [record.predictions("m", version) for version in ("v1", "v2")]
    return [record.newest, record.losses("m", "v1"), record.losses("m", "v2"), *(vars_of(f) for f in found)]


def vars_of(found: Predictions) -> list[object]:
    return [getattr(found, f.name).tolist() for f in fields(found)]


def test_a_file_that_is_made_smaller_at_each_start_tells_the_same(tmp_path: Path) -> None:
    prices = np.exp(np.random.default_rng(5).normal(0, 0.01, (120, 2)).cumsum(axis=0))
    market = candles_of(prices, ("A", "B"), reach=0.01)
    whole, restarted = PredictionRecord(tmp_path / "whole.jsonl"), PredictionRecord(tmp_path / "restarted.jsonl")
    for start in range(1, 121, 10):
        lived(whole, market, range(start, start + 10))
        lived(restarted, market, range(start, start + 10))
        restarted = reopened(restarted)
        assert told(restarted) == told(whole)
    sizes = [path.stat().st_size for path in (tmp_path / "restarted.jsonl", tmp_path / "whole.jsonl")]
    assert sizes[0] < 0.6 * sizes[1]
    whole.close()
    restarted.close()


def test_outcomes_that_count_no_longer_leave_the_file(record: PredictionRecord) -> None:
    for bars in range(1, 6):
        record.take(now(bars), VOLATILITY, [say(bars, A=0.6, B=0.4)])
    later = candles_of(CLOSE, ("A", "B"), reach=0.0, end=closed(6) + (KEPT_DAYS + 1) * MS_PER_DAY)
    record.take(first_bars(later, 1), VOLATILITY, [Made(int(later.closed[0]), "m", "v1", 1, {"A": 0.7})])
    again = reopened(record)
    assert again.losses("m", "v1") == ()
    assert record.path is not None
    assert len(record.path.read_text().splitlines()) == 1, "the bar that was predicted last"
    again.take(first_bars(later, 2), VOLATILITY, [])
    assert len(again.losses("m", "v1")) == 1
    again.close()


def test_a_disk_that_refuses_a_smaller_file_is_no_reason_not_to_open_it(
    record: PredictionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bars in range(1, 7):
        record.take(now(bars), VOLATILITY, [say(bars, A=0.6, B=0.4)])

    def full(_disk: Disk, path: Path, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, "no space left", str(path))

    before = told(record)
    monkeypatch.setattr(Disk, "write", full)
    with capture_logs() as logs:
        again = reopened(record)
    assert ["not made smaller" in line["event"] for line in logs] == [True]
    assert told(again) == before
    again.close()
