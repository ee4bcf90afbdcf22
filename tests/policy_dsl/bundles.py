"""Rule texts made into bundles, and the typed parts of them that tests look at."""

from __future__ import annotations

from collections.abc import Mapping

from policy_dsl import nodes
from policy_dsl import program as p
from policy_dsl.bundle import Bundle, Report, check_files
from policy_dsl.diagnostics import render
from tests.catalogue_for_tests import small_catalogue

CATALOGUE = small_catalogue()
POLICY = "policy p version 1.0.0\n"


def report(texts: str | Mapping[str, str], *, today: int | None = None) -> Report:
    """What a check says; a text alone is the policy `p`, without its first line."""
    files = {"p.rules": POLICY + texts} if isinstance(texts, str) else texts
    return check_files({name: text.encode() for name, text in files.items()}, CATALOGUE, today=today)


def bundle(texts: str | Mapping[str, str]) -> Bundle:
    """The bundle of texts without an error."""
    found = report(texts)
    assert found.bundle is not None, "\n\n".join(render(d, found.sources) for d in found.diagnostics)
    return found.bundle


def codes(texts: str | Mapping[str, str], *, today: int | None = None) -> list[str]:
    """The codes of what a check finds, in order of place."""
    return [d.code for d in report(texts, today=today).diagnostics]


def program(texts: str | Mapping[str, str]) -> p.Program:
    """The program of texts without an error."""
    return bundle(texts).program


def rule(text: str, name: str = "r") -> p.Rule:
    """The rule `p.NAME` of a policy."""
    return next(r for r in program(text).rules if r.id == f"p.{name}")


def guard(condition: str, *, scope: str = "", declared: str = "") -> nodes.Expression:
    """The typed condition of a rule; `scope` such as `for each position`, `declared` what stands before the rule."""
    return rule(f"{declared}\nrule r {scope}\n  when {condition}\n  alert INFO\n").guard


def effect(text: str, *, scope: str = "", declared: str = "") -> p.Effect:
    """The typed effect of a rule without a condition."""
    return rule(f"{declared}\nrule r {scope}\n  {text}\n").effects[0]
