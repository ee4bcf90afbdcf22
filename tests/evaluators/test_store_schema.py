"""The store follows the catalogue and its own migrations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evaluators.bookmarks import bookmark
from evaluators.decision import Decision, Firing
from evaluators.recording import Recording
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.store_schema import Migration, migrations
from evaluators.timelines import same
from policy_dsl.types import MONEY
from tests.evaluators.stored_states import (
    AT,
    CATALOGUE,
    RICH,
    LaterFacts,
    LaterPositionFacts,
    SectorFacts,
    changed,
    codes,
    extended,
    refusals,
    rows,
)

DECISION = Decision("main", AT, {"hfos.risk_mode": 1}, (Firing("hfos.drawdown", "", True),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.duckdb"


LATER = extended(LaterFacts, LaterPositionFacts, SectorFacts)


def test_new_facts_get_columns(path: Path) -> None:
    with Store(path, CATALOGUE) as store:
        store.append(RICH)
    newer = Snapshot(
        "main",
        AT + 1,
        {"account.bonus": 5},
        {"position": {"p1": {"hedged": True}}, "sector": {"L1": {"weight": 7}}},
    )
    for _ in range(2):
        with Store(path, LATER) as store:
            store.append(newer)
            old, new = store.snapshots("main")
            assert same(old, RICH)
            assert old.collection("sector") is None
            assert same(new, newer)


def test_a_fact_that_is_gone_keeps_its_column(path: Path) -> None:
    newer = Snapshot("main", AT, {"account.bonus": 5}, {"sector": {"L1": {"weight": 7}}})
    with Store(path, LATER) as store:
        store.append(newer)
    with Store(path, CATALOGUE) as store:
        [found] = store.snapshots("main")
        assert "account.bonus" not in found.facts
        store.append(replace(RICH, ts=AT + 1))
    with Store(path, LATER) as store:
        first, second = store.snapshots("main")
        assert same(first, newer)
        assert same(second, replace(RICH, ts=AT + 1))


def test_a_fact_with_another_unit_is_refused(path: Path) -> None:
    with Store(path, CATALOGUE) as store:
        store.append(RICH)
    assert refusals(lambda: Store(path, changed("account", "drawdown", type=MONEY))) == [
        (
            "RF776",
            f"`snapshot.account.drawdown` is stored as ratio in `{path}`, and is money now",
            "give the fact a new name, or start a new store",
        )
    ]
    with Store(path, CATALOGUE) as store:
        assert same(next(store.snapshots("main")), RICH)


def test_a_range_that_became_narrower_makes_values_missing(path: Path, tmp_path: Path) -> None:
    with Store(path, CATALOGUE) as store:
        store.append(RICH)
    narrower = changed("account", "drawdown", high=60_999_999)
    with Store(path, narrower) as store:
        [found] = store.snapshots("main")
        assert found.facts["account.drawdown"] is None
        store.export_recording(tmp_path / "r", cadence_ms=1)
    [exported] = Recording.open(tmp_path / "r", CATALOGUE).snapshots("main")
    assert exported.facts["account.drawdown"] is None


NOW = len(migrations())
ADD_NOTE = Migration(NOW + 1, "ALTER TABLE log.decision ADD COLUMN note VARCHAR; UPDATE log.decision SET note = 'old';")
BROKEN = Migration(NOW + 2, "CREATE TABLE log.extra (a INTEGER); SELECT no_such_function();")


def with_steps(monkeypatch: pytest.MonkeyPatch, *more: Migration) -> None:
    steps = (*migrations(), *more)
    monkeypatch.setattr("evaluators.store.migrations", lambda: steps)


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [m.number for m in migrations()] == list(range(1, len(migrations()) + 1))
    assert len(migrations()) >= 1


def test_an_older_store_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(path, CATALOGUE) as store:
        store.save_bundle("b1", {})
        store.write([RICH], [("b1", DECISION)])
    with monkeypatch.context() as patch:
        with_steps(patch, ADD_NOTE)
        with Store(path, CATALOGUE) as store:
            assert [d.decision for d in store.decisions()] == [DECISION]
    assert rows(path, "SELECT version FROM log.schema_version ORDER BY version") == [(n,) for n in range(1, NOW + 2)]
    assert rows(path, "SELECT note FROM log.decision") == [("old",)]


def test_a_store_from_before_there_were_bookmarks_gets_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("evaluators.store.migrations", lambda: migrations()[:1])
        with Store(path, CATALOGUE) as store:
            store.append(RICH)
    with Store(path, CATALOGUE) as store:
        assert store.bookmark("main", "b1") is None
        store.write([replace(RICH, ts=AT + 1)], [], [bookmark("main", "b1", AT, "code", (1, (None, "x")))])
        found = store.bookmark("main", "b1")
        assert found is not None
        assert (found.ts, found.maker, found.left) == (AT, "code", (1, (None, "x")))
        store.write([], [], [bookmark("main", "b1", AT + 1, "code", ())])
        store.write([], [], [bookmark("main", "b2", AT, "code", ())])
    assert rows(path, "SELECT bundle, epoch_ms(ts) FROM log.bookmark ORDER BY bundle") == [("b1", AT + 1), ("b2", AT)]


def test_a_newer_store_is_refused_and_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        with_steps(patch, ADD_NOTE)
        Store(path, CATALOGUE).close()
    assert refusals(lambda: Store(path, LATER)) == [
        (
            "RF774",
            f"`{path}` has schema version {NOW + 1}, this version of ringfence knows up to {NOW}",
            "open it with the version of ringfence that wrote it, or a newer one",
        )
    ]
    assert rows(path, "SELECT count(*) FROM information_schema.tables WHERE table_name = 'sector'") == [(0,)]


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(path, CATALOGUE) as store:
        store.append(RICH)
    with monkeypatch.context() as patch:
        with_steps(patch, ADD_NOTE, BROKEN)
        assert codes(lambda: Store(path, LATER)) == ["RF783"]
    assert rows(path, "SELECT max(version) FROM log.schema_version") == [(NOW,)]
    found = rows(path, "SELECT table_name, column_name FROM information_schema.columns")
    assert not {("extra", "a"), ("decision", "note"), ("snapshot", "account.bonus")} & set(found)
    with Store(path, CATALOGUE) as store:
        assert same(next(store.snapshots("main")), RICH)
