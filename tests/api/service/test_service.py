"""The service over a fund: what it answers, what it refuses, and that nothing it does loosens anything."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from errno import ECONNREFUSED, ENOSPC, EROFS
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.service.app import create_app
from api.service.module_routes import check_mode
from api.service.problems import Problem
from api.service.running import Running
from evaluators.keeping import Kept, Kind
from evaluators.refusals import refusal
from evaluators.snapshot import Snapshot
from evaluators.store import Store
from evaluators.timestamps import format_time, parse_time
from modules.emergency_stop_system import EmergencyStopSystem
from modules.facts import CATALOGUE
from modules.inputs import Account, Book, Inputs, Machinery, Request
from modules.judge import Answer, packaged_bundle
from modules.learning.learning import Learning
from modules.learning.workers import InPlaceWorker
from modules.runtime.controls import Controls
from modules.runtime.fund import Fund
from modules.runtime.runner import Runner
from modules.runtime.switchboard import Switchboard, in_modes
from modules.runtime.switches import MODES, Switches
from modules.sources import BookSource, ClockSource, FeedSource, OperatorSource

HERE = "http://127.0.0.1"
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


@contextmanager
def serving(folder: Path, switches: Switches | None = None) -> Iterator[Served]:
    controls, clock = Controls(), Clock()
    world = Told(controls)
    modules = (BookSource(), FeedSource(), OperatorSource(), ClockSource(), EmergencyStopSystem(controls=controls))
    runner = Runner(modules)
    with Store(folder / "fund.duckdb", CATALOGUE) as store:
        board = Switchboard(controls, switches or Switches())
        runner.is_on = board.is_on
        fund = Fund(store, in_modes(packaged_bundle(), board.switches), runner, world, 3 * MINUTE)
        board.prepare = lambda now: fund.prepared(in_modes(packaged_bundle(), now))
        running = Running(fund, board, clock)
        with TestClient(create_app(running), HERE, raise_server_exceptions=False) as http:
            yield Served(http, running, world, clock)
        running.close()
        runner.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One fund for everything that is refused: nothing of it may reach the fund."""
    with serving(tmp_path_factory.mktemp("untouched")) as made:
        yield made
        assert made.running.fund.store.latest("main") is None
        assert made.running.board.controls.calls == []


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
    assert found["out"] == {
        "id": "out", "verdict": "ALLOW", "reasons": [], "would_change": None, "carried_out": None,
    }  # fmt: skip
    (stored,) = served.running.fund.store.decisions("main")
    assert stored.decision.outputs["verdict"] == {"in": 0, "out": 1}
    assert "would be ALLOW with" in found["in"]["would_change"]
    # Two at one moment are two snapshots.
    again = served.http.post("/v1/decisions?would_change=false", json={"requests": asked})
    assert again.json()["decisions"]["in"]["would_change"] is None
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
            "body.requests.r.notional: Input should be greater than or equal to 0.000000000001",
        ),
        ([], "body: Input should be"),
    ],
)
def test_what_cannot_be_read_is_refused_and_nothing_is_decided(untouched: Served, body: Any, detail: str) -> None:
    status, found = problem(untouched.http.post("/v1/decisions", json=body))
    assert status == 422
    assert found.startswith(detail)
    assert untouched.running.fund.last is None


def test_a_body_that_is_no_json_is_a_problem(untouched: Served) -> None:
    answer = untouched.http.post("/v1/decisions", content=b"{", headers={"content-type": "application/json"})
    assert problem(answer)[0] == 422


@pytest.mark.parametrize(
    "body",
    [
        b'{"requests": {"\\ud800": {"symbol": "BTCUSDT", "side": "LONG"}}}',
        b'{"requests": {"a\\u0000b": {"symbol": "BTCUSDT", "side": "LONG"}}}',
        b'{"requests": {"": {"symbol": "BTCUSDT", "side": "LONG"}}}',
        b'{"requests": {"r": {"symbol": "\\u0000", "side": "LONG"}}}',
        b'{"requests": {"r": {"symbol": "BTCUSDT", "side": "LONG", "notional": NaN}}}',
        b'{"requests": {"r": {"symbol": "BTCUSDT", "side": "LONG", "confidence": NaN}}}',
        b'{"requests": {"r": {"symbol": "BTCUSDT", "side": "LONG", "price": 1e999}}}',
        b'{"requests": {"r": {"symbol": "BTCUSDT", "side": "LONG", "votes": 1.5}}}',
        b'{"requests": {"r": {"symbol": "BTCUSDT", "side": "LONG", "reduce_only": "maybe"}}}',
    ],
)
def test_text_and_numbers_that_mean_nothing_are_the_callers_to_mend(untouched: Served, body: bytes) -> None:
    answer = untouched.http.post("/v1/decisions", content=body, headers={"content-type": "application/json"})
    assert problem(answer)[0] == 422
    assert untouched.running.fund.store.latest("main") is None


