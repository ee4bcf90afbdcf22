"""A process that dies in the midst of an action: what comes after it finds every order, and does nothing twice."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.modules.runtime.hands import Scene, allowed, scene
from tests.modules.venues.crashing import die, killed
from tests.modules.venues.paper_markets import A

WRITES = ("begin", "intend", "settle", "end")
"""What the log of intents writes, in turn."""

ACTS: dict[str, dict[str, Any]] = {
    "close": {"pba__actions": {A: {"CLOSE": []}}},
    "reduce": {"pba__actions": {A: {"REDUCE": [0.25]}}},
    "partial": {"pal__actions": {A: {"TAKE_PARTIAL": [0.25]}}},
    "flatten": {"ess__actions": {"CANCEL_ORDERS": [], "FLATTEN": []}},
    "add": allowed(f"add-{A}"),
}
GRANT: dict[str, Any] = {"pal__actions": {A: {"ADD_SIZE": [0.25]}}}
MINUTE = 60_000


def dying(fund: Scene, write: str, when: str) -> None:
    """Let the next write of that kind be the last thing that the process does, or lets it not even do that."""
    intents = fund.actions.execution.intents
    done = getattr(intents, write)

    def last(*given: Any) -> None:
        if when == "after":
            done(*given)
        die()

    setattr(intents, write, last)


def act(folder: Path, name: str, write: str, when: str) -> None:
    fund = scene(folder=folder)
    fund.look()
    if name == "add":
        fund.step(**GRANT)
    dying(fund, write, when)
    fund.step(**ACTS[name])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fund that holds four units with a stop at 95."""
    fund = scene(folder=tmp_path)
    fund.open(4)
    assert fund.held is not None
    fund.close()
    return tmp_path


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("name", sorted(ACTS))
def test_after_a_kill_at_any_write_every_order_is_known_and_nothing_is_done_twice(
    folder: Path, name: str, write: str, when: str
) -> None:
    assert killed(lambda: act(folder, name, write, when))
    with closing(scene(folder=folder)) as fund:
        check(fund, name)


def check(fund: Scene, name: str) -> None:
    """What a fund that starts again after a kill knows, and what comes of the same answer once more."""
    fund.actions.execution.recover()
    fund.look()
    sent = [s for w in fund.actions.execution.intents.worked.values() for s in w.orders]
    assert all(s.is_settled for s in sent)
    held = fund.held
    known = fund.ledger.lots.get(A)
    assert (known.quantity if known else 0.0) == pytest.approx(held.quantity if held else 0.0)
    was = held.quantity if held else 0.0
    assert was in {0.0, 3.0, 4.0} or (name == "add" and was <= 5.0)
    if name == "add":
        fund.step(**GRANT)
    fund.step(**ACTS[name])
    fund.look()
    left = fund.held.quantity if fund.held is not None else 0.0
    if name in {"close", "flatten"}:
        assert left == 0.0
        assert [t.profit is not None for t in fund.ledger.trades] == [True]
    elif name == "add":
        # An add that was done before the kill is found: the position is another, and may be added to once more.
        assert 4.8 < left <= 5.0 or (was > 4.8 and left <= 6.0)
        assert fund.ledger.lots[A].first_stop == 95.0
    else:
        # A reduction that was done before the kill is found, and the state that is left may ask for the next one.
        assert left == pytest.approx(3.0) or left == pytest.approx(2.25)
        assert fund.ledger.lots[A].quantity == pytest.approx(left)


def test_after_a_kill_between_fill_and_ledger_the_ledger_learns_of_the_fill(tmp_path: Path) -> None:
    def open_and_die() -> None:
        scene(folder=tmp_path).propose(4)
        die()

    assert killed(open_and_die)
    with closing(scene(folder=tmp_path)) as fund:
        fund.look()
        lot = fund.ledger.lots[A]
        assert (lot.quantity, lot.first_stop, lot.model, lot.confidence) == (4.0, 95.0, "xgboost", 0.8)
        fund.look()
        assert fund.ledger.lots[A] == lot
