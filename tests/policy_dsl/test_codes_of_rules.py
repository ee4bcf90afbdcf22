"""The pages on the codes of rule files: each is whole, and its examples do what it says."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from modules.facts import default_catalogue
from policy_dsl.bundle import check_files
from policy_dsl.codes_index import codes, page
from policy_dsl.diagnostics import Diagnostic
from policy_dsl.files import CONFIGURATION_FILE

TODAY = 4_000_000_000_000
"""Milliseconds since 1970, in the year 2096: every date of an example is past."""

HEADINGS = ["## What it means", "## Why it matters", "## Example", "## Use instead"]
OF_RULES = re.compile(r"RF[1-6]\d{2}")
SOURCE = "\n".join(f.read_text("utf-8") for f in files("policy_dsl").iterdir() if f.name.endswith(".py"))
# The evaluators report RF505, of rules that a single snapshot cannot judge; so its example passes a check of the files.
OF_EVALUATORS = frozenset({"RF505"})
IN_SOURCE = frozenset(OF_RULES.findall(SOURCE)) | OF_EVALUATORS
PAGES = [code for code in codes() if OF_RULES.fullmatch(code)]


def text_of(code: str) -> str:
    text = page(code)
    assert text is not None, f"there is no page on {code}"
    return text


def bundle_under(code: str, heading: str) -> dict[str, bytes]:
    """The bundle in a section of a page, by file name: its rule file and its configuration; empty without rules."""
    section = text_of(code).partition(heading + "\n")[2].partition("\n## ")[0]
    blocks = dict(re.findall(r"^```(rules|toml)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE))
    names = {"rules": "p.rules", "toml": CONFIGURATION_FILE}
    return {names[kind]: text.encode() for kind, text in blocks.items()} if "rules" in blocks else {}


def findings(bundle: dict[str, bytes]) -> tuple[Diagnostic, ...]:
    return check_files(bundle, default_catalogue(), today=TODAY).diagnostics


@pytest.mark.parametrize("code", sorted(IN_SOURCE))
def test_every_code_has_a_whole_page(code: str) -> None:
    text = text_of(code)
    assert re.match(rf"# {code}: \S", text)
    assert re.findall(r"^## .*$", text, re.MULTILINE) == HEADINGS


@pytest.mark.parametrize("code", PAGES)
def test_every_page_is_on_a_code_that_is_reported(code: str) -> None:
    assert code in IN_SOURCE


@pytest.mark.parametrize("code", [code for code in PAGES if bundle_under(code, "## Example")])
def test_the_example_is_reported(code: str) -> None:
    bundle = bundle_under(code, "## Example")
    assert code in {found.code for found in findings(bundle)}


@pytest.mark.parametrize("code", [code for code in PAGES if bundle_under(code, "## Use instead")])
def test_what_to_use_instead_is_not_reported(code: str) -> None:
    found = findings(bundle_under(code, "## Use instead"))
    assert [each for each in found if each.code == code or each.is_error] == []


def test_what_is_no_code_has_no_page() -> None:
    assert [page(code) for code in ("RF999", "RF1011", "../RF101", "", "RF\u0661\u0660\u0661")] == [None] * 5


def test_codes_are_sorted_and_each_has_its_page() -> None:
    assert list(codes()) == sorted(set(codes()))
    assert all(text_of(code).startswith(f"# {code}: ") for code in codes())
