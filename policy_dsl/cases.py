"""Tests and invariants of rule files, typed: what is given when, and what is expected then."""

from __future__ import annotations

from dataclasses import dataclass

from policy_dsl import expressions
from policy_dsl import program as p
from policy_dsl import syntax as s
from policy_dsl.catalogue import Rows
from policy_dsl.context import Context, a_type, row_name
from policy_dsl.declarations import keyed_entity
from policy_dsl.diagnostics import Source, Span, did_you_mean
from policy_dsl.parser import parse_expression, parse_value
from policy_dsl.types import FLAG, Flag, ItemSet, Quantity, Reference, Text, Truth, Type, Value
from policy_dsl.writing import write_value

MOST_SNAPSHOTS = 100_000
"""A test takes no more than this: at one a minute, that is two months."""

_MOST_COLUMNS = 100

DEFAULT_CADENCE = 60_000
"""A test takes a snapshot every minute unless it says otherwise (milliseconds)."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One fact of a test. `key` is None for an entity with one row; `field` None is the whole collection.

    `value` None is missing.
    """

    entity: str
    key: str | None
    field: str | None
    value: Value | None


@dataclass(frozen=True, slots=True)
class Expectation:
    """A condition on the outputs, and where it stands."""

    condition: p.Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Moment:
    """What a test changes and expects at one time (ms after its start)."""

    at: int
    given: tuple[Assignment, ...]
    expected: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Values of one fact, one a snapshot from the start on."""

    target: Assignment
    values: tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One test. A table makes several `variants`, each a sequence of moments in order of time."""

    policy: str
    name: str
    variants: tuple[tuple[Moment, ...], ...]
    timelines: tuple[Timeline, ...]
    cadence: int
    timed: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Invariant:
    """`always "name" for each E when C then C`."""

    policy: str
    name: str
    scope: p.Scope | None
    when: p.Expression
    then: p.Expression
    span: Span


def typed_invariant(node: s.AlwaysDecl, context: Context) -> Invariant | None:
    """The typed invariant; None after a finding."""
    scope = None
    if node.scope is not None:
        entity = keyed_entity(node.scope, context)
        if entity is None:
            return None
        called = row_name(node.scope.variable, entity, context)
        if called is None or _says_exits(node.scope, context):
            return None
        context, binding = context.bind(entity, called)
        scope = p.Scope(entity, binding.variable)
    when = p.TRUE if node.when is None else expressions.condition(node.when, context)
    then = expressions.condition(node.then, context)
    if when is None or then is None:
        return None
    return Invariant(context.policy, node.name.text, scope, when, then, node.span)


def _says_exits(node: s.ForEach, context: Context) -> bool:
    if node.including_exits:
        context.error("RF209", "an invariant holds for exits too: leave out `including exits`", node.span)
    return node.including_exits


def typed_test(node: s.TestDecl, source: Source, context: Context) -> Case | None:
    """The typed test; None after a finding."""
    reader = _Reader(context, source)
    for step in node.steps:
        reader.step(step)
    reader.check_length(node.name.span)
    if reader.failed:
        return None
    moments = reader.moments()
    if not reader.expects:
        hint = "add `expect ...`, or a table with an output"
        context.error("RF310", "the test expects nothing", node.name.span, hint)
        return None
    variants = tuple(_merged(moments, row) for row in reader.rows) or (moments,)
    timed = reader.timed or bool(reader.timelines)
    return Case(context.policy, node.name.text, variants, tuple(reader.timelines), reader.cadence, timed, node.span)


def _merged(moments: tuple[Moment, ...], row: Moment) -> tuple[Moment, ...]:
    """A row of a table is given and expected at the end, on top of all that the test gives."""
    if not moments:
        return (row,)
    last = moments[-1]
    return (*moments[:-1], Moment(last.at, last.given + row.given, last.expected + row.expected))


