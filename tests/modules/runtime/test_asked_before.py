"""What was asked before a restart: who was answered stays answered, and who asked too often has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from modules.inputs import Request
from modules.judge import packaged_bundle
from modules.runtime.asked_before import asked_before
from modules.runtime.composition import Composed, compose
from modules.runtime.fund import Step
from modules.runtime.outcomes import Outcome
from modules.runtime.switches import POLICIES, switches_of
from modules.venues.paper import PaperExchange
from modules.venues.venue import Unreachable

OFF = switches_of({f"{name.upper()}_MODE": "off" for name, policy in POLICIES.items() if policy})
"""Of the default rules those before each trade stay alone."""

BUY = Request("BTCUSDT", "LONG", 0, 1_000.0, 2.0, "xgboost", 0.9, 3, stop=50_000.0)


def made(folder: Path) -> tuple[PaperExchange, Composed]:
    venue = PaperExchange(journal=folder / "paper.jsonl")
    composed = compose(venue, folder, packaged_bundle(), switches=OFF, patience=60)
    composed.execution.clock = venue.time
    return venue, composed


def asks(venue: PaperExchange, fund: Composed, seconds: int = 1, **changed: Any) -> Step:
    """The request, so many seconds later."""
    newest = fund.store.latest("main")
    venue.advance(max(venue.time(), 0 if newest is None else newest.ts) + seconds * 1000)
    request = Request(**{**_fields(BUY), "at": venue.time(), **changed})
    return fund.fund.step(venue.time(), {"r": request})


def _fields(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__slots__}


def fact(step: Step, name: str) -> Any:
    return (step.assembled.snapshot.rows["request"] or {})["r"].get(name)


def ids_denied(step: Step) -> set[str]:
    return {reason.rule for reason in step.told.reasons if "verdict" in reason.binds}


def restarted(venue: PaperExchange, fund: Composed, folder: Path) -> tuple[PaperExchange, Composed]:
    fund.close()
    venue.close()
    return made(folder)


@pytest.mark.parametrize("seconds", [1, 70, 3_600])
def test_an_id_that_was_carried_out_is_a_duplicate_after_a_restart_and_after_its_minute(
    tmp_path: Path, seconds: int
) -> None:
    venue, fund = made(tmp_path)
    first = asks(venue, fund, client_id="X1")
    assert (first.answer.of("verdict", "r"), fact(first, "duplicate")) == ("ALLOW", False)
    quantity = venue.positions()["BTCUSDT"].quantity
    venue, fund = restarted(venue, fund, tmp_path)
    again = asks(venue, fund, seconds, client_id="X1", notional=3_000.0)
    assert (again.answer.of("verdict", "r"), fact(again, "duplicate")) == ("DENY", True)
    assert "pretrade.duplicate" in ids_denied(again)
    assert venue.positions()["BTCUSDT"].quantity == quantity
    fund.close()
    venue.close()


def test_requests_of_before_a_restart_are_repeats_denied_ones_too(tmp_path: Path) -> None:
    venue, fund = made(tmp_path)
    asks(venue, fund, client_id="X1")
    denied = asks(venue, fund, client_id="X1")
    assert denied.answer.of("verdict", "r") == "DENY"
    asks(venue, fund, client_id="X2")
    whole = asks(venue, fund, client_id="X3")
    assert fact(whole, "repeats_last_minute") == 3
    venue, fund = restarted(venue, fund, tmp_path)
    again = asks(venue, fund, client_id="X4")
    assert fact(again, "repeats_last_minute") == 4
    assert "pretrade.repeated" in ids_denied(again)
    assert fact(asks(venue, fund, 61, client_id="X5"), "repeats_last_minute") == 0
    fund.close()
    venue.close()


def test_a_first_run_has_nothing_to_remember(tmp_path: Path) -> None:
    venue, fund = made(tmp_path)
    step = asks(venue, fund)
    assert (fact(step, "repeats_last_minute"), step.answer.of("verdict", "r")) == (0, "ALLOW")
    fund.close()
    venue.close()


def test_an_exit_is_remembered_as_the_order_that_it_was(tmp_path: Path) -> None:
    venue, fund = made(tmp_path)
    asks(venue, fund)
    asks(venue, fund, side="SHORT", notional=400.0, reduce_only=True)
    found = asked_before(fund.store, "main")(0, venue.time() + 1)
    assert found is not None
    assert [(r.symbol, r.side, r.notional) for r in found] == [
        ("BTCUSDT", "LONG", 1_000.0),
        ("BTCUSDT", "SHORT", 400.0),
    ]
    fund.close()
    venue.close()


def test_a_request_that_nobody_could_tell_the_effect_of_leaves_the_minute_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue, fund = made(tmp_path)
    monkeypatch.setattr(fund.fund.world.venue, "positions", _gone)  # type: ignore[attr-defined]  # because a world has none
    asks(venue, fund)
    monkeypatch.undo()
    assert asked_before(fund.store, "main")(0, venue.time() + 1) is None
    venue, fund = restarted(venue, fund, tmp_path)
    step = asks(venue, fund)
    assert (fact(step, "repeats_last_minute"), step.answer.of("verdict", "r")) == (None, "DENY")
    later = asks(venue, fund, 60)
    assert (fact(later, "repeats_last_minute"), later.answer.of("verdict", "r")) == (0, "ALLOW")
    fund.close()
    venue.close()


def test_what_came_of_a_request_is_told_with_its_step_and_that_it_was_done_before(tmp_path: Path) -> None:
    venue, fund = made(tmp_path)
    first = asks(venue, fund, client_id="in")
    done = first.outcomes["r"]
    assert done.end is not None
    assert (done.end.outcome, done.before) == ("FILLED", False)
    out = {"side": "SHORT", "notional": 300.0, "reduce_only": True, "client_id": "out"}
    once = asks(venue, fund, 70, **out).outcomes["r"]
    venue, fund = restarted(venue, fund, tmp_path)
    quantity = venue.positions()["BTCUSDT"].quantity
    with capture_logs() as logs:
        again = asks(venue, fund, 70, **out)
    assert again.answer.of("verdict", "r") == "ALLOW", "no control holds up an exit"
    assert again.outcomes["r"].before
    assert again.outcomes["r"].end is not None
    assert once.end is not None
    assert again.outcomes["r"].end.filled == once.end.filled
    assert [line["id"] for line in logs if line["event"] == "a request was carried out before, and is not again"] == [
        "out"
    ]
    assert venue.positions()["BTCUSDT"].quantity == quantity
    fund.close()
    venue.close()


def test_a_request_that_was_not_carried_out_says_why(tmp_path: Path) -> None:
    venue, fund = made(tmp_path)
    step = asks(venue, fund, side="SHORT", symbol="NOSUCHUSDT", reduce_only=True)
    assert step.answer.of("verdict", "r") == "ALLOW"
    assert step.outcomes == {"r": Outcome(None, "`NOSUCHUSDT` has no price")}
    assert asks(venue, fund, client_id="X1").outcomes.keys() == {"r"}
    venue.advance(venue.time() + 1_000)
    assert fund.fund.step(venue.time()).outcomes == {}
    fund.close()
    venue.close()


def _gone() -> Any:
    raise Unreachable("no answer")
