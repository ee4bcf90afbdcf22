"""Files into a recording: whole or not at all, and read back the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.recording import Recording, RecordingWriter
from modules.facts import CATALOGUE
from modules.fund_state import fund_state
from modules.importer import import_files, read_verdicts
from modules.simulator import simulate
from modules.state_columns import StateColumns
from policy_dsl.diagnostics import PolicyError
from tests.modules.samples import SHORT, made_candles
from tests.modules.test_feeds_lines import OBSERVATION, RECORD, SIGNAL, lines
from tests.modules.test_feeds_tables import HEAD, ROWS, csv
from tests.modules.test_paper_book import STYLE


def candle_file(folder: Path, bars: int = 60, step_s: int = 3600, name: str = "candles.csv") -> Path:
    candles = made_candles(5, bars=bars)
    panels = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    rows = [
        ",".join([symbol, str(1_735_689_600 + step_s * i), *(repr(float(p[i, column])) for p in panels)])
        for column, symbol in enumerate(candles.symbols)
        for i in range(bars)
    ]
    return csv(folder, *rows, head=HEAD, name=name)


def refused(folder: Path, *paths: Path) -> list[tuple[str, str]]:
    target = folder / "recording"
    with pytest.raises(PolicyError) as error:
        import_files(paths, target)
    assert not target.exists()
    assert not [p for p in folder.iterdir() if "partial" in p.name]
    return [(d.code, d.message) for d in error.value.diagnostics]


def test_candles_become_a_recording_of_a_fund(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    summary = import_files([candle_file(tmp_path)], tmp_path / "recording", on_progress=lambda *said: told.append(said))
    recording = Recording.open(tmp_path / "recording", CATALOGUE)
    assert recording.books == ("candles",)
    assert recording.cadence_ms == 3_600_000
    assert summary.books["candles"].snapshots == recording.count == 60
    assert summary.books["candles"].gaps["symbol.spread"]
    assert told[0] == (0, 1, "reading candles.csv")
    assert all(done <= total for done, total, _ in told)
    assert told[-1] == (1, 1, "closing the recording")


def test_what_is_read_back_is_what_was_made(tmp_path: Path) -> None:
    assert_round_trip(tmp_path, fund_state(made_candles(5), style=STYLE, horizons=SHORT))


@pytest.mark.slow
def test_a_simulated_day_can_be_recorded(tmp_path: Path) -> None:
    assert_round_trip(tmp_path, simulate(5).state)


def assert_round_trip(folder: Path, state: StateColumns) -> None:
    target = folder / "round"
    with RecordingWriter(target, CATALOGUE, cadence_ms=state.cadence_ms) as writer:
        state.write(writer, CATALOGUE)
    read = Recording.open(target, CATALOGUE).snapshots(state.book)
    for found, made in zip(read, state.snapshots(CATALOGUE), strict=True):
        assert (found.ts, found.book) == (made.ts, made.book)
        assert {p: v for p, v in found.facts.items() if v is not None} == {
            p: v for p, v in made.facts.items() if v is not None
        }
        for entity in {*found.rows, *made.rows}:
            assert known(found.collection(entity)) == known(made.collection(entity)), entity
        assert {n: [known({"": e}) for e in listed] for n, listed in found.events.items()} == {
            n: [known({"": e}) for e in listed] for n, listed in made.events.items()
        }


def known(rows: object) -> object:
    """Rows without what is missing, None where the collection is."""
    if not isinstance(rows, dict):
        return rows
    return {key: {n: v for n, v in fields.items() if v is not None} for key, fields in rows.items()}


def test_signals_keep_the_predecessors_verdicts_beside_them(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    summary = import_files(
        [lines(tmp_path / "records", {"BTCUSDT": RECORD}), lines(tmp_path, SIGNAL)], tmp_path / "recording"
    )
    (verdict,) = read_verdicts(tmp_path / "recording")
    assert (verdict.book, verdict.request, verdict.verdict) == ("signals", "s00001", "ALLOW")
    assert summary.verdicts == 1
    (snapshot,) = Recording.open(tmp_path / "recording", CATALOGUE).snapshots("signals")
    assert (snapshot.rows["symbol"] or {})["BTCUSDT"]["trades"] == 15


def test_kinds_of_files_share_a_recording_at_the_cadence_of_the_candles(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    trades = csv(tmp_path, "BTCUSDT,2025-01-01T02:00:00Z,5", head="symbol,close_ts,profit_abs", name="trades.csv")
    paths = [candle_file(tmp_path), trades, lines(tmp_path / "a", SIGNAL), lines(tmp_path / "b", OBSERVATION)]
    summary = import_files(paths, tmp_path / "recording")
    assert set(summary.books) == {"candles", "trades", "signals", "observations"}
    recording = Recording.open(tmp_path / "recording", CATALOGUE)
    assert recording.cadence_ms == 3_600_000
    (snapshot,) = recording.snapshots("trades")
    assert snapshot.events["trade"][0]["profit"] == 5_000_000


def test_candles_of_two_cadences_are_refused(tmp_path: Path) -> None:
    paths = [candle_file(tmp_path, 30), candle_file(tmp_path, 30, 60, "minutes.csv")]
    assert refused(tmp_path, *paths) == [
        ("RF809", "candles of 60 s and 3600 s cannot share a recording, which has one cadence")
    ]


def test_one_book_twice_is_refused(tmp_path: Path) -> None:
    path = candle_file(tmp_path, 30)
    assert refused(tmp_path, path, path) == [("RF809", "two of the files hold a book `candles`")]


def test_records_without_signals_are_refused(tmp_path: Path) -> None:
    path = lines(tmp_path, {"BTCUSDT": RECORD})
    assert refused(tmp_path, path) == [
        ("RF809", "`lines.jsonl` holds symbol records, which mean nothing without signals")
    ]


def test_nothing_to_import_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == [("RF809", "no file was given to import")]


def test_a_fault_in_the_last_file_leaves_nothing(tmp_path: Path) -> None:
    bad = csv(tmp_path, *ROWS, ROWS[0], name="bad.csv")
    ((code, message),) = refused(tmp_path, candle_file(tmp_path, 30), bad)
    assert code == "RF806"
    assert message.startswith("row 5: ")


def test_an_interrupted_import_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(*said: object) -> None:
        label = str(said[2])
        if label.startswith("closing"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_files([candle_file(tmp_path, 30)], tmp_path / "recording", on_progress=interrupt)
    assert [p.name for p in tmp_path.iterdir()] == ["candles.csv"]


def test_the_recorded_data_can_be_imported_together(shared_data: Path, tmp_path: Path) -> None:
    names = ("trades.parquet", "signals.jsonl", "symbol_performance.json", "policy_observations.jsonl")
    summary = import_files([shared_data / n for n in names], tmp_path / "recording")
    assert {b: s.snapshots for b, s in summary.books.items()} == {
        "freqtrade_backtest": 171, "qt_testnet_exits": 271, "qt_testnet_fills": 117, "signals": 290,
        "observations": 88,
    }  # fmt: skip
    assert summary.verdicts == 598
