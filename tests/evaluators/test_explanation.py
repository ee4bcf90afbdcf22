"""Why a decision is what it is, and what would change it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluators.counterfactual import would_change
from evaluators.explanation import observed, reasons
from evaluators.interpreter import Interpreter
from evaluators.snapshot import Snapshot
from evaluators.testing import calm_snapshot
from modules.facts import default_catalogue
from policy_dsl.bundle import Bundle, load_text

CATALOGUE = default_catalogue()

RULES = """
policy stop version 1.0.0
param limit = 5% in 1% to 10%
output state: HALTED < ARMED starts ARMED
output cap: ratio in 0% to 100% starts 80% tightens down
output acts for each position: set of ADD, TRIM

rule deep
  when account.drawdown > limit
  tighten state to HALTED
  alert CRITICAL
  because "drawdown {account.drawdown} is over {limit}, {{so}} we stop"

rule rough
  when market.volatility in {HIGH, EXTREME}
  tighten cap to 50%

rule tense
  when state is HALTED
  tighten cap to 50%
  scale cap by 50%

rule losing for each position
  when position.r_multiple < 0R
  permit TRIM
  forbid ADD

rule winning for each position
  when position.r_multiple > 1R
  permit ADD

rule unsure for each request
  when request.confidence < 60%
  deny
  because "confidence {request.confidence}"

rule trial observing
  when account.drawdown > 1%
  tighten cap to 10%
"""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_text({"stop.rules": RULES}, CATALOGUE)


def state(**facts: int | None) -> Snapshot:
    calm = calm_snapshot(CATALOGUE)
    return replace(calm, facts={**calm.facts, **{k.replace("__", "."): v for k, v in facts.items()}})


def with_rows(snapshot: Snapshot, entity: str, rows: dict[str, dict[str, int]]) -> Snapshot:
    calm = {f.name: f.calm for f in CATALOGUE.entities[entity].facts.values()}
    return replace(snapshot, rows={**snapshot.rows, entity: {k: {**calm, **v} for k, v in rows.items()}})


def test_a_reason_names_the_rule_the_facts_and_the_margin(bundle: Bundle) -> None:
    snapshot = state(account__drawdown=61_000_000)
    found = {r.rule: r for r in reasons(bundle.program, snapshot, Interpreter(bundle.program).decide(snapshot))}
    deep = found["stop.deep"]
    assert deep.because == "drawdown 6.1% is over 5%, {so} we stop"
    assert deep.definite
    assert deep.binds == ("stop.state",)
    assert [level.value for level in deep.alerts] == ["CRITICAL"]
    assert [(s.name, s.value) for s in deep.seen] == [("account.drawdown", "6.1%")]
    margin = deep.margins[0]
    assert (margin.comparison, margin.truth, margin.text) == ("account.drawdown > stop.limit", True, "1.1%")
    assert deep.place(bundle.sources) == "stop.rules:8"


@pytest.mark.parametrize(
    ("drawdown", "text"),
    [
        (67_463_388, "drawdown 6.746% is over 5%"),
        (50_000_001, "drawdown 5.0000001% is over 5%"),
        (1_000_000_000, "drawdown 100% is over 5%"),
    ],
)
def test_a_reason_rounds_unless_two_figures_would_read_the_same(bundle: Bundle, drawdown: int, text: str) -> None:
    snapshot = state(account__drawdown=drawdown)
    found = {r.rule: r for r in reasons(bundle.program, snapshot, Interpreter(bundle.program).decide(snapshot))}
    assert found["stop.deep"].because.startswith(text)


def test_a_bound_that_does_not_decide_is_no_reason(bundle: Bundle) -> None:
    """Halving takes the cap to 40 %, so the bound of 50 % binds nothing; the rule binds through its factor."""
    snapshot = state(account__drawdown=61_000_000, market__volatility=2)
    decision = Interpreter(bundle.program).decide(snapshot)
    assert decision.outputs["stop.cap"] == 400_000_000
    found = {r.rule for r in reasons(bundle.program, snapshot, decision)}
    assert found == {"stop.deep", "stop.tense"}
    assert "stop.rough" in {f.rule for f in decision.firings}


def test_a_missing_fact_reads_unknown_and_is_not_definite(bundle: Bundle) -> None:
    snapshot = state(account__drawdown=None)
    found = reasons(bundle.program, snapshot, Interpreter(bundle.program).decide(snapshot))
    deep = next(r for r in found if r.rule == "stop.deep")
    assert not deep.definite
    assert deep.because.startswith("drawdown unknown")
    assert deep.margins[0].truth is None
    assert deep.margins[0].distance is None


def test_a_forbid_binds_where_it_takes_a_permit_back(bundle: Bundle) -> None:
    losing = with_rows(state(), "position", {"p1": {"r_multiple": -1}})
    found = {r.rule: r.binds for r in reasons(bundle.program, losing, Interpreter(bundle.program).decide(losing))}
    assert found == {"stop.losing": ("stop.acts",)}


GROWING = """
policy grow version 1.0.0
output acts for each position: set of ADD

