"""Decides whole recordings: a program as a few set-based statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from evaluators.duckdb.compiler import design
from evaluators.duckdb.needs import SNAPSHOT, needs_of
from evaluators.duckdb.result import Decided, Result
from evaluators.duckdb.statements import Statement, statements
from evaluators.timelines import DEFAULT_MAX_GAP
from policy_dsl.program import Program

DECISION = "decision"


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A program's statements, and what they leave behind."""

    statements: tuple[Statement, ...]
    decided: Decided

    @classmethod
    def of(cls, program: Program, name: str, max_gap: int) -> _Compiled:
        made = design(program, name, max_gap)
        return cls(statements(made, name), Decided.of(program, made, name))


class DuckdbEvaluator:
    """Decides every snapshot of a recording, bit for bit as the reference interpreter does.

    `name` is what the relations of the result are called; those of the whole program, observing rules included, are
    called `<name>_would_be`. `max_gap` is the longest distance (ms) of two snapshots that is no gap.

    Raises ValueError where a relation of the result would have the name of one that the program reads.
    """

    def __init__(self, program: Program, *, name: str = DECISION, max_gap: int = DEFAULT_MAX_GAP) -> None:
        self.program = program
        self._enforced = _Compiled.of(program.enforced(), name, max_gap)
        self._whole = _Compiled.of(program, f"{name}_would_be", max_gap) if program.observes else None
        needs = needs_of(program)
        read = {entity.casefold() for entity in (SNAPSHOT, *needs.entities, *needs.events)}
        for relation in self._relations():
            if relation.casefold() in read:
                raise ValueError(f"the program reads `{relation}`; give the relations of its result another name")

    @property
    def sql(self) -> str:
        """Every statement that a run executes; the terms of a mask carry the ids of their rules."""
        return ";\n\n".join(statement.sql for statement in self._statements()) + ";\n"

    def run(self, connection: duckdb.DuckDBPyConnection) -> Result:
        """Decide all snapshots of the relation `snapshot`, with one relation an entity of rows or events, as recorded.

        No two rows may have one book and time (and key), and every row of an entity must belong to a snapshot that
        knows its collection; whoever writes recordings sees to both. What came before the first snapshot of a book is
        as if it had not been: a run over a part of a recording must begin early enough for every window.

        The decisions are left in temporary relations on the connection, which replace those of an earlier run. Memory
        stays within DuckDB's `memory_limit`; what does not fit goes to its `temp_directory`.

        Raises duckdb.Error where a relation or a column that the program reads is not there.
        """
        with _any_order(connection):
            for statement in self._statements():
                connection.execute(statement.sql)
        return Result(connection, self._enforced.decided, None if self._whole is None else self._whole.decided)

    def _relations(self) -> Iterator[str]:
        for compiled in (self._enforced, self._whole):
            if compiled is not None:
                yield compiled.decided.relation(None)
                yield from map(compiled.decided.relation, compiled.decided.entities)

    def _statements(self) -> Iterator[Statement]:
        yield from self._enforced.statements
        yield from self._whole.statements if self._whole is not None else ()


@contextmanager
def _any_order(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let rows be written in any order meanwhile: it is faster, and needs less memory."""
    found = connection.execute("SELECT current_setting('preserve_insertion_order')").fetchone()
    connection.execute("SET preserve_insertion_order = false")
    try:
        yield
    finally:
        connection.execute(f"SET preserve_insertion_order = {bool(found and found[0])}")
