"""A state that is handed over lacks what it would lack in a fund whose module is off: neither more nor less."""

from __future__ import annotations

import pytest

from evaluators.documents import document_from_snapshot
from evaluators.snapshot import Snapshot
from modules.facts import CATALOGUE
from modules.runtime.switched_off import OWNERS, taken_by, without
from modules.runtime.switches import POLICIES
from tests.modules.runtime.test_flags import EVALUATOR, ORDINARY, modules, state


def test_each_module_owns_what_its_class_says() -> None:
    assert {m.name: m.owners for m in modules() if m.name in POLICIES} == OWNERS


@pytest.mark.parametrize("off", sorted(POLICIES))
def test_a_state_lacks_what_it_would_lack_in_a_fund_that_runs(off: str) -> None:
    whole, less = state(ORDINARY).snapshot, state(ORDINARY, off).snapshot
    found = without(whole, [off])
    assert document_from_snapshot(found, CATALOGUE) == document_from_snapshot(less, CATALOGUE)
    assert {name for name, rows in found.rows.items() if rows is None} == {n for n, r in less.rows.items() if r is None}
    assert EVALUATOR.decide(found) == EVALUATOR.decide(less)
    assert set(taken_by([off]).values()) <= {off}


def test_events_that_a_module_alone_tells_of_go_with_it() -> None:
    told = Snapshot("main", 0, {}, {}, {"order": ({"symbol": "BTCUSDT"},), "trade": ({"symbol": "BTCUSDT"},)})
    assert without(told, ["aelm"]).events == {"trade": ({"symbol": "BTCUSDT"},)}
    assert without(told, ["pba", "self_healing"]).events == told.events


def test_several_modules_take_away_what_each_of_them_owns() -> None:
    whole = state(ORDINARY).snapshot
    assert without(whole, ["pba", "pil"]) == without(without(whole, ["pil"]), ["pba"])
    taken = taken_by(["pba", "pil"])
    assert (taken["account.gross_exposure"], taken["position.category"]) == ("pba", "pil")
    assert "position.symbol" not in taken
