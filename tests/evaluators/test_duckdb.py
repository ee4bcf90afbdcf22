"""The DuckDB evaluator beyond what generated programs reach: names, sizes, nesting, recordings, what a run leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.duckdb import DuckdbEvaluator, decide_all, decisions, load_snapshots, needs_of
from evaluators.interpreter import Interpreter
from evaluators.snapshot import Fields, Snapshot
from policy_dsl.nodes import (
    Aggregate,
    All,
    Compare,
    Constant,
    Expression,
    FactRead,
    Not,
    OneOf,
    OutputRead,
    Row,
    RowKey,
    RowRead,
)
from policy_dsl.operators import Comparator, Fold
from policy_dsl.program import Direction, How, Output, Permit, Program, Rule, Scope, Tighten
from policy_dsl.types import COUNT, FLAG, RATIO, TEXT, ItemSet, Levels, Reference
from tests.evaluators.duckdb_desk import day, program
from tests.evaluators.stored_states import opened, recorded

Collection = Mapping[str, Fields]
MODE = Levels("mode", ("SAFE", "NORMAL"))


def assert_agree(rules: Program, snapshots: list[Snapshot]) -> None:
    interpreter = Interpreter(rules)
    assert decide_all(rules, snapshots) == [interpreter.decide(s) for s in snapshots]


def test_a_day_of_a_desk() -> None:
    assert_agree(program(), [*day(150), *day(50, seed=4, book="other")])


def test_a_recording(tmp_path: Path) -> None:
    snapshots = day(60)
    with duckdb.connect() as connection:
        opened(recorded(tmp_path / "r", *snapshots)).attach(connection)
        found = decisions(DuckdbEvaluator(program()).run(connection))
    interpreter = Interpreter(program())
    assert found == [interpreter.decide(s) for s in snapshots]


def test_no_snapshot_at_all() -> None:
    assert decide_all(program(), []) == []


# --- names and texts -------------------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
hostile = st.sampled_from(
    [
        '"',
        "'",
        "''",
        '"; DROP TABLE x; --',
        "*/ x /*",
        "{}",
        "{0}",
        "a\nb",
        "\\",
        "%s",
        "ts",
        "KEY",
        "snapshot",
        "decision",
    ]
)


@given(
    entity=names | hostile, field=names | hostile, words=st.lists(names | hostile, min_size=3, max_size=5, unique=True)
)
def test_names_and_texts_of_any_kind(entity: str, field: str, words: list[str]) -> None:
    kind = Levels(words[0], tuple(words))
    fact = FactRead(entity, field, TEXT)
    level = FactRead(entity, f"{field}2", kind)
    outputs = (
        Output(f"p.{words[0]}", "p", None, kind, len(words) - 1, Direction.DOWN),
        Output(f"p.{words[1]}", "p", None, ItemSet("s", tuple(words)), None, None),
    )
    rules = (
        _rule(
            f"p.1{field}", Compare(Comparator.EQUAL, fact, Constant(words[1], TEXT)), Permit(outputs[1].id, words[2])
        ),
        _rule(f"p.2{field}", OneOf(fact, tuple(words)), Tighten(outputs[0].id, How.TO, level)),
    )
    states: list[Fields] = [{f"{entity}.{field}": word, f"{entity}.{field}2": i} for i, word in enumerate(words)]
    assert_agree(Program("names", (), outputs, rules), [Snapshot(words[0], i, state) for i, state in enumerate(states)])


@given(entity=names | hostile.filter(lambda name: name not in ("snapshot", "decision")), word=names | hostile)
def test_entities_and_keys_of_any_name(entity: str, word: str) -> None:
    output = Output(f"p.{word}", "p", entity, MODE, 1, Direction.DOWN)
    guard = Compare(Comparator.EQUAL, RowRead(Row(entity, word), f"x{word}", TEXT), Constant(word, TEXT))
    named = Compare(
        Comparator.EQUAL, OutputRead(output.id, Row(entity, None, Constant(word, TEXT)), MODE), Constant(0, MODE)
    )
    late = Output("p.late", "p", None, MODE, 1, Direction.DOWN)
    denied = Tighten(output.id, How.TO, Constant(0, MODE))
    rules = (
        Rule("p.1", "p", Scope(entity, word), guard, (denied,), ()),
        _rule("p.2", named, Tighten("p.late", How.TO, Constant(0, MODE))),
    )
    states: list[dict[str, Collection]] = [
        {entity: {word: {f"x{word}": word}, "other": {}}},
        {entity: {"other": {}}},
        {},
    ]
    if entity.casefold() != "snapshot":
        assert_agree(
            Program("keys", (), (output, late), rules), [Snapshot("b", i, {}, rows) for i, rows in enumerate(states)]
        )


def test_relations_are_not_called_like_what_they_are_made_of() -> None:
    output = Output("p.mode", "p", "decision", MODE, 1, Direction.DOWN)
    with pytest.raises(ValueError, match="`decision`"):
        DuckdbEvaluator(Program("clash", (), (output,), ()))
    assert DuckdbEvaluator(Program("clash", (), (output,), ()), name="decided").sql


def test_names_that_differ_in_case_only() -> None:
    outputs = tuple(Output(f"p.{name}", "p", None, FLAG, True, Direction.DOWN) for name in ("Stop", "stop", "STOP"))
    rules = tuple(
        _rule(f"p.r{i}", _is(FactRead("a", f"f{i}", COUNT), 1), Tighten(o.id, How.TO, Constant(False, FLAG)))
        for i, o in enumerate(outputs)
    )
    assert_agree(Program("case", (), outputs, rules), [Snapshot("b", i, {f"a.f{i}": 1}) for i in range(3)])


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_more_rules_than_a_mask_has_bits() -> None:
    output = Output("p.mode", "p", None, MODE, 1, Direction.DOWN)
    rules = tuple(
        _rule(f"p.r{i:03}", _is(FactRead("a", "x", COUNT), i), Tighten("p.mode", How.TO, Constant(0, MODE)))
        for i in range(100)
    )
    assert_agree(
        Program("many", (), (output,), rules),
        [Snapshot("b", i, {"a.x": v}) for i, v in enumerate((0, 31, 99, 7, None))],
    )


def test_hundreds_of_shifts() -> None:
    output = Output("p.loss", "p", None, RATIO, 10**9, Direction.DOWN, 0, 10**9)
    shift = Tighten("p.loss", How.BY, Constant(1_000_000, RATIO))
    rules = tuple(_rule(f"p.r{i:03}", _is(FactRead("a", "x", COUNT), i % 7), shift) for i in range(300))
    assert_agree(
        Program("shifts", (), (output,), rules), [Snapshot("b", i, {"a.x": v}) for i, v in enumerate((0, 5, 9, None))]
    )


def test_a_deep_condition() -> None:
    guard: Expression = _is(FactRead("a", "x", COUNT), 0)
    for i in range(60):
        guard = Not(All((guard, _is(FactRead("a", "y", COUNT), i % 3))))
    output = Output("p.mode", "p", None, MODE, 1, Direction.DOWN)
    rule = _rule("p.r", guard, Tighten("p.mode", How.TO, Constant(0, MODE)))
    states: list[Fields] = [{"a.x": x, "a.y": y} for x in (0, 1, None) for y in (0, 1, 2, None)]
    assert_agree(Program("deep", (), (output,), (rule,)), [Snapshot("b", i, state) for i, state in enumerate(states)])


# --- rows ------------------------------------------------------------------------------------------------------------


def test_folds_within_folds() -> None:
    """A count of positions for which there is a request for whose symbol there is another position."""
    same = [_same_symbol("p", "r"), _same_symbol("r", "q"), Compare(Comparator.DIFFERENT, _key("p"), _key("q"))]
    third = Aggregate(Fold.ANY, "position", "q", None, All((same[1], same[2])), FLAG)
    second = Aggregate(Fold.ANY, "request", "r", same[0], third, FLAG)
    first = Aggregate(Fold.COUNT, "position", "p", second, None, COUNT)
    output = Output("p.mode", "p", None, MODE, 1, Direction.DOWN)
    rule = _rule(
        "p.r", Compare(Comparator.GREATER, first, Constant(0, COUNT)), Tighten("p.mode", How.TO, Constant(0, MODE))
    )
    positions = {key: {"symbol": symbol} for key, symbol in (("p1", "BTC"), ("p2", "BTC"), ("p3", None))}
    some: list[Collection] = [dict(list(positions.items())[:n]) for n in range(4)]
    asked: list[Collection] = [{}, {"r1": {"symbol": "BTC"}}, {"r1": {"symbol": None}, "r2": {"symbol": "ETH"}}]
    states: list[dict[str, Collection | None]] = [{"position": p, "request": r} for p in [None, *some] for r in asked]
    assert_agree(
        Program("nested", (), (output,), (rule,)), [Snapshot("b", i, {}, rows) for i, rows in enumerate(states)]
    )


def test_an_output_of_a_row_read_by_its_key() -> None:
    cap = Output("p.cap", "p", "symbol", COUNT, 9, Direction.DOWN, 0, 9)
    mode = Output("p.mode", "p", "position", MODE, 1, Direction.DOWN)
    low = Rule(
        "p.a", "p", Scope("symbol", "s"), _is(RowRead(Row("symbol", "s"), "x", COUNT), 1), (_to("p.cap", 1),), ()
    )
    key = RowRead(Row("position", "p"), "symbol", Reference("symbol"))
    read = OutputRead("p.cap", Row("symbol", None, key), COUNT)
    closed = Tighten("p.mode", How.TO, Constant(0, MODE))
    held = Rule("p.b", "p", Scope("position", "p"), Compare(Comparator.LESS, read, Constant(5, COUNT)), (closed,), ())
    rows: dict[str, Collection] = {"position": {f"p{i}": {"symbol": s} for i, s in enumerate(("A", "B", "C", None))}}
    states: list[dict[str, Collection]] = [
        rows,
        rows | {"symbol": {"A": {"x": 1}, "B": {"x": 2}, "D": {}}},
        rows | {"symbol": {"C": {}}},
    ]
    assert_agree(Program("keys", (), (cap, mode), (low, held)), [Snapshot("b", i, {}, s) for i, s in enumerate(states)])


def test_a_level_that_the_catalogue_does_not_know_is_missing() -> None:
    rules = program()
    [snapshot] = day(1)
    missing = replace(snapshot, facts={**snapshot.facts, "market.volatility": None})
    with duckdb.connect() as connection:
        load_snapshots(connection, rules, [snapshot])
        connection.execute("""UPDATE snapshot SET "market.volatility" = 'CALM'""")
        assert decisions(DuckdbEvaluator(rules).run(connection)) == [Interpreter(rules).decide(missing)]


# --- what a run needs and leaves -------------------------------------------------------------------------------------


def test_only_needed_columns_are_read() -> None:
    needs = needs_of(program())
    assert list(needs.facts) == ["account.drawdown", "account.losing_streak", "market.data_age", "market.volatility"]
    assert {e: list(fields) for e, fields in needs.entities.items()} == {
        "position": ["r_multiple", "side", "symbol"],
        "request": ["duplicate", "effect"],
        "symbol": ["tier"],
    }


def test_a_run_leaves_its_relations_and_may_be_repeated() -> None:
    evaluator = DuckdbEvaluator(program(), name="d")
    with duckdb.connect() as connection:
        load_snapshots(connection, program(), day(20))
        first = decisions(evaluator.run(connection))
        assert decisions(evaluator.run(connection)) == first
        views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall()
        mine = ["d", "d_position", "d_request"]
        assert [name for (name,) in views] == [*mine, *(f"d_would_be{name[1:]}" for name in mine)]
        tables = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'd%:%'").fetchone()
        assert tables == (len(views),)
        assert connection.execute("SELECT current_setting('preserve_insertion_order')").fetchone() == (True,)


def test_the_sql_names_its_rules() -> None:
    sql = DuckdbEvaluator(program()).sql
    assert all(f"/* {rule.id} */" in sql for rule in program().rules)
    assert "desk.late" not in sql.split("would_be")[0]


def test_a_missing_column_is_an_error_of_the_database() -> None:
    with duckdb.connect() as connection:
        load_snapshots(connection, program(), day(2))
        connection.execute('ALTER TABLE snapshot DROP COLUMN "account.drawdown"')
        with pytest.raises(duckdb.BinderException, match=r"account\.drawdown"):
            DuckdbEvaluator(program()).run(connection)
        assert connection.execute("SELECT current_setting('preserve_insertion_order')").fetchone() == (True,)


# --- parts -----------------------------------------------------------------------------------------------------------


def _rule(id: str, guard: Expression, effect: Tighten | Permit) -> Rule:
    return Rule(id, "p", None, guard, (effect,), ())


def _is(left: Expression, figure: int) -> Compare:
    return Compare(Comparator.EQUAL, left, Constant(figure, COUNT))


def _to(output: str, figure: int) -> Tighten:
    return Tighten(output, How.TO, Constant(figure, COUNT))


def _key(variable: str) -> RowKey:
    return RowKey(variable, Reference("position"))


def _same_symbol(left: str, right: str) -> Compare:
    entities = {"p": "position", "q": "position", "r": "request"}
    a, b = (RowRead(Row(entities[v], v), "symbol", Reference("symbol")) for v in (left, right))
    return Compare(Comparator.EQUAL, a, b)
