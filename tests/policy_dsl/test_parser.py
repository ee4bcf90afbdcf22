"""Rule text to trees: every form, what binds how tightly, spans, and reading on after an error."""

from __future__ import annotations

import threading
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from policy_dsl import syntax as s
from policy_dsl.diagnostics import Findings, Source, Span
from policy_dsl.parser import parse, parse_expression, parse_value

HEAD = 'policy hfos version 1.2.0\n  "what it is for"\n'


def q(text: str) -> s.Quantity:
    return s.Quantity(text)


def path(text: str) -> s.Path:
    head, *names = text.split(".")
    return s.Path(head, tuple(map(s.Field, names)))


A, B, C = path("a"), path("b"), path("c")


def expression(text: str) -> s.Expr:
    """The tree of an expression that reads."""
    findings = Findings()
    node = parse_expression(Source("x", text), Span("x", 0, len(text)), findings)
    assert findings.items == []
    assert node is not None
    return node


def declarations(text: str) -> tuple[s.Declaration, ...]:
    """The declarations of a file that reads."""
    findings = Findings()
    file = parse(Source("x", HEAD + text), findings)
    assert findings.items == []
    assert file.policy == s.Policy(s.Ident("hfos"), "1.2.0", "what it is for")
    return file.declarations


FORMS = [
    ("5_000 USD", q("5_000 USD")),
    ("5_000 \t USD", q("5_000 USD")),
    ("10/min", q("10/min")),
    ("10/h", q("10/h")),
    ("10 / h", s.Binary("/", q("10"), path("h"))),
    ("10/min(a, b)", s.Binary("/", q("10"), s.Call("min", (A, B)))),
    ("10/d.x", s.Binary("/", q("10"), path("d.x"))),
    ("2026-12-31", q("2026-12-31")),
    ("2026-12-31T10:00Z", q("2026-12-31T10:00Z")),
    ("2026 - 12", s.Binary("-", q("2026"), q("12"))),
    ("-5%", s.Unary(q("5%"))),
    ("--a", s.Unary(s.Unary(A))),
    ("a - -b", s.Binary("-", A, s.Unary(B))),
    ('"a \\"b\\" \\\\ \\n \\t \\q"', s.Text('a "b" \\ \n \t q')),
    ("yes", s.Flag(True)),
    ("no", s.Flag(False)),
    ("HIGH", s.Level("HIGH")),
    ("a.b.c", path("a.b.c")),
    ('a["k"].b', s.Path("a", (s.Index(s.Text("k")), s.Field("b")))),
    ("a.b[c.d].e", s.Path("a", (s.Field("b"), s.Index(path("c.d")), s.Field("e")))),
    ("a[b[c]]", s.Path("a", (s.Index(s.Path("b", (s.Index(C),))),))),
    ("a is HIGH", s.Is(A, s.Level("HIGH"))),
    ("a is not HIGH", s.Is(A, s.Level("HIGH"), negated=True)),
    ("a is known", s.IsKnown(A)),
    ("a is unknown", s.IsKnown(A, negated=True)),
    ("a in {HIGH, LOW}", s.In(A, (s.Level("HIGH"), s.Level("LOW")))),
    ("a not in {-5%}", s.In(A, (s.Unary(q("5%")),), negated=True)),
    ("a includes ADD", s.Has(A, s.Level("ADD"))),
    ("a excludes ADD", s.Has(A, s.Level("ADD"), negated=True)),
    ("40% of a", s.Binary("of", q("40%"), A)),
    ("min(a, b, c)", s.Call("min", (A, B, C))),
    ("previous(a)", s.Call("previous", (A,))),
    ("a throughout 5m", s.Timed("throughout", A, q("5m"))),
    ("a within b", s.Timed("within", A, B)),
    ("count(a)", s.Fold("count", A)),
    ("count(a as x where b over 1h)", s.Fold("count", A, s.Ident("x"), B, q("1h"))),
    ("highest(a + b over 1h)", s.Fold("highest", s.Binary("+", A, B), None, None, q("1h"))),
    ("((a))", A),
]


@pytest.mark.parametrize(("text", "tree"), FORMS, ids=[text for text, _ in FORMS])
def test_forms(text: str, tree: s.Expr) -> None:
    assert expression(text) == tree


