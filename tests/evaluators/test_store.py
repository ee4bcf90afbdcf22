from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.decision import Decision, Firing
from evaluators.recording import Recording
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.store_bundles import Activation, StoredBundle
from evaluators.store_commits import GroupCommit
from evaluators.store_file import reported
from evaluators.store_schema import Migration, migrations
from evaluators.timelines import same
from modules.facts import default_catalogue
from policy_dsl.catalogue import Catalogue, FactModel, Rows, catalogue_of, fact
from policy_dsl.diagnostics import PolicyError
from policy_dsl.quantities import MS_PER_DAY
from policy_dsl.types import FLAG, MONEY
from tests.catalogue_for_tests import MODELS, small_catalogue
from tests.strategies.states import TEXTS, snapshots

CATALOGUE = small_catalogue()
AT = 1_760_130_000_000
MINUTE = 60_000


def snapshot(minute: int = 0, book: str = "main", drawdown: int = 0) -> Snapshot:
    return Snapshot(book, AT + minute * MINUTE, {"account.drawdown": drawdown})


RICH = Snapshot(
    "main",
    AT,
    {"account.drawdown": 61_000_000, "market.volatility": 2, "operator.stop_requested": False, "operator.note": "it's"},
    {"position": {"p2": {}, "p1": {"symbol": "BTCUSDT", "side": 1}}, "symbol": {}, "request": {"r1": {"effect": 3}}},
    {"trade": tuple({"symbol": "BTCUSDT", "r_multiple": i} for i in range(12))},
)
DECISION = Decision(
    "main",
    AT,
    {
        "hfos.risk_mode": 1,
        "verdict": {"r1": True, "": False},
        "pal.actions": {"p1": (("ADD_SIZE", (1, -(2**63))), ("EXTEND_HOLD", ())), "p2": ()},
        "ess.actions": (("FLATTEN", ()),),
    },
    (Firing("hfos.drawdown", "", True), Firing("pal.add", "p1", False)),
    {"hfos.risk_mode": 0},
    (Firing("pal.observed", "p\u2028'1", True),),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, CATALOGUE) as opened:
        yield opened


def refusals(act: Callable[[], object]) -> list[tuple[str, str, str | None]]:
    with pytest.raises(PolicyError) as caught:
        act()
    return [(d.code, d.message, d.help) for d in caught.value.diagnostics]


def codes(act: Callable[[], object]) -> list[str]:
    return [code for code, _, _ in refusals(act)]


