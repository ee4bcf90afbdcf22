"""Decisions are written as programs and people read them."""

from __future__ import annotations

import json

from evaluators.decision import Decision, Firing
from evaluators.documents import (
    decision_document,
)
from policy_dsl.nodes import TRUE, Constant
from policy_dsl.program import Direction, Output, Permit, Program, Rule
from policy_dsl.types import RATIO, ItemSet, Levels

TS = "2025-10-10T21:00:00Z"
AT = 1_760_130_000_000


MODE = Levels("risk_mode", ("SAFE", "NORMAL"))
ACTIONS = ItemSet("pal.actions", ("ADD_SIZE", "EXTEND_HOLD"))
PROGRAM = Program(
    "abc",
    (),
    (
        Output("hfos.risk_mode", "hfos", None, MODE, 1, Direction.DOWN),
        Output("pba.max_exposure", "pba", None, RATIO, 10**9, Direction.DOWN, 0, 10**9),
        Output("pal.actions", "pal", "position", ACTIONS, None, None),
    ),
    (Rule("pal.add", "pal", None, TRUE, (Permit("pal.actions", "ADD_SIZE", (Constant(25 * 10**7, RATIO),)),), ()),),
)


def test_a_decision_is_written_in_document_units() -> None:
    decision = Decision(
        "main",
        AT,
        {
            "hfos.risk_mode": 0,
            "pba.max_exposure": 5 * 10**8,
            "pal.actions": {"p2": (), "p1": (("ADD_SIZE", (25 * 10**7,)), ("EXTEND_HOLD", ()))},
        },
        (Firing("hfos.drawdown", "", True), Firing("pal.add", "p1", False)),
        {"hfos.risk_mode": 1},
    )
    document = decision_document(decision, PROGRAM, alerts=[{"level": "CRITICAL", "rule": "hfos.drawdown"}])
    assert document == {
        "ts": TS,
        "book": "main",
        "bundle": "abc",
        "outputs": {
            "hfos.risk_mode": "SAFE",
            "pba.max_exposure": 0.5,
            "pal.actions": {"p1": {"ADD_SIZE": [0.25], "EXTEND_HOLD": []}, "p2": {}},
        },
        "reasons": [
            {"rule": "hfos.drawdown", "entity": None, "because": None, "definite": True},
            {"rule": "pal.add", "entity": "p1", "because": None, "definite": False},
        ],
        "alerts": [{"level": "CRITICAL", "rule": "hfos.drawdown"}],
        "would_be": {"hfos.risk_mode": "NORMAL"},
    }
    assert json.loads(json.dumps(document)) == document


def test_reasons_are_taken_as_they_are() -> None:
    reason = {"rule": "hfos.drawdown", "entity": None, "because": "drawdown 6.1% is over 3%", "definite": True}
    document = decision_document(Decision("main", AT, {}, ()), PROGRAM, reasons=[reason])
    assert document["reasons"] == [reason]