BINDING = [
    ("a or b and c", "a or (b and c)"),
    ("a and b or c", "(a and b) or c"),
    ("not a and b", "(not a) and b"),
    ("not a throughout 5m", "not (a throughout 5m)"),
    ("not a is b", "not (a is b)"),
    ("a > b throughout 5m", "(a > b) throughout 5m"),
    ("a throughout 5m within 1h", "(a throughout 5m) within 1h"),
    ("a is b throughout 5m and c", "((a is b) throughout 5m) and c"),
    ("a + b > c - a", "(a + b) > (c - a)"),
    ("a - b - c", "(a - b) - c"),
    ("a / b * c", "(a / b) * c"),
    ("a + b * c", "a + (b * c)"),
    ("40% of a + b", "(40% of a) + b"),
    ("-a * b", "(-a) * b"),
    ("-a.b", "-(a.b)"),
    ("a in {HIGH} and b", "(a in {HIGH}) and b"),
]


@pytest.mark.parametrize(("text", "bound"), BINDING)
def test_what_binds_tighter(text: str, bound: str) -> None:
    assert expression(text) == expression(bound)


def test_brackets_keep_conjunctions_apart() -> None:
    assert expression("a and b and c") == s.And((A, B, C))
    assert expression("(a and b) and c") == s.And((s.And((A, B)), C))
    assert expression("a or (b or c)") == s.Or((A, s.Or((B, C))))


@pytest.mark.parametrize("text", ["a < b < c", "a is b is c", "a > b is c", "a in HIGH", "a in {}", "a b", "", "a and"])
def test_what_is_no_expression(text: str) -> None:
    findings = Findings()
    assert parse_expression(Source("x", text), Span("x", 0, len(text)), findings) is None
    assert [d.code for d in findings.items] == ["RF101"]


def test_values_of_tests() -> None:
    findings = Findings()
    assert parse_value(Source("x", "missing"), Span("x", 0, 7), findings) == s.Missing()
    assert parse_value(Source("x", "-4%"), Span("x", 0, 3), findings) == s.Unary(q("4%"))
    assert parse_value(Source("x", "a + b"), Span("x", 0, 5), findings) is None


_FULL_RULE = """rule r observing for each request as q including exits
  when a unless b except until 2026-12-31 when c because "T" tighten o to 5 + a for 5m because "why" """

DECLARATIONS = [
    ("param limit = 3%", s.ParamDecl(s.Ident("limit"), None, q("3%"), None)),
    (
        "param limit: ratio = -3% in -5% to 5%",
        s.ParamDecl(s.Ident("limit"), s.NamedType("ratio"), s.Unary(q("3%")), s.Range(s.Unary(q("5%")), q("5%"))),
    ),
    ("param on = yes", s.ParamDecl(s.Ident("on"), None, s.Flag(True), None)),
    ("levels l = A < B", s.LevelsDecl(s.Ident("l"), (s.Ident("A"), s.Ident("B")))),
    (
        "output o: A < B starts B tightens down relaxes after 5m latches until a and b",
        s.OutputDecl(
            s.Ident("o"),
            None,
            s.LevelsType((s.Ident("A"), s.Ident("B"))),
            None,
            s.Level("B"),
            "down",
            q("5m"),
            s.And((A, B)),
        ),
    ),
    (
        "output o for each position: ratio latches until a starts 5% in 0% to 9%",
        s.OutputDecl(
            s.Ident("o"),
            s.ForEach(s.Ident("position")),
            s.NamedType("ratio"),
            s.Range(q("0%"), q("9%")),
            q("5%"),
            None,
            None,
            A,
        ),
    ),
    ("output o: R", s.OutputDecl(s.Ident("o"), None, s.NamedType("R"))),
    ("output o: set of A, B", s.OutputDecl(s.Ident("o"), None, s.SetType((s.Ident("A"), s.Ident("B"))))),
    (
        _FULL_RULE,
        s.RuleDecl(
            s.Ident("r"),
            True,
            s.ForEach(s.Ident("request"), s.Ident("q"), True),
            A,
            B,
            s.Excuse(q("2026-12-31"), C, s.Text("T")),
            (s.TightenEffect(path("o"), "to", s.Binary("+", q("5"), A), q("5m")),),
            s.Text("why"),
        ),
    ),
    (
        "rule r tighten o to A until a tighten o by 5 scale o by 50% deny forbid A permit B(a, 5) in o alert INFO",
        s.RuleDecl(
            s.Ident("r"),
            False,
            None,
            None,
            None,
            None,
            (
                s.TightenEffect(path("o"), "to", s.Level("A"), None, A),
                s.TightenEffect(path("o"), "by", q("5")),
                s.TightenEffect(path("o"), "scale", q("50%")),
                s.DenyEffect(),
                s.ItemEffect("forbid", s.Level("A")),
                s.ItemEffect("permit", s.Level("B"), (A, q("5")), path("o")),
                s.AlertEffect(s.Level("INFO")),
            ),
            None,
        ),
    ),
    (
        'test "t" given a = 5, b = missing expect c at 5m every 1m series a = 3% x5, missing, 4%',
        s.TestDecl(
            s.Text("t"),
            (
                s.Given((s.Assign(A, q("5")), s.Assign(B, s.Missing()))),
                s.Expect(C),
                s.At(q("5m")),
                s.Every(q("1m")),
                s.Series(A, (s.Run(q("3%"), 5), s.Run(s.Missing()), s.Run(q("4%")))),
            ),
        ),
    ),
    (
        'test "t" every 1m a = 0% x5, missing x2 every 30s b = yes every 1m expect c',
        s.TestDecl(
            s.Text("t"),
            (
                s.Series(A, (s.Run(q("0%"), 5), s.Run(s.Missing(), 2)), q("1m")),
                s.Series(B, (s.Run(s.Flag(True)),), q("30s")),
                s.Every(q("1m")),
                s.Expect(C),
            ),
        ),
    ),
    ('always "n" then a', s.AlwaysDecl(s.Text("n"), None, None, A)),
    (
        'always "n" for each position as p when a then b',
        s.AlwaysDecl(s.Text("n"), s.ForEach(s.Ident("position"), s.Ident("p")), A, B),
    ),
]