def test_paths_and_methods_that_are_not_there_are_problems(untouched: Served) -> None:
    assert problem(untouched.http.get("/v1/nothing")) == (
        404,
        "nothing answers GET /v1/nothing: docs/serving.md lists every call",
    )
    refused = untouched.http.delete("/v1/policy")
    assert problem(refused) == (405, "/v1/policy is called with GET, not DELETE")
    assert refused.headers["allow"] == "GET"


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
    assert served.running.board.controls.calls[-1].what == "disable book"
    served.http.post("/v1/modules/book/enable", json=HAND)
    served.running.step()
    assert "account.equity" not in served.http.get("/v1/policy").json()["missing"]


def test_nobody_switches_without_a_name_and_a_reason(served: Served) -> None:
    assert problem(served.http.post("/v1/modules/book/disable", json={"person": "ada"}))[0] == 422
    blank = served.http.post("/v1/modules/book/disable", json={"person": " ", "reason": "x"})
    assert problem(blank)[1].endswith("needs a person and a reason")
    assert served.http.get("/v1/modules/book").json()["on"] is True
    status, detail = problem(served.http.post("/v1/modules/bok/disable", json=HAND))
    assert (status, detail) == (404, "no module is called `bok`")


def test_meters_count_what_happened(served: Served) -> None:
    served.http.post("/v1/decisions", json={"requests": {"r": {"symbol": "BTCUSDT", "side": "LONG"}}})
    text = served.http.get("/metrics").text
    assert "ringfence_snapshots_total 1.0" in text
    assert 'ringfence_verdicts_total{verdict="DENY"} 1.0' in text
    assert 'ringfence_module_up{module="book"} 1.0' in text
    assert 'ringfence_module_on{module="book"} 1.0' in text
    assert "ringfence_halted 1.0" in text


def test_meters_are_of_the_kind_they_say_they_are_and_name_every_module_there_is(served: Served) -> None:
    """A counter only rises and is for rates, a gauge is of now and falls back: whoever alerts on them relies on it."""
    read: list[dict[str, dict[str, float]]] = []
    for equity in (math.nan, 1000.0):
        served.world.equity = equity
        served.running.step()
        served.clock.ms += MINUTE
        families = text_string_to_metric_families(served.http.get("/metrics").text)
        read.append({f"{f.type} {f.name}": {f"{s.name}{s.labels}": s.value for s in f.samples} for f in families})
    before, after = read
    modules = {str({"module": module.name}) for module in served.running.fund.runner.modules}
    for gauge in ("ringfence_module_up", "ringfence_module_on", "ringfence_module_time", "ringfence_module_seconds"):
        assert after[f"gauge {gauge}"].keys() == {gauge + name for name in modules}
    counters = [kind for kind in before if kind.startswith("counter")]
    assert len(counters) == 3
    assert all(after[c].get(name, 0) >= value for c in counters for name, value in before[c].items())
    assert after["counter ringfence_snapshots"]["ringfence_snapshots_total{}"] == 2
    missing = [each["gauge ringfence_missing_facts"]["ringfence_missing_facts{}"] for each in read]
    assert missing[0] > missing[1] > 0


def test_the_stop_is_pulled_and_re_armed_by_a_person_and_the_answer_is_the_next_snapshot(served: Served) -> None:
    assert problem(served.http.get("/v1/ess"))[0] == 503
    assert problem(served.http.post("/v1/ess:trip", json={"person": "ada"}))[0] == 422
    assert problem(served.http.post("/v1/ess:trip", json={"person": "ada", "reason": " "}))[0] == 422
    assert served.running.fund.last is None
    pulled = served.http.post("/v1/ess:trip", json=HAND).json()
    assert (pulled["state"], pulled["kept"]) == ("HALTED", [])
    assert pulled["because"]["ess.manual_stop"] == "a person has asked for the emergency stop"
    rules = {rule["rule"]: rule for rule in pulled["rules"]}
    assert rules.keys() == pulled["because"].keys()
    assert (rules["ess.manual_stop"]["definite"], rules["ess.stale_data"]["definite"]) == (True, False)
    assert rules["ess.manual_stop"]["at"].partition(":")[0].endswith("ess.rules")
    assert pulled["because"]["ess.stale_data"].endswith(" (for want of a fact)")
    served.clock.ms += MINUTE
    served.running.step()
    assert "ess.manual_stop" in served.http.get("/v1/ess").json()["because"]
    served.clock.ms += MINUTE
    armed = served.http.post("/v1/ess:reset", json=HAND).json()
    # This world tells nothing of its market: what is not known halts, and latches nothing.
    assert armed["state"] == "HALTED"
    assert "ess.manual_stop" not in armed["because"]
    assert armed["kept"] == []
    assert [call.what for call in served.running.board.controls.calls] == ["stop", "reset"]


