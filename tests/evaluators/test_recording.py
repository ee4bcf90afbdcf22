"""What is recorded is read back as it was, as snapshots and as views."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.recording import quanta_of
from evaluators.recording_tables import tables_of
from evaluators.snapshot import Snapshot
from evaluators.timelines import same
from modules.facts import default_catalogue
from policy_dsl.catalogue import Rows
from policy_dsl.quantities import MS_PER_DAY, Unit, to_quanta
from tests.evaluators.stored_states import (
    AT,
    CATALOGUE,
    MINUTE,
    RICH,
    codes,
    opened,
    recorded,
    snapshot,
    writer,
)
from tests.strategies.states import snapshots

DAY = "day=2025-10-10"


@settings(max_examples=settings().max_examples // 4)
@given(st.lists(snapshots(CATALOGUE), min_size=1, max_size=4, unique_by=lambda s: (s.book, s.ts)))
def test_snapshots_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, several: list[Snapshot]) -> None:
    path = tmp_path_factory.mktemp("recording") / "r"
    several.sort(key=lambda s: s.ts)
    recording = opened(recorded(path, *several))
    for book in recording.books:
        own = [s for s in several if s.book == book]
        found = list(recording.snapshots(book))
        assert len(found) == len(own)
        assert all(same(a, b) for a, b in zip(found, own, strict=True))


def test_every_fact_of_the_fund_comes_back(tmp_path: Path) -> None:
    catalogue = default_catalogue()
    calm = {f.path: f.calm for e in catalogue.of_kind(Rows.ONE) for f in e.facts.values()}
    rows = {e.name: {"k": {f.name: f.calm for f in e.facts.values()}} for e in catalogue.of_kind(Rows.KEYED)}
    events = {e.name: ({f.name: f.calm for f in e.facts.values()},) for e in catalogue.of_kind(Rows.EVENT)}
    state = Snapshot("main", AT, calm, rows, events)
    [found] = opened(recorded(tmp_path / "r", state, catalogue=catalogue), catalogue).snapshots("main")
    assert found == state


def test_a_recording_says_what_it_holds(tmp_path: Path) -> None:
    later = snapshot(3 * 1440)
    recording = opened(recorded(tmp_path / "r", snapshot(), snapshot(1, "other"), snapshot(2), later))
    assert recording.books == ("main", "other")
    assert recording.cadence_ms == MINUTE
    assert recording.span == (AT, later.ts)
    assert recording.count == 4
    assert recording.notes == ()


def test_the_time_can_be_narrowed(tmp_path: Path) -> None:
    several = [snapshot(minute) for minute in range(0, 4 * 1440, 600)]
    recording = opened(recorded(tmp_path / "r", *several))
    times = [s.ts for s in several]
    for since, until in ((None, None), (times[2], None), (None, times[5]), (times[1] + 1, times[7]), (AT, AT)):
        expected = [t for t in times if (since is None or t >= since) and (until is None or t < until)]
        assert [s.ts for s in recording.snapshots("main", since, until)] == expected


def test_many_days_are_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    several = [replace(RICH, ts=AT + i * MS_PER_DAY // 2) for i in range(9)]
    recording = opened(recorded(tmp_path / "r", *several))
    monkeypatch.setattr("evaluators.recording._ROWS_AT_ONCE", 40)
    monkeypatch.setattr("evaluators.recording_reader._AT_ONCE", 2)
    found = list(recording.snapshots("main"))
    assert [s.ts for s in found] == [s.ts for s in several]
    assert all(same(a, b) for a, b in zip(found, several, strict=True))


def test_reading_may_stop_early(tmp_path: Path) -> None:
    recording = opened(recorded(tmp_path / "r", RICH, snapshot(1), snapshot(3000)))
    reading = recording.snapshots("main")
    assert next(reading).ts == AT
    del reading
    assert len(list(recording.snapshots("main"))) == 3


def test_events_keep_their_order(tmp_path: Path) -> None:
    [found] = opened(recorded(tmp_path / "r", RICH)).snapshots("main")
    assert [trade["r_multiple"] for trade in found.events["trade"]] == list(range(12))


def test_columns_are_written_at_once(tmp_path: Path) -> None:
    times = np.array([AT, AT + MINUTE, AT + 2 * MINUTE])
    with writer(tmp_path / "r") as recording:
        recording.write(
            "position",
            "main",
            {
                "ts": times[[0, 2, 0]],
                "key": ["p2", "p1", "p1"],
                "side": ["LONG", None, "SHORT"],
                "notional": np.ma.masked_array([1, 2, 3], mask=[False, True, False]),
                "symbol": np.array(["A", None, "B"], dtype=object),
            },
        )
        recording.write(
            "snapshot",
            "main",
            {
                "ts": times.astype("datetime64[ms]").astype("datetime64[ns]"),
                "account.drawdown": quanta_of(np.array([0.061, np.nan, 1.5]), Unit.RATIO),
                "market.volatility": np.array([2, 3, 9]),
                "operator.stop_requested": [True, None, False],
                "known.position": np.array([True, False, True]),
            },
        )
    first, second, third = opened(tmp_path / "r").snapshots("main")
    expected = {"account.drawdown": 61_000_000, "market.volatility": 2, "operator.stop_requested": True}
    assert {k: v for k, v in first.facts.items() if v is not None} == expected
    assert first.rows["position"] == {
        "p1": {"symbol": "B", "side": 1, "notional": 3, "r_multiple": None, "leverage": None},
        "p2": {"symbol": "A", "side": 0, "notional": 1, "r_multiple": None, "leverage": None},
    }
    assert second.rows == {"position": None, "symbol": None, "request": {}}
    assert {k: v for k, v in second.facts.items() if v is not None} == {"market.volatility": 3}
    assert {k: v for k, v in third.facts.items() if v is not None} == {"operator.stop_requested": False}
    assert third.rows["position"] == {
        "p1": {"symbol": None, "side": None, "notional": None, "r_multiple": None, "leverage": None}
    }


@given(st.lists(st.floats(), max_size=20), st.sampled_from(Unit))
def test_arrays_are_rounded_as_single_numbers_are(numbers: list[float], unit: Unit) -> None:
    assert quanta_of(np.array(numbers, dtype=np.float64), unit).tolist() == [to_quanta(n, unit) for n in numbers]


def files_in(path: Path) -> list[str]:
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())


def test_files_lie_by_book_and_day(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH, snapshot(1, "other"), snapshot(180))
    assert files_in(path) == [
        f"position/book=main/{DAY}/part-0.parquet",
        "recording.json",
        f"request/book=main/{DAY}/part-0.parquet",
        f"snapshot/book=main/{DAY}/part-0.parquet",
        "snapshot/book=main/day=2025-10-11/part-0.parquet",
        f"snapshot/book=other/{DAY}/part-0.parquet",
        f"trade/book=main/{DAY}/part-0.parquet",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_columns_on_disk_are_those_of_the_catalogue(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    with duckdb.connect() as connection:
        described = connection.execute(
            f"SELECT name, duckdb_type, logical_type FROM parquet_schema('{path}/position/*/*/*.parquet')"
        ).fetchall()
        groups = connection.execute(
            f"SELECT DISTINCT compression FROM parquet_metadata('{path}/*/*/*/*.parquet')"
        ).fetchall()
    assert [(name, kind) for name, kind, _ in described[1:]] == [
        ("ts", "TIMESTAMP"),
        ("key", "VARCHAR"),
        ("symbol", "VARCHAR"),
        ("side", "VARCHAR"),
        ("notional", "BIGINT"),
        ("r_multiple", "BIGINT"),
        ("leverage", "BIGINT"),
    ]
    assert "MILLIS=MilliSeconds" in described[1][2]
    assert groups == [("ZSTD",)]


def test_the_same_snapshots_make_the_same_files(tmp_path: Path) -> None:
    first = recorded(tmp_path / "a", RICH, snapshot(1), snapshot(1, "other"))
    second = recorded(tmp_path / "b", RICH, snapshot(1), snapshot(1, "other"))
    assert files_in(first) == files_in(second)
    assert all((first / f).read_bytes() == (second / f).read_bytes() for f in files_in(first))


def test_row_groups_are_small(tmp_path: Path) -> None:
    with writer(tmp_path / "r") as recording:
        recording.write("snapshot", "main", {"ts": np.arange(60_000) * 1000})
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT DISTINCT row_group_num_rows FROM parquet_metadata('{tmp_path}/r/snapshot/*/*/*.parquet')"
        ).fetchall()
    assert max(rows for (rows,) in found) <= 25_000


def test_attached_views_have_the_columns_of_the_catalogue(tmp_path: Path) -> None:
    recording = opened(recorded(tmp_path / "r", RICH))
    with duckdb.connect() as connection:
        recording.attach(connection)
        for table in tables_of(CATALOGUE):
            described = connection.execute(f'DESCRIBE "{table.name}"').fetchall()
            expected = [*table.leading, *((c.name, c.sql_type) for c in table.columns)]
            assert [(name, kind) for name, kind, *_ in described] == expected
        facts = connection.execute('SELECT book, epoch_ms(ts), "market.volatility", "known.symbol" FROM snapshot')
        assert facts.fetchall() == [("main", AT, "HIGH", True)]
        rows = connection.execute("SELECT key, side, notional FROM position ORDER BY key")
        assert rows.fetchall() == [("p1", "SHORT", 10**12), ("p2", None, None)]
        assert connection.execute("SELECT count(*) FROM symbol").fetchone() == (0,)


def test_attached_views_can_be_narrowed_and_replaced(tmp_path: Path) -> None:
    recording = opened(recorded(tmp_path / "r", *(snapshot(minute) for minute in range(0, 4000, 500))))
    with duckdb.connect() as connection:
        recording.attach(connection)
        assert connection.execute("SELECT count(*) FROM snapshot").fetchone() == (8,)
        recording.attach(connection, since=AT + 500 * MINUTE, until=AT + 2000 * MINUTE)
        found = connection.execute("SELECT epoch_ms(ts) FROM snapshot ORDER BY ts").fetchall()
        assert found == [(AT + minute * MINUTE,) for minute in (500, 1000, 1500)]


def test_a_table_in_the_way_is_refused(tmp_path: Path) -> None:
    recording = opened(recorded(tmp_path / "r", RICH))
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE trade (a INTEGER)")
        assert codes(lambda: recording.attach(connection)) == ["RF754"]


@pytest.mark.parametrize("name", ["a[1]*?", 'it\'s "so"', "100% ü {b}"])
def test_a_path_may_have_any_name(tmp_path: Path, name: str) -> None:
    recorded(tmp_path / name.replace("[1]*?", "1xx"), snapshot(9))
    recording = opened(recorded(tmp_path / name / "r", RICH))
    assert [s.ts for s in recording.snapshots("main")] == [AT]
    with duckdb.connect() as connection:
        recording.attach(connection)
        assert connection.execute("SELECT count(*) FROM snapshot").fetchone() == (1,)
