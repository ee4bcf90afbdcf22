"""The README shows what commands really print; `...` in it stands for the rest of a line, or for lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.bundles import packaged_rules
from api.commands import COMMANDS
from tests.api.conftest import Run

ROOT = packaged_rules().parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
_SHOWN = re.compile(r"^```console\n\$ ringfence ([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = re.escape("...")
_PLACE = re.compile(r"(\w+)\.(\w+): [^\n]*, (rules/\1\.rules):(\d+)$", re.MULTILINE)
"""A rule, and where a page says that it stands."""


def pattern(shown: str) -> str:
    """A regular expression for what is shown; lines and parts of them may be left out where it says so."""
    return "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(LEFT_OUT, ".*") + "\n"
        for line in shown.splitlines()
    )


@pytest.mark.parametrize(("command", "shown"), _SHOWN.findall(README))
def test_a_command_prints_what_the_readme_shows(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, shown: str
) -> None:
    monkeypatch.chdir(ROOT)
    printed = run(*command.split()).stdout
    assert re.match(pattern(shown), printed), printed


def test_the_readme_shows_the_way_of_one_rule() -> None:
    assert [command for command, _ in _SHOWN.findall(README)] == ["trace pba.sector_concentration"]


def test_a_rule_stands_where_a_page_says() -> None:
    told = [
        place for page in (ROOT / "docs").glob("*.md") for place in _PLACE.findall(page.read_text(encoding="utf-8"))
    ]
    assert told
    for _, rule, file, line in told:
        assert (ROOT / file).read_text(encoding="utf-8").splitlines()[int(line) - 1].startswith(f"rule {rule}")


def test_every_command_is_in_the_table() -> None:
    assert [name for name in COMMANDS if f"| `ringfence {name}" not in README] == []


def test_every_link_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    dead = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / Path(target)).exists()
    ]
    assert dead == []
