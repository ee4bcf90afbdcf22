"""The language reference as cases: every page of this folder, put to every evaluator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from evaluators.decision import Decision
from evaluators.documents import snapshot_from_document
from evaluators.snapshot import Snapshot
from evaluators.support import expressions_of
from modules.facts import default_catalogue
from policy_dsl import program as p
from policy_dsl.bundle import load_text
from policy_dsl.catalogue import Rows
from policy_dsl.diagnostics import PolicyError
from policy_dsl.nodes import (
    Aggregate,
    Arithmetic,
    Compare,
    EventFold,
    Expression,
    Includes,
    Known,
    Lookback,
    Mean,
    Now,
    OneOf,
    Pick,
    Recall,
    Since,
    Strictest,
    Until,
    Window,
)
from policy_dsl.operators import Comparator, Extreme, Fold, Operator, WindowFold
from policy_dsl.program import Program
from policy_dsl.walking import walk
from tests.conformance.evaluators import EVALUATORS, FOLLOWING, REFERENCE
from tests.conformance.expectations import mismatches
from tests.conformance.forms import FORMS, OVER_TIME, form
from tests.conformance.literate import Section, Step, sections

PAGES = sorted(Path(__file__).parent.glob("*.md"))

NOT_WRITTEN = {Now, Strictest, Since, Until, Recall, Mean, Lookback}
"""What only `standing` and `recall` make."""

CATALOGUE = default_catalogue()
SECTIONS = [s for page in PAGES for s in sections(page, frozenset(CATALOGUE.entities))]
DECIDED = [s for s in SECTIONS if s.refusal is None]
REFUSED = [s for s in SECTIONS if s.refusal is not None]
IN_ORDER = [index for index, section in enumerate(DECIDED) if section.in_order]
OUT_OF_ORDER = [index for index, section in enumerate(DECIDED) if not section.in_order]


def name(section: Section) -> str:
    return f"{section.page.removesuffix('.md')}: {section.title}"


def title(index: int) -> str:
    return name(DECIDED[index])


@cache
def compiled(index: int) -> Program:
    """The program of `DECIDED[index]`; every evaluator is given the same one."""
    return load_text(DECIDED[index].files, CATALOGUE).program


def state(step: Step) -> Snapshot:
    return snapshot_from_document(step.document, CATALOGUE)


def wrong(section: Section, steps: Iterable[Step], decisions: list[Decision], program: Program) -> list[str]:
    """What is decided otherwise than the page says."""
    return [
        f"{section.page}:{step.line}: {problem}"
        for step, decision in zip(steps, decisions, strict=True)
        for problem in mismatches(step.expected, decision, program)
    ]


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize("index", IN_ORDER, ids=title)
def test_states_decide_as_the_page_says(index: int, evaluator: str) -> None:
    section, program = DECIDED[index], compiled(index)
    problems = []
    for max_gap in dict.fromkeys(step.max_gap for step in section.steps):
        steps = [step for step in section.steps if step.max_gap == max_gap]
        decisions = EVALUATORS[evaluator](program, max_gap=max_gap)([state(step) for step in steps])
        problems += wrong(section, steps, decisions, program)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("evaluator", FOLLOWING)
@pytest.mark.parametrize("index", OUT_OF_ORDER, ids=title)
def test_what_is_out_of_order_is_refused_and_what_is_repeated_is_no_news(index: int, evaluator: str) -> None:
    section, program = DECIDED[index], compiled(index)
    decide = EVALUATORS[evaluator](program)
    for step in section.steps:
        if step.refused:
            with pytest.raises(PolicyError) as refused:
                decide([state(step)])
            assert [d.code for d in refused.value.diagnostics] == [step.refused], f"{section.page}:{step.line}"
        else:
            problems = wrong(section, [step], decide([state(step)]), program)
            assert not problems, "\n".join(problems)


@pytest.mark.parametrize("section", REFUSED, ids=name)
def test_rules_are_refused(section: Section) -> None:
    _word, code, *_rest = [*(section.refusal or "").split(), ""]
    with pytest.raises(PolicyError) as refused:
        load_text(section.files, CATALOGUE)
    codes = [d.code for d in refused.value.diagnostics]
    assert set(codes) == {code}, refused.value


def test_every_section_expects_something() -> None:
    def expects(step: Step) -> bool:
        return bool(step.expected) is not bool(step.refused)

    assert [name(s) for s in SECTIONS if not s.steps or not all(map(expects, s.steps))] == []


def test_every_form_of_the_language_has_a_case() -> None:
    """Every node of the typed program that an author can write, and every operator, fold, verb and scope in them."""
    programs = [compiled(index) for index in range(len(DECIDED))]
    rules = [rule for program in programs for rule in program.rules]
    nodes = [node for rule in rules for expression in expressions_of(rule) for node in walk(expression)]
    effects = [effect for rule in rules for effect in rule.effects]
    assert {type(node) for node in nodes} == set(get_args(Expression)) - NOT_WRITTEN
    assert {type(effect) for effect in effects} == set(get_args(p.Effect))
    assert {n.comparator for n in nodes if isinstance(n, Compare)} == set(Comparator)
    assert {n.operator for n in nodes if isinstance(n, Arithmetic)} == set(Operator)
    assert {n.fold for n in nodes if isinstance(n, Aggregate)} == set(Fold) - {Fold.LATEST}
    assert {n.fold for n in nodes if isinstance(n, EventFold)} == set(Fold) - {Fold.ALL}
    assert {n.event for n in nodes if isinstance(n, EventFold)} == {e.name for e in CATALOGUE.of_kind(Rows.EVENT)}
    assert {n.fold for n in nodes if isinstance(n, Window)} == set(WindowFold)
    assert {n.extreme for n in nodes if isinstance(n, Pick)} == set(Extreme)
    assert {n.negated for n in nodes if isinstance(n, OneOf)} == {False, True}
    assert {n.negated for n in nodes if isinstance(n, Includes)} == {False, True}
    assert {n.negated for n in nodes if isinstance(n, Known)} == {False, True}
    assert {e.how for e in effects if isinstance(e, p.Tighten)} == set(p.How)
    assert {e.level for e in effects if isinstance(e, p.Alert)} == set(p.AlertLevel)
    assert {rule.scope.entity for rule in rules if rule.scope} == {e.name for e in CATALOGUE.of_kind(Rows.KEYED)}


def test_every_way_of_keeping_a_value_has_a_case() -> None:
    """Outputs that relax and latch, bounds for a while and until a time: of the fund, of rows, from rules of either."""
    programs = [compiled(index) for index in range(len(DECIDED))]
    outputs = [output for program in programs for output in program.outputs]
    either = {True, False}
    assert {o.entity is None for o in outputs if o.relaxes_after is not None} == either
    assert {o.entity is None for o in outputs if o.latches_until is not None} == either
    assert any(o.relaxes_after is not None and o.latches_until is not None for o in outputs)
    held = [
        (effect.hold is not None, rule.scope is None, program.output(effect.output).entity is None)
        for program in programs
        for rule in program.rules
        for effect in rule.effects
        if isinstance(effect, p.Tighten) and (effect.hold is not None or effect.until is not None)
    ]
    assert set(held) == set(product(either, repeat=3))


def test_every_form_over_time_is_seen_true_false_and_unknown() -> None:
    seen: dict[str, set[bool | None]] = defaultdict(set)
    for index in IN_ORDER:
        for rule in compiled(index).rules:
            forms = {form(node) for node in walk(rule.guard) if type(node) in OVER_TIME}
            for found in forms if len(forms) == 1 else ():
                seen[found] |= verdicts(index, rule.id)
    assert {found: truths for found, truths in seen.items() if truths != {True, False, None}} == {}
    assert seen.keys() == FORMS


@cache
def decisions_of(index: int) -> list[Decision]:
    """What the reference decides of `DECIDED[index]`."""
    steps = DECIDED[index].steps
    gaps = dict.fromkeys(step.max_gap for step in steps)
    return [
        d
        for gap in gaps
        for d in REFERENCE(compiled(index), max_gap=gap)([state(s) for s in steps if s.max_gap == gap])
    ]


def verdicts(index: int, rule: str) -> set[bool | None]:
    """Whether the rule was seen to fire, not to fire, and to fire only because something is unknown."""
    truths: set[bool | None] = set()
    for decision in decisions_of(index):
        fired = [f.definite for f in (*decision.firings, *decision.observed) if f.rule == rule]
        truths |= {definite or None for definite in fired} or {False}
    return truths
