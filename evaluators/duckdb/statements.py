"""The statements that make a design's relations, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from evaluators.duckdb.compiler import Design
from evaluators.duckdb.fragments import Fragment
from evaluators.duckdb.selects import aggregates, rows
from evaluators.duckdb.stages import Link, Stage, Stages
from evaluators.identifiers import quote


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, and the temporary table that it makes, if any."""

    sql: str
    makes: str | None = None
    reads: frozenset[str] = frozenset()


def statements(design: Design, name: str) -> tuple[Statement, ...]:
    """The statements of `design`; temporary tables are dropped as soon as nothing reads them any more."""
    made = list(_making(Stages.of(design), _Names(name)))
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
        table, shown = names.table(stage), stage.relation
        reads = frozenset(_reads(stages, stage, names))
        plain = shown is not None and not stage.written and not stage.rollups
        if shown is not None and plain:
            yield _create(table, rows(stages, stage, names.table, names.rollup, shown.columns), reads)
            yield _view(shown.name, f"FROM {quote(table)}", table)
        elif stage.is_table:
            yield _create(table, rows(stages, stage, names.table, names.rollup, _columns(stages, stage)), reads)
            if shown is not None:
                listed = ",\n  ".join(f"{f.text} AS {quote(name)}" for name, f in shown.columns.items())
                yield _view(shown.name, f"SELECT\n  {listed}\nFROM {quote(table)}", table)
        if stage.rollups:
            source = quote(table) if stage.is_table else None
            text = aggregates(stages, stage, names.table, names.rollup, source)
            yield _create(names.rollup(stage), text, frozenset((table,)) if stage.is_table else reads)


def _create(table: str, select: str, reads: frozenset[str]) -> Statement:
    return Statement(f"CREATE OR REPLACE TEMP TABLE {quote(table)} AS\n{select}", table, reads)


def _view(name: str, select: str, table: str) -> Statement:
    return Statement(f"CREATE OR REPLACE TEMP VIEW {quote(name)} AS\n{select}", None, frozenset((table,)))


def _columns(stages: Stages, stage: Stage) -> dict[str, Fragment]:
    """What a stage's table must hold: what others read, what is folded, and what its relation shows."""
    wanted = dict(stage.written)
    for aggregate in stage.rollups.values():
        wanted |= dict.fromkeys([*aggregate.columns, *stages.outer_ids(stage.frame)])
    for fragment in stage.relation.columns.values() if stage.relation is not None else ():
        wanted |= dict.fromkeys(fragment.columns)
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
