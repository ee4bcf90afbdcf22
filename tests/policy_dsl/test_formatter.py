"""The one true layout, by example: what each declaration looks like, where lines break, and where comments stay."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policy_dsl.diagnostics import Findings, Source
from policy_dsl.formatter import format_file, format_source
from policy_dsl.parser import parse
from tests.conftest import ROOT

HEAD = "policy p version 1.0.0\n\n"

SAMPLE = """policy hfos version 1.2.0
  "AI-HFOS: the fund-wide risk mode, and the directives that follow from it."

param defensive_drawdown = 3%   in 1% to 10%
param calm_hold          = 30m

output risk_mode: SAFE < DEFENSIVE < CAUTIOUS < NORMAL < AGGRESSIVE
  starts AGGRESSIVE
  tightens down
  relaxes after calm_hold

rule emergency_stop
  when ess.state is HALTED
  tighten risk_mode to SAFE
  because "the emergency stop is active"

rule drawdown
  when account.drawdown > defensive_drawdown
  tighten risk_mode to DEFENSIVE
  because "drawdown {account.drawdown} is over {defensive_drawdown}"

rule turbulence
  when market.volatility in {HIGH, EXTREME}
  tighten risk_mode to CAUTIOUS

rule ordinary_times
  unless market.regime is TRENDING and market.volatility is LOW and account.drawdown < 1%
  tighten risk_mode to NORMAL

rule crash_directives
  when risk_mode is SAFE
  tighten pba.max_exposure            to 50%
  tighten pal.amplification           to OFF
  tighten orchestrator.min_confidence to 70%
  tighten universe.min_tier           to CORE
  tighten healing.stance              to DEFENSIVE
  alert CRITICAL
  because "risk mode is SAFE"

test "a deep drawdown puts the fund on the defensive, and the cascade does not fire"
  given account.drawdown = 4%, market.volatility = NORMAL
  expect risk_mode is DEFENSIVE and pal.amplification is ON

test "the mode relaxes only after the hold"
  at 0m   given account.drawdown = 4%
  at 5m   given account.drawdown = 0%
  at 20m  expect risk_mode is DEFENSIVE
  at 36m  expect risk_mode > DEFENSIVE

test "where the drawdown limit bites"
  | account.drawdown | risk_mode |
  | 3%               | NORMAL    |
  | 3.01%            | DEFENSIVE |
  | missing          | DEFENSIVE |

always "nothing is amplified under stress" for each position
  when risk_mode <= DEFENSIVE
  then pal.actions excludes ADD_SIZE
"""


def formatted(text: str) -> str:
    """The layout of a text that reads."""
    findings = Findings()
    out = format_source(Source("x", text), findings)
    assert out is not None, findings.items
    return out


def test_the_sample_of_the_reference_is_laid_out_already() -> None:
    assert formatted(SAMPLE) == SAMPLE


def test_the_sample_on_one_line_comes_out_the_same() -> None:
    tables, rest = re.compile(r"(?:  \|.*\n)+"), SAMPLE
    squeezed = "".join(
        part if part.startswith("  |") else " ".join(part.split()) for part in re.split(f"({tables.pattern})", rest)
    )
    assert formatted(squeezed) == SAMPLE


PAGE = Path(__file__).with_name("layouts.md")
_BLOCK = re.compile(r"^```rules\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.split("\n")[0])
def test_layouts(section: str) -> None:
    written, laid_out = _BLOCK.findall(section)
    assert formatted(written) == laid_out
    assert formatted(laid_out) == laid_out
    assert max(map(len, laid_out.split("\n"))) <= 100


def test_a_line_of_a_hundred_columns_does_not_break() -> None:
    condition = "a > 5 and " + "b" * (100 - len("  when a > 5 and  > 6")) + " > 6"
    text = f"rule r\n  when {condition}\n  deny\n"
    assert len(text.split("\n")[1]) == 100
    assert formatted(HEAD + text) == HEAD + text
    assert "\n    and" in formatted(HEAD + text.replace("> 6", "> 66"))


def test_clauses_with_comments_keep_their_order() -> None:
    text = "policy p version 1.0.0\n\noutput o: ratio\n  tightens down  # first\n  starts 5%\n"
    assert formatted(text) == text


def test_comments_alone_are_kept() -> None:
    text = "# one\n\n\n# two\n"
    file = parse(Source("x", text), Findings())
    assert format_file(file, Source("x", text)) == "# one\n\n# two\n"


def test_a_file_with_errors_is_not_formatted() -> None:
    findings = Findings()
    assert format_source(Source("x", HEAD + "rule r\n  when\n"), findings) is None
    assert [d.code for d in findings.items] == ["RF101"]


def test_a_text_that_is_not_closed_in_a_cell_takes_nothing_up() -> None:
    text = HEAD + 'test "a"\n  | market.volatility | position["p |\n  | HIGH              | "x\n'
    findings = Findings()
    laid_out = format_source(Source("p.rules", text), findings)
    assert laid_out == text
    assert findings.items == []


def test_line_ends_of_windows_become_plain() -> None:
    assert formatted(SAMPLE.replace("\n", "\r\n")) == SAMPLE


RULES = sorted((ROOT / "rules").glob("*.rules"))
PAGES = sorted((ROOT / "tests" / "conformance").glob("*.md"))


def examples(page: Path) -> list[str]:
    """The rule blocks of a page that read."""
    blocks = re.findall(r"^```rules.*?\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [b for b in blocks if not any(d.is_error for d in _read(b).items)]


def _read(text: str) -> Findings:
    findings = Findings()
    parse(Source("x", text), findings)
    return findings


@pytest.mark.parametrize("path", [*RULES, *PAGES], ids=lambda path: path.name)
def test_rule_files_mean_the_same_when_laid_out(path: Path) -> None:
    texts = [path.read_text(encoding="utf-8")] if path.suffix == ".rules" else examples(path)
    for text in texts:
        out = formatted(text)
        before, after = parse(Source("x", text), Findings()), parse(Source("x", out), Findings())
        assert after == before
        assert [c.text for c in after.comments] == [c.text for c in before.comments]
        assert formatted(out) == out
