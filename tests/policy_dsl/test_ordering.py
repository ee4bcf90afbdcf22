"""Outputs are computed after what they read, in one order for every order of files; a cycle is shown."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_dsl.ordering import dependencies, effect_reads, reads
from policy_dsl.program import Output
from tests.policy_dsl.bundles import codes, program, report

OUTPUT = "output {0}: A < B\n  starts B\n"
LINK = "rule {0}_{1}\n  when {0} is A\n  tighten {1} to A\n"
LINKS = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("e", "a")]


def chain(outputs: list[str], links: list[tuple[str, str]]) -> str:
    """A policy whose outputs follow one another."""
    return "".join(OUTPUT.format(o) for o in outputs) + "".join(LINK.format(*link) for link in links)


def test_each_output_comes_after_what_it_reads() -> None:
    made = program(chain(list("dcbae"), LINKS))
    order = [o.id.removeprefix("p.") for o in made.outputs if o.policy == "p"]
    for before, after in LINKS:
        assert order.index(before) < order.index(after)


@given(st.permutations("abcde"), st.permutations(LINKS))
def test_the_order_is_the_same_for_every_order_of_declarations(
    outputs: list[str], links: list[tuple[str, str]]
) -> None:
    assert [o.id for o in program(chain(outputs, links)).outputs] == ["p.e", "verdict", "p.a", "p.b", "p.c", "p.d"]


def test_outputs_that_read_nothing_are_in_order_of_their_names() -> None:
    made = program(chain(["c", "a", "b"], []))
    assert [o.id for o in made.outputs] == ["p.a", "p.b", "p.c", "verdict"]


def test_files_in_any_order_make_one_program() -> None:
    head = "policy {0} version 1.0.0\noutput x: A < B starts B\nrule r when {1} tighten x to A\n"
    conditions = {"a": "b.x is A", "b": "c.x is A", "c": "account.drawdown > 5%"}
    texts = {f"{name}.rules": head.format(name, condition) for name, condition in conditions.items()}
    made = [program({n: texts[n] for n in order}) for order in permutations(texts)]
    assert all(m == made[0] for m in made)
    assert [o.id for o in made[0].outputs if o.id != "verdict"] == ["c.x", "b.x", "a.x"]


READS = [
    ("rule r\n  when a is A\n  tighten b to A\n", {"p.a"}),
    ("rule r\n  unless a is B\n  tighten b to A\n", {"p.a"}),
    ('rule r\n  except until 2030-01-01 when a is B because "T"\n  tighten b to A\n', {"p.a"}),
    ("rule r\n  tighten size to 50% - floor / 2\n", {"p.floor"}),
    ("rule r\n  tighten b to A until clock.now + floor * 1h\n", {"p.floor"}),
    ("rule r for each position\n  permit ADD(size)\n", {"p.size"}),
    ("rule r\n  when any(position where actions excludes ADD)\n  tighten b to A\n", {"p.actions"}),
    ("rule r\n  when (a is A) throughout 5m\n  tighten b to A\n", {"p.a"}),
    ("rule r\n  tighten b to A\n", set()),
]
DECLARED = (
    chain(["a", "b"], [])
    + "output size: ratio in 0% to 100%\n  starts 100%\noutput floor: ratio in 0% to 100%\n  starts 0%\n"
    + "output actions for each position: set of ADD, HOLD\n"
)


@pytest.mark.parametrize(("text", "expected"), READS)
def test_a_rule_reads_in_guard_value_argument_and_time(text: str, expected: set[str]) -> None:
    made = program(DECLARED + text)
    (rule,) = made.rules
    (effect,) = rule.effects
    assert reads(rule.guard) | reads(rule.excuse) | effect_reads(effect) == expected
    needs = dependencies(made.outputs, made.rules)
    assert set(needs[getattr(effect, "output", "")]) == expected


def test_a_latch_reads_too() -> None:
    made = program(DECLARED + "output held: A < B\n  starts B\n  latches until a is B\n")
    held: Output = made.output("p.held")
    assert set(dependencies(made.outputs, ())[held.id]) == {"p.a"}
    assert [o.id for o in made.outputs].index("p.a") < [o.id for o in made.outputs].index("p.held")


def test_reasons_and_alerts_order_nothing() -> None:
    text = chain(["a", "b"], [("a", "b")]) + 'rule notice\n  when b is A\n  alert INFO\n  because "{b} and {a}"\n'
    assert codes(text) == []


CYCLES = [
    (["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")], {"p.a -> p.b", "p.b -> p.c", "p.c -> p.a"}),
    (["a"], [("a", "a")], {"p.a -> p.a"}),
    (["a", "b", "c"], [("a", "b"), ("b", "a"), ("b", "c")], {"p.a -> p.b", "p.b -> p.a"}),
]


@pytest.mark.parametrize(("outputs", "links", "arrows"), CYCLES)
def test_a_cycle_is_an_error_that_shows_it(outputs: list[str], links: list[tuple[str, str]], arrows: set[str]) -> None:
    (found,) = report(chain(outputs, links)).diagnostics
    shown = found.message.removeprefix("outputs depend on each other: ").split(" -> ")
    assert found.code == "RF402"
    forward, backward = ({" -> ".join(pair) for pair in pairwise(order)} for order in (shown, list(reversed(shown))))
    assert arrows in (forward, backward)


LOOKING_BACK = ["previous(a) is A", "(a is A) within 5m", "(a is A) throughout 5m", "previous(previous(a)) is A"]


@pytest.mark.parametrize("condition", LOOKING_BACK)
def test_an_output_cannot_keep_itself_by_looking_back(condition: str) -> None:
    (found,) = report(chain(["a"], []) + f"rule keep\n  when {condition}\n  tighten a to A\n").diagnostics
    assert (found.code, found.message) == ("RF402", "outputs depend on each other: p.a -> p.a")
    assert found.help == (
        "cut one of: p.keep; what an output was is kept by `relaxes after`, `latches until` or `tighten ... for`"
    )


def test_an_observing_rule_takes_part_in_cycles() -> None:
    text = chain(["a", "b"], [("a", "b")]) + "rule back observing\n  when b is A\n  tighten a to A\n"
    assert codes(text) == ["RF402"]