def times(several: Iterator[Snapshot]) -> list[int]:
    return [(s.ts - AT) // MINUTE for s in several]


# --- snapshots -------------------------------------------------------------------------------------------------------


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


# --- durability ------------------------------------------------------------------------------------------------------

CHILD = """
import sys
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from tests.catalogue_for_tests import small_catalogue
store = Store(sys.argv[1], small_catalogue())
for i in range(10_000):
    store.append(Snapshot("main", i, {"account.losing_streak": i}, {"position": {"p": {"notional": i}}}))
    print(i, flush=True)
"""


def test_what_was_acknowledged_survives_kill_nine(path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child, child.stdout as acknowledged:
        for _ in range(12):
            last = int(acknowledged.readline())
        child.send_signal(signal.SIGKILL)
        child.wait()
        last = max([last, *(int(line) for line in acknowledged)])
    with Store(path, CATALOGUE) as store:
        found = list(store.snapshots("main"))
        assert [s.ts for s in found[: last + 1]] == list(range(last + 1))
        assert [s.facts["account.losing_streak"] for s in found] == list(range(len(found)))
        assert all(s.rows["position"] == {"p": {**EMPTY_POSITION, "notional": s.ts}} for s in found)
        assert len(found) - last in (1, 2)
        assert store.append(Snapshot("main", 10_000, {}))


EMPTY_POSITION = {"symbol": None, "side": None, "notional": None, "r_multiple": None, "leverage": None}


def test_threads_share_a_store(store: Store) -> None:
    def work(number: int) -> int:
        book = f"b{number}"
        return sum(store.append(snapshot(minute, book)) for minute in range(5)) + len(list(store.snapshots(book)))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [10] * 8
    assert len(store.books) == 8


def test_threads_that_wait_are_committed_together() -> None:
    groups: list[list[int]] = []
    started, waiting = threading.Event(), threading.Barrier(4)

    def commit(works: Sequence[int]) -> list[int]:
        groups.append(list(works))
        if len(groups) == 1:
            started.set()
            gate.wait(10)
        if 3 in works:
            raise ValueError("three")
        return [work * 10 for work in works]

    gate = threading.Event()
    commits = GroupCommit[int, int](commit)

    def follower(work: int) -> int:
        waiting.wait(10)
        return commits.run(work)

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(commits.run, 0)
        assert started.wait(10)
        others = [pool.submit(follower, work) for work in (1, 2, 3)]
        waiting.wait(10)
        while len(commits._waiting) < 3:
            threading.Event().wait(0.001)
        gate.set()
        assert first.result(10) == 0
        assert [others[0].result(10), others[1].result(10)] == [10, 20]
        with pytest.raises(ValueError, match="three"):
            others[2].result(10)
    assert groups[0] == [0]
    assert sorted(groups[1]) == [1, 2, 3]
    assert sorted(groups[2:]) == [[1], [2], [3]]


def test_an_interrupted_commit_reaches_those_who_wait() -> None:
    def commit(_: Sequence[int]) -> list[int]:
        raise KeyboardInterrupt

    commits = GroupCommit[int, int](commit)
    with pytest.raises(KeyboardInterrupt):
        commits.run(1)
    with pytest.raises(KeyboardInterrupt):
        commits.run(2)
    assert commits._waiting == []


def test_a_failed_write_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise duckdb.IOException("IO Error: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("evaluators.store.insert_decisions", fail)
        assert refusals(lambda: store.append(RICH)) == [
            ("RF783", f"`{store.path}` failed: IO Error: No space left on device", "check the disk, then try again")
        ]
    assert store.latest("main") is None
    assert list(store.snapshots("main")) == []
    assert store.append(RICH)


# --- decisions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def deciding(store: Store) -> Store:
    store.save_bundle("b1", {"rules/a.rules": "policy a version 1.0.0"})
    store.append(RICH)
    return store


def test_a_decision_comes_back_as_it_was(path: Path) -> None:
    with Store(path, CATALOGUE) as store:
        store.save_bundle("b1", {})
        store.append(RICH)
        number = store.save_decision(DECISION, "b1")
    with Store(path, CATALOGUE) as store:
        found = store.decision(number)
        assert found is not None
        assert (found.id, found.bundle, found.decision) == (number, "b1", DECISION)
        assert [type(v) for v in found.decision.outputs.values()] == [int, dict, dict, tuple]
        assert list(store.decisions()) == [found]
        assert store.decision(number + 1) is None
        assert store.save_decision(DECISION, "b1") == number


VALUES = st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS
GRANTS = st.lists(st.tuples(TEXTS, st.lists(st.integers(-(2**63), 2**63 - 1)).map(tuple)), max_size=3).map(tuple)
OUTPUTS = st.dictionaries(TEXTS, VALUES | GRANTS | st.dictionaries(TEXTS, VALUES | GRANTS, max_size=3), max_size=4)
FIRINGS = st.lists(st.builds(Firing, TEXTS, TEXTS, st.booleans()), max_size=3).map(tuple)


@settings(max_examples=settings().max_examples // 4)
@given(OUTPUTS, FIRINGS, OUTPUTS, FIRINGS)
def test_any_decision_comes_back(outputs: Any, firings: Any, would_be: Any, observed: Any) -> None:
    decision = Decision("main", AT, outputs, firings, would_be, observed)
    with Store(":memory:", CATALOGUE) as store:
        store.save_bundle("b1", {})
        store.write([snapshot()], [("b1", decision)])
        [found] = store.decisions()
        assert found.decision == decision
        assert repr(found.decision) == repr(decision)


def test_decisions_are_found_by_book_time_and_bundle(deciding: Store) -> None:
    deciding.save_bundle("b2", {})
    deciding.append_many([snapshot(1), snapshot(0, "other")])
    later, other = replace(DECISION, ts=AT + MINUTE), replace(DECISION, book="other")
    ids = [deciding.save_decision(d, b) for d, b in ((DECISION, "b1"), (later, "b1"), (other, "b1"), (DECISION, "b2"))]
    assert ids == [1, 2, 3, 4]
    assert [d.id for d in deciding.decisions()] == [1, 2, 3, 4]
    assert [d.id for d in deciding.decisions("main")] == [1, 2, 4]
    assert [d.id for d in deciding.decisions("main", since=AT + 1)] == [2]
    assert [d.id for d in deciding.decisions(until=AT + 1)] == [1, 3, 4]
    assert [d.id for d in deciding.decisions(bundle="b2")] == [4]


def test_a_snapshot_and_its_decision_are_written_together(store: Store) -> None:
    store.save_bundle("b1", {})
    written = store.write([RICH, snapshot(1)], [("b1", DECISION), ("b1", DECISION)])
    assert (written.snapshots, written.decisions) == (2, (1, 1))
    assert store.write((), [("b1", replace(DECISION, ts=AT + MINUTE))]).decisions == (2,)
    assert codes(lambda: store.write([snapshot(2)], [("b2", replace(DECISION, ts=AT + 2 * MINUTE))])) == ["RF779"]
    assert times(store.snapshots("main")) == [0, 1]


def test_another_decision_on_the_same_snapshot_is_refused(deciding: Store) -> None:
    deciding.save_decision(DECISION, "b1")
    other = replace(DECISION, outputs={"hfos.risk_mode": 0})
    assert refusals(lambda: deciding.save_decision(other, "b1")) == [
        (
            "RF778",
            "bundle `b1` decided otherwise on book `main` at 2025-10-10T21:00:00Z before",
            "a replay must give the same decision: the bundle or the snapshot differs",
        )
    ]
    deciding.save_bundle("b2", {})
    assert deciding.save_decision(other, "b2") == 2
    deciding.append_many([snapshot(1), snapshot(2)])
    assert deciding.save_decision(replace(DECISION, ts=AT + 2 * MINUTE), "b1") == 3
    assert deciding.save_decision(replace(DECISION, ts=AT + MINUTE), "b1") == 4
    assert codes(lambda: deciding.save_decision(other, "b1")) == ["RF778"]


def test_what_could_not_be_replayed_is_refused(deciding: Store) -> None:
    [(code, message, _)] = refusals(lambda: deciding.save_decision(DECISION, "b9"))
    assert (code, message) == ("RF779", "bundle `b9` is not stored, so what it decided could not be replayed")
    [(code, message, _)] = refusals(lambda: deciding.save_decision(replace(DECISION, ts=AT - 1), "b1"))
    assert code == "RF779"
    assert message.startswith("no snapshot of book `main` at 2025-10-10T20:59:59.999Z is stored")
    assert codes(lambda: deciding.save_decision(replace(DECISION, book="other"), "b1")) == ["RF779"]


# --- bundles ---------------------------------------------------------------------------------------------------------


def test_bundles_are_kept_and_put_in_force(path: Path) -> None:
    files = {"rules/a.rules": 'policy a version 1.0.0 "it\'s"', "ringfence.toml": ""}
    with Store(path, CATALOGUE) as store:
        store.save_bundle("b1", files)
        store.save_bundle("b1", dict(reversed(files.items())))
        store.save_bundle("b2", {})
        store.activate_bundle("b1", at=AT, person="ann", reason="first", expected="")
        store.activate_bundle("b2", at=AT + 1, expected="b1")
        store.activate_bundle("b1", at=AT + 2, person="bob", reason="rollback")
    with Store(path, CATALOGUE) as store:
        assert store.bundles() == (StoredBundle("b1", files, AT + 2), StoredBundle("b2", {}, AT + 1))
        assert store.bundle("b2") == StoredBundle("b2", {}, AT + 1)
        assert store.bundle("b3") is None
        assert store.activations() == (
            Activation("b1", AT, "ann", "first"),
            Activation("b2", AT + 1, "", ""),
            Activation("b1", AT + 2, "bob", "rollback"),
        )


def test_a_bundle_is_put_in_force_only_in_place_of_the_expected_one(store: Store) -> None:
    store.save_bundle("b1", {})
    assert codes(lambda: store.activate_bundle("b9", at=AT)) == ["RF782"]
    assert codes(lambda: store.activate_bundle("b1", at=AT, expected="b0")) == ["RF781"]
    store.activate_bundle("b1", at=AT)
    assert refusals(lambda: store.activate_bundle("b1", at=AT, expected="")) == [
        ("RF781", "bundle `b1` is in force, not `none`", "look at what changed meanwhile, then try again")
    ]
    assert len(store.activations()) == 1


def test_a_bundle_never_changes(store: Store) -> None:
    store.save_bundle("b1", {"a": "1"})
    assert codes(lambda: store.save_bundle("b1", {"a": "2"})) == ["RF780"]
    assert store.bundles() == (StoredBundle("b1", {"a": "1"}, None),)


# --- export ----------------------------------------------------------------------------------------------------------


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


# --- a catalogue that changed ----------------------------------------------------------------------------------------


class LaterFacts(FactModel, entity="account"):
    """A fact that came later."""

    bonus: Annotated[float | None, MONEY] = fact("bonus", owner="book")


class LaterPositionFacts(FactModel, entity="position", rows=Rows.KEYED):
    """A fact of positions that came later."""

    hedged: Annotated[bool | None, FLAG] = fact("hedged", owner="pil")


class SectorFacts(FactModel, entity="sector", rows=Rows.KEYED):
    """An entity that came later."""

    weight: Annotated[float | None, MONEY] = fact("weight", owner="pba")


LATER = catalogue_of((*MODELS, LaterFacts, LaterPositionFacts, SectorFacts))


def changed(entity: str, name: str, **changes: Any) -> Catalogue:
    found = CATALOGUE.entities[entity]
    facts = {**found.facts, name: replace(found.facts[name], **changes)}
    entities = {**CATALOGUE.entities, entity: replace(found, facts=MappingProxyType(facts))}
    return replace(CATALOGUE, entities=MappingProxyType(entities))


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


# --- migrations ------------------------------------------------------------------------------------------------------

ADD_NOTE = Migration(2, "ALTER TABLE log.decision ADD COLUMN note VARCHAR; UPDATE log.decision SET note = 'old';")
BROKEN = Migration(3, "CREATE TABLE log.extra (a INTEGER); SELECT no_such_function();")


def with_steps(monkeypatch: pytest.MonkeyPatch, *more: Migration) -> None:
    steps = (*migrations(), *more)
    monkeypatch.setattr("evaluators.store.migrations", lambda: steps)


def rows(path: Path, sql: str) -> list[Any]:
    with duckdb.connect(str(path)) as connection:
        return connection.execute(sql).fetchall()


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
    assert rows(path, "SELECT version FROM log.schema_version ORDER BY version") == [(1,), (2,)]
    assert rows(path, "SELECT note FROM log.decision") == [("old",)]


def test_a_newer_store_is_refused_and_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        with_steps(patch, ADD_NOTE)
        Store(path, CATALOGUE).close()
    assert refusals(lambda: Store(path, LATER)) == [
        (
            "RF774",
            f"`{path}` has schema version 2, this version of ringfence knows up to 1",
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
    assert rows(path, "SELECT max(version) FROM log.schema_version") == [(1,)]
    found = rows(path, "SELECT table_name, column_name FROM information_schema.columns")
    assert not {("extra", "a"), ("decision", "note"), ("snapshot", "account.bonus")} & set(found)
    with Store(path, CATALOGUE) as store:
        assert same(next(store.snapshots("main")), RICH)


# --- files that are no store -----------------------------------------------------------------------------------------


def test_another_database_is_refused(path: Path) -> None:
    rows(path, "CREATE TABLE mine AS SELECT 1 AS a")
    assert refusals(lambda: Store(path, CATALOGUE)) == [
        (
            "RF775",
            f"`{path}` is a DuckDB database, but not a store",
            "name another file; a store is a file that ringfence made",
        )
    ]
    assert rows(path, "SELECT a FROM mine") == [(1,)]


def test_a_store_has_one_owner(path: Path) -> None:
    with Store(path, CATALOGUE) as store:
        assert refusals(lambda: Store(path, CATALOGUE)) == [
            ("RF771", f"`{path}` is open already, in this process", "use the store that is open")
        ]
        program = (
            "import sys\nfrom evaluators.store import Store\nfrom policy_dsl.diagnostics import PolicyError\n"
            "from tests.catalogue_for_tests import small_catalogue\n"
            "try:\n    Store(sys.argv[1], small_catalogue())\n"
            "except PolicyError as error:\n    print(error)\n"
        )
        run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
        assert run.stdout == f"RF771: `{path}` is in use by another process\n"
        assert store.append(RICH)
    with Store(path, CATALOGUE) as store:
        assert store.books == ("main",)


def damaged(path: Path, change: Callable[[bytes], bytes]) -> None:
    with Store(path, CATALOGUE) as store:
        store.append_many([replace(RICH, ts=AT + i) for i in range(200)])
    assert not path.with_name(path.name + ".wal").exists()
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:5000],
        lambda content: content[:100],
        lambda _: b"",
        lambda _: b"hello world, I am a text file" * 1000,
        lambda content: content[:4100] + b"\xaa" * 8200 + content[12300:],
        lambda content: content[:12300] + b"\xaa" * (len(content) - 12300),
    ],
)
def test_a_damaged_file_is_refused(path: Path, change: Callable[[bytes], bytes]) -> None:
    damaged(path, change)
    [(code, message, help_line)] = refusals(lambda: Store(path, CATALOGUE))
    assert code == "RF772"
    assert message.startswith(f"`{path}` is damaged, or is not a DuckDB file: ")
    assert help_line == "restore it from a copy, or move it away to start with an empty store"


def test_a_damaged_log_is_refused(path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom evaluators.snapshot import Snapshot\nfrom evaluators.store import Store\n"
        "from tests.catalogue_for_tests import small_catalogue\n"
        "store = Store(sys.argv[1], small_catalogue())\n"
        "for i in range(3):\n    store.append(Snapshot('main', i, {}))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    log = path.with_name(path.name + ".wal")
    content = log.read_bytes()
    middle = len(content) // 2
    log.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])
    assert codes(lambda: Store(path, CATALOGUE)) == ["RF772"]
    log.write_bytes(content[:-7])
    with Store(path, CATALOGUE) as store:
        assert [s.ts for s in store.snapshots("main")] == [0, 1]


def test_a_file_of_a_newer_duckdb_is_refused() -> None:
    text = "IO Error: Trying to read a database file with version number 99, but we can only read versions up to 67"

    def fail() -> None:
        with reported("state.duckdb"):
            raise duckdb.IOException(text)

    assert refusals(fail) == [
        (
            "RF774",
            f"`state.duckdb` was written by another version of DuckDB: {text}",
            "open it with the version of ringfence that wrote it, or a newer one",
        )
    ]


@pytest.mark.parametrize("place", ["nowhere/state.duckdb", "folder"])
def test_a_place_that_holds_no_file_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    assert codes(lambda: Store(tmp_path / place, CATALOGUE)) == ["RF773"]
