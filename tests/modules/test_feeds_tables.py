"""Candle and trade files: sound ones are read, each kind of fault is named with file, row and a way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest

from modules.feeds import Content, content_of, read_candles, read_trades
from policy_dsl.diagnostics import PolicyError

HEAD = "symbol,ts,open,high,low,close,volume"
ROWS = (
    "ADAUSDT,2025-01-01T00:00:00Z,1,1.2,0.9,1.1,10",
    "ADAUSDT,2025-01-01T01:00:00Z,1.1,1.2,1.0,1.2,20",
    "BTCUSDT,2025-01-01T00:00:00Z,100,120,90,110,1",
    "BTCUSDT,2025-01-01T01:00:00Z,110,120,100,120,2",
)


LATER = "2025-01-01T02:00:00Z"


def csv(folder: Path, *rows: str, head: str = HEAD, name: str = "candles.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def codes(read: Callable[[Path], object], path: Path) -> list[tuple[str, str]]:
    with pytest.raises(PolicyError) as refused:
        read(path)
    found = refused.value.diagnostics
    assert all(d.span is not None and d.span.path == str(path) and d.help for d in found)
    return [(d.code, d.message) for d in found]


def test_candles_come_out_as_panels(tmp_path: Path) -> None:
    (candles,) = read_candles(csv(tmp_path, *ROWS))
    assert (candles.book, candles.cadence_ms, candles.symbols) == ("candles", 3_600_000, ("ADAUSDT", "BTCUSDT"))
    assert candles.close.tolist() == [[1.1, 110.0], [1.2, 120.0]]
    assert candles.closed.tolist() == [1_735_693_200_000, 1_735_696_800_000]


def test_a_symbol_that_starts_later_has_no_candle_before(tmp_path: Path) -> None:
    (candles,) = read_candles(csv(tmp_path, *ROWS[:3]))
    assert np.isnan(candles.close[1, 1])
    assert candles.close[0, 1] == 110.0


@pytest.mark.parametrize(
    "head", ["Pair,timestamp,Open,High,Low,Close,Vol", "market,date,open,high,low,close,base_volume"]
)
def test_other_names_of_columns_are_understood(tmp_path: Path, head: str) -> None:
    (candles,) = read_candles(csv(tmp_path, *ROWS, head=head))
    assert candles.symbols == ("ADAUSDT", "BTCUSDT")


@pytest.mark.parametrize("unit", [1, 1000])
def test_times_may_be_seconds_or_milliseconds(tmp_path: Path, unit: int) -> None:
    rows = [r.replace("2025-01-01T00:00:00Z", str(1_735_689_600 * unit)) for r in ROWS]
    rows = [r.replace("2025-01-01T01:00:00Z", str(1_735_693_200 * unit)) for r in rows]
    (candles,) = read_candles(csv(tmp_path, *rows))
    assert candles.opened.tolist() == [1_735_689_600_000, 1_735_693_200_000]


def test_futures_and_spot_are_two_books(tmp_path: Path) -> None:
    rows = [f"{r},{kind}" for kind in ("true", "false") for r in ROWS]
    found = read_candles(csv(tmp_path, *rows, head=f"{HEAD},is_futures"))
    assert [c.book for c in found] == ["futures", "spot"]


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    source, target = csv(tmp_path, *ROWS), tmp_path / "candles.parquet"
    duckdb.sql(f"COPY (FROM read_csv('{source}')) TO '{target}' (FORMAT parquet)")
    (of_csv,), (of_parquet,) = read_candles(source), read_candles(target)
    assert np.array_equal(of_csv.close, of_parquet.close)
    assert np.array_equal(of_csv.opened, of_parquet.opened)


def later(symbol: str = "BTCUSDT", ts: str = LATER, numbers: str = "100,120,90,110,1") -> str:
    return f"{symbol},{ts},{numbers}"


@pytest.mark.parametrize(
    ("row", "code", "message"),
    [
        (later(numbers="x,120,90,110,1"), "RF804", "`x` in column `open` is not a number"),
        (later(ts="yesterday"), "RF804", "`yesterday` in column `ts` is not a time"),
        (later(numbers="nan,120,90,110,1"), "RF805", "`open` is nan, and must be a positive number"),
        (later(numbers="100,inf,90,110,1"), "RF805", "`high` is inf, and must be a positive number"),
        (later(numbers="100,120,-90,110,1"), "RF805", "`low` is -90, and must be a positive number"),
        (later(numbers="100,120,90,0,1"), "RF805", "`close` is 0, and must be a positive number"),
        (later(numbers="100,120,90,110,-1"), "RF805", "`volume` is -1, and must be a non-negative number"),
        (later(numbers="100,120,90,,1"), "RF805", "`close` is nan, and must be a positive number"),
        (later(symbol=""), "RF805", "`symbol` is empty"),
        (later(ts=""), "RF805", "`ts` is empty"),
        (later(numbers="100,105,90,110,1"), "RF807", "high 105 and low 90 do not hold open and close"),
        (ROWS[3], "RF806", "the candle of `BTCUSDT` at 2025-01-01T01:00:00Z is there twice"),
        (
            later(ts="2024-12-31T23:00:00Z"),
            "RF806",
            "the candle of `BTCUSDT` at 2024-12-31T23:00:00Z comes after the one of 2025-01-01T01:00:00Z",
        ),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, row: str, code: str, message: str) -> None:
    assert codes(read_candles, csv(tmp_path, *ROWS, row)) == [(code, f"row 5: {message}")]


def test_every_bad_row_is_counted_and_the_first_are_shown(tmp_path: Path) -> None:
    rows = [f"BTCUSDT,2025-01-0{d}T00:00:00Z,-1,120,-90,110,1" for d in range(1, 9)]
    found = codes(read_candles, csv(tmp_path, *rows))
    assert sum("row" in message for _, message in found) == 10
    assert ("RF805", "`candles.csv`: 3 more values of `low` like that") in found


def test_missing_columns_are_named_all_at_once(tmp_path: Path) -> None:
    path = csv(tmp_path, "BTCUSDT,1,2", head="symbol,open,hihg")
    names = [message for _, message in codes(read_candles, path)]
    assert names == [f"`candles.csv` has no column `{n}`" for n in ("ts", "high", "low", "close", "volume")]


def test_a_misspelt_column_is_proposed(tmp_path: Path) -> None:
    path = csv(tmp_path, *ROWS, head=HEAD.replace("volume", "volumes"))
    with pytest.raises(PolicyError) as refused:
        read_candles(path)
    assert refused.value.diagnostics[0].help == "did you mean `volumes`?"


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "candles.parquet"
    duckdb.sql(
        "COPY (SELECT 'BTCUSDT' AS symbol, DATE '2025-01-01' AS ts, [1.0] AS open, 2.0 AS high, 1.0 AS low, "
        f"1.0 AS close, 1.0 AS volume) TO '{path}' (FORMAT parquet)"
    )
    assert codes(read_candles, path) == [
        ("RF804", "column `open` of `candles.parquet` holds DECIMAL(2,1)[], not a number")
    ]


def test_one_bar_tells_no_cadence(tmp_path: Path) -> None:
    assert codes(read_candles, csv(tmp_path, ROWS[0])) == [("RF802", "book `candles` has one bar")]


@pytest.mark.parametrize("read", [read_candles, read_trades, content_of])
def test_an_empty_file_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "empty.csv"
    path.touch()
    assert codes(read, path) == [("RF802", "`empty.csv` is empty")]


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    assert codes(read_candles, csv(tmp_path)) == [("RF802", "`candles.csv` has no rows")]


@pytest.mark.parametrize("read", [read_candles, content_of])
def test_a_missing_file_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "none.csv"
    assert codes(read, path) == [("RF801", f"`{path}` cannot be read: no such file or directory")]


@pytest.mark.parametrize("read", [read_candles, content_of])
@pytest.mark.parametrize("kept", [4, 200, -8])
def test_a_truncated_parquet_is_refused(tmp_path: Path, read: Callable[[Path], object], kept: int) -> None:
    path = tmp_path / "candles.parquet"
    duckdb.sql(f"COPY (FROM read_csv('{csv(tmp_path, *ROWS)}')) TO '{path}' (FORMAT parquet)")
    path.write_bytes(path.read_bytes()[:kept])
    ((code, message),) = codes(read, path)
    assert code == "RF801"
    assert message.startswith(f"`{path}` cannot be read: ")


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_bytes(HEAD.encode() + b"\n\xff\xfe,1,1,1,1,1,1\n")
    ((code, _),) = codes(read_candles, path)
    assert code == "RF801"


def test_characters_of_a_glob_in_a_name_stand_for_themselves(tmp_path: Path) -> None:
    csv(tmp_path, *ROWS, name="a1.csv")
    path = csv(tmp_path, *ROWS[:2], name="a[1]*.csv")
    assert content_of(path) is Content.CANDLES
    (candles,) = read_candles(path)
    assert candles.symbols == ("ADAUSDT",)


TRADES = "symbol,side,close_ts,profit_abs,exit_reason,source"


def test_trades_are_ordered_by_closing_and_their_exits_translated(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "BTCUSDT,LONG,2025-01-01T02:00:00Z,5,roi,desk a",
        "ETHUSDT,sell,2025-01-01T01:00:00Z,-3,stop_loss,desk a",
        "ETHUSDT,,2025-01-01T03:00:00Z,,moonrise,",
        head=TRADES,
        name="trades.csv",
    )
    of_desk, other = read_trades(path)
    assert (of_desk.book, other.book) == ("desk_a", "trades")
    assert of_desk.symbol == ["ETHUSDT", "BTCUSDT"]
    assert of_desk.side.tolist() == [1, 0]
    assert of_desk.exit.tolist() == [0, 3]
    assert of_desk.outcome.tolist() == [-1.0, 1.0]
    assert (other.side.tolist(), other.exit.tolist(), np.isnan(other.profit).tolist()) == ([-1], [7], [True])


@pytest.mark.parametrize(
    ("row", "head", "code", "message"),
    [
        ("BTCUSDT,LONG,,5,roi,a", TRADES, "RF805", "row 1: `close_ts` is empty"),
        ("BTCUSDT,LONG,2025-01-01,inf,roi,a", TRADES, "RF805", "row 1: `profit_abs` is inf"),
        ("BTCUSDT,2025-01-01", "symbol,close_ts", "RF803", "`trades.csv` has no column `profit_abs`"),
    ],
)
def test_a_bad_trade_is_refused(tmp_path: Path, row: str, head: str, code: str, message: str) -> None:
    assert codes(read_trades, csv(tmp_path, row, head=head, name="trades.csv")) == [(code, message)]


def test_content_is_told_by_what_is_in_the_file(tmp_path: Path) -> None:
    assert content_of(csv(tmp_path, *ROWS, name="trades.csv")) is Content.CANDLES
    assert content_of(csv(tmp_path, "a,b,1", head="symbol,close_ts,profit", name="candles.csv")) is Content.TRADES
    path = csv(tmp_path, "1,2", head="apples,pears")
    assert codes(content_of, path) == [("RF808", "`candles.csv` holds nothing that can be imported")]


def test_the_recorded_candles_are_sound(shared_data: Path) -> None:
    futures, spot = read_candles(shared_data / "candles_1h.parquet")
    assert (futures.book, len(futures.symbols), len(futures.opened)) == ("futures", 83, 1501)
    assert (spot.book, len(spot.symbols), len(spot.opened)) == ("spot", 14, 721)
    assert np.isfinite(futures.close).sum() + np.isfinite(spot.close).sum() == 134_594


def test_the_recorded_trades_are_sound(shared_data: Path) -> None:
    found = {t.book: t for t in read_trades(shared_data / "trades.parquet")}
    assert {b: len(t.closed) for b, t in found.items()} == {
        "freqtrade_backtest": 179, "qt_testnet_exits": 271, "qt_testnet_fills": 117,
    }  # fmt: skip
    assert (found["freqtrade_backtest"].exit == 0).sum() == 6
