"""The store keeps snapshots in order, gives them back as they were, and exports them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.recording import Recording
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.timelines import same
from modules.facts import default_catalogue
from policy_dsl.catalogue import Rows
from policy_dsl.quantities import MS_PER_DAY
from tests.evaluators.stored_states import (
    AT,
    CATALOGUE,
    MINUTE,
    RICH,
    codes,
    refusals,
    snapshot,
)
from tests.strategies.states import snapshots


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, CATALOGUE) as opened:
        yield opened


def times(several: Iterator[Snapshot]) -> list[int]:
    return [(s.ts - AT) // MINUTE for s in several]


def test_what_is_appended_is_there_and_stays(path: Path) -> None:
    with Store(path, CATALOGUE) as store:
        assert store.latest("main") is None
        assert store.books == ()
        assert store.append(RICH)
        assert store.append(snapshot(1, "other"))
    with Store(path, CATALOGUE) as store:
        assert store.books == ("main", "other")
        latest = store.latest("main")
        assert latest is not None
        assert same(latest, RICH)
        [found] = store.snapshots("main")
        assert same(found, RICH)
        assert store.snapshot("main", AT + 1) is None
        again = store.snapshot("main", AT)
        assert again is not None
        assert same(again, RICH)


@settings(max_examples=settings().max_examples // 4)
@given(st.lists(snapshots(CATALOGUE), max_size=4, unique_by=lambda s: (s.book, s.ts)))
def test_snapshots_come_back_as_they_were(several: list[Snapshot]) -> None:
    several.sort(key=lambda s: s.ts)
    with Store(":memory:", CATALOGUE) as store:
        assert store.append_many(several) == len(several)
        for book in {s.book for s in several}:
            own = [s for s in several if s.book == book]
            found = list(store.snapshots(book))
            assert len(found) == len(own)
            assert all(same(a, b) for a, b in zip(found, own, strict=True))


def test_an_identical_repeat_does_nothing(store: Store) -> None:
    assert store.append(RICH)
    assert not store.append(RICH)
    assert not store.append(replace(RICH, facts={**RICH.facts, "account.equity": None}))
    assert times(store.snapshots("main")) == [0]
    assert store.append_many([RICH, snapshot(1), snapshot(1)]) == 1


def test_a_time_that_does_not_increase_is_refused(path: Path) -> None:
    with Store(path, CATALOGUE) as store:
        store.append(snapshot(5))
    with Store(path, CATALOGUE) as store:
        assert refusals(lambda: store.append(snapshot(4))) == [
            (
                "RF777",
                "book `main`: the snapshot of 2025-10-10T21:04:00Z comes after the one of 2025-10-10T21:05:00Z",
                "times of one book strictly increase",
            )
        ]
        assert codes(lambda: store.append(snapshot(5, drawdown=1))) == ["RF777"]
        assert store.append(snapshot(4, "other"))
        assert times(store.snapshots("main")) == [5]


def test_several_are_stored_all_or_none(store: Store) -> None:
    assert codes(lambda: store.append_many([snapshot(1), snapshot(2), snapshot(2, drawdown=1)])) == ["RF777"]
    assert store.latest("main") is None
    assert store.append_many([snapshot(1), snapshot(2)]) == 2
    assert times(store.snapshots("main")) == [1, 2]


@pytest.mark.parametrize(
    ("stranger", "code"),
    [
        (Snapshot("a/b", AT, {}), "RF777"),
        (Snapshot("main", 10**18, {}), "RF743"),
        (Snapshot("main", AT, {"account.drawdwn": 1}), "RF742"),
        (Snapshot("main", AT, {"account.equity": 2**63}), "RF744"),
        (Snapshot("main", AT, {"operator.note": "\ud800"}), "RF744"),
    ],
)
def test_what_cannot_be_kept_is_refused(store: Store, stranger: Snapshot, code: str) -> None:
    assert codes(lambda: store.append(stranger)) == [code]
    assert store.append(snapshot())


def test_the_time_can_be_narrowed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluators.store._SNAPSHOTS_AT_ONCE", 3)
    several = [snapshot(minute) for minute in range(0, 4 * 1440, 600)]
    store.append_many(several)
    stamps = [s.ts for s in several]
    for since, until in ((None, None), (stamps[2], None), (None, stamps[5]), (stamps[1] + 1, stamps[7]), (AT, AT)):
        expected = [t for t in stamps if (since is None or t >= since) and (until is None or t < until)]
        assert [s.ts for s in store.snapshots("main", since, until)] == expected
    assert list(store.snapshots("nobody")) == []


def test_reading_sees_what_was_there_when_it_began(store: Store) -> None:
    store.append_many([replace(RICH, ts=AT + i) for i in range(3)])
    reading = store.snapshots("main")
    store.append(replace(RICH, ts=AT + MS_PER_DAY))
    found = list(reading)
    assert [s.ts - AT for s in found] == [0, 1, 2]
    assert all(len(s.rows["position"] or {}) == 2 for s in found)


def test_a_reader_that_was_left_does_not_hold_the_file(path: Path) -> None:
    store = Store(path, CATALOGUE)
    store.append_many([snapshot(minute) for minute in range(3)])
    reading = store.snapshots("main")
    assert next(reading).ts == AT
    store.close()
    with Store(path, CATALOGUE) as again:
        assert again.append(snapshot(3))
    reading.close()  # type: ignore[attr-defined]  # because what is returned is a generator


def test_every_fact_of_the_fund_comes_back() -> None:
    catalogue = default_catalogue()
    calm = {f.path: f.calm for e in catalogue.of_kind(Rows.ONE) for f in e.facts.values()}
    rows = {e.name: {"k": {f.name: f.calm for f in e.facts.values()}} for e in catalogue.of_kind(Rows.KEYED)}
    events = {e.name: ({f.name: f.calm for f in e.facts.values()},) for e in catalogue.of_kind(Rows.EVENT)}
    with Store(":memory:", catalogue) as store:
        store.append(Snapshot("main", AT, calm, rows, events))
        assert list(store.snapshots("main")) == [Snapshot("main", AT, calm, rows, events)]


def test_a_store_is_exported_as_a_recording(store: Store, tmp_path: Path) -> None:
    several = [RICH, *(replace(RICH, ts=AT + i * MS_PER_DAY // 3) for i in range(1, 7))]
    store.append_many([*several, snapshot(0, "other")])
    store.export_recording(tmp_path / "r", cadence_ms=MINUTE)
    recording = Recording.open(tmp_path / "r", CATALOGUE)
    assert (recording.books, recording.count, recording.cadence_ms) == (("main", "other"), 8, MINUTE)
    assert all(same(a, b) for a, b in zip(recording.snapshots("main"), several, strict=True))
    assert codes(lambda: store.export_recording(tmp_path / "r", cadence_ms=MINUTE)) == ["RF747"]
    store.append(snapshot(1, "other"))
    store.export_recording(tmp_path / "r", cadence_ms=MINUTE, overwrite=True)
    assert Recording.open(tmp_path / "r", CATALOGUE).count == 9
    assert store.append(snapshot(2, "other"))


def test_an_empty_store_has_nothing_to_export(store: Store, tmp_path: Path) -> None:
    assert codes(lambda: store.export_recording(tmp_path / "r", cadence_ms=MINUTE)) == ["RF745"]
    assert not (tmp_path / "r").exists()
