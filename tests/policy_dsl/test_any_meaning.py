"""Whatever well-formed rules mean or fail to mean, a check ends in a bundle or in errors; text and layout agree."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from policy_dsl import program as p
from policy_dsl import syntax as s
from policy_dsl import syntax_expressions as x
from policy_dsl import syntax_steps as t
from policy_dsl.bundle import Report, check_files
from policy_dsl.diagnostics import Source, render
from policy_dsl.formatter import format_file
from tests.catalogue_for_tests import small_catalogue
from tests.policy_dsl.syntax_trees import expressions_of
from tests.policy_dsl.test_any_text import HEAD

CATALOGUE = small_catalogue()


def _path(head: str, *steps: str | x.Index) -> x.Path:
    return x.Path(head, tuple(step if isinstance(step, x.Index) else x.Field(step) for step in steps))


_KEY = x.Index(x.Text("p1"))
_SINGLE = [_path(e.name, f) for e in CATALOGUE.entities.values() for f in e.facts]
_ROWS = [
    _path("position", _KEY, "notional"),
    _path("position", "symbol", "tier"),
    _path("verdict", x.Index(x.Text("r"))),
]
_OURS = [_path(n) for n in ("limit", "mode", "size", "actions", "position", "request", "trade", "verdict")]
_LEVELS = ["A", "B", "HIGH", "NORMAL", "CORE", "LONG", "OPEN", "ADD", "DENY"]
_NUMBERS = ["0", "5", "0.5", "5%", "100 USD", "2R", "20x", "5m", "10/min", "2026-12-31", "0%", "99999999999999999999"]

leaves: st.SearchStrategy[x.Expr] = st.one_of(
    st.sampled_from([*_SINGLE, *_ROWS, *_OURS]),
    st.sampled_from([x.Quantity(n) for n in _NUMBERS]),
    st.sampled_from([x.Level(n) for n in _LEVELS]),
    st.sampled_from([x.Text("p1"), x.Flag(True)]),
)
expressions = expressions_of(leaves, 6)

_targets = st.sampled_from([_path("mode"), _path("size"), _path("p", "size"), _path("actions"), _path("verdict")])
_effects = st.one_of(
    st.builds(s.TightenEffect, _targets, st.sampled_from(["to", "by", "scale"]), expressions),
    st.builds(s.TightenEffect, _targets, st.just("to"), expressions, expressions),
    st.builds(s.TightenEffect, _targets, st.just("to"), expressions, st.none(), expressions),
    st.builds(s.DenyEffect),
    st.builds(s.ItemEffect, st.just("permit"), st.just(x.Level("ADD")), st.lists(expressions, max_size=2).map(tuple)),
    st.builds(s.ItemEffect, st.just("forbid"), st.just(x.Level("HOLD"))),
)
_scopes = st.none() | st.sampled_from([s.ForEach(x.Ident(n)) for n in ("position", "request", "symbol")])
_excuses = st.builds(s.Excuse, st.just(x.Quantity("2030-01-01")), expressions, st.just(x.Text("OPS-1")))
_rules = st.builds(
    s.RuleDecl,
    st.just(x.Ident("r")),
    st.booleans(),
    _scopes,
    st.none() | expressions,
    st.none() | expressions,
    st.none() | _excuses,
    st.lists(_effects, min_size=1, max_size=2).map(tuple),
    st.none(),
)
_always = st.builds(s.AlwaysDecl, st.just(x.Text("a")), _scopes, st.none() | expressions, expressions)
_tests = st.builds(
    s.TestDecl,
    st.just(x.Text("t")),
    st.tuples(
        st.builds(t.Given, st.tuples(st.builds(t.Assign, st.sampled_from([*_SINGLE, *_ROWS]), leaves))),
        st.builds(t.Expect, expressions),
    ),
)
_outputs = st.builds(
    s.OutputDecl,
    st.just(x.Ident("held")),
    _scopes,
    st.sampled_from([s.NamedType("ratio"), s.NamedType("flag"), s.NamedType("tier"), s.NamedType("time")]),
    st.none() | st.builds(s.Range, leaves, leaves),
    leaves,
    st.none() | st.sampled_from(["up", "down"]),
    st.none() | leaves,
    st.none() | expressions,
)
declarations: st.SearchStrategy[s.Declaration] = st.one_of(_rules, _rules, _always, _tests, _outputs)


def checked(node: s.Declaration) -> Report:
    """What a check says of a declaration below the head of a policy."""
    text = HEAD + format_file(s.File("", None, (node,)), Source("", ""))
    return check_files({"p.rules": text.encode()}, CATALOGUE, today=0)


@given(declarations)
def test_a_check_ends_in_a_bundle_or_in_errors(node: s.Declaration) -> None:
    report = checked(node)
    assert {d.code for d in report.diagnostics if d.code.startswith("RF1")} <= {"RF105"}  # it reads, whatever it means
    assert (report.bundle is None) == any(d.is_error for d in report.diagnostics)
    assert all(render(d, report.sources) for d in report.diagnostics)


@given(st.lists(_rules, min_size=1, max_size=3))
def test_what_is_accepted_is_typed_throughout(rules: list[s.RuleDecl]) -> None:
    named = [replace(rule, name=x.Ident(f"r{i}")) for i, rule in enumerate(rules)]
    text = HEAD + format_file(s.File("", None, tuple(named)), Source("", ""))
    report = check_files({"p.rules": text.encode()}, CATALOGUE, today=0)
    for rule in () if report.bundle is None else report.bundle.program.rules:
        assert str(rule.guard.type) == "condition"
        for effect in rule.effects:
            if isinstance(effect, p.Tighten):
                output = report.bundle.program.output(effect.output) if report.bundle else None
                assert output is not None
                assert effect.how is p.How.SCALE or effect.value.type == output.type