@pytest.mark.parametrize(("asked_for", "is_exact"), [(-MINUTE, True), (MINUTE, False)])
def test_a_stop_may_have_held_before_the_service_began_whatever_latched_it_later(
    served: Served, asked_for: int, is_exact: bool
) -> None:
    began = served.running.step().ts
    served.clock.ms += 2 * MINUTE
    step = served.running.step()
    latch = Kept("ess.state", None, 0, Kind.LATCHED, ("ess.drawdown",), began + asked_for, None)
    served.running.fund.last = replace(step, told=replace(step.told, kept=(latch,)))
    found = served.http.get("/v1/status").json()["outputs"][0]
    since = format_time(min(began, began + asked_for))
    assert (found["output"], found["since"], found["since_is_exact"]) == ("ess.state", since, is_exact)


def test_a_stop_closes_positions_where_a_person_has_chosen_that(served: Served) -> None:
    def stopped() -> tuple[bool, list[str]]:
        hands = [hand["what"] for hand in served.http.get("/v1/status").json()["hands"]]
        return "FLATTEN" in served.http.get("/v1/ess").json()["actions"], hands

    served.http.post("/v1/ess:trip", json=HAND)
    assert stopped() == (False, ["stop"])
    assert problem(served.http.post("/v1/ess:flatten_on_stop", json={"person": "ada"}))[0] == 422
    assert "FLATTEN" in served.http.post("/v1/ess:flatten_on_stop", json=HAND).json()["actions"]
    assert stopped() == (True, ["stop", "flatten"])
    assert "FLATTEN" not in served.http.post("/v1/ess:keep_on_stop", json=HAND).json()["actions"]
    assert stopped() == (False, ["stop"])


def test_a_hand_holds_the_risk_mode_down_until_it_is_released(served: Served) -> None:
    held = served.http.post("/v1/hfos:hold", json={**HAND, "mode": "SAFE"}).json()
    assert held["risk_mode"] == "SAFE"
    assert any("hand" in rule for rule in held["because"])
    assert problem(served.http.post("/v1/hfos:hold", json={**HAND, "mode": "NORMAL"}))[0] == 422  # bolder than the hand
    assert problem(served.http.post("/v1/hfos:hold", json={**HAND, "mode": "BOLD"}))[0] == 422
    assert problem(served.http.post("/v1/hfos:hold", json={"mode": "SAFE"}))[0] == 422
    released = served.http.post("/v1/hfos:release", json=HAND).json()
    assert not any("hand" in rule for rule in released["because"])
    assert served.http.get("/v1/hfos").json()["ts"] == released["ts"]
    served.http.post("/v1/ess:new_peak", json=HAND)
    assert len(served.running.board.controls.calls) == 3


def test_a_fund_without_models_of_its_own_has_none_to_tell_of(untouched: Served) -> None:
    assert untouched.http.get("/v1/models").json() == []
    for path in (":begin", "/xgboost/train", "/xgboost/roll_back", "/xgboost/withdraw"):
        assert problem(untouched.http.post(f"/v1/models{path}", json=HAND)) == (
            404,
            "this fund has no models of its own",
        )
        assert problem(untouched.http.post(f"/v1/models{path}", json={"person": "ada"}))[0] == 422


def test_the_models_of_a_fund_are_told_and_what_cannot_be_done_to_them_is_a_problem(
    served: Served, tmp_path: Path
) -> None:
    served.running.learning = learning = Learning.opened(tmp_path / "models", lambda _: None, InPlaceWorker())
    assert [m["model"] for m in served.http.get("/v1/models").json()] == ["lightgbm", "nhits", "patchtst", "xgboost"]
    assert problem(served.http.post("/v1/models:begin", json={"person": "ada", "reason": " "}))[0] == 422
    for path, said in (
        (":begin", "there are no candles of late"),
        ("/xgboost/train", "there are no candles of late"),
        ("/xgboost/roll_back", "has no earlier version"),
        ("/xgboost/withdraw", "has no challenger"),
        ("/xgbost/train", "xgbost"),
    ):
        status, detail = problem(served.http.post(f"/v1/models{path}", json=HAND))
        assert status == 422
        assert said in detail
    learning.close()


