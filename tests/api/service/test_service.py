"""The service over a fund: what it answers, what it refuses, and that nothing it does loosens anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.service.app import create_app
from api.service.running import Running
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.timestamps import parse_time
from modules.facts import CATALOGUE
from modules.inputs import Account, Book, Inputs, Machinery, Request
from modules.judge import Answer, packaged_bundle
from modules.runtime.controls import Controls
from modules.runtime.fund import Fund
from modules.runtime.runner import Runner
from modules.sources import BookSource, ClockSource, FeedSource, OperatorSource

NOW = 1_760_000_000_000
MINUTE = 60_000
ACCOUNT = Account(NOW, 1000.0, 1000.0, 0.0, 1000.0, 1000.0, 1000.0, 1000.0)
HAND = {"person": "ada", "reason": "it misprices"}


@dataclass
class Told:
    """A world that is told its equity."""

    controls: Controls
    equity: float = 1000.0

    def inputs(self, ts: int, before: Snapshot | None, requests: Mapping[str, Request]) -> Inputs:
        book = Book(replace(ACCOUNT, equity=self.equity), {}, {}, (), requests)
        return Inputs("main", ts, book=book, machinery=Machinery(operator=self.controls.shown()), before=before)

    def obey(self, answer: Answer, inputs: Inputs) -> None:
        assert answer.decision.ts == inputs.ts


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    ms: int = NOW
    moved: list[int] = field(default_factory=list)

    def __call__(self) -> int:
        return self.ms


@dataclass
class Served:
    """A client, and what is behind it."""

    http: TestClient
    running: Running
    world: Told
    clock: Clock


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    controls, clock = Controls(), Clock()
    world = Told(controls)
    runner = Runner((BookSource(), FeedSource(), OperatorSource(), ClockSource()))
    with Store(tmp_path / "fund.duckdb", CATALOGUE) as store:
        running = Running(Fund(store, packaged_bundle(), runner, world, 3 * MINUTE), controls, clock)
        runner.is_on = lambda name: running.switches.is_on(name)  # noqa: PLW0108 -- every call makes another `switches`
        with TestClient(create_app(running), raise_server_exceptions=False) as http:
            yield Served(http, running, world, clock)
        runner.close()


def problem(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == answer.status_code
    assert {"type", "title", "detail"} <= set(document)
    return answer.status_code, document["detail"]


def test_a_process_is_healthy_before_it_is_ready(served: Served) -> None:
    assert served.http.get("/health").json() == {"status": "up", "snapshot": None}
    assert problem(served.http.get("/ready")) == (503, "no snapshot has been decided yet")
    assert problem(served.http.get("/v1/policy"))[0] == 503
    served.running.step()
    assert served.http.get("/ready").status_code == 200
    served.clock.ms += 3 * MINUTE + 1
    assert problem(served.http.get("/ready")) == (503, "the newest snapshot is 180 s old")


def test_the_policy_has_every_output_its_reasons_and_why_facts_are_missing(served: Served) -> None:
    served.world.equity = 900.0
    served.running.step()
    found = served.http.get("/v1/policy").json()
    assert set(found["outputs"]) == {o.id for o in packaged_bundle().program.outputs}
    assert found["outputs"]["ess.state"] == "HALTED"
    (reason,) = [r for r in found["reasons"] if r["rule"] == "ess.drawdown"]
    assert reason["definite"]
    assert reason["at"].endswith(".rules:24") or "ess.rules:" in reason["at"]
    assert found["missing"]["market.data_age"] == "no market event has arrived"


def test_requests_are_judged_jointly_stored_and_exits_go_through(served: Served) -> None:
    asked = {
        "in": {"symbol": "BTCUSDT", "side": "LONG", "notional": 100},
        "out": {"symbol": "BTCUSDT", "side": "SHORT", "notional": 100, "reduce_only": True},
    }
    answer = served.http.post("/v1/decisions", json={"requests": asked})
    assert answer.status_code == 200
    found = answer.json()["decisions"]
    assert found["in"]["verdict"] == "DENY"
    assert {r["entity"] for r in found["in"]["reasons"]} == {"in"}
    assert found["out"] == {"verdict": "ALLOW", "reasons": [], "would_change": None}
    (stored,) = served.running.fund.store.decisions("main")
    assert stored.decision.outputs["verdict"] == {"in": 0, "out": 1}
    # Two at one moment are two snapshots.
    again = served.http.post("/v1/decisions", json={"requests": asked})
    assert parse_time(again.json()["ts"]) == parse_time(answer.json()["ts"]) + 1


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"requests": {}}, "body.requests: Dictionary should have at least 1 item"),
        ({"requests": {"r": {"symbol": "BTCUSDT"}}}, "body.requests.r.side: Field required"),
        ({"requests": {"r": {"symbol": "BTCUSDT", "side": "BUY"}}}, "body.requests.r.side: Input should be"),
        (
            {"requests": {"r": {"symbol": "BTCUSDT", "side": "LONG", "notionl": 5}}},
            "body.requests.r.notionl: Extra inputs are not permitted",
        ),
        (
            {"requests": {"r": {"symbol": "BTCUSDT", "side": "LONG", "notional": -5}}},
            "body.requests.r.notional: Input should be greater than 0",
        ),
        ([], "body: Input should be"),
    ],
)
def test_what_cannot_be_read_is_refused_and_nothing_is_decided(served: Served, body: Any, detail: str) -> None:
    status, found = problem(served.http.post("/v1/decisions", json=body))
    assert status == 422
    assert found.startswith(detail)
    assert served.running.fund.last is None


def test_a_body_that_is_no_json_is_a_problem(served: Served) -> None:
    answer = served.http.post("/v1/decisions", content=b"{", headers={"content-type": "application/json"})
    assert problem(answer)[0] == 422


def test_paths_and_methods_that_are_not_there_are_problems(served: Served) -> None:
    assert problem(served.http.get("/v1/nothing")) == (404, "Not Found")
    assert problem(served.http.delete("/v1/policy")) == (405, "Method Not Allowed")


def test_rules_tell_where_they_stand_and_when_they_fired(served: Served) -> None:
    rules = {r["rule"]: r for r in served.http.get("/v1/rules").json()}
    assert set(rules) == {r.id for r in packaged_bundle().program.rules}
    assert rules["ess.drawdown"]["last_fired"] is None
    served.running.step()
    first = {r["rule"]: r for r in served.http.get("/v1/rules").json()}["ess.stale_data"]
    assert first["unknown_since"] == "2025-10-09T08:53:20Z"
    served.clock.ms += MINUTE
    served.running.step()
    again = {r["rule"]: r for r in served.http.get("/v1/rules").json()}["ess.stale_data"]
    assert (again["unknown_since"], again["last_fired"]) == (first["unknown_since"], "2025-10-09T08:54:20Z")


def test_a_module_that_is_switched_off_costs_its_facts_and_says_so(served: Served) -> None:
    served.running.step()
    assert served.http.get("/v1/policy").json()["missing"].get("account.equity") is None
    found = served.http.post("/v1/modules/book/disable", json=HAND).json()
    assert (found["module"], found["on"]) == ("book", False)
    served.running.step()
    policy = served.http.get("/v1/policy").json()
    assert policy["missing"]["account.equity"] == "book is switched off"
    assert policy["outputs"]["ess.state"] == "HALTED"
    assert served.running.controls.calls[-1].what == "disable book"
    served.http.post("/v1/modules/book/enable", json=HAND)
    served.running.step()
    assert "account.equity" not in served.http.get("/v1/policy").json()["missing"]


def test_nobody_switches_without_a_name_and_a_reason(served: Served) -> None:
    assert problem(served.http.post("/v1/modules/book/disable", json={"person": "ada"}))[0] == 422
    blank = served.http.post("/v1/modules/book/disable", json={"person": " ", "reason": "x"})
    assert problem(blank) == (422, "a disable book needs a person and a reason")
    assert served.http.get("/v1/modules/book").json()["on"] is True
    status, detail = problem(served.http.post("/v1/modules/bok/disable", json=HAND))
    assert (status, detail) == (404, "no module is called `bok`")


def test_meters_count_what_happened(served: Served) -> None:
    served.http.post("/v1/decisions", json={"requests": {"r": {"symbol": "BTCUSDT", "side": "LONG"}}})
    text = served.http.get("/metrics").text
    assert "ringfence_snapshots_total 1.0" in text
    assert 'ringfence_verdicts_total{verdict="DENY"} 1.0' in text
    assert 'ringfence_module_up{module="book"} 1.0' in text
