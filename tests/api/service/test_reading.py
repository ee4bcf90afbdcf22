"""Bodies are read strictly: nothing is dropped, guessed or too long, and whoever sent it is told what to mend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.service.asked import Batch
from api.service.joint import MOST_REQUESTS
from api.service.problems import MOST_ERRORS, answer_with_problems
from api.service.reading import MOST_BYTES, read_strictly

JSON = {"content-type": "application/json"}
BUY = {"symbol": "BTCUSDT", "side": "LONG"}


@pytest.fixture(scope="module")
def http() -> Iterator[TestClient]:
    app = FastAPI()
    read_strictly(app)
    answer_with_problems(app)

    @app.post("/ask")
    def ask(batch: Batch) -> list[str]:
        return sorted(batch.requests)

    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def refused(http: TestClient, body: bytes | str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    answer = http.post("/ask", content=body, headers=JSON if headers is None else headers)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["detail"]


def asked(**more: Any) -> str:
    return json.dumps({"requests": {"r": BUY | more}})


def test_a_request_that_is_there_twice_is_refused_and_not_dropped(http: TestClient) -> None:
    twice = '{"requests": {"r": {"symbol": "BTCUSDT", "side": "LONG"}, "r": {"symbol": "ETHUSDT", "side": "SHORT"}}}'
    assert refused(http, twice) == (422, "body: it is no JSON: `r` is in it more than once")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"requests": {"r": {"notional": NaN}}}', "NaN is no number"),
        ('{"requests": {"r": {"notional": -Infinity}}}', "-Infinity is no number"),
        ('{"requests": {"r": {"votes": ' + "9" * 5000 + "}}}", "it is no JSON"),
        (b"\xff\xfe\x00", "it is no JSON"),
        ("{", "it is no JSON"),
        ('{"\\ud800": 1, "\\ud800": 2}', "`?` is in it more than once"),
        (" ", "it is no JSON"),
    ],
)
def test_what_is_no_json_is_refused_in_words(http: TestClient, body: bytes | str, said: str) -> None:
    status, detail = refused(http, body)
    assert status == 422
    assert said in detail


@pytest.mark.parametrize("kind", [{}, {"content-type": "text/plain"}, {"content-type": "application/x-json-not"}])
def test_what_is_not_said_to_be_json_is_told_the_header_to_send(http: TestClient, kind: dict[str, str]) -> None:
    status, detail = refused(http, asked(), kind)
    assert status == 415
    assert "`content-type: application/json`" in detail


def test_a_body_that_is_too_long_is_refused_whether_or_not_it_says_its_length(http: TestClient) -> None:
    assert refused(http, "[" + "1," * MOST_BYTES)[0] == 413
    answer = http.post("/ask", content=(b"1," * 1000 for _ in range(MOST_BYTES // 1000)), headers=JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "more",
    [
        {"notional": "500"},
        {"notional": True},
        {"notional": 1e-320},
        {"price": 1e308},
        {"leverage": [2]},
        {"confidence": True},
        {"votes": 10**30},
        {"votes": 2.5},
        {"votes": "3"},
        {"reduce_only": "yes"},
        {"reduce_only": 1},
    ],
)
def test_values_of_another_type_are_refused_and_not_turned_into_it(http: TestClient, more: dict[str, Any]) -> None:
    status, detail = refused(http, asked(**more))
    assert status == 422
    assert detail.startswith(f"body.requests.r.{next(iter(more))}: ")


def test_no_more_requests_than_a_snapshot_takes_and_no_more_errors_than_one_reads(http: TestClient) -> None:
    most = {f"r{n}": BUY for n in range(MOST_REQUESTS)}
    assert http.post("/ask", json={"requests": most}).status_code == 200
    assert refused(http, json.dumps({"requests": most | {"one": BUY}}))[0] == 422
    answer = http.post("/ask", json={"requests": {f"r{n}": {"symbol": 1} for n in range(90)}}).json()
    assert answer["count"] == 180
    assert len(answer["errors"]) == MOST_ERRORS
