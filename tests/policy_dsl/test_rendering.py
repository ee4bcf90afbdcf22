"""How findings are kept and shown: places, underlines, long lines, tabs, and the nearest known word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_dsl.diagnostics import (
    Diagnostic,
    Findings,
    Label,
    PolicyError,
    Severity,
    Source,
    Span,
    did_you_mean,
    render,
)

SOURCE = Source("a.rules", "first\n\tsecond line\r\n\nlast")


@pytest.mark.parametrize(
    ("offset", "place"),
    [
        (0, (1, 1)),
        (5, (1, 6)),
        (6, (2, 1)),
        (8, (2, 3)),
        (20, (3, 1)),
        (21, (4, 1)),
        (25, (4, 5)),
        (999, (4, 5)),
        (-1, (1, 1)),
    ],
)
def test_an_offset_has_a_line_and_a_column(offset: int, place: tuple[int, int]) -> None:
    assert SOURCE.place(offset) == place


def test_lines_are_without_their_ends() -> None:
    assert [SOURCE.line(n) for n in (1, 2, 3, 4)] == ["first", "\tsecond line", "", "last"]


@given(st.text(st.sampled_from("ab\n\r\t"), max_size=30), st.integers(0, 30))
def test_the_place_of_an_offset_leads_back_to_it(text: str, offset: int) -> None:
    source = Source("x", text)
    offset = min(offset, len(text))
    place = source.place(offset)
    assert source.line_starts[place.line - 1] + place.column - 1 == offset


def shown(span: Span | None, *labels: Label, help: str | None = None) -> str:
    """A finding about a span of the source above."""
    return render(Diagnostic("RF999", "something is wrong", span, help, labels), {"a.rules": SOURCE})


def test_the_span_is_underlined() -> None:
    assert shown(Span("a.rules", 0, 5), help="do this") == (
        "error[RF999]: something is wrong\n  a.rules:1:1\n1 | first\n  | ^^^^^\n  help: do this"
    )


def test_tabs_stay_tabs_under_the_line() -> None:
    assert shown(Span("a.rules", 7, 13)).endswith("2 | \tsecond line\n  | \t^^^^^^")


def test_a_span_over_several_lines_is_underlined_to_the_end_of_the_first() -> None:
    assert shown(Span("a.rules", 14, 25)).endswith("2 | \tsecond line\n  | \t       ^^^^")


def test_an_empty_span_has_one_mark() -> None:
    assert shown(Span("a.rules", 20, 20)).endswith("3 | \n  | ^")


def test_labels_stand_under_the_line_or_name_their_place() -> None:
    text = shown(
        Span("a.rules", 7, 18), Label(Span("a.rules", 7, 13), "here"), Label(Span("a.rules", 0, 5), "and there")
    )
    assert text.endswith("  | \t^^^^^^^^^^^\n  | \t^^^^^^ here\n  = and there (a.rules:1)")


def test_without_a_source_the_file_is_named() -> None:
    assert render(Diagnostic("RF999", "wrong", Span("b.rules", 3, 5)), {}) == "error[RF999]: wrong\n  b.rules"
    assert render(Diagnostic("RF999", "wrong", None), {}) == "error[RF999]: wrong"


@pytest.mark.parametrize("severity", Severity)
def test_the_severity_comes_first(severity: Severity) -> None:
    found = Diagnostic("RF999", "wrong", None, severity=severity)
    assert render(found, {}).startswith(f"{severity.value}[RF999]")
    assert found.is_error == (severity is Severity.ERROR)


@given(st.integers(0, 2_000), st.integers(0, 2_000), st.sampled_from("x\t"))
def test_a_long_line_is_cut_around_the_span(start: int, width: int, letter: str) -> None:
    source = Source("a", letter * 2_000)
    text = render(Diagnostic("RF999", "wrong", Span("a", start, min(2_000, start + width))), {"a": source})
    assert max(map(len, text.split("\n"))) < 200
    assert "^" in text


def test_findings_come_once_and_in_order_of_place() -> None:
    findings = Findings()
    for path, at in (("b", 1), ("a", 9), ("a", 2), ("b", 1)):
        findings.error("RF999", "wrong", Span(path, at, at))
    findings.note("RF998", "wrong", Span("a", 2, 2))
    findings.warning("RF997", "nowhere", None)
    assert [(d.code, d.span and (d.span.path, d.span.start)) for d in findings.sorted()] == [
        ("RF997", None),
        ("RF998", ("a", 2)),
        ("RF999", ("a", 2)),
        ("RF999", ("a", 9)),
        ("RF999", ("b", 1)),
    ]


def test_findings_are_plain_data_too() -> None:
    found = Diagnostic("RF999", "wrong", Span("a.rules", 7, 13), "do this")
    assert found.as_json({"a.rules": SOURCE}) == {
        "code": "RF999",
        "severity": "error",
        "message": "wrong",
        "file": "a.rules",
        "line": 2,
        "column": 2,
        "end_line": 2,
        "end_column": 8,
        "help": "do this",
    }
    assert Diagnostic("RF999", "wrong", None).as_json({}) == {"code": "RF999", "severity": "error", "message": "wrong"}


def test_a_refusal_says_the_first_of_its_reasons() -> None:
    error = PolicyError(Diagnostic(f"RF{n}", "wrong", None) for n in range(5))
    assert str(error) == "RF0: wrong; RF1: wrong; RF2: wrong"
    assert len(error.diagnostics) == 5


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("drawdwn", ["drawdown", "equity"], "did you mean `drawdown`?"),
        ("zzz", ["drawdown", "equity"], None),
        ("x", [], None),
    ],
)
def test_the_nearest_known_word_is_proposed(word: str, known: list[str], said: str | None) -> None:
    assert did_you_mean(word, known) == said


def test_what_would_move_a_cursor_is_shown_as_a_sign_of_its_own() -> None:
    source = Source("a.rules", "ab\x1b[2Jcd\u202e")
    found = render(Diagnostic("RF999", "no `\x1b`", Span("a.rules", 2, 3)), {"a.rules": source})
    assert found == "error[RF999]: no `\ufffd`\n  a.rules:1:3\n1 | ab\ufffd[2Jcd\ufffd\n  |   ^"
