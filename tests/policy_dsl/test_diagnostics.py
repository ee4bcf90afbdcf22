"""What is said about what is wrong: code, message, place, underlined text and help of every finding, as a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from policy_dsl.bundle import Report, check_files
from policy_dsl.diagnostics import render
from policy_dsl.literals import read
from tests.catalogue_for_tests import small_catalogue

PAGE = Path(__file__).with_name("diagnostics.md")
CATALOGUE = small_catalogue()
TODAY = int(read("2026-06-30").value)
_BLOCK = re.compile(r"^```(rules|toml)(?: (\w+))?\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_ANSWER = re.compile(r"\n```text\n.*?^```\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Section:
    """A heading, the files under it, and all of its text."""

    title: str
    files: dict[str, bytes]
    text: str

    @property
    def code(self) -> str:
        """The code that the heading names."""
        return self.title.split()[0]


def sections(page: str) -> Iterator[Section]:
    """The sections of the page, in order."""
    for text in re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]:
        files = {}
        for kind, name, body in _BLOCK.findall(text):
            files["ringfence.toml" if kind == "toml" else f"{name or 'p'}.rules"] = body.encode()
        yield Section(text.splitlines()[0].removeprefix("## "), files, text)


SECTIONS = tuple(sections(PAGE.read_text(encoding="utf-8")))


def checked(section: Section) -> Report:
    """What a check of the files says."""
    return check_files(section.files, CATALOGUE, today=TODAY)


def answered(section: Section) -> str:
    """The section with what a check says now."""
    report = checked(section)
    said = "\n\n".join(render(d, report.sources) for d in report.diagnostics)
    return f"{_ANSWER.sub('', section.text).rstrip()}\n\n```text\n{said}\n```\n"


def test_the_page_says_what_a_check_says(request: pytest.FixtureRequest) -> None:
    page = PAGE.read_text(encoding="utf-8")
    intro = re.split(r"^(?=## )", page, flags=re.MULTILINE)[0]
    actual = intro + "\n".join(map(answered, SECTIONS))
    if request.config.getoption("--update"):
        PAGE.write_text(actual, encoding="utf-8")
    assert actual == PAGE.read_text(encoding="utf-8"), "`pytest --update` writes what is said now; read what changed"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_a_section_shows_its_code(section: Section) -> None:
    assert section.code in {d.code for d in checked(section).diagnostics}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_findings_keep_the_voice(section: Section) -> None:
    for found in checked(section).diagnostics:
        for text in filter(None, (found.message, found.help)):
            bare = re.sub(r"`[^`]*`", "", text)
            assert not text.endswith("."), text
            assert not bare[:1].isupper(), text
            assert not re.search(r"\b(None|True|False|Path|Quantity|dict|str|int|Levels)\b", bare), text


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_findings_lie_within_their_file(section: Section) -> None:
    report = checked(section)
    for found in report.diagnostics:
        if found.span is not None:
            length = len(report.sources[found.span.path].text)
            assert 0 <= found.span.start <= length
            assert found.span.start <= found.span.end
