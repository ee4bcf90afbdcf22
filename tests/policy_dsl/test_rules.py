"""What rules are typed into: scope, guard with exits left alone, exception, reason, effects and whom they reach."""

from __future__ import annotations

import pytest

from policy_dsl import nodes
from policy_dsl import program as p
from policy_dsl.operators import Operator
from policy_dsl.types import COUNT, FLAG, MONEY, RATIO, TEXT
from policy_dsl.writing import write_expression
from tests.catalogue_for_tests import EFFECT
from tests.policy_dsl.bundles import codes, effect, guard, program, report, rule

STOP = nodes.IsTrue(nodes.FactRead("operator", "stop_requested", FLAG))
DECLARED = """
output mode: A < B < C
  starts C
output size: ratio in 0% to 100%
  starts 100%
output floor: ratio in 10% to 100%
  starts 10%
output halt: flag
  starts no
output stop for each position: A < B
  starts B
output share for each request: ratio in 0% to 100%
  starts 100%
output actions for each position: set of ADD, HOLD
output powers: set of LEND
"""


def spared(variable: str = "request") -> nodes.OneOf:
    """Neither REDUCE nor CLOSE."""
    ranks = tuple(sorted(map(EFFECT.rank, ("REDUCE", "CLOSE"))))
    return nodes.OneOf(nodes.RowRead(nodes.Row("request", variable), "effect", EFFECT), ranks, negated=True)


# --- guards ----------------------------------------------------------------------------------------------------------


def test_a_rule_without_a_condition_is_always_meant() -> None:
    assert rule("rule r alert INFO").guard == nodes.TRUE


def test_unless_is_the_opposite_of_when() -> None:
    assert rule("rule r unless operator.stop_requested alert INFO").guard == nodes.Not(STOP)
    both = rule("rule r when operator.stop_requested unless operator.stop_requested alert INFO").guard
    assert both == nodes.All((STOP, nodes.Not(STOP)))


def test_a_rule_for_each_request_leaves_exits_alone() -> None:
    assert rule("rule r for each request deny").guard == spared()
    assert guard("operator.stop_requested", scope="for each request") == nodes.All((spared(), STOP))


def test_a_rule_may_include_exits() -> None:
    made = rule("rule r for each request including exits deny")
    assert made.guard == nodes.TRUE
    assert made.scope == p.Scope("request", "request", including_exits=True)


def test_the_name_of_a_row_is_the_authors_own_affair() -> None:
    made = rule("rule r for each position as x when x.notional > 5 USD alert INFO")
    assert made.scope == p.Scope("position", "position")
    assert write_expression(made.guard) == "position.notional > 5 USD"


def test_an_exception_has_a_time_a_condition_and_a_ticket() -> None:
    made = rule(
        DECLARED + 'rule r except until 2026-12-31 when operator.stop_requested because "OPS-1" tighten mode to A'
    )
    assert (made.excuse, made.excuse_until, made.ticket) == (STOP, 1_798_675_200_000, "OPS-1")
    assert made.guard == nodes.TRUE


def test_an_observing_rule() -> None:
    assert rule("rule r observing alert INFO").observing
    assert program("rule r observing alert INFO").enforced().rules == ()


# --- reasons ---------------------------------------------------------------------------------------------------------

DRAWDOWN = nodes.FactRead("account", "drawdown", RATIO)
REASONS: list[tuple[str, tuple[str | p.Hole, ...]]] = [
    ("plain words", ("plain words",)),
    ("{account.drawdown}", (p.Hole(DRAWDOWN, "account.drawdown"),)),
    ("is { account.drawdown } now", ("is ", p.Hole(DRAWDOWN, "account.drawdown"), " now")),
    ("{{not a hole}} {account.drawdown}", ("{not a hole} ", p.Hole(DRAWDOWN, "account.drawdown"))),
    ("{{{account.drawdown}}}", ("{", p.Hole(DRAWDOWN, "account.drawdown"), "}")),
    ("a \\\\ b \\n c", ("a \\ b \n c",)),
    ("", ()),
]


@pytest.mark.parametrize(("text", "parts"), REASONS)
def test_reasons_alternate_words_and_holes(text: str, parts: tuple[str | p.Hole, ...]) -> None:
    assert rule(f'rule r alert INFO because "{text}"').because == parts


def test_a_hole_holds_any_expression() -> None:
    (hole,) = rule('rule r alert INFO because "{40% of account.equity - 5 USD}"').because
    assert isinstance(hole, p.Hole)
    assert (hole.text, hole.expression.type) == ("40% of account.equity - 5 USD", MONEY)