rule winning for each position
  when position.r_multiple > 1R
  permit ADD

rule large for each position
  when position.notional > 1_000 USD
  forbid ADD
"""


def test_a_forbid_binds_on_the_rows_where_a_permit_fired_and_on_no_others() -> None:
    program = load_text({"grow.rules": GROWING}, CATALOGUE).program
    large = 5_000_000_000
    rows = {
        "p1": {"r_multiple": -1, "notional": large},
        "p2": {"r_multiple": 2_000_000_000, "notional": 0},
        "p3": {"r_multiple": 2_000_000_000, "notional": large},
    }
    held = with_rows(state(), "position", rows)
    found = [(r.rule, r.key) for r in reasons(program, held, Interpreter(program).decide(held))]
    assert found == [("grow.large", "p3"), ("grow.winning", "p2")]


def test_what_an_observing_rule_would_do_is_explained_apart(bundle: Bundle) -> None:
    snapshot = state(account__drawdown=20_000_000)
    decision = Interpreter(bundle.program).decide(snapshot)
    assert decision.outputs["stop.cap"] == 800_000_000
    assert decision.would_be == {"stop.cap": 100_000_000}
    assert [r.rule for r in observed(bundle.program, snapshot, decision)] == ["stop.trial"]
    assert reasons(bundle.program, snapshot, decision) == ()


def test_the_smallest_change_moves_one_fact_to_its_figure(bundle: Bundle) -> None:
    decide = Interpreter(bundle.program).decide
    change = would_change(bundle.program, CATALOGUE, state(account__drawdown=61_000_000), decide, "stop.state")
    assert change is not None
    assert [m.text(CATALOGUE) for m in change.moves] == ["account.drawdown from 6.1% to 5%"]
    assert (change.before, change.after) == (0, 1)


def test_two_rules_that_bind_take_two_changes(bundle: Bundle) -> None:
    """Volatility and drawdown both hold the cap down; from 40 % it takes only the drawdown to reach 50 %."""
    decide = Interpreter(bundle.program).decide
    rules = RULES.replace("scale cap by 50%", "")
    both = load_text({"stop.rules": rules}, CATALOGUE)
    snapshot = state(account__drawdown=61_000_000, market__volatility=2)
    change = would_change(both.program, CATALOGUE, snapshot, Interpreter(both.program).decide, "stop.cap")
    assert change is not None
    assert sorted(m.field for m in change.moves) == ["drawdown", "volatility"]
    one = would_change(bundle.program, CATALOGUE, snapshot, decide, "stop.cap")
    assert one is not None
    assert [m.field for m in one.moves] == ["drawdown"]


def test_a_denied_request_is_told_what_would_allow_it(bundle: Bundle) -> None:
    snapshot = with_rows(state(), "request", {"r1": {"confidence": 400_000_000}, "r2": {"confidence": 900_000_000}})
    decide = Interpreter(bundle.program).decide
    change = would_change(bundle.program, CATALOGUE, snapshot, decide, "verdict", "r1")
    assert change is not None
    assert [m.text(CATALOGUE) for m in change.moves] == ['request["r1"].confidence from 40% to 60%']
    assert decide(snapshot).outputs["verdict"] == {"r1": 0, "r2": 1}


def test_a_missing_fact_is_filled_in_to_decide_otherwise(bundle: Bundle) -> None:
    decide = Interpreter(bundle.program).decide
    change = would_change(bundle.program, CATALOGUE, state(account__drawdown=None), decide, "stop.state")
    assert change is not None
    assert change.moves[0].old is None
    assert change.after == 1


def test_an_output_that_is_not_there_is_refused(bundle: Bundle) -> None:
    with pytest.raises(KeyError):
        would_change(bundle.program, CATALOGUE, state(), Interpreter(bundle.program).decide, "stop.nothing")
