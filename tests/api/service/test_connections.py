"""Connections that ask nothing leave room for those that ask."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread
from time import monotonic, sleep

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from api.service import connections, reading
from api.service.asked import Hand
from api.service.connections import Connection
from api.service.problems import answer_with_problems
from api.service.reading import read_strictly

HALF = b"POST /stop HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"

LONG = 20_000_000
"""Letters: more than the system takes for a caller that does not read."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A service that has little patience, and few connections."""
    monkeypatch.setattr(connections, "MOST", 5)
    monkeypatch.setattr(connections, "PATIENCE_SECONDS", 0.4)
    monkeypatch.setattr(reading, "PATIENCE_SECONDS", 0.1)
    app = FastAPI()
    read_strictly(app)
    answer_with_problems(app)

    @app.post("/stop")
    def stop(hand: Hand) -> str:
        return hand.person

    @app.get("/long")
    def long() -> str:
        return "x" * LONG

    server = uvicorn.Server(uvicorn.Config(app, http=Connection, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = Thread(target=server.run, args=([taken],))
        running.start()
        yield taken.getsockname()[1]
        server.should_exit = True
        running.join(10)


def stops(port: int) -> bool:
    answer = httpx2.post(f"http://127.0.0.1:{port}/stop", json={"person": "ada", "reason": "3am"}, timeout=10)
    return answer.text == '"ada"'


@pytest.mark.parametrize("sent", [b"", b"POST /st", HALF], ids=["nothing", "half a head", "half a body"])
def test_a_connection_that_asks_nothing_is_given_up_after_a_while(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as idle:
        idle.sendall(sent)
        answer = b""
        while part := _received(idle):
            answer += part
    assert (b"408" in answer and b"problem+json" in answer and b"not all of it came within" in answer) == (sent == HALF)
    assert stops(port)


def test_however_many_connections_are_left_open_the_next_caller_is_answered(port: int) -> None:
    with ExitStack() as stack:
        left = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10)) for _ in range(12)]
        assert stops(port)
        for idle in left[:6]:
            assert _received(idle) == b""


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_an_answer_that_nobody_reads_is_given_up_and_one_that_is_read_slowly_is_not(port: int, more: bytes) -> None:
    ask = b"GET /long HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
        one.sendall(ask)
        sleep(1.5)
        assert _all_of(one) < LONG
    with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
        one.sendall(ask)
        sleep(0.1)
        assert _all_of(one) > LONG


def test_a_request_that_comes_in_pieces_is_answered(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        for piece in (HALF[:20], HALF[20:-1], b"{}       "):
            slow.sendall(piece)
            sleep(0.01)
        until = monotonic() + 10
        answer = b""
        while b"Field required" not in answer and monotonic() < until:
            answer += _received(slow)
    assert answer.startswith(b"HTTP/1.1 422")


def _all_of(one: socket.socket) -> int:
    """How many bytes come until it is closed."""
    count = 0
    while part := _received(one):
        count += len(part)
    return count


def _received(one: socket.socket) -> bytes:
    try:
        return one.recv(65536)
    except ConnectionResetError:
        return b""