@pytest.mark.parametrize(("text", "tree"), DECLARATIONS, ids=[text[:40] for text, _ in DECLARATIONS])
def test_declarations(text: str, tree: s.Declaration) -> None:
    assert declarations(text) == (tree,)


def table(text: str) -> s.Table:
    """The table of a test that is nothing else."""
    (test,) = declarations(f'test "t"\n{text}\n')
    assert isinstance(test, s.TestDecl)
    (step,) = test.steps
    assert isinstance(step, s.Table)
    return step


TABLES = [
    ("| a | b |\n| 1 | 2 |", [["a", "b"], ["1", "2"]]),
    ("| a | b\n| 1 | 2", [["a", "b"], ["1", "2"]]),
    ("|a|\r\n  |1|\r\n  |2|", [["a"], ["1"], ["2"]]),
    ("| a | # why\n  # a comment between\n| 1 | # | 2 |", [["a"], ["1"]]),
    ('| position["p|1"].x | "#1" |\n| 1 | "\\"|" |', [['position["p|1"].x', '"#1"'], ["1", '"\\"|"']]),
    ("| a |\n|\n||\n| |", [["a"], [], [""], [""]]),
    ("| a b  c |", [["a b  c"]]),
]


@pytest.mark.parametrize(("text", "cells"), TABLES)
def test_tables(text: str, cells: list[list[str]]) -> None:
    found = table(text)
    assert [[cell.text for cell in row] for row in (found.header, *found.rows)] == cells


def test_cells_know_where_they_stand() -> None:
    text = HEAD + 'test "t"\n  | a  | "|" |\n  # between\n  |  1 | 2   |\n'
    findings = Findings()
    file = parse(Source("x", text), findings)
    (test,) = file.declarations
    assert isinstance(test, s.TestDecl)
    (step,) = test.steps
    assert isinstance(step, s.Table)
    cells = [cell for row in (step.header, *step.rows) for cell in row]
    assert [text[c.span.start : c.span.end] for c in cells] == [c.text for c in cells]


def test_an_empty_line_ends_a_table() -> None:
    (test,) = declarations('test "t"\n| a |\n| 1 |\n\n| b |\n| 2 |\n')
    assert isinstance(test, s.TestDecl)
    assert len(test.steps) == 2


def spans(node: Any) -> list[tuple[Span, Any]]:
    """Every node below `node` that has a span."""
    found = [(node.span, node)] if hasattr(node, "span") else []
    for field in fields(node):
        value = getattr(node, field.name)
        for part in value if isinstance(value, tuple) and not isinstance(value, Span) else (value,):
            if is_dataclass(part) and not isinstance(part, type):
                found += spans(part)
    return found


def test_a_span_covers_its_parts_and_no_blanks_around() -> None:
    text = HEAD + DECLARATIONS[8][0] + "\n" + DECLARATIONS[9][0] + "\n" + DECLARATIONS[4][0]
    file = parse(Source("x", text), Findings())
    for declaration in file.declarations:
        for span, node in spans(declaration):
            assert declaration.span.start <= span.start < span.end <= declaration.span.end
            shown = text[span.start : span.end]
            assert shown == shown.strip(), node


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a + b > c", "a + b"),
        ("a.b.c > c", "a.b.c"),
        ('a["k"].b > c', 'a["k"].b'),
        ("min(a, b) > c", "min(a, b)"),
        ("-a > c", "-a"),
    ],
)
def test_the_left_side_of_a_comparison_is_underlined(text: str, shown: str) -> None:
    node = expression(text)
    assert isinstance(node, s.Binary)
    assert text[node.left.span.start : node.left.span.end] == shown


