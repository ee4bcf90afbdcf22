"""State documents are read with every problem named, and written without loss."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.documents import (
    document_from_snapshot,
    read_documents,
    snapshot_from_document,
)
from evaluators.snapshot import Snapshot
from evaluators.timelines import same
from evaluators.timestamps import format_time, parse_time
from modules.facts import default_catalogue
from policy_dsl.diagnostics import Findings, PolicyError
from policy_dsl.quantities import INT64_MAX, INT64_MIN
from tests.catalogue_for_tests import small_catalogue
from tests.strategies.states import snapshots

CATALOGUE = small_catalogue()
TS = "2025-10-10T21:00:00Z"
AT = 1_760_130_000_000
BASE: dict[str, Any] = {"book": "main", "ts": TS}


def read(calm: bool = False, **entities: Any) -> Snapshot:
    return snapshot_from_document({**BASE, **entities}, CATALOGUE, calm)


def problems(document: Any, calm: bool = False) -> list[tuple[str, str, str | None]]:
    with pytest.raises(PolicyError) as caught:
        snapshot_from_document(document, CATALOGUE, calm)
    return [(d.code, d.message, d.help) for d in caught.value.diagnostics]


def notes(**entities: Any) -> list[tuple[str, str]]:
    findings = Findings()
    snapshot_from_document({**BASE, **entities}, CATALOGUE, findings=findings)
    assert not any(d.is_error for d in findings.items)
    return [(d.code, d.message) for d in findings.items]


def test_every_type_is_read_into_its_value() -> None:
    snapshot = read(
        account={"equity": Decimal("100000.5"), "drawdown": 0.061, "losing_streak": 3},
        market={"volatility": "HIGH", "data_age": 1.5},
        clock={"now": "2025-10-10T21:00:00.250Z"},
        operator={"stop_requested": True, "note": "o'k"},
        system={"errors_per_minute": 10},
        position={"p1": {"symbol": "BTCUSDT", "side": "SHORT", "r_multiple": -1.5, "leverage": 20}},
        symbol={},
        trade=[{"symbol": "BTCUSDT", "closed_at": TS}, {}],
    )
    assert snapshot == Snapshot(
        "main",
        AT,
        {
            "account.equity": 100_000_500_000,
            "account.drawdown": 61_000_000,
            "account.losing_streak": 3,
            "market.volatility": 2,
            "market.data_age": 1500,
            "clock.now": AT + 250,
            "operator.stop_requested": True,
            "operator.note": "o'k",
            "system.errors_per_minute": 14_400_000_000,
        },
        {
            "position": {
                "p1": {"symbol": "BTCUSDT", "side": 1, "r_multiple": -1_500_000_000, "leverage": 20_000_000_000}
            },
            "symbol": {},
        },
        {"trade": ({"symbol": "BTCUSDT", "closed_at": AT}, {})},
    )


def test_left_out_and_null_are_missing() -> None:
    snapshot = read(account={"drawdown": None}, position=None, market=None)
    assert snapshot.facts.get("account.drawdown") is None
    assert snapshot.facts.get("account.equity") is None
    assert snapshot.facts.get("market.volatility") is None
    assert snapshot.collection("position") is None
    assert snapshot.collection("symbol") is None
    assert snapshot.collection("request") == {}


def test_calm_fills_what_is_left_out_but_not_null() -> None:
    snapshot = read(calm=True, account={"drawdown": None}, position={"p1": {"side": "SHORT"}}, trade=[{}])
    assert snapshot.facts["account.equity"] == 100_000_000_000
    assert snapshot.facts["account.drawdown"] is None
    assert snapshot.facts["market.volatility"] == 1
    assert snapshot.rows["symbol"] == {}
    assert snapshot.rows["position"] == {
        "p1": {"symbol": "BTCUSDT", "side": 1, "notional": 10**9, "r_multiple": 0, "leverage": 10**9}
    }
    assert snapshot.events["trade"] == ({"symbol": "BTCUSDT", "r_multiple": 0},)
    assert snapshot.facts.get("clock.now") is None


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), Decimal("1e999999999"), 10**30, Decimal("NaN")]
)
def test_a_number_that_is_none_is_missing_and_noted(value: Any) -> None:
    assert read(account={"equity": value}).facts["account.equity"] is None
    [(code, message)] = notes(account={"equity": value})
    assert code == "RF720"
    assert message.startswith("`$.account.equity` is `")
    assert message.endswith("which is missing: no finite 64-bit number")


def test_a_number_out_of_range_is_missing_and_noted() -> None:
    assert read(account={"drawdown": 1.5}).facts["account.drawdown"] is None
    assert notes(account={"drawdown": 1.5}, position={"p1": {"notional": -1}}) == [
        ("RF721", "`$.account.drawdown` is `1.5`, which is missing: the range is at least 0 and at most 1"),
        ("RF721", "`$.position.p1.notional` is `-1`, which is missing: the range is at least 0"),
    ]


def test_a_vanishing_number_is_zero() -> None:
    assert read(account={"drawdown": Decimal("1e-999999999")}).facts["account.drawdown"] == 0


def test_missing_numbers_stay_missing_when_calm() -> None:
    assert read(calm=True, account={"drawdown": float("nan")}).facts["account.drawdown"] is None


def test_decimals_are_exact(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text(
        f'{{"book": "main", "ts": "{TS}", "account": {{"equity": 9223372036854.775807, "net_exposure": 0.1}}}}'
    )
    [snapshot] = read_documents(file, CATALOGUE)
    assert snapshot.facts == {"account.equity": INT64_MAX, "account.net_exposure": 100_000_000}


def test_numbers_may_be_decimal_text() -> None:
    assert read(account={"equity": "-9223372036854.775808"}).facts["account.equity"] == INT64_MIN


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        {
            "ts": "2025-10-10T21:00:00",
            "posit": {},
            "account": {"drawdow": 1, "drawdown": "much", "losing_streak": True},
            "market": {"volatility": "hgih"},
            "position": {"p1": {"side": "LOMG", "symbol": 3}, "": {}, "p 2": 7},
            "operator": {"stop_requested": 1},
            "symbol": [],
            "trade": {},
            "clock": {"now": "2025-10-10T23:00:00+02:00"},
        }
    )
    assert found == [
        ("RF710", "`$.book` is missing", 'name the book, such as "book": "main"'),
        (
            "RF709",
            "`$.ts`: `2025-10-10T21:00:00` has no time zone",
            "times are ISO 8601 in UTC, such as 2025-10-10T21:00:00Z",
        ),
        ("RF705", "`$.posit`: there is no entity `posit`", "did you mean `position`?"),
        ("RF706", "`$.account.drawdow`: account has no fact `drawdow`", "did you mean `drawdown`?"),
        ("RF708", '`$.account.drawdown` is `"much"`, not a ratio', "a ratio is a plain fraction, such as 0.03 for 3%"),
        ("RF708", "`$.account.losing_streak` is true, not a count", None),
        (
            "RF709",
            "`$.clock.now`: `2025-10-10T23:00:00+02:00` is not in UTC",
            "a time is ISO 8601 in UTC, such as 2025-10-10T21:00:00Z",
        ),
        ("RF707", '`$.market.volatility` is `"hgih"`, which is not a level of volatility', "did you mean `HIGH`?"),
        ("RF708", "`$.operator.stop_requested` is `1`, not a flag", "a flag is true or false"),
        ("RF708", "`$.position.p1.symbol` is `3`, not a symbol reference", None),
        ("RF707", '`$.position.p1.side` is `"LOMG"`, which is not a level of side', "did you mean `LONG`?"),
        ("RF711", '`$.position[""]`: a key is text that is not empty', None),
        ("RF704", '`$.position["p 2"]` is `7`, not an object', 'such as {"symbol": ...}'),
        ("RF704", "`$.symbol` is a list, not an object", "rows of symbol are given by key"),
        ("RF704", "`$.trade` is an object, not a list", "trade is a list of objects"),
    ]


@pytest.mark.parametrize("document", [None, [], "main", 3, True])
def test_a_document_is_an_object(document: Any) -> None:
    [(code, message, _)] = problems(document)
    assert code == "RF704"
    assert message.endswith(", not an object")


@pytest.mark.parametrize("book", ["", "a/b", "../x", ".hidden", 7, "x" * 65, "b=c"])
def test_a_book_is_the_name_of_a_folder(book: Any) -> None:
    [(code, _, help_line)] = problems({**BASE, "book": book})
    assert code == "RF711"
    assert help_line == "a book has up to 64 letters, digits, `_`, `-` and `.`, and does not start with `-` or `.`"


@pytest.mark.parametrize(
    "ts", ["yesterday", "2025-13-01T00:00:00Z", "2025-10-10", 1760130000, "2025-10-10T21:00:00+01:00"]
)
def test_a_bad_time_is_refused(ts: Any) -> None:
    [(code, _, _)] = problems({**BASE, "ts": ts})
    assert code == "RF709"


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_text_that_cannot_be_kept_is_refused(text: str) -> None:
    assert [p[0] for p in problems({**BASE, "operator": {"note": text}})] == ["RF708"]
    assert [p[0] for p in problems({**BASE, "position": {text: {}}})] == ["RF711"]


@given(snapshots(CATALOGUE))
def test_a_document_reads_back_as_the_snapshot(snapshot: Snapshot) -> None:
    document = document_from_snapshot(snapshot, CATALOGUE)
    assert same(snapshot_from_document(document, CATALOGUE), snapshot)
    text = json.dumps(document, allow_nan=False)
    assert same(snapshot_from_document(json.loads(text), CATALOGUE), snapshot)
    assert same(snapshot_from_document(json.loads(text, parse_float=Decimal), CATALOGUE), snapshot)


@given(snapshots(default_catalogue()))
def test_a_document_of_every_fact_reads_back(snapshot: Snapshot) -> None:
    document = document_from_snapshot(snapshot, default_catalogue())
    assert same(snapshot_from_document(document, default_catalogue()), snapshot)


def test_a_document_is_written_in_document_units() -> None:
    facts = {
        "account.equity": 100_000_000_000,
        "account.drawdown": 61_000_000,
        "market.data_age": 1500,
        "market.volatility": 3,
        "system.errors_per_minute": 14_400_000_000,
        "clock.now": AT + 1,
        "operator.stop_requested": False,
    }
    snapshot = Snapshot("main", AT, facts, {"position": {"p1": {"side": 0}}, "symbol": None, "request": {}})
    assert document_from_snapshot(snapshot, CATALOGUE) == {
        "book": "main",
        "ts": TS,
        "account": {"equity": 100_000, "drawdown": 0.061},
        "market": {"volatility": "EXTREME", "data_age": 1.5},
        "clock": {"now": "2025-10-10T21:00:00.001Z"},
        "operator": {"stop_requested": False},
        "system": {"errors_per_minute": 10},
        "position": {"p1": {"side": "LONG"}},
        "request": {},
    }


def test_what_a_float_would_lose_is_written_as_text() -> None:
    snapshot = Snapshot(
        "main", AT, {"account.equity": INT64_MAX, "clock.now": INT64_MIN, "system.errors_per_minute": 1}
    )
    written = document_from_snapshot(snapshot, CATALOGUE)
    assert written["account"] == {"equity": "9223372036854.775807"}
    assert written["clock"] == {"now": "-9223372036854775.808"}
    assert same(snapshot_from_document(written, CATALOGUE), snapshot)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_time_reads_back(ts: int) -> None:
    assert parse_time(format_time(ts)) == ts


@pytest.mark.parametrize("ts", [-62_135_596_800_001, 253_402_300_800_000])
def test_a_time_beyond_iso_text_is_refused(ts: int) -> None:
    with pytest.raises(ValueError, match="outside the years"):
        format_time(ts)


def test_finer_digits_of_a_time_are_rounded_half_even() -> None:
    assert parse_time("1970-01-01T00:00:00.000500Z") == 0
    assert parse_time("1970-01-01T00:00:00.001500Z") == 2
