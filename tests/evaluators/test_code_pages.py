"""The pages on codes of state, recordings, the store and imports: all there, in one form, and true."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from evaluators.documents import read_documents, snapshot_from_document
from modules.facts import default_catalogue
from policy_dsl.diagnostics import Diagnostic, Findings, PolicyError, Source, render

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "policy_dsl" / "codes"
HEADINGS = ["What it means", "Why it matters", "Example", "Use instead"]
_CODE = re.compile(r"\bRF[78]\d\d\b")
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_JSON = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PRINTED = re.compile(r"is answered with:\n\n```text\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


@cache
def raised() -> frozenset[str]:
    """The codes in the source that these pages are about."""
    files = (file for name in ("evaluators", "modules", "api") for file in (ROOT / name).rglob("*.py"))
    return frozenset(code for file in files for code in _CODE.findall(file.read_text(encoding="utf-8")))


@cache
def pages() -> dict[str, str]:
    """The text of each of these pages by code."""
    return {f.stem: f.read_text(encoding="utf-8") for f in sorted(PAGES.glob("RF*.md")) if _CODE.fullmatch(f.stem)}


def section(code: str, heading: str) -> str:
    return pages()[code].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def documents(code: str, heading: str) -> list[str]:
    return _JSON.findall(section(code, heading))


SHOWN_AS_JSON = [c for c in pages() if c.startswith("RF7") and documents(c, "Example")]


def read(code: str, text: str) -> tuple[list[Diagnostic], str]:
    """What reading `text` finds, and how it is printed; the working directory gets the file."""
    path = "day.jsonl" if code == "RF712" else "state.json"
    Path(path).write_text(text, encoding="utf-8")
    findings = Findings()
    found: list[Diagnostic] = findings.items
    try:
        read_documents(path, default_catalogue(), findings=findings)
    except PolicyError as error:
        found = list(error.diagnostics)
    return found, "\n".join(render(d, {path: Source(path, text)}) for d in found)


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert raised() == pages().keys()


@pytest.mark.parametrize("code", pages())
def test_a_page_has_the_headings_in_order(code: str) -> None:
    text = pages()[code]
    assert re.match(rf"# {code}: [a-zA-Z].+\n", text)
    assert _HEADING.findall(text) == HEADINGS
    assert all(section(code, heading).strip() for heading in HEADINGS)
    assert re.search(r"^```(json|text|console)$", section(code, "Example"), re.MULTILINE)


@pytest.mark.parametrize("code", [c for c in pages() if c not in SHOWN_AS_JSON])
def test_an_example_of_a_file_shows_the_code_as_printed(code: str) -> None:
    assert set(re.findall(r"^(?:error|note)\[(RF\d{3})\]: ", section(code, "Example"), re.MULTILINE)) == {code}


def test_the_codes_of_documents_are_shown_as_documents() -> None:
    of_documents = {c for c in pages() if "RF702" <= c <= "RF721"} - {"RF713", "RF714"}
    assert set(SHOWN_AS_JSON) == of_documents


@pytest.mark.parametrize("code", SHOWN_AS_JSON)
def test_an_example_document_is_answered_as_the_page_says(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [example] = documents(code, "Example")
    found, printed = read(code, example)
    assert [d.code for d in found] == [code]
    assert _PRINTED.findall(section(code, "Example")) == [printed]
    [instead] = documents(code, "Use instead")
    assert read(code, instead) == ([], "")


@pytest.mark.parametrize("code", [c for c in SHOWN_AS_JSON if c not in ("RF702", "RF703", "RF712")])
def test_a_program_that_hands_over_the_document_meets_the_same_code(code: str) -> None:
    findings = Findings()
    found: list[Diagnostic] = findings.items
    [example] = documents(code, "Example")
    try:
        snapshot_from_document(json.loads(example), default_catalogue(), findings=findings)
    except PolicyError as error:
        found = list(error.diagnostics)
    assert [d.code for d in found] == [code]
