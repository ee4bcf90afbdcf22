"""The tables of tests: columns of facts to give and of outputs to expect, a row a case."""

from __future__ import annotations

from dataclasses import replace

from policy_dsl import expressions, nodes
from policy_dsl import syntax_expressions as x
from policy_dsl import syntax_steps as t
from policy_dsl.case_expectations import looks_back
from policy_dsl.case_values import assignment
from policy_dsl.cases import Assignment, Expectation, Moment
from policy_dsl.context import Context, a_type
from policy_dsl.diagnostics import Source
from policy_dsl.operators import Comparator
from policy_dsl.parser import parse_expression, parse_value
from policy_dsl.types import FLAG, Flag, ItemSet, Truth

_MOST_COLUMNS = 100


def typed_table(table: t.Table, at: int, source: Source, context: Context) -> tuple[Moment, ...] | None:
    """What each row gives and expects at the time `at`; None after a finding."""
    if len(table.header) > _MOST_COLUMNS:
        context.error("RF312", f"a table has at most {_MOST_COLUMNS} columns", table.header[0].span)
        return None
    columns = [_column(cell, source, context) for cell in table.header]
    if not table.rows:
        context.error("RF312", "the table has no rows", table.span)
        return None
    rows = [_row(row, columns, table, at, source, context) for row in table.rows]
    known = tuple(row for row in rows if row is not None)
    return known if len(known) == len(rows) else None


_Column = x.Path | nodes.Expression | None


def _row(
    row: tuple[t.Cell, ...], columns: list[_Column], table: t.Table, at: int, source: Source, context: Context
) -> Moment | None:
    if len(row) != len(columns):
        message = f"a row of {len(row)} in a table of {len(columns)} columns"
        context.error("RF312", message, row[0].span if row else table.span)
        return None
    made = [None if c is None else _cell(c, cell, source, context) for c, cell in zip(columns, row, strict=True)]
    given = tuple(m for m in made if isinstance(m, Assignment))
    expected = tuple(m for m in made if isinstance(m, Expectation))
    return None if None in made else Moment(at, given, expected)


def _column(cell: t.Cell, source: Source, context: Context) -> _Column:
    """A fact to give (its path), or an expression over the outputs to compare."""
    node = parse_expression(source, cell.span, context.findings)
    if node is None:
        return None
    if isinstance(node, x.Path) and node.head in context.names.catalogue.entities:
        return node
    made = expressions.expression(node, context)
    if made is None or looks_back(node, context):
        return None
    if isinstance(made.type, ItemSet):
        context.error(
            "RF206", "a set as a whole stands in no table", cell.span, "ask for one item: `... includes ITEM`"
        )
        return None
    return made


def _cell(
    column: x.Path | nodes.Expression, cell: t.Cell, source: Source, context: Context
) -> Assignment | Expectation | None:
    node = parse_value(source, cell.span, context.findings)
    if node is None:
        return None
    if isinstance(column, x.Path):
        made = assignment(column, node, context)
        return None if made is None else replace(made, span=cell.span)
    wanted = FLAG if isinstance(column.type, Truth) else column.type
    value = None if isinstance(node, t.Missing) else expressions.expression(node, context, wanted)
    if value is None or value.type != wanted:
        if value is not None or isinstance(node, t.Missing):
            context.error("RF206", f"{a_type(wanted)} is expected here", cell.span)
        return None
    if wanted != FLAG:
        return Expectation(nodes.Compare(Comparator.EQUAL, column, value, cell.span), cell.span)
    truth = nodes.IsTrue(column) if isinstance(column.type, Flag) else column
    holds = isinstance(value, nodes.Constant) and value.value is True
    return Expectation(truth if holds else nodes.Not(truth), cell.span)
