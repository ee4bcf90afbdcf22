"""A module by itself: its switch, its mode, its facts, and what it in particular is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.service.alone import Alone, alone, create_module_app
from evaluators.timestamps import format_time, parse_time
from modules.venues.paper import PaperExchange
from policy_dsl.configuration import Mode
from policy_dsl.diagnostics import PolicyError

HERE = "http://127.0.0.1"


def made(name: str) -> Alone:
    venue = PaperExchange()
    return alone(name, venue, venue.time, Mode.ENFORCE)


def asked(one: Alone) -> TestClient:
    return TestClient(create_module_app(one), HERE, raise_server_exceptions=False)


@pytest.fixture
def universe() -> Iterator[Alone]:
    one = made("universe_os")
    yield one
    one.close()


def test_before_its_first_run_a_module_tells_that_it_has_none(universe: Alone) -> None:
    http = asked(universe)
    health = http.get("/health").json()
    assert (health["status"], health["module"], health["on"], health["last_run"]) == ("up", "universe_os", True, None)
    assert http.head("/health").status_code == 200
    for path in ("/facts", "/universe", "/universe/BTCUSDT"):
        assert http.get(path).status_code == 503


def test_a_module_tells_its_own_facts_and_no_others(universe: Alone) -> None:
    universe.step()
    facts = asked(universe).get("/facts").json()
    assert set(facts) == {"ts", "symbol", "missing"}
    assert facts["symbol"]["BTCUSDT"]["in_universe"] is True
    assert "price" not in facts["symbol"]["BTCUSDT"]
    assert all(path.startswith("symbol") for path in facts["missing"])


def test_the_universe_is_read_as_in_the_plan(universe: Alone) -> None:
    universe.step()
    http = asked(universe)
    listed = http.get("/universe").json()
    assert len(listed) == 10
    assert listed[0] == http.get(f"/universe/{listed[0]['symbol']}").json()
    missing = http.get("/universe/NOPE")
    assert (missing.status_code, missing.json()["detail"]) == (404, "the venue lists no `NOPE`")


def test_a_module_that_is_switched_off_tells_no_facts_at_once(universe: Alone) -> None:
    universe.step()
    http = asked(universe)
    assert http.post("/disable").json()["on"] is False
    facts = http.get("/facts").json()
    assert "symbol" not in facts
    assert facts["missing"]["symbol.tier"] == "universe_os is switched off"
    assert http.post("/enable", json={"person": "ada", "reason": "again"}).json()["on"] is True
    assert "symbol" in http.get("/facts").json()


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("universe_os", "GET", "/universe"),
        ("universe_os", "GET", "/universe/BTCUSDT"),
        ("msc_ai", "GET", "/conditions"),
        ("opportunity_ranker", "GET", "/top"),
        ("orchestrator_policy", "GET", "/policy"),
        ("ai_hfos", "GET", "/state"),
        ("ess", "GET", "/state"),
        ("pil", "POST", "/classify"),
        ("pal", "POST", "/evaluate"),
    ],
)
def test_a_module_that_is_switched_off_answers_no_question_and_says_who_did_that(
    name: str, method: str, path: str
) -> None:
    one = made(name)
    http, body = asked(one), {"symbol": "BTCUSDT", "side": "LONG", "current_R": 3}
    one.step()
    at = format_time(one.now())

    def answer() -> Any:
        return http.request(method, path, json=body if method == "POST" else None)

    http.post("/disable", json={"person": "ada", "reason": "it misprices"})
    refused = answer()
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    assert refused.json()["detail"] == f"{name} was switched off by ada at {at}: it misprices"
    assert http.get("/health").json()["off_by"] == f"ada at {at}: it misprices"
    http.post("/disable")
    assert answer().json()["detail"] == f"{name} was switched off by a call of /disable that names nobody at {at}"
    assert http.post("/enable").json()["off_by"] is None
    assert answer().status_code == 200
    one.close()


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [("pal", "POST", "/evaluate"), ("orchestrator_policy", "GET", "/policy"), ("ess", "GET", "/state")],
)
def test_a_module_does_not_answer_by_rules_that_are_off(name: str, method: str, path: str) -> None:
    one = made(name)
    http, body = asked(one), {"symbol": "BTCUSDT", "side": "LONG", "current_R": 3} if method == "POST" else None
    one.step()
    http.post("/set_mode/off", json={"person": "ada", "reason": "calm down"})
    refused = http.request(method, path, json=body)
    assert refused.status_code == 503
    assert "which are off, by ada at " in refused.json()["detail"]
    http.post("/set_mode/observe")
    assert http.request(method, path, json=body).status_code == 200
    one.close()


def test_a_mode_of_the_environment_is_told_by_its_variable() -> None:
    venue = PaperExchange()
    one = alone("pal", venue, venue.time, Mode.OFF)
    assert asked(one).post("/evaluate", json={}).json()["detail"].endswith("which are off, by PAL_MODE")
    one.close()


def test_a_mode_is_kept_and_told_and_a_word_that_nobody_knows_is_a_problem(universe: Alone) -> None:
    http = asked(universe)
    assert http.post("/set_mode/OBSERVE").json()["mode"] == "observe"
    refused = http.post("/set_mode/LOUD")
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["modes"] == ["off", "observe", "enforce", "enforced", "hedgefund", "safe"]
    assert http.get("/health").json()["mode"] == "observe"
    assert http.post("/set_mode/off", json={"persn": "ada"}).status_code == 422
    assert http.post("/set_mode/off", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("name", "path", "field"),
    [
        ("msc_ai", "/conditions", "risk_mode"),
        ("orchestrator_policy", "/policy", "allow_trades"),
        ("ai_hfos", "/state", "mode"),
        ("ess", "/state", "is_halted"),
    ],
)
def test_what_a_module_in_particular_is_asked(name: str, path: str, field: str) -> None:
    one = made(name)
    one.step()
    answer = asked(one).get(path)
    assert answer.status_code == 200, answer.text
    assert field in answer.json()
    one.close()


def test_a_module_that_works_on_hours_has_them_once_they_are_fetched() -> None:
    one = made("msc_ai")
    one.step()
    assert one.history._busy is not None
    one.history._busy.result(timeout=60)
    one.step()
    seen = one.inputs
    one.close()
    assert seen is not None
    assert seen.market.candles is not None
    assert set(seen.market.candles.symbols) == set(seen.market.tickers)
    told = one.facts()
    assert "there are no candles" not in told["missing"].values()


@pytest.mark.parametrize(
    ("name", "path", "time", "unsure", "sure"),
    [
        ("ess", "/state", "ts", "ess.manual_stop", "ess.halted"),
        ("ai_hfos", "/state", "ts", "hfos.by_hand", "hfos.crash_brakes"),
        ("orchestrator_policy", "/policy", "as_of", "orchestrator.daily_loss", "orchestrator.blocked"),
    ],
)
def test_what_is_said_for_want_of_a_fact_is_marked_by_rule_and_times_are_as_elsewhere(
    name: str, path: str, time: str, unsure: str, sure: str
) -> None:
    one = made(name)
    one.step()
    found = asked(one).get(path).json()
    mark = " (for want of a fact)"
    assert found["because"][unsure].endswith(mark)
    # It fires on what others decided, which is known.
    assert not found["because"][sure].endswith(mark)
    assert parse_time(found[time]) > 1_700_000_000_000
    one.close()


def test_the_hand_on_the_mode_has_a_time_as_elsewhere() -> None:
    one = made("ai_hfos")
    one.module.set_risk_mode("SAFE", person="ada", reason="to see")  # type: ignore[attr-defined]  # because it is that module
    hand = asked(one).get("/state").json()["hand"]
    assert (hand["what"], hand["person"]) == ("hold SAFE", "ada")
    assert parse_time(hand["at"]) > 1_700_000_000_000
    one.close()


@pytest.mark.parametrize(("name", "path", "field"), [("pil", "/classify", "category"), ("pal", "/evaluate", "action")])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"symbol": "BTCUSDT", "side": "LONG", "r_multiple": 2.0}, 200),
        ({}, 200),
        ({"symbol": 7, "r_multiple": "much"}, 200),
        ([], 422),
        (None, 422),
    ],
)
def test_a_position_is_handed_over(name: str, path: str, field: str, body: Any, status: int) -> None:
    one = made(name)
    answer = asked(one).post(path, json=body)
    assert answer.status_code == status, answer.text
    assert status != 200 or field in answer.json()
    one.close()


def test_there_is_no_module_of_another_name() -> None:
    with pytest.raises(PolicyError, match="no module is called `pbaa`"):
        made("pbaa")
    with pytest.raises(PolicyError, match="no module is called `book`"):
        made("book")
