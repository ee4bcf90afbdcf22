"""The language reference as cases: every page of this folder, put to every evaluator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from evaluators.documents import snapshot_from_document
from evaluators.support import expressions_of, require_stateless
from modules.facts import default_catalogue
from policy_dsl import program as p
from policy_dsl.bundle import load_text
from policy_dsl.catalogue import Rows
from policy_dsl.diagnostics import PolicyError
from policy_dsl.program import Program
from tests.conformance.evaluators import EVALUATORS
from tests.conformance.expectations import mismatches
from tests.conformance.literate import Section, sections

PAGES = sorted(Path(__file__).parent.glob("*.md"))
FIRST = datetime(2026, 1, 1, tzinfo=UTC)

TEMPORAL = {p.Throughout, p.Within, p.Window, p.Previous, p.EventFold}

CATALOGUE = default_catalogue()
SECTIONS = [s for page in PAGES for s in sections(page, frozenset(CATALOGUE.entities))]
DECIDED = [s for s in SECTIONS if s.refusal is None]
REFUSED = [s for s in SECTIONS if s.refusal is not None]


def name(section: Section) -> str:
    return f"{section.page.removesuffix('.md')}: {section.title}"


@cache
def compiled(index: int) -> Program:
    """The program of `DECIDED[index]`; every evaluator is given the same one."""
    return load_text(DECIDED[index].files, CATALOGUE).program


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize("index", range(len(DECIDED)), ids=[name(s) for s in DECIDED])
def test_states_decide_as_the_page_says(index: int, evaluator: str) -> None:
    section = DECIDED[index]
    program = compiled(index)
    documents = [{"book": "main", "ts": clock(i), **step.document} for i, step in enumerate(section.steps)]
    snapshots = [snapshot_from_document(document, CATALOGUE) for document in documents]
    decisions = EVALUATORS[evaluator](program)(snapshots)
    wrong = [
        f"{section.page}:{step.line}: {problem}"
        for step, decision in zip(section.steps, decisions, strict=True)
        for problem in mismatches(step.expected, decision, program)
    ]
    assert not wrong, "\n".join(wrong)


def clock(index: int) -> str:
    """A time of its own for each state of a section that names none."""
    return (FIRST + timedelta(minutes=index)).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("section", REFUSED, ids=name)
def test_rules_are_refused(section: Section) -> None:
    _word, code, *_rest = [*(section.refusal or "").split(), ""]
    with pytest.raises(PolicyError) as refused:
        require_stateless(load_text(section.files, CATALOGUE).program)
    codes = [d.code for d in refused.value.diagnostics]
    assert set(codes) == {code}, refused.value


def test_every_section_expects_something() -> None:
    assert [name(s) for s in SECTIONS if not s.steps or not all(step.expected for step in s.steps)] == []


def test_every_form_of_the_language_has_a_case() -> None:
    """Every node of the typed program but those that need history, and every operator, fold, verb and scope in them."""
    rules = [rule for index in range(len(DECIDED)) for rule in compiled(index).rules]
    nodes = [node for rule in rules for expression in expressions_of(rule) for node in p.walk(expression)]
    effects = [effect for rule in rules for effect in rule.effects]
    assert {type(node) for node in nodes} == set(get_args(p.Expression)) - TEMPORAL
    assert {type(effect) for effect in effects} == set(get_args(p.Effect))
    assert {n.comparator for n in nodes if isinstance(n, p.Compare)} == set(p.Comparator)
    assert {n.operator for n in nodes if isinstance(n, p.Arithmetic)} == set(p.Operator)
    assert {n.fold for n in nodes if isinstance(n, p.Aggregate)} == set(p.Fold) - {p.Fold.LATEST}
    assert {n.extreme for n in nodes if isinstance(n, p.Pick)} == set(p.Extreme)
    assert {n.negated for n in nodes if isinstance(n, p.OneOf)} == {False, True}
    assert {n.negated for n in nodes if isinstance(n, p.Includes)} == {False, True}
    assert {n.negated for n in nodes if isinstance(n, p.Known)} == {False, True}
    assert {e.how for e in effects if isinstance(e, p.Tighten)} == set(p.How)
    assert {e.level for e in effects if isinstance(e, p.Alert)} == set(p.AlertLevel)
    assert {rule.scope.entity for rule in rules if rule.scope} == {e.name for e in CATALOGUE.of_kind(Rows.KEYED)}


def test_every_form_that_needs_history_has_a_case() -> None:
    programs = [load_text(s.files, CATALOGUE).program for s in REFUSED if s.page == "history.md"]
    nodes = [node for program in programs for rule in program.rules for e in expressions_of(rule) for node in p.walk(e)]
    assert {type(node) for node in nodes} >= TEMPORAL
    assert {n.fold for n in nodes if isinstance(n, p.Window)} == set(p.WindowFold)