def test_a_hole_may_hold_a_quoted_key() -> None:
    made = rule('rule r alert INFO because "\\"x\\" { verdict[\\"r1\\"] } {{\\{account.drawdown}"').because
    verdict = nodes.OutputRead(
        "verdict", nodes.Row("request", key=nodes.Constant("r1", TEXT)), program("").output("verdict").type
    )
    assert made == ('"x" ', p.Hole(verdict, 'verdict["r1"]'), " {", p.Hole(DRAWDOWN, "account.drawdown"))


def test_errors_after_quotes_are_underlined_where_they_stand() -> None:
    found = report('rule r alert INFO because "\\"\\" {account.drawdwn} {verdict[\\"r1\\"].x} }"\n')
    shown = [found.sources["p.rules"].text[d.span.start : d.span.end] for d in found.diagnostics if d.span]
    assert shown[:1] == [".drawdwn"]
    assert [d.code for d in found.diagnostics] == ["RF202", "RF202", "RF101"]
    assert shown[-1] == "}"


CONDITIONS = [
    ("", "always"),
    ("when operator.stop_requested", "operator.stop_requested"),
    ("unless operator.stop_requested", "not operator.stop_requested"),
    ("when (account.drawdown   > 5%)", "account.drawdown > 5%"),
    (
        "when account.drawdown > 5% # a comment\n and operator.stop_requested",
        "account.drawdown > 5% and operator.stop_requested",
    ),
    (
        "when (account.drawdown > 5% or operator.stop_requested) and operator.stop_requested",
        "(account.drawdown > 5% or operator.stop_requested) and operator.stop_requested",
    ),
    (
        "when account.drawdown > 5% or operator.stop_requested unless operator.stop_requested or account.drawdown > 6%",
        "(account.drawdown > 5% or operator.stop_requested) and not (operator.stop_requested or account.drawdown > 6%)",
    ),
]


@pytest.mark.parametrize(("condition", "reason"), CONDITIONS)
def test_without_a_reason_the_condition_is_the_reason(condition: str, reason: str) -> None:
    assert rule(f"rule r {condition}\n alert INFO").because == (reason,)


# --- effects ---------------------------------------------------------------------------------------------------------

TO, BY, SCALE = p.How.TO, p.How.BY, p.How.SCALE
OUTPUTS = {o.id: o for o in program(DECLARED).outputs}
MODE = OUTPUTS["p.mode"].type
EFFECTS: list[tuple[str, str, p.Effect]] = [
    ("tighten mode to A", "", p.Tighten("p.mode", TO, nodes.Constant(0, MODE))),
    ("tighten p.mode to A", "", p.Tighten("p.mode", TO, nodes.Constant(0, MODE))),
    ("tighten mode to A for 5m", "", p.Tighten("p.mode", TO, nodes.Constant(0, MODE), hold=300_000)),
    ("tighten size to 50%", "", p.Tighten("p.size", TO, nodes.Constant(500_000_000, RATIO))),
    ("tighten size by 5%", "", p.Tighten("p.size", BY, nodes.Constant(50_000_000, RATIO))),
    ("scale size by 50%", "", p.Tighten("p.size", SCALE, nodes.Constant(500_000_000, RATIO))),
    ("scale floor by 2", "", p.Tighten("p.floor", SCALE, nodes.Constant(2 * 10**9, RATIO))),
    (
        "scale floor by account.losing_streak",
        "",
        p.Tighten(
            "p.floor",
            SCALE,
            nodes.Arithmetic(
                Operator.MULTIPLY,
                nodes.FactRead("account", "losing_streak", COUNT),
                nodes.Constant(10**9, RATIO),
                RATIO,
            ),
        ),
    ),
    ("tighten halt to yes", "", p.Tighten("p.halt", TO, nodes.Constant(True, FLAG))),
    ("tighten stop to A", "for each position", p.Tighten("p.stop", TO, nodes.Constant(0, OUTPUTS["p.stop"].type))),
    ("tighten stop to A", "", p.Tighten("p.stop", TO, nodes.Constant(0, OUTPUTS["p.stop"].type))),
    ("tighten size to 50%", "for each position", p.Tighten("p.size", TO, nodes.Constant(500_000_000, RATIO))),
    ("tighten share to 50%", "", p.Tighten("p.share", TO, nodes.Constant(500_000_000, RATIO), where=spared())),
    ("tighten share to 50%", "for each request", p.Tighten("p.share", TO, nodes.Constant(500_000_000, RATIO))),
    ("deny", "", p.Tighten("verdict", TO, nodes.Constant(0, OUTPUTS["verdict"].type), where=spared())),
    ("deny", "for each request", p.Tighten("verdict", TO, nodes.Constant(0, OUTPUTS["verdict"].type))),
    (
        "tighten verdict to DENY",
        "for each request",
        p.Tighten("verdict", TO, nodes.Constant(0, OUTPUTS["verdict"].type)),
    ),
    ("forbid ADD", "", p.Forbid("p.actions", "ADD")),
    (
        "permit ADD(25%, 5 USD)",
        "for each position",
        p.Permit("p.actions", "ADD", (nodes.Constant(250_000_000, RATIO), nodes.Constant(5_000_000, MONEY))),
    ),
    ("permit LEND in p.powers", "for each position", p.Permit("p.powers", "LEND")),
    ("alert CRITICAL", "", p.Alert(p.AlertLevel.CRITICAL)),
]