class _Reader:
    """Reads the steps of one test, in order."""

    def __init__(self, context: Context, source: Source) -> None:
        self.context, self.source = context, source
        self.now, self.cadence = 0, DEFAULT_CADENCE
        self.timed = self.failed = self.expects = False
        self.changes: dict[int, tuple[list[Assignment], list[Expectation]]] = {}
        self.timelines: list[Timeline] = []
        self.rows: list[Moment] = []

    def moments(self) -> tuple[Moment, ...]:
        return tuple(Moment(at, tuple(g), tuple(e)) for at, (g, e) in sorted(self.changes.items()))

    def step(self, step: s.Step) -> None:
        given, expected = self.changes.setdefault(self.now, ([], [])) if not isinstance(step, s.At) else ([], [])
        match step:
            case s.At():
                self._move(step)
            case s.Every():
                self.cadence = self._duration(step.cadence, 1) or DEFAULT_CADENCE
                self.timed = True
            case s.Given():
                for assign in step.assigns:
                    made = assignment(assign.path, assign.value, self.context)
                    self._keep(given, made)
            case s.Expect():
                condition = expressions.condition(step.condition, self.context)
                self._keep(expected, None if condition is None else Expectation(condition, step.condition.span))
                self.expects = True
            case s.Series():
                self._series(step)
            case s.Table():
                self._table(step)

    def _keep(self, items: list[object] | list[Assignment] | list[Expectation], made: object | None) -> None:
        if made is None:
            self.failed = True
        else:
            items.append(made)  # type: ignore[arg-type]  # because each caller passes the list of what it made

    def check_length(self, span: Span) -> None:
        """Report a test that takes more snapshots than anybody waits for."""
        if max(self.changes, default=0) // self.cadence > MOST_SNAPSHOTS:
            self._too_long(span)

    def _too_long(self, span: Span) -> None:
        message = f"this takes more than {MOST_SNAPSHOTS:_} snapshots"
        self.context.error("RF314", message, span, "`every 1h` takes fewer")
        self.failed = True

    def _duration(self, node: s.Quantity, least: int) -> int | None:
        made = expressions.constant_duration(node, self.context, least)
        self.failed |= made is None
        return made

    def _move(self, step: s.At) -> None:
        at = self._duration(step.time, 0)
        if at is None:
            return
        if at < self.now:
            self.context.error("RF311", "a test goes forward in time", step.span)
            self.failed = True
        self.now, self.timed = at, True

    def _series(self, step: s.Series) -> None:
        target = assignment(step.path, s.Missing(), self.context)
        if target is None or target.field is None:
            if target is not None:
                self.context.error("RF202", f"name one fact of `{step.path.head}`", step.path.span)
            self.failed = True
            return
        if sum(run.times for run in step.runs) > MOST_SNAPSHOTS:
            self._too_long(step.span)
            return
        values: list[Value | None] = []
        for run in step.runs:
            made = assignment(step.path, run.value, self.context)
            if made is None:
                self.failed = True
                return
            values += [made.value] * run.times
        self.timelines.append(Timeline(target, tuple(values)))

    def _table(self, table: s.Table) -> None:
        if len(table.header) > _MOST_COLUMNS:
            self.context.error("RF312", f"a table has at most {_MOST_COLUMNS} columns", table.header[0].span)
            self.failed = True
            return
        columns = [_column(cell, self.source, self.context) for cell in table.header]
        for row in table.rows:
            if len(row) != len(columns):
                message = f"a row of {len(row)} in a table of {len(columns)} columns"
                self.context.error("RF312", message, row[0].span if row else table.span)
                self.failed = True
                continue
            given: list[Assignment] = []
            expected: list[Expectation] = []
            for column, cell in zip(columns, row, strict=True):
                made = None if column is None else _cell(column, cell, self.source, self.context)
                self._keep(given if isinstance(made, Assignment) else expected, made)
            self.expects |= bool(expected)
            self.rows.append(Moment(self.now, tuple(given), tuple(expected)))
        if not table.rows:
            self.context.error("RF312", "the table has no rows", table.span)
            self.failed = True


def _column(cell: s.Cell, source: Source, context: Context) -> s.Path | p.Expression | None:
    """A fact to give (its path), or an expression over the outputs to compare."""
    node = parse_expression(source, cell.span, context.findings)
    if node is None:
        return None
    if isinstance(node, s.Path) and node.head in context.names.catalogue.entities:
        return node
    made = expressions.expression(node, context)
    if made is not None and isinstance(made.type, ItemSet):
        context.error(
            "RF206", "a set as a whole stands in no table", cell.span, "ask for one item: `... includes ITEM`"
        )
        return None
    return made


