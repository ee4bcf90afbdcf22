"""Laws of the formatter: what is written reads back as the same tree, twice is once, and every comment is kept."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from policy_dsl import syntax as s
from policy_dsl.diagnostics import Findings, Source
from policy_dsl.formatter import format_file
from policy_dsl.parser import parse
from tests.policy_dsl.syntax_trees import PATH, files

_NOTHING = Source(PATH, "")
_WORD = re.compile(r'"(?:[^"\\\n]|\\.)*"|\|[^\n]*|[^\s"|]*[0-9_]+ USD\b|[^\s"|]+')


def read(text: str) -> s.File:
    """The tree of a text without errors."""
    findings = Findings()
    file = parse(Source(PATH, text), findings)
    assert findings.items == [], (text, findings.items)
    return file


@given(files)
def test_what_is_written_reads_back_as_the_same_tree(tree: s.File) -> None:
    text = format_file(tree, _NOTHING)
    assert read(text) == tree


@given(files)
def test_formatting_twice_is_formatting_once(tree: s.File) -> None:
    text = format_file(tree, _NOTHING)
    assert format_file(read(text), Source(PATH, text)) == text


@given(files)
def test_no_line_ends_in_blanks_and_the_file_in_one_line_end(tree: s.File) -> None:
    text = format_file(tree, _NOTHING)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert [line for line in text.split("\n") if line != line.rstrip(" ")] == []


@st.composite
def commented(draw: st.DrawFn) -> str:
    """Formatted text into which comments were put: at line ends, between lines, between words."""
    text = format_file(draw(files), _NOTHING)
    words = list(_WORD.finditer(text))
    chosen = draw(st.sets(st.integers(0, len(words) - 1), max_size=6))
    out, at = [], 0
    for number in sorted(chosen):
        end = words[number].end()
        out += [text[at:end], draw(st.sampled_from([" ", "\n", "\n  ", "\n\n", "\n\n    "])), f"# comment {number}\n"]
        at = end
    return "".join([*out, text[at:]])


@given(commented())
def test_comments_are_kept_in_order_and_change_nothing(text: str) -> None:
    tree = read(text)
    formatted = format_file(tree, Source(PATH, text))
    again = read(formatted)
    assert again == tree
    assert [c.text for c in again.comments] == [c.text for c in tree.comments]


@given(commented())
def test_formatting_commented_text_twice_is_formatting_it_once(text: str) -> None:
    once = format_file(read(text), Source(PATH, text))
    assert format_file(read(once), Source(PATH, once)) == once