@pytest.mark.parametrize(("text", "scope", "typed"), EFFECTS, ids=[f"{s} {t}".strip() for t, s, _ in EFFECTS])
def test_effects(text: str, scope: str, typed: p.Effect) -> None:
    assert effect(text, scope=scope, declared=DECLARED) == typed


def test_a_bound_may_hold_until_a_time() -> None:
    made = effect("tighten mode to A until clock.now + 5m", declared=DECLARED)
    assert isinstance(made, p.Tighten)
    assert made.until is not None
    assert write_expression(made.until) == "clock.now + 5m"


def test_an_item_is_found_in_the_policy_of_the_rule_first() -> None:
    texts = {
        "a.rules": "policy a version 1.0.0\noutput x: set of HOLD\nrule r permit HOLD\n",
        "b.rules": "policy b version 1.0.0\noutput y: set of HOLD, SELL\n",
        "c.rules": "policy c version 1.0.0\nrule r permit SELL\n",
    }
    made = {r.id: r.effects[0] for r in program(texts).rules}
    assert made == {"a.r": p.Permit("a.x", "HOLD"), "c.r": p.Permit("b.y", "SELL")}


def test_a_value_that_may_be_unknown_needs_a_strict_end() -> None:
    open_end = "output open: ratio\n  starts 5%\n  tightens down\n"
    assert codes(open_end + "rule r tighten open to 3%") == []
    assert codes(open_end + "rule r tighten open to account.drawdown") == ["RF408"]


def test_rules_are_in_order_of_their_ids() -> None:
    texts = {
        "b.rules": "policy b version 1.0.0\nrule z alert INFO\nrule a alert INFO\n",
        "a.rules": "policy a version 1.0.0\nrule m alert INFO\n",
    }
    assert [r.id for r in program(texts).rules] == ["a.m", "b.a", "b.z"]


def test_the_duration_of_a_hold_may_be_a_param() -> None:
    made = effect("tighten mode to A for hold", declared=DECLARED + "param hold = 5m\n")
    assert isinstance(made, p.Tighten)
    assert made.hold == 300_000


HOLDS = [
    ("tighten verdict to DENY", "for each request", ["RF411"]),
    ("tighten share to 50%", "for each request", ["RF411"]),
    ("tighten share to 50%", "for each request including exits", ["RF411"]),
    ("tighten mode to A", "for each request", []),
    ("tighten verdict to DENY", "", []),
    ("tighten share to 50%", "", []),
    ("tighten stop to A", "for each position", []),
]


@pytest.mark.parametrize(("text", "scope", "said"), HOLDS, ids=[f"{s} {t}".strip() for t, s, _ in HOLDS])
@pytest.mark.parametrize("kept", ["for 5m", "until clock.now + 5m"])
def test_a_rule_for_each_request_holds_nothing_of_its_request(
    text: str, scope: str, said: list[str], kept: str
) -> None:
    assert codes(f"{DECLARED}rule r {scope}\n  {text} {kept}\n") == said


@pytest.mark.parametrize("kept", ["for 5m", "until clock.now + 5m"])
@pytest.mark.parametrize("text", ["tighten size by 5%", "scale size by 50%", "deny", "forbid LEND", "permit LEND"])
def test_only_a_bound_is_held(text: str, kept: str) -> None:
    assert codes(f"{DECLARED}rule r\n  {text} {kept}\n") == ["RF101"]


HELD_BADLY = [
    ("for 0m", "RF303"),
    ("for 5", "RF206"),
    ("for account.equity", "RF206"),
    ("for market.data_age", "RF206"),
    ("until 5m", "RF204"),
    ("until market.volatility", "RF206"),
]


@pytest.mark.parametrize(("kept", "code"), HELD_BADLY)
def test_a_bound_is_held_for_a_fixed_duration_or_until_a_time(kept: str, code: str) -> None:
    assert codes(f"{DECLARED}rule r\n  tighten mode to A {kept}\n") == [code]
