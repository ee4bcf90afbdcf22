"""Rule text to trees: every form, what binds how tightly, spans, and reading on after an error."""

from __future__ import annotations

import threading
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from policy_dsl import syntax as s
from policy_dsl import syntax_expressions as x
from policy_dsl import syntax_steps as t
from policy_dsl.diagnostics import Findings, Source, Span
from policy_dsl.parser import parse, parse_expression, parse_value

HEAD = 'policy hfos version 1.2.0\n  "what it is for"\n'


def q(text: str) -> x.Quantity:
    return x.Quantity(text)


def path(text: str) -> x.Path:
    head, *names = text.split(".")
    return x.Path(head, tuple(map(x.Field, names)))


A, B, C = path("a"), path("b"), path("c")


def expression(text: str) -> x.Expr:
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
    assert file.policy == s.Policy(x.Ident("hfos"), "1.2.0", "what it is for")
    return file.declarations


FORMS = [
    ("5_000 USD", q("5_000 USD")),
    ("5_000 \t USD", q("5_000 USD")),
    ("10/min", q("10/min")),
    ("10/h", q("10/h")),
    ("10 / h", x.Binary("/", q("10"), path("h"))),
    ("10/min(a, b)", x.Binary("/", q("10"), x.Call("min", (A, B)))),
    ("10/d.x", x.Binary("/", q("10"), path("d.x"))),
    ("2026-12-31", q("2026-12-31")),
    ("2026-12-31T10:00Z", q("2026-12-31T10:00Z")),
    ("2026 - 12", x.Binary("-", q("2026"), q("12"))),
    ("-5%", x.Unary(q("5%"))),
    ("--a", x.Unary(x.Unary(A))),
    ("a - -b", x.Binary("-", A, x.Unary(B))),
    ('"a \\"b\\" \\\\ \\n \\t \\q"', x.Text('a "b" \\ \n \t q')),
    ("yes", x.Flag(True)),
    ("no", x.Flag(False)),
    ("HIGH", x.Level("HIGH")),
    ("a.b.c", path("a.b.c")),
    ('a["k"].b', x.Path("a", (x.Index(x.Text("k")), x.Field("b")))),
    ("a.b[c.d].e", x.Path("a", (x.Field("b"), x.Index(path("c.d")), x.Field("e")))),
    ("a[b[c]]", x.Path("a", (x.Index(x.Path("b", (x.Index(C),))),))),
    ("a is HIGH", x.Is(A, x.Level("HIGH"))),
    ("a is not HIGH", x.Is(A, x.Level("HIGH"), negated=True)),
    ("a is known", x.IsKnown(A)),
    ("a is unknown", x.IsKnown(A, negated=True)),
    ("a in {HIGH, LOW}", x.In(A, (x.Level("HIGH"), x.Level("LOW")))),
    ("a not in {-5%}", x.In(A, (x.Unary(q("5%")),), negated=True)),
    ("a includes ADD", x.Has(A, x.Level("ADD"))),
    ("a excludes ADD", x.Has(A, x.Level("ADD"), negated=True)),
    ("40% of a", x.Binary("of", q("40%"), A)),
    ("min(a, b, c)", x.Call("min", (A, B, C))),
    ("previous(a)", x.Call("previous", (A,))),
    ("a throughout 5m", x.Timed("throughout", A, q("5m"))),
    ("a within b", x.Timed("within", A, B)),
    ("count(a)", x.Fold("count", A)),
    ("count(a as x where b over 1h)", x.Fold("count", A, x.Ident("x"), B, q("1h"))),
    ("highest(a + b over 1h)", x.Fold("highest", x.Binary("+", A, B), None, None, q("1h"))),
    ("((a))", A),
]


@pytest.mark.parametrize(("text", "tree"), FORMS, ids=[text for text, _ in FORMS])
def test_forms(text: str, tree: x.Expr) -> None:
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
    assert expression("a and b and c") == x.And((A, B, C))
    assert expression("(a and b) and c") == x.And((x.And((A, B)), C))
    assert expression("a or (b or c)") == x.Or((A, x.Or((B, C))))


@pytest.mark.parametrize("text", ["a < b < c", "a is b is c", "a > b is c", "a in HIGH", "a in {}", "a b", "", "a and"])
def test_what_is_no_expression(text: str) -> None:
    findings = Findings()
    assert parse_expression(Source("x", text), Span("x", 0, len(text)), findings) is None
    assert [d.code for d in findings.items] == ["RF101"]


def test_values_of_tests() -> None:
    findings = Findings()
    assert parse_value(Source("x", "missing"), Span("x", 0, 7), findings) == t.Missing()
    assert parse_value(Source("x", "-4%"), Span("x", 0, 3), findings) == x.Unary(q("4%"))
    assert parse_value(Source("x", "a + b"), Span("x", 0, 5), findings) is None


_FULL_RULE = """rule r observing for each request as q including exits
  when a unless b except until 2026-12-31 when c because "T" tighten o to 5 + a for 5m because "why" """

