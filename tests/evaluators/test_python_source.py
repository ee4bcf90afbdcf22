"""Generated source: readable, found by tracebacks, and holding nothing of a rule file but quoted literals."""

from __future__ import annotations

import ast
import gc
import linecache
import re
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.interpreter import Interpreter
from evaluators.python import PythonEvaluator
from evaluators.python.literals import comment, literal, texts
from evaluators.python.runtime import namespace
from evaluators.snapshot import Snapshot
from policy_dsl.nodes import (
    Aggregate,
    All,
    AnyOf,
    Arithmetic,
    Compare,
    Constant,
    Expression,
    FactRead,
    Known,
    Negate,
    Not,
    OneOf,
    OutputRead,
    Row,
    RowRead,
)
from policy_dsl.operators import Comparator, Fold, Operator
from policy_dsl.program import Direction, How, Output, Permit, Program, Rule, Scope, Tighten
from policy_dsl.standing import is_hidden
from policy_dsl.types import COUNT, RATIO, TEXT, ItemSet, Levels

MODES = Levels("mode", ("SAFE", "NORMAL"))
MODE = Output("t.mode", "t", None, MODES, 1, Direction.DOWN)
DRAWDOWN = FactRead("account", "drawdown", RATIO)


def above(limit: int) -> Expression:
    return Compare(Comparator.GREATER, DRAWDOWN, Constant(limit, RATIO))


def program(*rules: Rule, outputs: tuple[Output, ...] = (MODE,)) -> Program:
    return Program("test", (), outputs, tuple(sorted(rules, key=lambda r: r.id)))


def tightening(name: str, guard: Expression) -> Rule:
    return Rule(name, "t", None, guard, (Tighten(MODE.id, How.TO, Constant(0, MODES)),), ())


# --- for people ------------------------------------------------------------------------------------------------------

READABLE = """\
def judge(facts, rows, ts, past=(), known=()):
    f0 = facts.get('account.drawdown')
    m0 = 0
    if f0 is None:
        m0 += 5
    else:
        # rule 't.caution'
        if f0 > 20000000:
            m0 += 3
            # rule 't.stop'
            if f0 > 50000000:
                m0 += 12
    found = FUND.get(m0)
    if found is None:
        found = keep(FUND, m0, settle(m0))
    answer, _ = found
    return answer
"""


def test_source_reads_like_the_rules() -> None:
    made = PythonEvaluator(program(tightening("t.stop", above(50_000_000)), tightening("t.caution", above(20_000_000))))
    assert made.source.endswith(READABLE)


def test_every_rule_is_named() -> None:
    names = [f"t.rule{n}" for n in range(20)]
    source = PythonEvaluator(program(*(tightening(name, above(n)) for n, name in enumerate(names)))).source
    assert [name for name in names if f"# rule {name!r}" not in source] == []


def test_tracebacks_show_the_source() -> None:
    made = PythonEvaluator(program(tightening("t.stop", above(50_000_000))))
    with pytest.raises(TypeError) as failed:
        made.decide(Snapshot("main", 1, {"account.drawdown": "much"}))
    shown = "".join(traceback.format_exception(failed.value))
    assert f'File "{made.enforced.filename}"' in shown
    assert "elif f0 > 50000000:" in shown


def test_source_is_forgotten_with_its_program() -> None:
    made = PythonEvaluator(program(tightening("t.only_here", above(12_345))))
    filename = made.enforced.filename
    assert made.enforced.source.splitlines(keepends=True) == linecache.getlines(filename)
    again = PythonEvaluator(made.program)
    assert again.enforced.filename == filename
    del made
    gc.collect()
    assert linecache.getlines(filename)
    del again
    gc.collect()
    assert linecache.getlines(filename) == []


# --- against rule files that mean harm -------------------------------------------------------------------------------