def test_a_mode_is_set_while_the_fund_runs(served: Served) -> None:
    served.running.step()
    before = served.running.fund.bundle.hash
    found = served.http.post("/v1/modules/ess/set_mode/OBSERVE", json=HAND).json()
    assert (found["mode"], found["policy"]) == ("observe", "ess")
    assert served.running.step().answer.of("ess.state") == "ARMED"
    assert {r["mode"] for r in served.http.get("/v1/rules").json() if r["policy"] == "ess"} == {"observe"}
    served.http.post("/v1/modules/ess/set_mode/enforce", json=HAND)
    assert served.running.step().answer.of("ess.state") == "HALTED"
    assert served.running.fund.bundle.hash != before
    assert len(served.running.fund.store.bundles()) == 3


def test_a_mode_needs_a_person_a_word_and_a_module_that_has_a_policy(untouched: Served) -> None:
    for path, body, status in (
        ("ess/set_mode/observe", {"person": "ada"}, 422),
        ("ess/set_mode/observe", {"person": "ada", "reason": " "}, 422),
        ("ess/set_mode/loud", HAND, 422),
        ("clock/set_mode/off", HAND, 422),
        ("esss/set_mode/off", HAND, 404),
    ):
        assert problem(untouched.http.post(f"/v1/modules/{path}", json=body))[0] == status
    assert untouched.running.board.controls.calls == []
    assert len(untouched.running.fund.store.bundles()) == 1


@pytest.mark.parametrize("word", ["bold", "OFFF", "%20", "enforce%0A"])
def test_a_mode_that_nobody_knows_is_a_problem_that_lists_the_words(word: str) -> None:
    with pytest.raises(Problem) as caught:
        check_mode(EmergencyStopSystem(), unquote(word))
    assert (caught.value.status, caught.value.more["modes"]) == (422, list(MODES))


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:8080"},
        {"host": ""},
        {"host": "127.0.0.1", "origin": "https://evil.example"},
        {"host": "127.0.0.1", "origin": "null"},
    ],
)
def test_who_does_not_call_this_machine_by_its_own_name_is_refused(untouched: Served, headers: dict[str, str]) -> None:
    for answer in (
        untouched.http.get("/health", headers=headers),
        untouched.http.post("/v1/ess:trip", json=HAND, headers=headers),
    ):
        assert problem(answer)[0] == 403
    assert untouched.running.board.controls.calls == []


def test_a_page_of_this_machine_may_call(untouched: Served) -> None:
    for host in ("localhost:8080", "LOCALHOST", "[::1]:8080"):
        assert (
            untouched.http.get("/health", headers={"host": host, "origin": "http://localhost:8080"}).status_code == 200
        )


def test_a_body_without_a_content_type_is_not_read(untouched: Served) -> None:
    # A page elsewhere can send one without being asked first.
    request = untouched.http.build_request("POST", "/v1/ess:trip", content=b'{"person": "x", "reason": "y"}')
    request.headers.pop("content-type", None)
    assert untouched.http.send(request).status_code == 415
    assert untouched.running.board.controls.calls == []


def test_callers_at_the_same_time_each_have_their_own_answer(served: Served) -> None:
    served.running.step()  # what is computed once is computed
    buys = {"symbol": "BTCUSDT", "side": "LONG", "notional": 100}
    bodies = [{"requests": {"r": buys | ({"reduce_only": True, "side": "SHORT"} if n % 2 else {})}} for n in range(12)]
    with ThreadPoolExecutor(12) as pool, served.running._clock:  # a step is at work while they ask
        joint, until = served.running.joint, monotonic() + 60
        asked = [pool.submit(served.http.post, "/v1/decisions", json=bodies[0])]
        while not joint._worker._threads or joint._waiting:
            assert monotonic() < until, "the first caller has not come"
            sleep(0.01)
        asked += [pool.submit(served.http.post, "/v1/decisions", json=body) for body in bodies[1:]]
        while len(joint._waiting) < 11:
            assert monotonic() < until, "not every caller has come"
            sleep(0.01)
        served.running._clock.release()
        answers = [future.result(60).json() for future in asked]
        served.running._clock.acquire()
    assert [a["decisions"]["r"]["verdict"] for a in answers] == ["DENY", "ALLOW"] * 6
    assert sorted(a["judged_together"] for a in answers) == [1] + [11] * 11
    assert len({(a["ts"], a["decisions"]["r"]["id"]) for a in answers}) == 12