DECLARATIONS = [
    ("param limit = 3%", s.ParamDecl(x.Ident("limit"), None, q("3%"), None)),
    (
        "param limit: ratio = -3% in -5% to 5%",
        s.ParamDecl(x.Ident("limit"), s.NamedType("ratio"), x.Unary(q("3%")), s.Range(x.Unary(q("5%")), q("5%"))),
    ),
    ("param on = yes", s.ParamDecl(x.Ident("on"), None, x.Flag(True), None)),
    ("levels l = A < B", s.LevelsDecl(x.Ident("l"), (x.Ident("A"), x.Ident("B")))),
    (
        "output o: A < B starts B tightens down relaxes after 5m latches until a and b",
        s.OutputDecl(
            x.Ident("o"),
            None,
            s.LevelsType((x.Ident("A"), x.Ident("B"))),
            None,
            x.Level("B"),
            "down",
            q("5m"),
            x.And((A, B)),
        ),
    ),
    (
        "output o for each position: ratio latches until a starts 5% in 0% to 9%",
        s.OutputDecl(
            x.Ident("o"),
            s.ForEach(x.Ident("position")),
            s.NamedType("ratio"),
            s.Range(q("0%"), q("9%")),
            q("5%"),
            None,
            None,
            A,
        ),
    ),
    ("output o: R", s.OutputDecl(x.Ident("o"), None, s.NamedType("R"))),
    ("output o: set of A, B", s.OutputDecl(x.Ident("o"), None, s.SetType((x.Ident("A"), x.Ident("B"))))),
    (
        _FULL_RULE,
        s.RuleDecl(
            x.Ident("r"),
            True,
            s.ForEach(x.Ident("request"), x.Ident("q"), True),
            A,
            B,
            s.Excuse(q("2026-12-31"), C, x.Text("T")),
            (s.TightenEffect(path("o"), "to", x.Binary("+", q("5"), A), q("5m")),),
            x.Text("why"),
        ),
    ),
    (
        "rule r tighten o to A until a tighten o by 5 scale o by 50% deny forbid A permit B(a, 5) in o alert INFO",
        s.RuleDecl(
            x.Ident("r"),
            False,
            None,
            None,
            None,
            None,
            (
                s.TightenEffect(path("o"), "to", x.Level("A"), None, A),
                s.TightenEffect(path("o"), "by", q("5")),
                s.TightenEffect(path("o"), "scale", q("50%")),
                s.DenyEffect(),
                s.ItemEffect("forbid", x.Level("A")),
                s.ItemEffect("permit", x.Level("B"), (A, q("5")), path("o")),
                s.AlertEffect(x.Level("INFO")),
            ),
            None,
        ),
    ),
    (
        'test "t" given a = 5, b = missing expect c at 5m every 1m series a = 3% x5, missing, 4%',
        s.TestDecl(
            x.Text("t"),
            (
                t.Given((t.Assign(A, q("5")), t.Assign(B, t.Missing()))),
                t.Expect(C),
                t.At(q("5m")),
                t.Every(q("1m")),
                t.Series(A, (t.Run(q("3%"), 5), t.Run(t.Missing()), t.Run(q("4%")))),
            ),
        ),
    ),
    (
        'test "t" every 1m a = 0% x5, missing x2 every 30s b = yes every 1m expect c',
        s.TestDecl(
            x.Text("t"),
            (
                t.Series(A, (t.Run(q("0%"), 5), t.Run(t.Missing(), 2)), q("1m")),
                t.Series(B, (t.Run(x.Flag(True)),), q("30s")),
                t.Every(q("1m")),
                t.Expect(C),
            ),
        ),
    ),
    ('always "n" then a', s.AlwaysDecl(x.Text("n"), None, None, A)),
    (
        'always "n" for each position as p when a then b',
        s.AlwaysDecl(x.Text("n"), s.ForEach(x.Ident("position"), x.Ident("p")), A, B),
    ),
]


@pytest.mark.parametrize(("text", "tree"), DECLARATIONS, ids=[text[:40] for text, _ in DECLARATIONS])
def test_declarations(text: str, tree: s.Declaration) -> None:
    assert declarations(text) == (tree,)


def table(text: str) -> t.Table:
    """The table of a test that is nothing else."""
    (test,) = declarations(f'test "t"\n{text}\n')
    assert isinstance(test, s.TestDecl)
    (step,) = test.steps
    assert isinstance(step, t.Table)
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
    assert isinstance(step, t.Table)
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
    assert isinstance(node, x.Binary)
    assert text[node.left.span.start : node.left.span.end] == shown


def test_parts_of_a_path_know_where_they_stand() -> None:
    text = 'account . drawdown["x"] . y'.replace(" ", "")
    node = expression(text)
    assert isinstance(node, x.Path)
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
    assert rule.when == x.Binary(">", path(f"{word}.{word}"), path(word))
    assert rule.effects[0] == s.TightenEffect(path(word), "to", path(word))


@pytest.mark.parametrize("name", ["count", "sum", "min", "known", "state", "not", "in", "yes", "missing"])
def test_a_fact_may_be_called_like_a_word(name: str) -> None:
    assert expression(f"account.{name} > 5") == x.Binary(">", path(f"account.{name}"), q("5"))
    assert expression(f'a["k"].{name} > 5') == x.Binary(">", x.Path("a", (x.Index(x.Text("k")), x.Field(name))), q("5"))


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