GENERATED = re.compile(r"[a-z]\d+(_\d*)?|h\d+_m\d+|settle(_\d+)?|ROWS_\d+|NAMES_\d+|READ_\d+|n|judge")
LOCAL = {"facts", "rows", "ts", "found", "fired", "values", "named", "outputs", "answer", "marks", "_"}
BUILT_IN = {"KeyError", "None", "len", "map", "sorted", "tuple", "zip", "abs", "min", "max", "dict"}
METHODS = {"get", "items", "append", "copy", "fromkeys"}
HOSTILE = st.sampled_from(
    (
        "x\n    import os",
        "'); raise SystemExit #",
        '""" + os.system("true") + """',
        "\\",
        "\\N{BULLET}",
        "{m0}",
        "%s",
        "\r",
        "\x00",
        "\u2028",
        "f0",
        "__import__('os')",
        "\ud800",
        "\U0001f525",
    )
) | st.text(st.characters(exclude_categories=()), min_size=1, max_size=8)


@st.composite
def hostile_programs(draw: st.DrawFn) -> Program:
    """Ids, facts, entities, items, levels and text chosen to break out of what they stand in."""
    fact, entity, item = (draw(HOSTILE) for _ in range(3))
    # What is hidden no decision shows, and nobody can write.
    rule_id, output = (draw(HOSTILE.filter(lambda text: not is_hidden(text))) for _ in range(2))
    said = tuple(draw(st.lists(HOSTILE, min_size=1, max_size=3)))
    grants = Output(output + ".set", "t", entity, ItemSet(output, (item, item + "2")), None, None)
    mode = Output(output, "t", None, MODES, 1, Direction.DOWN)
    scope = Scope(entity, fact)
    text = OneOf(FactRead(entity, fact, TEXT), said)
    row = OneOf(RowRead(Row(entity, fact), item, TEXT), said)
    named = RowRead(Row(entity, key=Constant(said[0], TEXT)), fact, TEXT)
    counted = Aggregate(Fold.COUNT, entity, item, OneOf(RowRead(Row(entity, item), fact, TEXT), said), None, COUNT)
    guard = AnyOf((text, OneOf(named, said), Compare(Comparator.GREATER, counted, Constant(1, COUNT))))
    return program(
        Rule(rule_id, "t", None, guard, (Tighten(mode.id, How.TO, Constant(0, MODES)),), ()),
        Rule(rule_id + "2", "t", scope, All((row, guard)), (Permit(grants.id, item, (Constant(3, RATIO),)),), ()),
        outputs=(mode, grants),
    )


@given(hostile_programs(), st.data())
def test_names_and_texts_stay_literals(made: Program, data: st.DataObject) -> None:
    ours = PythonEvaluator(made)
    tree = ast.parse(ours.source)
    known = LOCAL | BUILT_IN | set(namespace(made, 0, 1))
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} | {
        n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)
    }
    assert {name for name in names if name not in known and not GENERATED.fullmatch(name)} == set()
    assert {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)} <= METHODS
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom | ast.Global | ast.JoinedStr)]

    entity, fact, texts_ = _vocabulary(made)
    value = st.none() | st.sampled_from(texts_)
    facts = {f"{entity}.{fact}": data.draw(value)}
    keys = data.draw(st.lists(st.sampled_from(texts_), unique=True, max_size=3))
    rows = {entity: {key: {name: data.draw(value) for name in (fact, *texts_)} for key in keys}}
    snapshot = Snapshot("main", 1, facts, rows)
    assert ours.decide(snapshot) == Interpreter(made).decide(snapshot)


def _vocabulary(made: Program) -> tuple[str, str, list[str]]:
    scoped = next(r for r in made.rules if r.scope is not None)
    assert scoped.scope is not None
    items = made.outputs[1].type
    assert isinstance(items, ItemSet)
    return scoped.scope.entity, scoped.scope.variable, [items.items[0], *made.outputs[0].id]


