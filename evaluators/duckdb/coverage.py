"""How much of what a program reads is missing from a recording."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from evaluators.duckdb.needs import KNOWN, REQUEST, SNAPSHOT, needs_of
from evaluators.identifiers import quote
from policy_dsl.program import Program


@dataclass(frozen=True, slots=True)
class Missing:
    """A fact (or `known.<entity>`: a whole collection) that is missing on so many of its rows."""

    fact: str
    missing: int
    rows: int

    @property
    def rate(self) -> float:
        """The share of rows on which it is missing; 0 of none."""
        return self.missing / self.rows if self.rows else 0.0


def unknown_rates(connection: duckdb.DuckDBPyConnection, program: Program) -> tuple[Missing, ...]:
    """For every fact that the program reads, and every collection, how often the recording lacks it."""
    needs = needs_of(program)
    found = [(path, f"{quote(path)} IS NULL") for path in needs.facts]
    found += [(KNOWN + e, f"{quote(KNOWN + e)} IS NOT TRUE") for e in needs.entities if e != REQUEST]
    out = _counted(connection, SNAPSHOT, found)
    for entity, fields in {**needs.entities, **needs.events}.items():
        out += _counted(connection, entity, [(f"{entity}.{name}", f"{quote(name)} IS NULL") for name in fields])
    return tuple(out)


def _counted(connection: duckdb.DuckDBPyConnection, relation: str, tests: list[tuple[str, str]]) -> list[Missing]:
    if not tests:
        return []
    listed = ", ".join(f"count_if({test})" for _, test in tests)
    row = connection.execute(f"SELECT count(*), {listed} FROM {quote(relation)}").fetchone()
    rows, *missing = row or (0,) * (1 + len(tests))
    return [Missing(name, count, rows) for (name, _), count in zip(tests, missing, strict=True)]
