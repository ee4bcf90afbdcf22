"""The store keeps decisions that can be replayed, and the bundles that made them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.decision import Decision, Firing
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.store_bundles import Activation, StoredBundle
from tests.evaluators.stored_states import (
    AT,
    CATALOGUE,
    MINUTE,
    RICH,
    codes,
    refusals,
    snapshot,
)
from tests.strategies.states import TEXTS

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


def times(several: Iterator[Snapshot]) -> list[int]:
    return [(s.ts - AT) // MINUTE for s in several]


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


@pytest.mark.parametrize("folder", ["", "rules/", "../rules/", "/opt/ringfence/rules/"])
def test_a_bundle_is_the_same_wherever_its_folder_is(store: Store, folder: str) -> None:
    files = {"a.rules": "1", "more/b.rules": "2"}
    store.save_bundle("b1", files)
    store.save_bundle("b1", {folder + name: text for name, text in files.items()})
    assert store.bundles() == (StoredBundle("b1", files, None),)
    others = {"a.rules": "1", "b.rules": "2"}
    assert codes(lambda: store.save_bundle("b1", {folder + name: text for name, text in others.items()})) == ["RF780"]


def test_a_bundle_never_changes(store: Store) -> None:
    store.save_bundle("b1", {"a": "1"})
    assert codes(lambda: store.save_bundle("b1", {"a": "2"})) == ["RF780"]
    assert store.bundles() == (StoredBundle("b1", {"a": "1"}, None),)