@given(st.text(st.characters(exclude_categories=())))
def test_literals_are_what_they_say(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text
    assert ast.literal_eval(texts((text,))) == (text,)
    line = comment("rule", text)
    assert line.splitlines() == [line]
    assert ast.dump(ast.parse(line)) == ast.dump(ast.parse(""))


class Loud(str):
    """Text that would write code into the source if it were asked how to write itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "__import__('os').abort()"


def test_values_do_not_write_themselves() -> None:
    assert literal(Loud("calm")) == "'calm'"
    assert [literal(v) for v in (True, False, None, -5)] == ["True", "False", "None", "-5"]


# --- sizes -----------------------------------------------------------------------------------------------------------


def deep_condition(depth: int) -> Expression:
    """A condition nested too deeply for Python's parser."""
    condition: Expression = above(0)
    for level in range(depth):
        other = Compare(Comparator.LESS, FactRead("account", f"f{level % 7}", RATIO), Constant(level % 3, RATIO))
        condition = Not((AnyOf if level % 2 else All)((condition, other)))
    return condition


def long_sum(length: int) -> Expression:
    """`-(-(a + b) + c) ...`: a sum nested as deeply as it is long."""
    total: Expression = DRAWDOWN
    for level in range(length):
        term = FactRead("account", f"f{level % 7}", RATIO)
        total = Arithmetic(Operator.ADD, Negate(total, RATIO) if level % 9 == 0 else total, term, RATIO)
    return total


@pytest.mark.parametrize("value", [0, 1, -1, None])
def test_deep_expressions_compile(value: int | None) -> None:
    summed = Compare(Comparator.GREATER, long_sum(120), Constant(0, RATIO))
    made = program(
        tightening("t.deep", deep_condition(110)),
        tightening("t.known", Known(deep_condition(30))),
        tightening("t.long", summed),
    )
    snapshot = Snapshot("main", 1, {"account.drawdown": 1, **{f"account.f{n}": value for n in range(7)}})
    assert PythonEvaluator(made).decide(snapshot) == Interpreter(made).decide(snapshot)


def test_ladders_of_any_height_climb() -> None:
    thresholds = [tightening(f"t.r{n:03}", above(n * 10)) for n in range(40)]
    below = [
        tightening(f"t.s{n:03}", Compare(Comparator.AT_MOST, Constant(n * 10, RATIO), DRAWDOWN)) for n in range(40)
    ]
    under = [tightening(f"t.u{n:03}", Compare(Comparator.LESS, DRAWDOWN, Constant(n * 10, RATIO))) for n in range(40)]
    made = program(*thresholds, *below, *under)
    ours, reference = PythonEvaluator(made), Interpreter(made)
    for drawdown in (*range(-1, 402, 3), 200, 210, None):
        snapshot = Snapshot("main", 1, {"account.drawdown": drawdown})
        assert ours.decide(snapshot) == reference.decide(snapshot), drawdown


def test_large_programs_compile() -> None:
    rules = []
    for n in range(2_000):
        fact = FactRead("account", f"f{n % 50}", RATIO)
        asked = Compare(Comparator.GREATER, fact, Constant(n, RATIO))
        safe = Compare(Comparator.EQUAL, OutputRead(MODE.id, None, MODES), Constant(0, MODES))
        bound = Tighten("t.cap", How.TO, Constant(10**9 - n, RATIO))
        kept = Rule(f"t.r{n:04}", "t", None, safe if n % 4 == 3 else asked, (bound,), ())
        rules.append(tightening(f"t.r{n:04}", asked) if n % 4 == 0 else kept)
    cap = Output("t.cap", "t", None, RATIO, 10**9, Direction.DOWN, 0, 10**9)
    ours = PythonEvaluator(program(*rules, outputs=(MODE, cap)))
    decided = ours.decide(Snapshot("main", 1, {f"account.f{n}": 1_000 for n in range(50)}))
    assert decided.outputs == {"t.mode": 0, "t.cap": 10**9 - 1_999}
    assert len(decided.firings) == 750 + 500
    calm = ours.decide(Snapshot("main", 1, {f"account.f{n}": -1 for n in range(50)}))
    assert calm.outputs == {"t.mode": 1, "t.cap": 10**9}
    assert calm.firings == ()
