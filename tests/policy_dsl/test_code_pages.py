"""The pages on codes of rule files and their configuration: all there, in one form, and true.

`pytest --update` writes what is answered now into the pages.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from modules.facts import default_catalogue
from policy_dsl.bundle import Report, check_files, load
from policy_dsl.codes_index import codes, page, title
from policy_dsl.diagnostics import PolicyError, Severity, render
from policy_dsl.literals import read
from tests.conftest import ROOT

PACKAGES = ("policy_dsl", "evaluators", "modules", "api")
PAGES = ROOT / "policy_dsl" / "codes"
HEADINGS = ["What it means", "Why it matters", "Example", "Use instead"]
TODAY = int(read("2026-06-30").value)
_CODE = re.compile(r"\bRF[0-9]{3}\b")
_BLOCK = re.compile(r"^```(rules|toml)(?: ([\w.]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ANSWER = re.compile(r"(is answered with:\n\n```text\n)(.*?)(^```$)", re.MULTILINE | re.DOTALL)


@cache
def raised() -> frozenset[str]:
    """Every code that the source names."""
    sources = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    return frozenset(code for file in sources for code in _CODE.findall(file.read_text(encoding="utf-8")))


def section(code: str, heading: str) -> str:
    """The text below a heading of a page."""
    return (page(code) or "").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def files_of(code: str, heading: str) -> dict[str, bytes]:
    """The files that a section shows."""
    shown = _BLOCK.findall(section(code, heading))
    return {
        name or ("ringfence.toml" if kind == "toml" else "example.rules"): body.encode() for kind, name, body in shown
    }


def checked(code: str, heading: str) -> Report:
    """What a check says of the files in a section."""
    return check_files(files_of(code, heading), default_catalogue(), today=TODAY)


OF_RULES = [code for code in codes() if files_of(code, "Example")]


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert raised() == set(codes())


@pytest.mark.parametrize("code", codes())
def test_a_page_has_the_headings_in_order(code: str) -> None:
    text = page(code)
    assert text is not None
    assert re.match(rf"# {code}: [a-zA-Z].+\n", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert all(section(code, heading).strip() for heading in HEADINGS)


@pytest.mark.parametrize("code", codes())
def test_a_page_has_no_line_wider_than_a_screen_but_in_examples(code: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", page(code) or "", flags=re.MULTILINE | re.DOTALL)
    assert [line for line in prose.split("\n") if len(line) > 120] == []


def test_the_codes_of_rules_and_configuration_are_shown_as_files() -> None:
    by_language = {c for c in codes() if c < "RF700"}
    assert set(OF_RULES) == by_language - {"RF108", "RF110"}


@pytest.mark.parametrize("code", OF_RULES)
def test_an_example_is_answered_with_its_code_and_no_other(code: str, request: pytest.FixtureRequest) -> None:
    report = checked(code, "Example")
    assert {d.code for d in report.diagnostics} == {code}
    said = "\n\n".join(render(d, report.sources) for d in report.diagnostics) + "\n"
    if request.config.getoption("--update"):
        text = _ANSWER.sub(lambda match: match[1] + said + match[3], page(code) or "")
        (PAGES / f"{code}.md").write_text(text, encoding="utf-8")
    assert [answer for _, answer, _ in _ANSWER.findall(page(code) or "")] == [said]


@pytest.mark.parametrize("code", OF_RULES)
def test_what_to_use_instead_is_accepted(code: str) -> None:
    report = checked(code, "Use instead")
    assert [d for d in report.diagnostics if d.code == code or d.severity is not Severity.NOTE] == []


def test_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "example.rules").write_bytes(b"policy example version 1.0.0\n# Gr\xf6\xdfe\n")
    with pytest.raises(PolicyError) as refused:
        load(tmp_path, default_catalogue())
    shown = "\n".join(render(d, refused.value.sources) for d in refused.value.diagnostics)
    assert shown.replace(str(tmp_path), "rules") in section("RF108", "Example")


def test_a_directory_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PolicyError) as refused:
        load(Path("rule"), default_catalogue())
    shown = "\n".join(render(d, {}) for d in refused.value.diagnostics)
    assert shown in section("RF110", "Example")


def test_a_page_is_found_by_its_code_alone() -> None:
    assert title("RF204") == "units that do not go together"
    for none in ("RF999", "rf204", "", "../codes/RF204", "RF204.md", "RF2O4"):
        assert page(none) is None
        assert title(none) is None
