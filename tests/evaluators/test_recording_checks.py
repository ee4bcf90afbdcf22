"""Recordings that are damaged, foreign or older than the catalogue are told apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import pytest

from evaluators.recording_tables import tables_of
from evaluators.timelines import same
from policy_dsl.catalogue import Catalogue
from policy_dsl.types import MONEY, Levels
from tests.catalogue_for_tests import TIER
from tests.evaluators.stored_states import (
    CATALOGUE,
    RICH,
    ErrorFacts,
    LaterFacts,
    changed,
    codes,
    extended,
    opened,
    recorded,
    refusals,
    snapshot,
)

DAY = "day=2025-10-10"


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
    help_line = "import or simulate it again with this version"
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
