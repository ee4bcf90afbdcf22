"""Whatever stands in a file, a check ends in a bundle or in errors; it never raises, and never says nothing."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from policy_dsl.bundle import Report, check_files
from policy_dsl.diagnostics import Findings, Source, render
from policy_dsl.formatter import format_source
from tests.catalogue_for_tests import small_catalogue
from tests.conftest import ROOT

CATALOGUE = small_catalogue()
PAGE = Path(__file__).with_name("diagnostics.md").read_text(encoding="utf-8")
WRITTEN = [p.read_text(encoding="utf-8") for p in sorted((ROOT / "rules").glob("*.rules"))]
WRITTEN += re.findall(r"^```rules.*?\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

_GRAMMAR = (ROOT / "policy_dsl" / "grammar.lark").read_text(encoding="utf-8")
_KEYWORDS = sorted(set(re.findall(r'"([a-z]+)"', _GRAMMAR)))
_NAMES = """
account.drawdown market.volatility operator.stop_requested operator.note clock.now account.equity position limit
position.notional position.symbol.tier position["p1"].side request["r1"] request.effect symbol trade trade.r_multiple
p.mode p.size p.actions mode size actions verdict verdict["r1"] x held
"""
_VALUES = """
5 5% 0.65 5_000 USD 90s 15m 2R 20x 10/min 2026-12-31 "text" "{account.drawdown} {x" HIGH NORMAL A B ADD OPEN LONG CORE
CRITICAL DENY yes no missing 99999999999999999999 0 -1 0% 0m 1_ 7wat
"""
_SIGNS = "( ) { } [ ] < <= > >= = + - * / , : . |"
tokens = st.sampled_from([*_KEYWORDS, *_NAMES.split(), *_VALUES.split(), *_SIGNS.split(), "\n", "# c\n"])
HEAD = """policy p version 1.0.0
param limit = 3% in 1% to 10%
output mode: A < B starts B
output size: ratio in 0% to 100% starts 100%
output actions for each position: set of ADD, HOLD
"""


def judged(contents: dict[str, bytes]) -> Report:
    """The report on the files, all of it written out."""
    report = check_files(contents, CATALOGUE, today=0)
    assert (report.bundle is None) == any(d.is_error for d in report.diagnostics)
    for found in report.diagnostics:
        assert render(found, report.sources)
        if found.span is not None and found.span.path in report.sources:
            assert 0 <= found.span.start <= found.span.end <= len(report.sources[found.span.path].text) + 1
    return report


@given(st.binary(max_size=200))
def test_bytes(data: bytes) -> None:
    judged({"p.rules": data, "ringfence.toml": data})


@given(st.text(max_size=200))
def test_text(text: str) -> None:
    judged({"p.rules": text.encode("utf-8", "surrogatepass")})


@given(st.lists(tokens, max_size=30))
def test_words_in_any_order(words: list[str]) -> None:
    judged({"p.rules": (HEAD + " ".join(words)).encode()})


_clauses = st.sampled_from(
    [
        "when",
        "unless",
        "tighten mode to",
        "tighten size by",
        "scale size by",
        "permit ADD(",
        "forbid",
        "alert",
        "because",
    ]
)
_phrases = st.lists(tokens, min_size=1, max_size=6).map(" ".join)


@given(st.lists(st.tuples(_clauses, _phrases), min_size=1, max_size=4))
def test_rules_of_any_words(clauses: list[tuple[str, str]]) -> None:
    body = "\n  ".join(f"{clause} {phrase}" for clause, phrase in clauses)
    judged({"p.rules": f"{HEAD}rule r for each position\n  {body}\n  alert INFO\n".encode()})


@given(_phrases)
def test_conditions_of_any_words(words: str) -> None:
    judged({"p.rules": f"{HEAD}rule r for each position\n  when {words}\n  alert INFO\n".encode()})


@given(_phrases)
def test_holes_and_cells_of_any_words(words: str) -> None:
    text = f'{HEAD}rule r\n  alert INFO\n  because "{{{words}}}"\ntest "t"\n  | {words} | mode |\n  | {words} | B |\n'
    judged({"p.rules": text.encode()})


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A rule file from which words were taken, doubled, or put elsewhere."""
    text = draw(st.sampled_from(WRITTEN))
    parts = re.split(r"(\s+)", text)
    for _ in range(draw(st.integers(1, 4))):
        at, other = draw(st.integers(0, len(parts) - 1)), draw(st.integers(0, len(parts) - 1))
        change = draw(st.sampled_from(["drop", "double", "swap", "put"]))
        if change == "drop":
            parts[at] = " "
        elif change == "double":
            parts[at] += parts[other]
        elif change == "swap":
            parts[at], parts[other] = parts[other], parts[at]
        else:
            parts[at] += f" {draw(tokens)} "
    return "".join(parts)


@given(damaged())
def test_damaged_files(text: str) -> None:
    judged({"p.rules": text.encode()})


@given(damaged())
def test_what_can_be_read_can_be_formatted_and_says_the_same_then(text: str) -> None:
    findings = Findings()
    formatted = format_source(Source("p.rules", text), findings)
    assert (formatted is None) == any(d.is_error for d in findings.items)
    if formatted is not None:
        again = format_source(Source("p.rules", formatted), findings)
        assert again == formatted
        said, now = judged({"p.rules": text.encode()}), judged({"p.rules": formatted.encode()})
        assert sorted((d.code, d.message) for d in said.diagnostics) == sorted(
            (d.code, d.message) for d in now.diagnostics
        )
