"""`/v1/models`: which versions of the fund's models count, and the hands that train, take back or withdraw one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from api.service.asked import Hand
from api.service.problems import Problem
from api.service.running import Running
from modules.learning.learning import Learning
from modules.learning.shelf import ShelfError

Call = Callable[[str, int, str, str], None]


def add_model_routes(app: FastAPI, running: Running) -> None:
    """Add the routes of the fund's own models; a fund without any has none to tell of."""

    @app.get("/v1/models")
    def models() -> list[dict[str, Any]]:
        """Every model with its versions."""
        learning = running.learning
        return [] if learning is None else [_model(learning, name) for name in sorted(learning.kinds)]

    @app.post("/v1/models:begin")
    def begin(hand: Hand) -> dict[str, Any]:
        """Begin a first training of every model that has no live version."""
        _check(hand)
        return {"training": list(_there(running).begin(running.now(), hand.person, hand.reason))}

    @app.post("/v1/models/{name}/train")
    def train(name: str, hand: Hand) -> dict[str, Any]:
        """Begin a training beside the live version."""
        return _done(running, name, hand, _there(running).start_by_hand)

    @app.post("/v1/models/{name}/roll_back")
    def roll_back(name: str, hand: Hand) -> dict[str, Any]:
        """Put the version before in the live one's place."""
        return _done(running, name, hand, _there(running).roll_back_by_hand)

    @app.post("/v1/models/{name}/withdraw")
    def withdraw(name: str, hand: Hand) -> dict[str, Any]:
        """Do away with the challenger."""
        return _done(running, name, hand, _there(running).withdraw_by_hand)


def _there(running: Running) -> Learning:
    if running.learning is None:
        raise Problem(404, "no models", "this fund has no models of its own")
    return running.learning


def _done(running: Running, name: str, hand: Hand, call: Call) -> dict[str, Any]:
    _check(hand)
    call(name, running.now(), hand.person, hand.reason)
    return _model(_there(running), name)


def _check(hand: Hand) -> None:
    if not hand.person.strip() or not hand.reason.strip():
        raise Problem(422, "who and why", "it needs a person and a reason")


def _model(learning: Learning, name: str) -> dict[str, Any]:
    try:
        return {"model": name, "versions": learning.pointer(name).model_dump(mode="json"), "fault": None}
    except ShelfError as error:
        return {"model": name, "versions": None, "fault": str(error)}
