from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.recording import Recording, RecordingWriter, quanta_of
from evaluators.recording_tables import tables_of
from evaluators.snapshot import Snapshot
from evaluators.timelines import same
from modules.facts import default_catalogue
from policy_dsl.catalogue import Catalogue, FactModel, Rows, catalogue_of, fact
from policy_dsl.diagnostics import PolicyError
from policy_dsl.quantities import MS_PER_DAY, Unit, to_quanta
from policy_dsl.types import MONEY, Levels
from tests.catalogue_for_tests import MODELS, TIER, small_catalogue
from tests.strategies.states import snapshots

CATALOGUE = small_catalogue()
AT = 1_760_130_000_000
MINUTE = 60_000
DAY = "day=2025-10-10"


def snapshot(minute: int = 0, book: str = "main", **facts: int) -> Snapshot:
    return Snapshot(book, AT + minute * MINUTE, {f"account.{name}": value for name, value in facts.items()})


RICH = Snapshot(
    "main",
    AT,
    {"account.drawdown": 61_000_000, "market.volatility": 2, "operator.stop_requested": False, "operator.note": "it's"},
    {
        "position": {"p1": {"symbol": "BTCUSDT", "side": 1, "notional": 10**12}, "p2": {}},
        "symbol": {},
        "request": {"r1": {"duplicate": True, "effect": 3}},
    },
    {"trade": tuple({"symbol": "BTCUSDT", "r_multiple": i} for i in range(12))},
)


def writer(path: Path, catalogue: Catalogue = CATALOGUE, **options: Any) -> RecordingWriter:
    return RecordingWriter(path, catalogue, cadence_ms=MINUTE, **options)


def recorded(path: Path, *several: Snapshot, catalogue: Catalogue = CATALOGUE) -> Path:
    with writer(path, catalogue) as recording:
        for one in several:
            recording.add(one)
    return path


def refusals(act: Callable[[], object]) -> list[tuple[str, str, str | None]]:
    with pytest.raises(PolicyError) as caught:
        act()
    return [(d.code, d.message, d.help) for d in caught.value.diagnostics]


def codes(act: Callable[[], object]) -> list[str]:
    return [code for code, _, _ in refusals(act)]


def opened(path: Path, catalogue: Catalogue = CATALOGUE, **options: Any) -> Recording:
    return Recording.open(path, catalogue, **options)


def changed(entity: str, name: str, **changes: Any) -> Catalogue:
    """The catalogue with one fact changed."""
    found = CATALOGUE.entities[entity]
    facts = {**found.facts, name: replace(found.facts[name], **changes)}
    entities = {**CATALOGUE.entities, entity: replace(found, facts=MappingProxyType(facts))}
    return replace(CATALOGUE, entities=MappingProxyType(entities))


class LaterFacts(FactModel, entity="account"):
    """Facts that came later."""

    bonus: Annotated[float | None, MONEY] = fact("bonus", owner="book")


def extended(*models: type[FactModel]) -> Catalogue:
    """The catalogue with more facts."""
    return catalogue_of((*MODELS, *models))


class ErrorFacts(FactModel, entity="error", rows=Rows.EVENT):
    """An event that came later."""

    cost: Annotated[float | None, MONEY] = fact("cost", owner="healing")


# --- what is written is read -----------------------------------------------------------------------------------------


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


# --- on disk ---------------------------------------------------------------------------------------------------------


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


# --- whole or not at all ---------------------------------------------------------------------------------------------


