"""Params, levels and outputs: what a declaration makes, and which way an output tightens."""

from __future__ import annotations

import pytest

from policy_dsl import nodes
from policy_dsl import program as p
from policy_dsl.types import COUNT, DURATION, FLAG, LEVERAGE, MONEY, NUMBER, RATIO, TEXT, ItemSet, Levels, Type
from tests.catalogue_for_tests import TIER
from tests.policy_dsl.bundles import bundle, codes, program

DOWN, UP = p.Direction.DOWN, p.Direction.UP

PARAMS: list[tuple[str, Type, object, int | None, int | None]] = [
    ("3% in 1% to 10%", RATIO, 30_000_000, 10_000_000, 100_000_000),
    ("-3%", RATIO, -30_000_000, None, None),
    ("30m", DURATION, 1_800_000, None, None),
    ("5_000 USD", MONEY, 5_000_000_000, None, None),
    ("20x in 1x to 50x", LEVERAGE, 20 * 10**9, 10**9, 50 * 10**9),
    ("5 in 1 to 9", COUNT, 5, 1, 9),
    ("0.65", NUMBER, 650_000_000, None, None),
    ("yes", FLAG, True, None, None),
    ('"BTCUSDT"', TEXT, "BTCUSDT", None, None),
]


@pytest.mark.parametrize(("text", "kind", "value", "low", "high"), PARAMS, ids=[t for t, *_ in PARAMS])
def test_params(text: str, kind: Type, value: object, low: int | None, high: int | None) -> None:
    (made,) = program(f"param limit = {text}\n").params
    assert (made.id, made.type, made.value, made.default) == ("p.limit", kind, value, value)
    assert (made.low, made.high) == (low, high)


def test_a_type_says_what_a_bare_number_counts() -> None:
    made = {x.id: x for x in program("param a: number = 5 in 1 to 9\nparam b: tier = CORE\n").params}
    assert (made["p.a"].type, made["p.a"].value, made["p.a"].high) == (NUMBER, 5 * 10**9, 9 * 10**9)
    assert (made["p.b"].type, made["p.b"].value) == (TIER, 3)


def test_a_param_names_no_other_param() -> None:
    assert codes("param a = 5%\nparam b = a\n") == ["RF206"]
    assert codes("param a = 5%\nparam b = 3% in 0% to a\n") == ["RF206"]


def test_levels_are_shared_between_policies() -> None:
    texts = {
        "a.rules": "policy a version 1.0.0\nlevels stress = CALM < TENSE < BROKEN\n",
        "b.rules": "policy b version 1.0.0\noutput stress: stress\n  starts CALM\n",
    }
    output = program(texts).output("b.stress")
    assert output.type == Levels("stress", ("CALM", "TENSE", "BROKEN"))
    assert output.direction is UP


OUTPUTS: list[tuple[str, Type, object, p.Direction | None, object]] = [
    ("A < B < C starts C", Levels("p.o", ("A", "B", "C")), 2, DOWN, 0),
    ("A < B < C starts A", Levels("p.o", ("A", "B", "C")), 0, UP, 2),
    ("A < B < C starts B tightens down", Levels("p.o", ("A", "B", "C")), 1, DOWN, 0),
    ("A < B < C starts B tightens up", Levels("p.o", ("A", "B", "C")), 1, UP, 2),
    ("flag starts yes", FLAG, True, DOWN, False),
    ("flag starts no", FLAG, False, UP, True),
    ("ratio starts 100% in 0% to 100%", RATIO, 10**9, DOWN, 0),
    ("ratio starts 0% in 0% to 100%", RATIO, 0, UP, 10**9),
    ("ratio starts 60% in 0% to 100% tightens up", RATIO, 600_000_000, UP, 10**9),
    ("ratio starts 60% tightens down", RATIO, 600_000_000, DOWN, None),
    ("count starts 5 in 0 to 5", COUNT, 5, DOWN, 0),
    ("tier starts CORE", TIER, 3, DOWN, 0),
    ("set of ADD, HOLD", ItemSet("p.o", ("ADD", "HOLD")), None, None, None),
]


@pytest.mark.parametrize(("text", "kind", "starts", "direction", "strictest"), OUTPUTS, ids=[t for t, *_ in OUTPUTS])
def test_outputs(text: str, kind: Type, starts: object, direction: p.Direction | None, strictest: object) -> None:
    made = program(f"output o: {text}\n").output("p.o")
    assert (made.type, made.starts, made.direction) == (kind, starts, direction)
    assert made.entity is None
    if direction is not None:
        assert made.strictest == strictest


def test_an_output_for_each_row() -> None:
    made = program("output o for each position: A < B\n  starts B\n").output("p.o")
    assert made.entity == "position"


def test_an_output_that_waits_and_one_that_latches() -> None:
    made = program(
        "param hold = 30m\noutput a: A < B\n  starts B\n  relaxes after hold\n"
        "output b: A < B\n  starts B\n  latches until operator.stop_requested is no\n"
    )
    assert made.output("p.a").relaxes_after == 1_800_000
    latch = made.output("p.b").latches_until
    assert latch is not None
    assert str(latch.type) == "condition"


def test_a_latch_for_each_row_reads_its_row() -> None:
    made = program("output o for each position: A < B\n  starts B\n  latches until position.notional < 5 USD\n")
    latch = made.output("p.o").latches_until
    assert isinstance(latch, nodes.Compare)
    assert latch.left == nodes.RowRead(nodes.Row("position", "position"), "notional", MONEY)


@pytest.mark.parametrize("clause", ["relaxes after 5m", "latches until operator.stop_requested"])
def test_an_output_for_each_request_keeps_nothing(clause: str) -> None:
    output = f"output o for each {{}}: A < B\n  starts B\n  {clause}\n"
    assert codes(output.format("request")) == ["RF411"]
    assert codes(output.format("position")) == []


def test_an_output_may_start_at_a_param() -> None:
    made = program("param limit = 80%\noutput o: ratio in 0% to 100%\n  starts limit\n  tightens down\n").output("p.o")
    assert made.starts == 800_000_000


def test_requests_have_a_verdict() -> None:
    verdict = program("").output("verdict")
    assert (verdict.entity, verdict.starts, verdict.direction, verdict.policy) == ("request", 1, DOWN, "fund")
    assert str(verdict.type) == "verdict"


def test_what_uses_a_broken_declaration_is_not_reported_again() -> None:
    text = """
output broken: ratio
  starts 5
param wrong: ratio = 5 USD
rule r
  when broken < 5% and account.drawdown > wrong and p.broken < 5%
  tighten broken to 3%
"""
    assert codes(text) == ["RF204", "RF204"]


def test_the_stricter_of_two_values() -> None:
    made = program("output a: A < B < C\n  starts C\noutput b: A < B < C\n  starts A\n")
    assert made.output("p.a").stricter(0, 2) == 0
    assert made.output("p.b").stricter(0, 2) == 2


def test_a_policy_says_what_it_is_for() -> None:
    texts = {"x.rules": 'policy a version 1.2.3\n  "for what"\n', "y.rules": "policy b version 2.0.0\n"}
    infos = bundle(texts).policies
    assert [(i.name, i.version, i.doc, i.path) for i in infos] == [
        ("a", "1.2.3", "for what", "x.rules"),
        ("b", "2.0.0", "", "y.rules"),
    ]
