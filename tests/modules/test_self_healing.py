"""How services do: from heartbeats and counts, with a reason for whatever nobody can know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evaluators.snapshot import Snapshot
from modules.assembly import Supplied, assemble
from modules.inputs import Failure, Inputs, Machinery, Service
from modules.self_healing import SelfHealing
from modules.supply import Supply

NOW = 1_760_000_000_000
SECOND = 1000
UP = Service(affects_trading=True, seen=NOW - 2 * SECOND, answers=True, requests=60, failures=0)


def supply(services: dict[str, Service] | None, failures: tuple[Failure, ...] = (), **parts: Any) -> Supply:
    return SelfHealing().compute(Inputs("main", NOW, machinery=Machinery(services, failures), **parts))


@pytest.mark.parametrize(
    ("answers", "degraded", "status"),
    [(True, False, "UP"), (True, True, "DEGRADED"), (False, False, "DOWN"), (False, True, "DOWN"), (None, False, None)],
)
def test_status_is_how_it_answered(answers: bool | None, status: str | None, *, degraded: bool) -> None:
    found = supply({"feed": replace(UP, answers=answers, is_degraded=degraded)})
    assert found.rows["service"]["feed"].get("status") == status
    assert ('service["feed"].status' in found.reasons) == (status is None)


def test_restarts_are_those_of_the_last_hour() -> None:
    restarted = (NOW - 3_600_001, NOW - 3_600_000, NOW - 3_599_999, NOW)
    assert supply({"feed": replace(UP, restarted=restarted)}).rows["service"]["feed"]["restarts"] == 2


def test_rates_are_of_all_services_together() -> None:
    found = supply({"a": replace(UP, requests=30, failures=3), "b": replace(UP, requests=70, failures=1)})
    assert found.single["system.error_rate"] == 0.04
    assert found.rows["service"]["a"]["error_rate"] == 0.1


def test_a_rate_of_no_requests_is_unknown_and_not_nothing() -> None:
    found = supply({"feed": replace(UP, requests=0)})
    assert "system.error_rate" not in found.single
    assert "error_rate" not in found.rows["service"]["feed"]
    assert found.reasons["system.error_rate"] == "nothing was asked of any service in five minutes"


def test_services_that_nobody_watches_are_a_missing_collection() -> None:
    found = supply(None)
    snapshot = assemble("main", NOW, [Supplied("self_healing", SelfHealing.owners, NOW, found)]).snapshot
    assert snapshot.rows["service"] is None
    assert supply({}).rows == {"service": {}}


def test_failures_of_a_minute_are_counted_and_told_once() -> None:
    failures = tuple(Failure(NOW - ms, "feed", "timeout") for ms in (60_000, 59_999, 30_000, 0))
    before = Snapshot("main", NOW - 30_000, {})
    found = supply({"feed": UP}, failures, before=before)
    assert found.single["system.errors_per_minute"] == 3
    assert found.events["error"] == ({"service": "feed", "kind": "timeout"},)


def test_failures_between_two_of_its_runs_are_told_whatever_snapshots_come_between() -> None:
    failures = tuple(Failure(NOW - ms, "feed", "timeout") for ms in (4_000, 3_000, 500))
    between = Snapshot("main", NOW - 1_000, {})
    assert len(supply({"feed": UP}, failures, before=between, told=NOW - 5_000).events["error"]) == 3
    assert len(supply({"feed": UP}, failures, before=between, told=NOW - 3_000).events["error"]) == 1


def test_a_heartbeat_in_the_future_is_one_of_now() -> None:
    assert supply({"feed": replace(UP, seen=NOW + 5)}).rows["service"]["feed"]["last_seen"] == 0
    assert "last_seen" not in supply({"feed": replace(UP, seen=None)}).rows["service"]["feed"]