def test_parts_of_a_path_know_where_they_stand() -> None:
    text = 'account . drawdown["x"] . y'.replace(" ", "")
    node = expression(text)
    assert isinstance(node, s.Path)
    assert [text[step.span.start : step.span.end] for step in node.steps] == [".drawdown", '["x"]', ".y"]


# --- words and names -------------------------------------------------------------------------------------------------

_WORDS = [
    "to",
    "by",
    "for",
    "until",
    "when",
    "unless",
    "each",
    "as",
    "set",
    "deny",
    "alert",
    "rule",
    "up",
    "starts",
    "x5",
]


@pytest.mark.parametrize("word", _WORDS)
def test_a_word_of_the_language_may_be_a_name_where_it_cannot_be_meant(word: str) -> None:
    (rule,) = declarations(f"rule {word} when {word}.{word} > {word} tighten {word} to {word} alert INFO")
    assert isinstance(rule, s.RuleDecl)
    assert rule.name.text == word
    assert rule.when == s.Binary(">", path(f"{word}.{word}"), path(word))
    assert rule.effects[0] == s.TightenEffect(path(word), "to", path(word))


@pytest.mark.parametrize("name", ["count", "sum", "min", "known", "state", "not", "in", "yes", "missing"])
def test_a_fact_may_be_called_like_a_word(name: str) -> None:
    assert expression(f"account.{name} > 5") == s.Binary(">", path(f"account.{name}"), q("5"))
    assert expression(f'a["k"].{name} > 5') == s.Binary(">", s.Path("a", (s.Index(s.Text("k")), s.Field(name))), q("5"))


# --- comments and line ends ------------------------------------------------------------------------------------------


def test_comments_are_kept_with_their_place() -> None:
    text = '# one\npolicy p version 1.0.0 # two  \n"# no comment" # three\nrule r # four # five\nalert INFO'
    file = parse(Source("x", text), Findings())
    assert [c.text for c in file.comments] == ["# one", "# two", "# three", "# four # five"]
    assert [text[c.span.start : c.span.end] for c in file.comments] == [c.text for c in file.comments]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\f", "\t"])
def test_line_ends_carry_no_meaning(end: str) -> None:
    text = f"rule r{end}when a{end}unless b{end}alert INFO{end}"
    assert declarations(text) == declarations("rule r when a unless b alert INFO")


# --- errors ----------------------------------------------------------------------------------------------------------


def test_reading_goes_on_at_the_next_declaration() -> None:
    text = HEAD + "rule a when alert INFO\nrule b alert INFO\nparam = 5\nrule c deny\nrule d because\n"
    findings = Findings()
    file = parse(Source("x", text), findings)
    assert [d.name.text for d in file.declarations if isinstance(d, s.RuleDecl)] == ["b", "c"]
    assert [d.code for d in findings.items] == ["RF101"] * 3
    lines = [Source("x", text).place(d.span.start).line for d in findings.items if d.span]
    assert lines == [3, 5, 7]


def test_spans_after_an_error_are_those_of_the_file() -> None:
    text = HEAD + "rule a when\nrule b when account.drawdown > 5% alert INFO\n"
    file = parse(Source("x", text), Findings())
    (rule,) = file.declarations
    assert text[rule.span.start : rule.span.end] == "rule b when account.drawdown > 5% alert INFO"


def test_a_word_at_the_start_of_a_line_in_a_string_starts_no_declaration() -> None:
    text = HEAD + 'rule a when alert INFO\ntest "x\\\nrule" expect a\n'
    findings = Findings()
    parse(Source("x", text), findings)
    assert {d.code for d in findings.items} <= {"RF101", "RF103"}


def test_threads_read_side_by_side() -> None:
    texts = [f"policy p{i} version 1.0.0\n" + f"rule r{i} when a{i} > {i} alert INFO\n" * 30 for i in range(2)]
    found: dict[int, s.File] = {}

    def read(number: int) -> None:
        found[number] = parse(Source(f"{number}.rules", texts[number]), Findings())

    threads = [threading.Thread(target=read, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, file in found.items():
        assert file == parse(Source(f"{number}.rules", texts[number]), Findings())
        assert {d.span.path for d in file.declarations} == {f"{number}.rules"}
