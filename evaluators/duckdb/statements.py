"""The statements that make a design's relations, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from evaluators.duckdb.compiler import Design
from evaluators.duckdb.fragments import Fragment
from evaluators.duckdb.selects import aggregates, rows, view
from evaluators.duckdb.stages import Link, Stage, Stages
from evaluators.duckdb.steady import mark_steady, steady_aggregates
from evaluators.identifiers import quote


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, and the temporary table that it makes, if any."""

    sql: str
    makes: str | None = None
    reads: tuple[str, ...] = ()


def statements(design: Design, name: str) -> tuple[Statement, ...]:
    """The statements of `design`; temporary tables are dropped as soon as nothing reads them any more."""
    stages = Stages.of(design)
    mark_steady(stages)
    made = list(_making(stages, _Names(name)))
    kept = {table for statement in made if statement.makes is None for table in statement.reads}
    last = {table: i for i, statement in enumerate(made) for table in statement.reads}
    out: list[Statement] = []
    for i, statement in enumerate(made):
        out.append(statement)
        done = [table for table, at in last.items() if at == i and table not in kept]
        out += [Statement(f"DROP TABLE {quote(table)}") for table in done]
    return tuple(out)


@dataclass(frozen=True, slots=True)
class _Names:
    """Names of the temporary tables of a design."""

    design: str

    def table(self, stage: Stage) -> str:
        """The table of a stage's rows."""
        return f"{self.design}: {' and '.join(stage.frame.entities) or 'snapshot'} {stage.round}"

    def rollup(self, stage: Stage) -> str:
        """The table of aggregates over a stage's rows."""
        return f"{self.table(stage)} folded"


def _making(stages: Stages, names: _Names) -> Iterator[Statement]:
    for stage in stages.in_order:
        table = names.table(stage)
        reads = tuple(dict.fromkeys(_reads(stages, stage, names)))
        if stage.is_table:
            select = rows(stages, stage, names.table, names.rollup, _columns(stages, stage))
            yield Statement(f"CREATE OR REPLACE TEMP TABLE {quote(table)} AS\n{select}", table, reads)
        if stage.view is not None:
            create = f"CREATE OR REPLACE TEMP VIEW {quote(stage.view.relation.name)} AS"
            yield Statement(f"{create}\n{view(stage, stage.view, table)}", None, (table,))
        if stage.rollups:
            folded, source = names.rollup(stage), quote(table) if stage.is_table else None
            if stage.steady:
                select = steady_aggregates(stages, stage, names.table)
            else:
                select = aggregates(stages, stage, names.table, names.rollup, source)
            sources = (table,) if stage.is_table else reads
            yield Statement(f"CREATE OR REPLACE TEMP TABLE {quote(folded)} AS\n{select}", folded, sources)


def _columns(stages: Stages, stage: Stage) -> dict[str, Fragment]:
    """What a stage's table must hold: what others read, and what is folded."""
    wanted = dict(stage.written)
    for aggregate in stage.rollups.values():
        wanted |= dict.fromkeys([*aggregate.columns, *stages.outer_ids(stage.frame)])
    return {c.name: c.read for c in wanted if not c.is_row_id or c.round < stage.round}


def _reads(stages: Stages, stage: Stage, names: _Names) -> Iterable[str]:
    """The temporary tables that a stage reads."""
    yield from (names.table(s) for s in stages.sources(stage))
    for column in stage.own:
        link = stages.link(column)
        if link is not None:
            yield from _table_of(link, names)


def _table_of(link: Link, names: _Names) -> Iterable[str]:
    if isinstance(link.table, Stage):
        yield names.table(link.table)
    elif isinstance(link.table, tuple):
        yield names.rollup(link.table[0])