def test_a_stop_that_the_disk_refuses_holds_and_is_told_not_to_be_kept(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    served.running.step()
    monkeypatch.setattr(served.running.board.controls, "_journal", SimpleNamespace(append=refuse))
    told = served.http.post("/v1/ess:trip", json=HAND)
    assert (told.status_code, told.json()["kept"]) == (503, False)
    assert "the stop holds while this process runs, and it is in force" in told.json()["detail"]
    assert served.running.is_halted()
    refused = served.http.post("/v1/ess:reset", json=HAND)
    assert refused.status_code == 503
    assert refused.json()["diagnostics"][0]["code"] == "RF783"
    assert served.http.post("/v1/modules/pba/disable", json=HAND).status_code in (404, 503)
    assert served.running.is_halted()


def test_a_stop_that_is_neither_kept_nor_obeyed_is_not_told_to_be_in_force(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    assert served.http.post("/v1/modules/ess/set_mode/observe", json=HAND).status_code == 200
    monkeypatch.setattr(served.running.board.controls, "_journal", SimpleNamespace(append=refuse))
    told = served.http.post("/v1/ess:trip", json=HAND)
    assert (told.status_code, told.json()["kept"], told.json()["not_binding"]["policy"]) == (503, False, "ess")
    assert "does not bind: the policy `ess` is observed" in told.json()["detail"]
    assert "in force" not in told.json()["detail"]


def full(*_: object) -> None:
    """What a store raises on a full disk."""
    raise refusal("RF783", "`fund.duckdb` failed: no space left on device", "make room")


def test_what_is_on_disk_is_told_to_be_so_where_no_snapshot_can_be_decided(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.running.step()
    with monkeypatch.context() as patch:
        patch.setattr(served.running.fund, "_follower", SimpleNamespace(tell=full))
        told = served.http.post("/v1/ess:trip", json=HAND)
        assert (told.status_code, told.json()["kept"]) == (503, True)
        assert "the stop is on disk" in told.json()["detail"]
        assert "RF783: `fund.duckdb` failed" in told.json()["detail"]
        assert "it need not be asked again" in told.json()["detail"]
        told = served.http.post("/v1/ess:reset", json=HAND)
        assert (told.status_code, told.json()["kept"]) == (503, True)
        assert "ask again" in told.json()["detail"]
        assert served.http.post("/v1/ess:trip", json=HAND).status_code == 503
    served.running.step()
    assert served.running.is_halted()


def test_a_mode_that_the_store_refuses_counts_neither_now_nor_later(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.running.step()
    with monkeypatch.context() as patch:
        patch.setattr(served.running.fund.store, "save_bundle", full)
        assert served.http.post("/v1/modules/ess/set_mode/off", json=HAND).status_code == 503
    assert served.running.board.controls.calls == []
    assert served.running.board.switches.modes == {}
    assert served.http.get("/v1/modules/ess").json()["mode"] == "enforce"


def test_what_the_disk_refuses_is_no_bug_and_what_is_one_is(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(error: OSError) -> None:
        raise error

    buy = {"requests": {"r": {"symbol": "BTCUSDT", "side": "LONG"}}}
    for number, status in ((ENOSPC, 503), (EROFS, 503), (ECONNREFUSED, 500)):
        monkeypatch.setattr(served.running, "check", partial(refuse, OSError(number, "it failed", "ledger.jsonl")))
        told = served.http.post("/v1/decisions", json=buy)
        assert told.status_code == status
        assert told.headers["content-type"] == "application/problem+json"
        assert ("`ledger.jsonl` cannot be written: it failed" in told.text) == (status == 503)


def test_what_would_end_the_service_is_an_error_of_the_one_who_asked(served: Served) -> None:
    def end() -> None:
        raise SystemExit(3)

    served.running.check = end
    for path, body in (("/v1/ess:trip", HAND), ("/v1/decisions", {"requests": {"r": {"symbol": "B", "side": "LONG"}}})):
        assert served.http.post(path, json=body).status_code == 500
    assert served.running.fault == "SystemExit: 3"


def test_no_module_is_switched_on_files_that_were_taken_away(served: Served) -> None:
    def gone() -> None:
        raise Problem(503, "the store failed", "it was taken away")

    served.running.check = gone
    for path in ("disable", "enable", "set_mode/observe"):
        assert served.http.post(f"/v1/modules/ess/{path}", json=HAND).status_code == 503
    assert served.running.board.controls.calls == []