def _cell(
    column: s.Path | p.Expression, cell: s.Cell, source: Source, context: Context
) -> Assignment | Expectation | None:
    node = parse_value(source, cell.span, context.findings)
    if node is None:
        return None
    if isinstance(column, s.Path):
        return assignment(column, node, context)
    wanted = FLAG if isinstance(column.type, Truth) else column.type
    value = None if isinstance(node, s.Missing) else expressions.expression(node, context, wanted)
    if value is None or value.type != wanted:
        if value is not None or isinstance(node, s.Missing):
            context.error("RF206", f"{a_type(wanted)} is expected here", cell.span)
        return None
    if wanted != FLAG:
        return Expectation(p.Compare(p.Comparator.EQUAL, column, value, cell.span), cell.span)
    truth = p.IsTrue(column) if isinstance(column.type, Flag) else column
    holds = isinstance(value, p.Constant) and value.value is True
    return Expectation(truth if holds else p.Not(truth), cell.span)


def assignment(path: s.Path, value: s.Expr | s.Missing, context: Context) -> Assignment | None:
    """What `given PATH = VALUE` sets; None after a finding."""
    entity = context.names.catalogue.entities.get(path.head)
    if entity is None or entity.rows is Rows.EVENT:
        given = [n for n, e in context.names.catalogue.entities.items() if e.rows is not Rows.EVENT]
        hint = did_you_mean(path.head, given) if entity is None else "events come with recordings, not with tests"
        context.error("RF201", f"`{path.head}` is not a fact that a test can give", path.span, hint)
        return None
    steps = list(path.steps)
    key = None
    if entity.rows is Rows.KEYED:
        if not steps:
            return _collection(path, value, context)
        index = steps.pop(0)
        if not isinstance(index, s.Index) or not isinstance(index.key, s.Text):
            context.error("RF209", f'name one {path.head}: `{path.head}["key"]`', path.span)
            return None
        key = index.key.text
    if len(steps) != 1 or not isinstance(steps[0], s.Field):
        context.error("RF202", f"name one fact of `{path.head}`", path.span)
        return None
    fact = entity.facts.get(steps[0].name)
    if fact is None:
        hint = did_you_mean(steps[0].name, entity.facts)
        context.error("RF202", f"`{entity.name}` has no fact `{steps[0].name}`", steps[0].span, hint)
        return None
    if isinstance(value, s.Missing):
        return Assignment(entity.name, key, fact.name, None)
    made = expressions.expression(value, context, fact.type)
    if made is None:
        return None
    if not isinstance(made, p.Constant):
        context.error("RF206", "a test gives fixed values: literals and params", value.span)
        return None
    if not _fits(made.type, fact.type):
        _wrong_value(value, made.type, fact.type, context)
        return None
    if not fact.in_range(made.value):
        ends = " to ".join("open" if e is None else write_value(e, fact.type) for e in (fact.low, fact.high))
        context.error("RF313", f"`{fact.path}` cannot have this value", value.span, f"its range is {ends}")
        return None
    return Assignment(entity.name, key, fact.name, made.value)


def _collection(path: s.Path, value: s.Expr | s.Missing, context: Context) -> Assignment | None:
    if isinstance(value, s.Missing):
        return Assignment(path.head, None, None, None)
    hint = f'`given {path.head}["key"].fact = ...`'
    context.error("RF206", f"`{path.head}` as a whole can only be missing", value.span, hint)
    return None


def _fits(got: Type, wanted: Type) -> bool:
    return got == wanted or (isinstance(got, Text) and isinstance(wanted, Reference))


def _wrong_value(node: s.Expr, got: Type, wanted: Type, context: Context) -> None:
    code = "RF204" if isinstance(got, Quantity) and isinstance(wanted, Quantity) else "RF206"
    message = f"{a_type(wanted)} is expected, and this is {a_type(got)}"
    context.error(code, message, node.span, expressions.suggest_unit(node, wanted))