def interrupted(path: Path, error: type[BaseException], **options: Any) -> None:
    with writer(path, **options) as recording:
        recording.add(snapshot(5))
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_recording_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        interrupted(tmp_path / "r", error)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_what_was_there(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    with pytest.raises(KeyboardInterrupt):
        interrupted(path, KeyboardInterrupt, overwrite=True)
    assert [s.ts for s in opened(path).snapshots("main")] == [AT]


def test_a_killed_writer_leaves_nothing_at_the_target(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from evaluators.recording import RecordingWriter\n"
        "from evaluators.snapshot import Snapshot\n"
        "from tests.catalogue_for_tests import small_catalogue\n"
        "with RecordingWriter(sys.argv[1], small_catalogue(), cadence_ms=1) as w:\n"
        "    w.write('snapshot', 'main', {'ts': list(range(1000))})\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "r")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "r").exists()
    assert opened(recorded(tmp_path / "r", RICH)).count == 1


def test_an_occupied_place_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    assert refusals(lambda: recorded(path, snapshot())) == [
        ("RF747", f"`{path}` exists already", "name another place, or ask to overwrite it")
    ]
    with writer(path, overwrite=True) as recording:
        recording.add(snapshot(7))
    assert opened(path).span == (AT + 7 * MINUTE, AT + 7 * MINUTE)
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_what_is_no_recording_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert codes(lambda: writer(tmp_path / "mine", overwrite=True).__enter__()) == ["RF747"]
    assert codes(lambda: writer(tmp_path / "mine" / "letter.txt", overwrite=True).__enter__()) == ["RF747"]
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    assert opened(recorded(tmp_path / "r", RICH)).count == 1


def test_a_place_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert codes(lambda: recorded(tmp_path / "file" / "r", RICH)) == ["RF748"]


def test_nothing_recorded_is_refused(tmp_path: Path) -> None:
    assert codes(lambda: recorded(tmp_path / "r")) == ["RF745"]
    assert list(tmp_path.iterdir()) == []


# --- what the writer refuses -----------------------------------------------------------------------------------------


def test_times_of_a_book_strictly_increase(tmp_path: Path) -> None:
    with writer(tmp_path / "r") as recording:
        recording.add(RICH)
        recording.add(replace(RICH, facts=dict(RICH.facts) | {"account.equity": None}))
        assert refusals(lambda: recording.add(snapshot())) == [
            (
                "RF743",
                "book `main`: the snapshot of 2025-10-10T21:00:00Z is there already, with other content",
                "times of one book strictly increase",
            )
        ]
        assert codes(lambda: recording.add(snapshot(-1))) == ["RF743"]
        assert codes(lambda: recording.write("snapshot", "main", {"ts": [AT]})) == ["RF743"]
        assert codes(lambda: recording.write("snapshot", "main", {"ts": [AT + 2, AT + 1]})) == ["RF743"]
        recording.add(snapshot(-1, "other"))
        recording.write("snapshot", "main", {"ts": [AT + 1]})
    assert opened(tmp_path / "r").count == 3


@pytest.mark.parametrize(
    ("columns", "code", "message"),
    [
        ({"account.drawdwn": [1]}, "RF742", "`snapshot` has no column `account.drawdwn`"),
        ({"key": ["a"]}, "RF742", "`snapshot` has no column `key`"),
        ({"account.drawdown": [0.5]}, "RF744", "column `account.drawdown` holds values of another type"),
        ({"account.drawdown": np.array([0.5])}, "RF744", "column `account.drawdown` holds values of another type"),
        ({"account.drawdown": [True]}, "RF744", "column `account.drawdown` holds values of another type"),
        ({"account.equity": [2**63]}, "RF744", "column `account.equity` holds a number outside 64 bits"),
        ({"account.equity": np.array([2**64 - 1])}, "RF744", "column `account.equity` holds a number outside 64 bits"),
        ({"account.equity": np.zeros((1, 1), int)}, "RF744", "column `account.equity` holds values of another type"),
        ({"account.equity": [1, 2]}, "RF744", "column `account.equity` of `snapshot` has 2 values for 1 times"),
        ({"operator.stop_requested": [1]}, "RF744", "column `operator.stop_requested` holds values of another type"),
        ({"operator.note": [1]}, "RF744", "column `operator.note` holds values of another type"),
        ({"operator.note": ["\ud800"]}, "RF744", "column `operator.note` holds a character that is no text"),
        ({"market.volatility": ["HGIH"]}, "RF744", "`HGIH` is not a level of `market.volatility`"),
        ({"market.volatility": [1.5]}, "RF744", "column `market.volatility` holds values of another type"),
        ({"known.position": ["yes"]}, "RF744", "column `known.position` holds values of another type"),
        ({"ts": [0.5]}, "RF743", "`ts` takes milliseconds since 1970 as integers, or datetime64, none of them missing"),
        ({"ts": [10**18]}, "RF743", "`ts` lies outside the years 1 to 9999"),
    ],
)  # fmt: skip
def test_bad_columns_are_refused(tmp_path: Path, columns: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught, writer(tmp_path / "r") as recording:
        recording.write("snapshot", "main", {"ts": [AT], **columns})
    assert [(d.code, d.message) for d in caught.value.diagnostics] == [(code, message)]


@pytest.mark.parametrize(
    ("entity", "book", "columns", "code"),
    [
        ("posiiton", "main", {"ts": [AT]}, "RF742"),
        ("position", "main", {"ts": [AT]}, "RF744"),
        ("position", "main", {"ts": [AT], "key": [None]}, "RF744"),
        ("position", "main", {"ts": [AT], "key": [""]}, "RF744"),
        ("position", "main", {"key": ["p1"]}, "RF743"),
        ("position", "a/b", {"ts": [AT], "key": ["p1"]}, "RF743"),
    ],
)
def test_bad_rows_are_refused(tmp_path: Path, entity: str, book: str, columns: dict[str, Any], code: str) -> None:
    with pytest.raises(PolicyError) as caught, writer(tmp_path / "r") as recording:
        recording.write(entity, book, columns)
    assert [d.code for d in caught.value.diagnostics] == [code]


@pytest.mark.parametrize(
    "stranger",
    [
        Snapshot("main", AT, {"account.drawdwn": 1}),
        Snapshot("main", AT, {}, {"positon": {}}),
        Snapshot("main", AT, {}, {"position": {"p1": {"sied": 1}}}),
        Snapshot("main", AT, {}, {}, {"position": ()}),
        Snapshot("main", AT, {}, {"account": {}}),
    ],
)
def test_a_snapshot_of_another_catalogue_is_refused(tmp_path: Path, stranger: Snapshot) -> None:
    assert codes(lambda: recorded(tmp_path / "r", stranger)) == ["RF742"]


@pytest.mark.parametrize(
    ("rows", "known", "message"),
    [
        ({"ts": [AT, AT], "key": ["a", "a"]}, True, "has two rows `a`"),
        ({"ts": [AT + 1], "key": ["a"]}, True, "where there is no snapshot"),
        ({"ts": [AT], "key": ["a"]}, False, "where there is no snapshot, or one whose `known.position` is not true"),
        ({"ts": [AT], "key": ["a"]}, None, "where there is no snapshot, or one whose `known.position` is not true"),
    ],
)
def test_stray_rows_are_refused(tmp_path: Path, rows: dict[str, Any], known: bool | None, message: str) -> None:
    def write() -> None:
        with writer(tmp_path / "r") as recording:
            recording.write("position", "main", rows)
            recording.write("snapshot", "main", {"ts": [AT], "known.position": [known]})

    [(code, found, _)] = refusals(write)
    assert code == "RF745"
    assert message in found
    assert list(tmp_path.iterdir()) == []


def test_a_cadence_is_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cadence"):
        RecordingWriter(tmp_path / "r", CATALOGUE, cadence_ms=0)


# --- attached to DuckDB ----------------------------------------------------------------------------------------------


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


# --- a catalogue that changed ----------------------------------------------------------------------------------------


def both(path: Path, catalogue: Catalogue, column: str, **options: Any) -> tuple[object, object]:
    """The value of a fact as snapshots and as the attached view have it."""
    recording = opened(path, catalogue, **options)
    [found] = recording.snapshots("main")
    with duckdb.connect() as connection:
        recording.attach(connection)
        row = connection.execute(f'SELECT "{column}" FROM snapshot').fetchone()
    assert row is not None
    return found.facts[column], row[0]


def test_a_range_that_became_narrower_makes_values_missing(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    assert both(path, changed("account", "drawdown", high=61_000_000), "account.drawdown") == (61_000_000, 61_000_000)
    assert both(path, changed("account", "drawdown", high=60_999_999), "account.drawdown") == (None, None)
    assert both(path, changed("account", "drawdown", low=61_000_001), "account.drawdown") == (None, None)


def test_a_level_that_is_gone_is_missing(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    fewer = changed("market", "volatility", type=Levels("volatility", ("LOW", "EXTREME")))
    assert both(path, fewer, "market.volatility") == (None, None)
    more = changed("market", "volatility", type=Levels("volatility", ("NONE", "LOW", "NORMAL", "HIGH", "EXTREME")))
    assert both(path, more, "market.volatility") == (3, "HIGH")


def test_a_fact_that_was_not_recorded_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    parquet = path / f"snapshot/book=main/{DAY}/part-0.parquet"
    help_line = "record again with this version, or have what was not recorded read as missing (`fill_missing`)"
    later = extended(LaterFacts, ErrorFacts)
    assert refusals(lambda: opened(path, later)) == [
        ("RF749", f"`{path / 'recording.json'}` has no column `error.cost`", help_line),
        ("RF749", f"`{parquet}` has no column `account.bonus`", help_line),
    ]
    filled = opened(path, later, fill_missing=True)
    assert [(d.code, d.severity.value) for d in filled.notes] == [("RF749", "note"), ("RF749", "note")]
    assert both(path, later, "account.bonus", fill_missing=True) == (None, None)


def test_a_column_that_nobody_knows_is_noted(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH, catalogue=extended(LaterFacts))
    [note] = opened(path).notes
    parquet = path / f"snapshot/book=main/{DAY}/part-0.parquet"
    message = f"`{parquet}` has a column `account.bonus` that the catalogue does not know"
    assert (note.code, note.message, note.help) == ("RF751", message, "it is ignored")
    [found] = opened(path).snapshots("main")
    assert same(found, RICH)


def test_a_fact_with_another_unit_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    [(code, message, help_line)] = refusals(lambda: opened(path, changed("account", "drawdown", type=MONEY)))
    assert code == "RF750"
    assert message.startswith("`account.drawdown` was recorded as ratio in `")
    assert message.endswith("`, and is money now")
    assert help_line == "record again with this version"
    assert codes(lambda: opened(path, changed("market", "volatility", type=TIER))) == ["RF750"]


# --- broken recordings -----------------------------------------------------------------------------------------------


def test_an_unknown_book_is_refused(tmp_path: Path) -> None:
    recording = opened(recorded(tmp_path / "r", RICH))
    assert refusals(lambda: recording.snapshots("mian")) == [
        ("RF752", f"`{tmp_path / 'r'}` has no book `mian`", "did you mean `main`?")
    ]


def test_no_recording_is_refused(tmp_path: Path) -> None:
    assert codes(lambda: opened(tmp_path / "nowhere")) == ["RF740"]
    assert codes(lambda: opened(tmp_path)) == ["RF740"]


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    manifest = json.loads((path / "recording.json").read_text())
    (path / "recording.json").write_text(json.dumps(manifest | {"format": 2, "new": True}))
    assert refusals(lambda: opened(path)) == [
        (
            "RF741",
            f"`{path}` has format 2, this version reads up to 1",
            "read it with the version of ringfence that recorded it, or a newer one",
        )
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda _: "",
        lambda _: "[]",
        lambda text: text.replace('"format": 1', '"format": "one"'),
        lambda text: text.replace('"cadence_ms": 60000', '"cadence_ms": -1'),
        lambda text: text.replace("part-0.parquet", "../../../../part-0.parquet"),
        lambda text: text.replace('"books"', '"boks"'),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, damage: Callable[[str], str]) -> None:
    path = recorded(tmp_path / "r", RICH)
    manifest = path / "recording.json"
    text = manifest.read_text()
    manifest.write_text(damage(text))
    assert manifest.read_text() != text
    found = refusals(lambda: opened(path))
    assert {code for code, _, _ in found} == {"RF746"}
    assert all(str(manifest) in message for _, message, _ in found)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "is damaged: it is not a whole Parquet file"),
        (lambda _: b"", "is damaged: it is not a whole Parquet file"),
        (lambda content: content[:10] + b"\xaa" * 20 + content[30:], "has changed since it was recorded"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    path = recorded(tmp_path / "r", RICH)
    file = path / f"trade/book=main/{DAY}/part-0.parquet"
    file.write_bytes(damage(file.read_bytes()))
    help_line = "restore the file from a copy, or record again"
    assert refusals(lambda: opened(path)) == [("RF746", f"`{file}` {message}", help_line)]


def test_every_damaged_file_is_told(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH, snapshot(600))
    for file in path.rglob("*.parquet"):
        file.unlink()
    found = refusals(lambda: opened(path))
    assert len(found) == 5
    assert all(code == "RF746" and "no such file" in message for code, message, _ in found)


def test_a_file_that_lost_a_column_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    file = path / f"position/book=main/{DAY}/part-0.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS SELECT * EXCLUDE (book, day, side) FROM '{file}'")
        connection.execute(f"COPY t TO '{file}'")
    assert [(code, message) for code, message, _ in refusals(lambda: opened(path))] == [
        ("RF749", f"`{file}` has no column `side`, though recording.json says so")
    ]


def test_damage_met_while_reading_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", RICH)
    file = path / f"trade/book=main/{DAY}/part-0.parquet"
    file.write_bytes(b"PAR1" + b"\xaa" * 200 + file.read_bytes()[204:])
    recording = opened(path, verify=False)
    assert codes(lambda: list(recording.snapshots("main"))) == ["RF746"]
    file.unlink()
    assert codes(lambda: list(recording.snapshots("main"))) == ["RF746"]


def test_names_that_a_table_cannot_hold_are_refused() -> None:
    position = CATALOGUE.entities["position"]
    facts = {**position.facts, "KEY": replace(position.facts["side"], name="KEY")}
    entities = {**CATALOGUE.entities, "position": replace(position, facts=MappingProxyType(facts))}
    clash = replace(CATALOGUE, entities=MappingProxyType(entities))
    with pytest.raises(ValueError, match="`KEY` and `key` cannot both be names in position"):
        tables_of(clash)
